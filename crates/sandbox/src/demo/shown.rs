//! Messages as the page shows them: the bytes of the wire, their secrets hidden, their parameters explained.

use http::StatusCode;
use keyfob_client::{Header, HeaderValue, HttpRequest, HttpResponse, SendFailure};
use keyfob_pages::{Exchange, HttpMessage, Masked, Parameter};
use url::Url;

use super::masking;
use super::meanings;

/// Which step of the flow a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Code for tokens.
    Exchange,
    /// The same code once more.
    ExchangeAgain,
    /// Refresh token for tokens.
    Refresh,
    /// The app gives the access back.
    Revoke,
    /// A call of the API.
    Call,
}

/// Which step a request of the client library is.
pub(super) fn kind(request: &HttpRequest) -> Kind {
    let body = String::from_utf8_lossy(request.body.expose());
    let grant_type = masking::form_members(request.query().unwrap_or(&body));
    let grant_type = grant_type.iter().find(|(name, _)| name == "grant_type").map(|(_, value)| value.as_str());
    match (request.endpoint(), grant_type) {
        (endpoint, Some("refresh_token")) if endpoint.ends_with("/oauth/token") => Kind::Refresh,
        (endpoint, _) if endpoint.ends_with("/oauth/token") => Kind::Exchange,
        (endpoint, _) if endpoint.ends_with("/revokeAccess") => Kind::Revoke,
        _ => Kind::Call,
    }
}

/// A request that the client library sent, and what came of it.
pub(super) fn step(kind: Kind, request: &HttpRequest, answer: Result<&HttpResponse, &SendFailure>) -> Exchange {
    let (title, explanation) = match kind {
        Kind::Exchange => (
            "Exchange the code for tokens",
            "From server to server, with what proves that this app asked. The browser never sees these tokens.",
        ),
        Kind::ExchangeAgain => (
            "Present the code again",
            "The same request once more, byte for byte, as somebody would send it who had overheard it. A code is good once.",
        ),
        Kind::Refresh => (
            "Refresh the access token",
            "The refresh token buys a new access token, without the user. The answer may hold a new refresh token, which replaces this one.",
        ),
        Kind::Revoke => (
            "Give the access back",
            "The app ends the grant at the authority: the access token and the refresh token stop working at once.",
        ),
        Kind::Call => {
            ("Call the API", "Every call carries the access token. The API answers as the user's role allows.")
        }
    };
    let title = match kind {
        Kind::Call => format!("{title}: {}", path(request.endpoint())),
        _ => title.to_owned(),
    };
    let (response, explanation) = match answer {
        Ok(response) => (Some(response_message(response)), explanation.to_owned()),
        Err(failure) => (None, format!("{explanation} There was no answer: {failure}.")),
    };
    Exchange { title, explanation, request: request_message(request), response }
}

/// The redirect that sends the browser to the authority.
pub(super) fn authorize(url: &str) -> Exchange {
    let (endpoint, query) = url.split_once('?').unwrap_or((url, ""));
    Exchange {
        title: "Send the browser to the authority".to_owned(),
        explanation: "The app redirects the user's browser. No secret travels here: the user sees this address. Signing in and deciding happen at the authority; the app sees nothing of it.".to_owned(),
        request: HttpMessage {
            start_line: Masked::plain(format!("GET {}?{query} HTTP/1.1", path(endpoint))),
            headers: vec![host(endpoint)],
            parameters: meanings::explained(&masking::form_members(query)),
            body: None,
        },
        response: None,
    }
}

/// The browser with the answer, and where the app sends it at once.
pub(super) fn callback(redirect_uri: &str, query: &str, location: &str) -> Exchange {
    Exchange {
        title: "The browser comes back".to_owned(),
        explanation: "The authority sent the browser here with the user's decision. The app reads it once and redirects to an address without it, so that no code stays in the history or in a Referer.".to_owned(),
        request: HttpMessage {
            start_line: masking::form_text(&format!("GET {}?", path(redirect_uri)), query, " HTTP/1.1"),
            headers: vec![host(redirect_uri)],
            parameters: meanings::explained(&masking::form_members(query)),
            body: None,
        },
        response: Some(HttpMessage {
            start_line: Masked::plain("HTTP/1.1 303 See Other"),
            headers: vec![
                ("Location".to_owned(), Masked::plain(location)),
                ("Referrer-Policy".to_owned(), Masked::plain("no-referrer")),
            ],
            parameters: Vec::new(),
            body: None,
        }),
    }
}

fn request_message(request: &HttpRequest) -> HttpMessage {
    let (method, path) = (request.method.as_str(), path(request.endpoint()));
    let start_line = match request.query() {
        Some(query) => masking::form_text(&format!("{method} {path}?"), query, " HTTP/1.1"),
        None => Masked::plain(format!("{method} {path} HTTP/1.1")),
    };
    let body = String::from_utf8_lossy(request.body.expose()).into_owned();
    let mut headers = vec![host(request.endpoint())];
    headers.extend(request.headers.iter().map(header));
    if !body.is_empty() {
        headers.push(("Content-Length".to_owned(), Masked::plain(body.len().to_string())));
    }
    let mut parameters: Vec<Parameter> = request.headers.iter().filter_map(header_parameter).collect();
    parameters.extend(meanings::explained(&masking::form_members(request.query().unwrap_or_default())));
    parameters.extend(meanings::explained(&masking::form_members(&body)));
    let body = (!body.is_empty()).then(|| masking::form_text("", &body, ""));
    HttpMessage { start_line, headers, parameters, body }
}

fn response_message(response: &HttpResponse) -> HttpMessage {
    let reason = StatusCode::from_u16(response.status).ok().and_then(|status| status.canonical_reason());
    let status = format!("HTTP/1.1 {} {}", response.status, reason.unwrap_or_default());
    let body = String::from_utf8_lossy(response.body.expose()).into_owned();
    HttpMessage {
        start_line: Masked::plain(status.trim_end()),
        headers: response.headers.iter().map(header).collect(),
        parameters: meanings::explained(&masking::json_members(&body)),
        body: (!body.is_empty()).then(|| masking::json_text(&body)),
    }
}

/// Fields that hold a credential. The client library hides more, every field of an answer that it does not know; here people look.
const CREDENTIALS: [&str; 4] = ["authorization", "x-system-key", "set-cookie", "location"];

fn header(header: &Header) -> (String, Masked) {
    let secret = CREDENTIALS.iter().any(|name| header.name.eq_ignore_ascii_case(name));
    let value = match &header.value {
        HeaderValue::Secret(value) if secret => masking::header(value.expose()),
        value => Masked::plain(value.expose()),
    };
    (header.name.clone(), value)
}

fn header_parameter(field: &Header) -> Option<Parameter> {
    let meaning = meanings::of_header(&field.name)?.to_owned();
    let (name, value) = header(field);
    Some(Parameter { name, value, meaning })
}

fn host(url: &str) -> (String, Masked) {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest).split('/').next().unwrap_or_default();
    ("Host".to_owned(), Masked::plain(host))
}

fn path(url: &str) -> String {
    Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.path().to_owned())
}

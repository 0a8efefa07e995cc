//! Steps 3 and 5, at the token endpoint.

use super::authorize::corrected_redirect_uri;
use super::findings::Findings;
use super::hosts::{self, Expected, Part};
use super::request::{Body, Request};
use super::source::Parameters;
use super::{ExplainOptions, Kind, credentials, redirect_uri};
use keyfob_protocol::form;
use keyfob_protocol::token_request::is_form;

/// Finds what is wrong with it and gives a corrected command.
///
/// `asked_for`: the redirect URI of the authorize request, if that was pasted as well.
pub(super) fn check(
    kind: Kind,
    request: &Request,
    options: &ExplainOptions,
    asked_for: Option<&str>,
    found: &mut Findings,
) -> String {
    let expected = options.authority.expected(&request.url);
    hosts::check(Part::Token, request, &expected, found);
    let parameters = place(request, &expected, found);
    check_grant_type(kind, request, &parameters, &expected, found);
    let missing = |name: &str, why: &str, found: &mut Findings| {
        found.wrong(parameters.end, name, why, format!("{name}=<{}>", name.replace('_', " ")));
    };
    match kind {
        Kind::Refresh => {
            if parameters.get("refresh_token").is_none() {
                missing("refresh_token", "It is missing.", found);
            }
        }
        _ => {
            if parameters.get("code").is_none() {
                missing("code", "It is missing: there is nothing to exchange.", found);
            }
            match parameters.get("redirect_uri") {
                Some(parameter) => redirect_uri::check(parameter, &expected, options.redirect_uri.as_deref(), found),
                None => missing(
                    "redirect_uri",
                    "It is missing. The exchange has to name the redirect URI of the authorize request again.",
                    found,
                ),
            }
            let standard = expected != Expected::FollowUpBoss && parameters.value("grant_type") != Some("auth_code");
            if parameters.get("state").is_none() && !standard {
                missing(
                    "state",
                    "It is missing. Standard OAuth does not send it here; at Follow Up Boss the exchange fails without it.",
                    found,
                );
            }
        }
    }
    check_scope(kind, &parameters, &expected, found);
    check_client(request, &parameters, &expected, found);
    // The pair is compared elsewhere; what is written instead has to keep to it as well.
    let redirect_uri = asked_for.or(parameters.value("redirect_uri"));
    let redirect_uri = corrected_redirect_uri(redirect_uri, options, &expected, found);
    corrected(kind, request, &parameters, &redirect_uri, &expected, found)
}

/// The parameters, and what is wrong with the place where they stand.
fn place(request: &Request, expected: &Expected, found: &mut Findings) -> Parameters {
    let (query, body) = (&request.url.query, request.body_parameters());
    let in_body = body.names("grant_type") || body.names("code") || body.names("refresh_token");
    match request.method.as_str() {
        "GET" if in_body && !request.bare => body,
        "GET" => query.clone(),
        "POST" => {
            if let Some(parameter) = query.get("grant_type").or(query.get("code")).or(query.get("refresh_token")) {
                let why = "A POST carries the parameters in its body. In a URL they end up in logs, and the authority does not read them.";
                found.wrong(
                    parameter.at,
                    "parameters in the URL",
                    why,
                    "curl -d name=value …, without -G; or a GET without a body, where the authority documents it.",
                );
            }
            check_type(request, found);
            if in_body { body } else { Parameters { all: [query.all.clone(), body.all].concat(), end: body.end } }
        }
        other => {
            let write = if *expected == Expected::FollowUpBoss {
                "POST, or GET as in Follow Up Boss's older documents"
            } else {
                "POST"
            };
            let why = format!("The token endpoint does not take {}.", found.shown(other));
            found.wrong(request.method_at, "method", why, write);
            if in_body { body } else { query.clone() }
        }
    }
}

fn check_type(request: &Request, found: &mut Findings) {
    const WRITE: &str = "Content-Type: application/x-www-form-urlencoded, with the body name=value&name=value";
    let content_type = request.header("content-type");
    match &request.body {
        Body::Json(json) => {
            let why = match request.body_parameters().names("client_secret") {
                true => {
                    "The body is JSON with the credentials in it. The token endpoint reads a form, and the credentials from the Authorization header."
                }
                false => "The body is JSON; the token endpoint reads a form.",
            };
            found.wrong(json.start(), "JSON body", why, WRITE);
        }
        Body::Multipart(parameters) => {
            let at = parameters.all.first().map_or(parameters.end, |parameter| parameter.at);
            found.wrong(
                at,
                "multipart body",
                "-F sends a multipart body, as for files; the token endpoint reads a form.",
                "-d or --data-urlencode in place of -F",
            );
        }
        Body::Other(at) => {
            found.note(*at, "body", "The body is in a file that is not here; it was not looked at.", "Paste it.")
        }
        Body::Form(_) => {
            if let Some(header) = content_type.filter(|header| !is_form(header.value.text().as_bytes())) {
                found.wrong(
                    header.value.start(),
                    "Content-Type",
                    "The body is a form, and its type says otherwise.",
                    WRITE,
                );
            }
        }
        Body::None => {}
    }
}

fn check_grant_type(kind: Kind, request: &Request, parameters: &Parameters, expected: &Expected, found: &mut Findings) {
    let is_get = request.method == "GET";
    let right = match (kind, is_get && *expected == Expected::FollowUpBoss) {
        (Kind::Refresh, _) => "refresh_token",
        (_, true) => "auth_code",
        (_, false) => "authorization_code",
    };
    let write = format!("grant_type={right}");
    let Some(parameter) = parameters.get("grant_type") else {
        found.wrong(parameters.end, "grant_type", "It is missing.", write);
        return;
    };
    if parameter.is_open() {
        return;
    }
    let at = if parameter.raw.text().is_empty() { parameter.at } else { parameter.raw.start() };
    let value = parameter.value.as_str();
    match value {
        "refresh_token" if kind == Kind::Refresh => {}
        "refresh_token" => found.wrong(at, "grant_type", "This is the name for a refresh, and the request carries a code.", "grant_type=authorization_code"),
        "auth_code" | "authorization_code" if kind == Kind::Refresh => {
            found.wrong(at, "grant_type", "This is the name for a code, and the request carries a refresh token.", write);
        }
        "authorization_code" if is_get && *expected == Expected::FollowUpBoss => found.risky(
            at,
            "grant_type",
            "The GET is documented with auth_code; authorization_code is the spelling of the POST. Whether the GET takes it, nobody has written down.",
            write,
        ),
        "auth_code" if matches!(expected, Expected::Other(_)) => {
            found.wrong(at, "grant_type", "auth_code is Follow Up Boss's spelling; a standard authority knows authorization_code.", "grant_type=authorization_code");
        }
        "auth_code" | "authorization_code" => {}
        "password" | "client_credentials" => {
            found.wrong(at, "grant_type", "This way to a token is not offered: a user has to consent first.", write);
        }
        _ => found.wrong(at, "grant_type", "There is no such grant type. The values are auth_code or authorization_code, and refresh_token, in lower case.", write),
    }
}

/// Scopes are asked for at the authorize endpoint; a refresh may ask for less, never for more (RFC 6749 section 6).
fn check_scope(kind: Kind, parameters: &Parameters, expected: &Expected, found: &mut Findings) {
    let Some(scope) = parameters.get("scope") else { return };
    let at = scope.raw.start();
    match (expected, kind) {
        (Expected::FollowUpBoss, _) => found.risky(
            at,
            "scope",
            "Follow Up Boss documents no scopes, neither here nor at the authorize request, and what it makes of one is not written down. A refresh token comes without offline_access.",
            "Leave it out.",
        ),
        (_, Kind::Refresh) => found.note(
            at,
            "scope",
            "At a refresh it can only ask for less than the user granted; a scope that was not granted is refused.",
            "Leave it out, to get what was granted.",
        ),
        _ => found.note(
            at,
            "scope",
            "The exchange has no scope: what is granted was decided at the authorize request.",
            "Leave it out here.",
        ),
    }
}

fn check_client(request: &Request, parameters: &Parameters, expected: &Expected, found: &mut Findings) {
    const BASIC: &str =
        "Authorization: Basic base64(\"<client id>:<client secret>\"), or curl -u '<client id>:<client secret>'";
    let in_body = matches!(request.body, Body::Form(_)) && request.method == "POST";
    if let Some(secret) = request.url.query.get("client_secret") {
        let why = "The secret stands in a URL, and so in the logs of everything on the way. It has to be replaced.";
        found.wrong(secret.at, "client_secret", why, BASIC);
    }
    let secret_in_body = parameters.get("client_secret").filter(|_| in_body);
    let header = request.header("authorization");
    let basic = header.and_then(|header| credentials::check_client(header, found));
    if let Some(second) =
        request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("authorization")).nth(1)
    {
        found.wrong(
            second.at,
            "Authorization",
            "There are two Authorization headers.",
            "Send one: -u or -H 'Authorization: …', not both.",
        );
    }
    match (header, secret_in_body) {
        (Some(_), Some(secret)) => {
            found.wrong(
                secret.at,
                "client_secret",
                "The client authenticates twice, by Basic and in the body (RFC 6749 section 2.3).",
                BASIC,
            );
        }
        (None, Some(secret)) if *expected == Expected::FollowUpBoss => {
            found.wrong(
                secret.at,
                "client_secret",
                "Follow Up Boss documents HTTP Basic, and no credentials in the body.",
                BASIC,
            );
        }
        (None, Some(_)) => {}
        (Some(_), None) => {}
        (None, None) => {
            let is_public = in_body && parameters.get("client_id").is_some() && *expected != Expected::FollowUpBoss;
            if !is_public && !request.names("client_secret") {
                let at = parameters.end.max(request.url.whole.end());
                found.wrong(
                    at,
                    "Authorization",
                    "Nothing says which app this is: the request has no Authorization header.",
                    BASIC,
                );
            }
        }
    }
    if let (Some(basic), Some(id)) = (basic, parameters.get("client_id").filter(|id| !id.is_open()))
        && basic.id != id.value
        && !basic.id.contains('$')
    {
        let why = match basic.secret.raw.expose() == &id.value {
            true => "Basic has it behind the colon: id and secret have changed places there.",
            false => "It names another client than the Authorization header.",
        };
        found.wrong(id.at, "client_id", why, "Leave it out; the header names the client.");
    }
}

fn corrected(
    kind: Kind,
    request: &Request,
    parameters: &Parameters,
    redirect_uri: &str,
    expected: &Expected,
    found: &Findings,
) -> String {
    let endpoint = expected.endpoint(Part::Token, &request.url);
    let is_get =
        request.method == "GET" && *expected != Expected::Other(None) && !matches!(request.body, Body::Form(_));
    let is_public = request.header("authorization").is_none()
        && !request.names("client_secret")
        && *expected != Expected::FollowUpBoss;
    let grant_type = match kind {
        Kind::Refresh => "refresh_token",
        _ if is_get => "auth_code",
        _ => "authorization_code",
    };
    let mut command = "curl".to_owned();
    if is_get {
        command.push_str(" -G");
    }
    if !is_public {
        command.push_str(" -u '<client id>:<client secret>'");
    }
    command.push_str(&format!(" '{}' -d grant_type={grant_type}", found.shown(&endpoint)));
    match kind {
        Kind::Refresh => command.push_str(" -d 'refresh_token=<refresh token>'"),
        _ => {
            let uri = form::decode(redirect_uri.as_bytes()).map_or(redirect_uri.to_owned(), |uri| uri.into_owned());
            command.push_str(&format!(" -d 'code=<code>' --data-urlencode 'redirect_uri={uri}' -d 'state=<state>'"));
            if parameters.names("code_verifier") {
                command.push_str(" -d 'code_verifier=<code verifier>'");
            }
        }
    }
    if is_public {
        command.push_str(" -d 'client_id=<client id>'");
    }
    command
}

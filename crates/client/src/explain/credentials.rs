//! Who says who they are, and how: the `Authorization` header, and the places where credentials do not belong.

use super::findings::Findings;
use super::request::{HeaderField, Request};
use super::source::is_open;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use keyfob_protocol::basic::{self, PresentedBasic};
use keyfob_protocol::token_name::TokenKind;

/// Parameters and fields whose values are secret.
pub(super) const SECRET: [&str; 13] = [
    "code",
    "state",
    "client_secret",
    "clientSecret",
    "refresh_token",
    "access_token",
    "id_token",
    "code_verifier",
    "password",
    "api_key",
    "apiKey",
    "token",
    "client_assertion",
];

/// Remembers everything in a request that must not be quoted.
pub(super) fn keep_secrets(request: &Request, found: &mut Findings) {
    let fragment = request.url.fragment.as_ref().map(super::source::Parameters::read).unwrap_or_default();
    for parameters in [&request.url.query, &request.body_parameters(), &fragment] {
        for parameter in &parameters.all {
            // Misspelt names are mistakes, too, and their values the same secrets.
            let name = parameter.name.to_ascii_lowercase().replace('-', "_");
            let is_secret = SECRET.iter().any(|secret| name.contains(&secret.to_ascii_lowercase()));
            if is_secret && parameter.name != "response_type" && parameter.name != "grant_type" {
                found.keep_secret(&parameter.value);
                found.keep_secret(parameter.raw.text());
            }
        }
    }
    if let Some(user) = &request.url.user_information {
        user.text().split(':').for_each(|part| found.keep_secret(part));
    }
    for header in &request.headers {
        let value = header.value.text();
        if header.name.eq_ignore_ascii_case("authorization") {
            let credentials = value.split_once(' ').map_or(value, |(_, credentials)| credentials);
            found.keep_secret(credentials);
            // Unencoded or encoded, which half is the secret depends on the mistake.
            let decoded = lenient(credentials);
            for text in [Some(credentials), decoded.as_deref()].into_iter().flatten() {
                text.split(':').for_each(|part| found.keep_secret(part));
            }
        } else if !HARMLESS.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
            found.keep_secret(value);
        }
    }
}

/// Request headers whose values are no secrets.
const HARMLESS: [&str; 7] =
    ["host", "accept", "content-type", "content-length", "user-agent", "x-system", "connection"];

/// Base64 in any alphabet, with anything around it.
fn lenient(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|char| !char.is_whitespace()).collect();
    let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    let bytes = STANDARD.decode(&padded).or_else(|_| URL_SAFE.decode(&padded)).ok()?;
    String::from_utf8(bytes).ok()
}

/// What stands behind the scheme.
fn scheme(value: &str) -> (String, &str) {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    (scheme.to_ascii_lowercase(), rest.trim())
}

const WRITE_BASIC: &str =
    "Authorization: Basic base64(\"<client id>:<client secret>\"), or curl -u '<client id>:<client secret>'";

/// The client's authentication at the token endpoint. `None` unless it is well-formed Basic.
pub(super) fn check_client(header: &HeaderField, found: &mut Findings) -> Option<PresentedBasic> {
    let (at, value) = (header.value.start(), header.value.text());
    if is_open(value) {
        return None;
    }
    let (scheme, credentials) = scheme(value);
    match scheme.as_str() {
        "basic" => {}
        "bearer" => {
            let why = "The token endpoint authenticates the app, not the user: an access token is no credential here.";
            found.wrong(at, "Authorization", why, WRITE_BASIC);
            return None;
        }
        _ => {
            let why = "The token endpoint wants HTTP Basic; this header has another scheme or none.";
            found.wrong(at, "Authorization", why, WRITE_BASIC);
            return None;
        }
    }
    let at = header.value.at(value.len() - credentials.len());
    let complain = |found: &mut Findings, why: &str, write: &str| found.wrong(at, "Authorization", why, write);
    let lenient = lenient(credentials);
    match basic::parse(value.as_bytes()) {
        Ok(basic) => {
            check_halves(at, &basic, found);
            Some(basic)
        }
        Err(_) if credentials.contains(':') => {
            complain(
                found,
                "The credentials are not encoded: id and secret stand there in clear, with the colon between them.",
                WRITE_BASIC,
            );
            None
        }
        Err(_) if lenient.as_deref().is_some_and(|text| text.ends_with(['\n', '\r'])) => {
            let write = "Encode without a line end: printf '%s' '<client id>:<client secret>' | base64 -w 0";
            complain(found, "Decoded, the secret ends in a line end: echo added it before base64.", write);
            None
        }
        Err(_) if credentials.contains(char::is_whitespace) => {
            let write = "base64 -w 0 writes one line.";
            complain(
                found,
                "The base64 is broken into pieces; the tool wraps lines, and the header needs one word.",
                write,
            );
            None
        }
        Err(_) if credentials.contains(['-', '_']) && lenient.is_some() => {
            complain(found, "This is base64url; Basic uses the ordinary alphabet with + and /.", WRITE_BASIC);
            None
        }
        Err(_) if lenient.as_deref().is_some_and(|text| !text.contains(':')) => {
            complain(
                found,
                "Decoded, there is no colon: id and secret were not joined, or only one of them was encoded.",
                WRITE_BASIC,
            );
            None
        }
        Err(_) => {
            complain(found, "This is not the base64 of an id, a colon and a secret.", WRITE_BASIC);
            None
        }
    }
}

fn check_halves(at: usize, basic: &PresentedBasic, found: &mut Findings) {
    let secret = basic.secret.raw.expose();
    let is_twice = secret.is_empty() && lenient(&basic.id).is_some_and(|text| text.contains(':'));
    let (id_looks_secret, secret_looks_like_id) =
        (basic.id.starts_with("keyfobsecret"), is_client_id(secret) && !is_client_id(&basic.id));
    match () {
        () if looks_like_token(&basic.id) || looks_like_token(secret) => {
            let why = "Decoded, it holds a token. The token endpoint wants the app's id and secret; the refresh token goes into the parameter refresh_token.";
            found.wrong(at, "Authorization", why, WRITE_BASIC);
        }
        () if is_twice => found.wrong(
            at,
            "Authorization",
            "It is encoded twice: curl -u and most libraries encode by themselves.",
            WRITE_BASIC,
        ),
        () if secret.is_empty() => found.wrong(
            at,
            "Authorization",
            "Decoded, nothing stands behind the colon: the secret is missing.",
            WRITE_BASIC,
        ),
        () if basic.id.is_empty() => found.wrong(
            at,
            "Authorization",
            "Decoded, nothing stands before the colon: the client id is missing.",
            WRITE_BASIC,
        ),
        () if id_looks_secret || secret_looks_like_id => {
            let why = "Decoded, id and secret seem to have changed places: the client id comes first.";
            found.wrong(at, "Authorization", why, WRITE_BASIC);
        }
        () if basic.id.trim() != basic.id || secret.trim() != secret => {
            let why = "Decoded, there is white space around the id or the secret; it counts as a part of it.";
            found.wrong(at, "Authorization", why, WRITE_BASIC);
        }
        () => {}
    }
}

/// 64 hexadecimal characters.
fn is_client_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Access tokens are JWTs at Keyfob; other tokens are known by their prefix.
pub(super) fn looks_like_token(text: &str) -> bool {
    let is_jwt = text.starts_with("eyJ") && text.split('.').count() == 3;
    is_jwt || [TokenKind::Code, TokenKind::Refresh].iter().any(|kind| text.starts_with(kind.prefix()))
}

/// The corrected call is an app's, and so a Bearer's: whoever meant the key must not take it over unread.
fn note_api_key(at: usize, found: &mut Findings) {
    let why = "As Basic this is an API key, which acts as the one user that it belongs to. An app that users connect has an access token of each, and a suggested call is written for that.";
    found.note(at, "API key", why, "Authorization: Bearer <access token>; with an API key: curl -u '<API key>:'");
}

/// The user's authentication at the API.
pub(super) fn check_caller(header: &HeaderField, is_follow_up_boss: bool, found: &mut Findings) {
    const WRITE: &str = "Authorization: Bearer <access token>";
    let (at, value) = (header.value.start(), header.value.text());
    let (scheme, credentials) = scheme(value);
    if is_open(&scheme) {
        return;
    }
    match scheme.as_str() {
        "bearer" if is_open(credentials) => {}
        "bearer" => {
            let refresh = credentials.starts_with(TokenKind::Refresh.prefix());
            if refresh || credentials.starts_with(TokenKind::Code.prefix()) {
                let kind = if refresh {
                    "a refresh token, which only the token endpoint takes"
                } else {
                    "a code, which has to be exchanged first"
                };
                found.wrong(at, "Authorization", format!("This is {kind}."), WRITE);
            } else if !matches!(
                keyfob_protocol::bearer::parse(value.as_bytes()),
                keyfob_protocol::bearer::PresentedBearer::Token(_)
            ) {
                let why = "What follows Bearer is not a token: it is empty, quoted, or has a space or another character that no token has.";
                found.wrong(at, "Authorization", why, WRITE);
            }
        }
        "basic" if is_open(credentials) => note_api_key(at, found),
        "basic" => {
            let decoded = lenient(credentials).unwrap_or_else(|| credentials.to_owned());
            let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
            if looks_like_token(user) || looks_like_token(password) || looks_like_token(credentials) {
                let why = "An OAuth access token is sent as Basic; the API takes it as Bearer only, and answers 401.";
                found.wrong(at, "Authorization", why, WRITE);
            } else if !password.is_empty() {
                let why = "As Basic the API takes an API key as the user name and an empty password. Client id and secret are for the token endpoint only.";
                found.wrong(at, "Authorization", why, WRITE);
            } else if is_follow_up_boss && user.len() > 80 {
                let why = "As Basic the API takes an API key; this is much longer than one, as access tokens are.";
                found.wrong(at, "Authorization", why, WRITE);
            } else {
                note_api_key(at, found);
            }
        }
        _ => found.wrong(at, "Authorization", "The scheme is missing, or is one that the API does not know.", WRITE),
    }
}

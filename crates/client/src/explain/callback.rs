//! Step 2, the answer on the redirect URI.

use super::ExplainOptions;
use super::codes;
use super::findings::Findings;
use super::redirect_uri::{first_difference, tails};
use super::request::Request;
use keyfob_protocol::callback::{self, CallbackError};

/// Finds what is wrong with it.
pub(super) fn check(request: &Request, options: &ExplainOptions, found: &mut Findings) {
    let (url, query) = (&request.url, &request.url.query);
    if let Some(fragment) = url.fragment.as_ref().filter(|fragment| fragment.text().contains('=')) {
        let why = "The answer stands behind #, which a browser never sends to a server. No authority of this flow answers so: another response type was asked for.";
        found.wrong(
            fragment.start(),
            "#",
            why,
            "response_type=auth_code (Follow Up Boss) or code, and read the query.",
        );
        return;
    }
    if url.scheme == "http" && !url.is_loopback() {
        found.wrong(
            url.whole.start(),
            "http://",
            "The code arrives in clear, for everybody on the way.",
            "Register an https redirect URI.",
        );
    }
    check_address(request, options, found);
    let end = query.end;
    if query.get("state").is_none() && !query.all.is_empty() {
        found.wrong(
            query.end,
            "state",
            "It is missing. Such an answer cannot be told from a forged one.",
            "Send a state with the authorize request, and refuse a callback without it or with another one.",
        );
    }
    let at = |name: &str| query.get(name).map_or(end, |parameter| parameter.at);
    let raw: String =
        query.all.iter().map(|p| keyfob_protocol::form::encode([(p.name.as_str(), p.value.as_str())]) + "&").collect();
    match callback::read(&raw) {
        Ok(read) if read.callback == callback::Callback::Denied => denied(request, found),
        Ok(_) => {}
        Err(CallbackError::ApprovedWithoutCode) => found.wrong(
            at("response"),
            "code",
            "The answer says approved and carries no code: it was cut off, or made up.",
            "Exchange nothing; send the user through the authorize step again.",
        ),
        Err(CallbackError::DeniedWithCode) => {
            found.wrong(
                at("code"),
                "code",
                "The answer says denied and carries a code. It was made up or mixed up.",
                "Exchange nothing.",
            );
        }
        Err(CallbackError::Refused { error, .. }) => match codes::authorize(&error) {
            Some(code) => found.wrong(at("error"), format!("error={}", code.code), code.cause, code.next),
            None => found.wrong(
                at("error"),
                "error",
                "The authority refused the request with a code that no specification lists.",
                "Look at the authorize URL: paste it here.",
            ),
        },
        // Named by the checks of every parameter.
        Err(CallbackError::Repeated(_) | CallbackError::Malformed(_)) => {}
        Err(CallbackError::Unrecognised) => unrecognised(request, found),
    }
}

fn denied(request: &Request, found: &mut Findings) {
    let at = |name: &str| request.url.query.get(name).map_or(request.url.query.end, |parameter| parameter.at);
    let (at, what, why) = match request.names("response") {
        true => (
            at("response"),
            "response=denied",
            "The user said no. That is an answer, not a failure: there is no code, and Follow Up Boss sends no error either, so a library that looks for error= misses it.",
        ),
        false => (
            at("error"),
            "error=access_denied",
            "The user said no. That is an answer, not a failure. It is how standard OAuth spells it (RFC 6749 section 4.1.2.1); Follow Up Boss documents response=denied, without an error.",
        ),
    };
    found.note(at, what, why, "Exchange nothing, keep an earlier connection, and offer to try again.");
}

fn unrecognised(request: &Request, found: &mut Findings) {
    let query = &request.url.query;
    let end = query.end;
    let at = |name: &str| query.get(name).map_or(end, |parameter| parameter.raw.start());
    match query.value("response") {
        Some("approved" | "denied") => found.wrong(
            at("error"),
            "response and error",
            "Both dialects at once: response=… is Follow Up Boss's marker, error=… that of standard OAuth. No authority sends such an answer.",
            "Exchange nothing; treat it as forged.",
        ),
        Some(other) if other.eq_ignore_ascii_case("approved") || other.eq_ignore_ascii_case("denied") => {
            found.wrong(at("response"), "response", "The values are approved and denied, in lower case.", "Exchange nothing; treat it as forged.");
        }
        Some(_) => found.wrong(at("response"), "response", "The values are approved and denied, and no other.", "Exchange nothing; treat it as forged."),
        None if query.names("code") && query.names("error") => {
            found.wrong(at("error"), "code and error", "An answer has one or the other.", "Exchange nothing; treat it as forged.");
        }
        None => found.wrong(end, "code", "There is neither response nor code nor error: this is no answer.", "Paste the URL from the address bar whole."),
    }
}

fn check_address(request: &Request, options: &ExplainOptions, found: &mut Findings) {
    let Some(registered) = options.redirect_uri.as_deref().filter(|_| !request.url.host.is_empty()) else { return };
    let came = request.url.whole.text().split('?').next().unwrap_or_default();
    let registered = registered.split('?').next().unwrap_or_default();
    if let Some(byte) = first_difference(registered, came) {
        found.wrong(
            request.url.whole.at(byte),
            "redirect_uri",
            format!(
                "The answer came to another address than the registered one; they differ from byte {byte} on: {}.",
                tails(registered, came, byte, found)
            ),
            "Register the address that the app really answers at, and send exactly it.",
        );
    }
}

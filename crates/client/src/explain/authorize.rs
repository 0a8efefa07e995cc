//! Step 1, the authorize request.

use super::findings::Findings;
use super::hosts::{self, Expected, Part};
use super::redirect_uri::encoded;
use super::request::Request;
use super::source::Parameter;
use super::{ExplainOptions, redirect_uri, state};
use keyfob_protocol::pkce::CodeChallenge;
use keyfob_protocol::scope::Scope;

/// Finds what is wrong with it and gives the corrected URL.
pub(super) fn check(request: &Request, options: &ExplainOptions, found: &mut Findings) -> String {
    let expected = options.authority.expected(&request.url);
    hosts::check(Part::Authorize, request, &expected, found);
    check_place(request, found);
    let query = &request.url.query;
    check_response_type(query.get("response_type"), query.end, &expected, found);
    if query.get("client_id").is_none() {
        found.wrong(
            query.end,
            "client_id",
            "It is missing: the authority does not know which app asks.",
            "client_id=<client id>",
        );
    }
    match query.get("redirect_uri") {
        Some(parameter) => redirect_uri::check(parameter, &expected, options.redirect_uri.as_deref(), found),
        None => found.wrong(
            query.end,
            "redirect_uri",
            "It is missing: the authority answers with a page and never sends the user back.",
            "redirect_uri=<redirect uri>, as it is registered",
        ),
    }
    check_state(query.get("state"), query.end, &expected, request.names("code_challenge"), found);
    check_options(request, &expected, found);
    check_pkce(request, found);
    corrected(request, options, &expected, found)
}

fn check_place(request: &Request, found: &mut Findings) {
    if request.method != "GET" {
        found.wrong(
            request.method_at,
            "method",
            "A browser opens this URL; no program sends it.",
            "Redirect the user's browser to it (GET).",
        );
    }
    for name in ["client_secret", "code", "grant_type"] {
        let Some(parameter) = request.url.query.get(name) else { continue };
        let why = match name {
            "client_secret" => {
                "The secret stands in a URL that goes through the user's browser, and so in histories and logs. It has to be replaced."
            }
            _ => "This belongs to the exchange (step 3), and means nothing here.",
        };
        found.wrong(parameter.at, name, why, "Leave it out of the authorize URL.");
    }
    if let Some(fragment) = &request.url.fragment {
        found.wrong(
            fragment.start().saturating_sub(1),
            "#",
            "What stands behind # never leaves the browser, so the authority does not see it. As a part of a value it has to be encoded.",
            "%23 for a # that belongs to a value; no fragment otherwise.",
        );
    }
}

fn check_response_type(parameter: Option<&Parameter>, end: usize, expected: &Expected, found: &mut Findings) {
    let right = if *expected == Expected::FollowUpBoss { "auth_code" } else { "code" };
    let write = format!("response_type={right}");
    let Some(parameter) = parameter else {
        found.wrong(end, "response_type", "It is missing.", write);
        return;
    };
    let at = parameter.raw.start();
    match (parameter.value.as_str(), expected) {
        _ if parameter.is_open() => {}
        ("auth_code", Expected::FollowUpBoss | Expected::Keyfob) | ("code", Expected::Keyfob | Expected::Other(_)) => {}
        ("code", Expected::FollowUpBoss) => found.wrong(
            at,
            "response_type",
            "That is how standard OAuth spells it. Follow Up Boss documents auth_code only; code may work, and then nobody has promised how the callback is spelled.",
            write,
        ),
        ("auth_code", Expected::Other(_)) => found.note(
            at,
            "response_type",
            "auth_code is the spelling of Follow Up Boss and Keyfob; a standard authority knows code.",
            "response_type=code, unless this authority documents auth_code",
        ),
        (value, _) if value.eq_ignore_ascii_case("code") || value.eq_ignore_ascii_case("auth_code") => {
            found.wrong(at, "response_type", "Values are compared letter by letter, in lower case.", write);
        }
        (value, _) if value.contains("token") => found.wrong(
            at,
            "response_type",
            "That is the implicit flow, which puts tokens into the address bar. It is not offered here.",
            write,
        ),
        _ => found.wrong(at, "response_type", "There is no such response type.", write),
    }
}

fn check_state(parameter: Option<&Parameter>, end: usize, expected: &Expected, has_pkce: bool, found: &mut Findings) {
    const WRITE: &str = "state=<state>: 32 random bytes in base64url, new for each attempt, kept in the user's session and compared in the callback";
    let Some(parameter) = parameter else {
        match (expected, has_pkce) {
            (Expected::FollowUpBoss, _) => found.wrong(
                end,
                "state",
                "It is missing: anybody can plant an account of their own in your user's session, and the exchange fails without it.",
                WRITE,
            ),
            (_, false) => found.wrong(end, "state", "It is missing, and there is no PKCE either: callbacks can be forged.", WRITE),
            (_, true) => found.note(end, "state", "It is missing. PKCE protects the code; a state also ties the callback to the session.", WRITE),
        }
        return;
    };
    if parameter.is_open() {
        return;
    }
    if let Some(weakness) = state::weakness(&parameter.value) {
        let why = format!("{weakness} Who guesses it can forge a callback and plant an account of their own.");
        found.risky(parameter.raw.start(), "state", why, WRITE);
    }
}

fn check_options(request: &Request, expected: &Expected, found: &mut Findings) {
    let query = &request.url.query;
    if let Some(scope) = query.get("scope") {
        let at = scope.raw.start();
        if *expected == Expected::FollowUpBoss {
            found.risky(
                at,
                "scope",
                "Follow Up Boss documents no scopes: a token can do whatever its user's role can. The parameter narrows nothing.",
                "Leave it out, and ask for users with no more rights than the app needs.",
            );
        } else if Scope::parse(&scope.value).is_err() || scope.value.contains(',') {
            found.wrong(at, "scope", "Scopes are separated by single spaces and are printable ASCII.", "scope=a%20b");
        }
    }
    if let Some(prompt) = query.get("prompt").filter(|prompt| !prompt.is_open()) {
        let at = prompt.raw.start();
        match prompt.value.as_str() {
            "login" => {}
            "consent" if *expected == Expected::FollowUpBoss => found.wrong(
                at,
                "prompt",
                "Only prompt=login is documented. Consent is asked for in any case.",
                "Leave it out; prompt=login forces a new sign-in.",
            ),
            "consent" => found.note(
                at,
                "prompt",
                "Consent is asked for in any case.",
                "Leave it out; prompt=login forces a new sign-in.",
            ),
            "none" => found.wrong(
                at,
                "prompt",
                "The user is always asked, so nothing can happen without a page.",
                "Leave it out.",
            ),
            _ => found.wrong(at, "prompt", "There is no such prompt.", "prompt=login, or leave it out."),
        }
    }
    for name in ["access_type", "approval_prompt", "include_granted_scopes", "audience"] {
        if let Some(parameter) = query.get(name) {
            let why = "This is a parameter of another vendor's authority and is ignored here; a refresh token comes without asking.";
            found.note(parameter.at, name, why, "Leave it out.");
        }
    }
    if let Some(mode) = query.get("response_mode").filter(|mode| mode.value != "query") {
        found.wrong(
            mode.raw.start(),
            "response_mode",
            "The answer comes in the query, and in no other way.",
            "Leave it out.",
        );
    }
}

fn check_pkce(request: &Request, found: &mut Findings) {
    let query = &request.url.query;
    let (challenge, method) = (query.get("code_challenge"), query.get("code_challenge_method"));
    if let Some(verifier) = query.get("code_verifier") {
        let why = "The verifier is the secret half of PKCE and goes along with the exchange only.";
        found.wrong(
            verifier.at,
            "code_verifier",
            why,
            "code_challenge=base64url(SHA-256(verifier))&code_challenge_method=S256",
        );
    }
    match (challenge, method) {
        (Some(challenge), _) if challenge.is_open() => {}
        (Some(challenge), Some(method)) if method.value == "S256" => {
            if CodeChallenge::parse(&challenge.value).is_none() {
                let why = "A SHA-256 in base64url has 43 characters and no padding; hexadecimal and plain base64 do not pass.";
                found.wrong(
                    challenge.raw.start(),
                    "code_challenge",
                    why,
                    "base64url of the 32 bytes of SHA-256, without =",
                );
            }
        }
        (Some(challenge), method) => {
            let at = method.map_or(challenge.at, |method| method.raw.start());
            let why = "Without S256 the challenge is the verifier itself, which whoever sees the URL can send.";
            found.wrong(at, "code_challenge_method", why, "code_challenge_method=S256");
        }
        (None, Some(method)) => {
            found.wrong(method.at, "code_challenge_method", "There is no code_challenge for it.", "Send both or none.");
        }
        (None, None) => {}
    }
}

fn corrected(request: &Request, options: &ExplainOptions, expected: &Expected, found: &Findings) -> String {
    let query = &request.url.query;
    let shown = |name: &str, placeholder: &str| {
        let value = query.value(name).map(|value| found.shown(value)).filter(|value| !value.contains('…'));
        value.unwrap_or_else(|| placeholder.to_owned())
    };
    let response_type = match (expected, query.value("response_type")) {
        (Expected::FollowUpBoss, _) | (Expected::Keyfob, Some("auth_code")) => "auth_code",
        _ => "code",
    };
    let redirect_uri = corrected_redirect_uri(query.value("redirect_uri"), options, expected, found);
    let mut url = format!(
        "{}?response_type={response_type}&client_id={}&redirect_uri={redirect_uri}&state=<state>",
        expected.endpoint(Part::Authorize, &request.url),
        encoded(&shown("client_id", "<client id>")),
    );
    if let (false, Some(scope)) = (*expected == Expected::FollowUpBoss, query.value("scope")) {
        url.push_str(&format!("&scope={}", encoded(&found.shown(scope).replace(',', " "))));
    }
    if query.names("code_challenge") {
        url.push_str("&code_challenge=<code challenge>&code_challenge_method=S256");
    }
    if query.value("prompt") == Some("login") {
        url.push_str("&prompt=login");
    }
    url
}

/// The registered one if it is known, otherwise what can be made of the presented one.
pub(super) fn corrected_redirect_uri(
    presented: Option<&str>,
    options: &ExplainOptions,
    expected: &Expected,
    found: &Findings,
) -> String {
    use keyfob_protocol::redirect_uri::{RedirectUriRules, RegisteredRedirectUri};
    let rules = if *expected == Expected::FollowUpBoss { RedirectUriRules::Web } else { RedirectUriRules::Development };
    let good = |value: &str| {
        let value = if value.contains("://") {
            value.to_owned()
        } else {
            keyfob_protocol::form::decode(value.as_bytes()).ok()?.into_owned()
        };
        let value = value.trim().split('#').next().unwrap_or_default().to_owned();
        let host = url::Url::parse(&value).ok()?.host_str()?.to_owned();
        let is_local = super::request::is_loopback(&host);
        let value = if is_local { value } else { value.replacen("http://", "https://", 1) };
        let is_good = RegisteredRedirectUri::register(&value, rules).is_ok()
            && !((is_local || redirect_uri::is_private(&host)) && *expected == Expected::FollowUpBoss);
        Some(found.shown(&value)).filter(|shown| is_good && !shown.contains('…'))
    };
    let known = options.redirect_uri.as_deref().or(presented);
    known.and_then(good).map_or_else(|| "<redirect uri>".to_owned(), |value| encoded(&value))
}

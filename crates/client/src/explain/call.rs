//! Step 4, a call of the API.

use super::findings::Findings;
use super::hosts::{self, Expected, Part};
use super::request::{Body, Request};
use super::{ExplainOptions, credentials};

/// Finds what is wrong with it and gives a corrected command.
pub(super) fn check(request: &Request, options: &ExplainOptions, found: &mut Findings) -> String {
    let expected = options.authority.expected(&request.url);
    let is_follow_up_boss = expected == Expected::FollowUpBoss;
    hosts::check(Part::Api, request, &expected, found);
    let in_query =
        ["access_token", "token", "api_key", "apiKey"].into_iter().find_map(|name| request.url.query.get(name));
    if let Some(parameter) = in_query {
        let why = "A token in a URL ends up in logs and histories, and the API does not look for it there.";
        found.wrong(parameter.at, "token in the URL", why, "Authorization: Bearer <access token>");
    }
    let is_registration = request.url.path == "/v1/oauthApps";
    match request.header("authorization") {
        Some(header) => credentials::check_caller(header, is_follow_up_boss, found),
        None if in_query.is_none() && !is_registration => {
            let at = request.url.whole.end();
            found.wrong(
                at,
                "Authorization",
                "There are no credentials: the API answers 401.",
                "Authorization: Bearer <access token>",
            );
        }
        None => {}
    }
    check_system(request, is_registration, is_follow_up_boss, found);
    if request.url.path == "/v1/me" {
        let why = "This is the user's whole record, with keys in it. To find out whose token it is, /v1/identity says enough.";
        found.note(request.url.path_at, "/v1/me", why, "/v1/identity; never log the answer of /v1/me.");
    }
    corrected(request, &expected, found)
}

fn check_system(request: &Request, is_registration: bool, is_follow_up_boss: bool, found: &mut Findings) {
    let at = request.url.whole.end();
    let (name, key) = (request.header("x-system"), request.header("x-system-key"));
    let missing = match (name, key) {
        (None, None) => "X-System and X-System-Key",
        (None, Some(_)) => "X-System",
        (Some(_), None) => "X-System-Key",
        (Some(_), Some(key)) => {
            if key.value.text().is_empty() {
                found.wrong(key.at, "X-System-Key", "It is empty.", "X-System-Key: <system key>");
            }
            return;
        }
    };
    let write = "X-System: <system name>, X-System-Key: <system key>";
    if is_registration || request.url.path.ends_with("/revokeAccess") {
        found.wrong(at, missing, "This resource answers registered systems only, by both headers.", write);
    } else if is_follow_up_boss {
        found.risky(at, missing, "Without both headers the API allows half as many requests (125 in 10 seconds, not 250), and does not know whose they are.", write);
    }
}

fn corrected(request: &Request, expected: &Expected, found: &Findings) -> String {
    let path = &request.url.path;
    let path = if *expected == Expected::FollowUpBoss && !path.starts_with("/v1/") {
        format!("/v1{path}")
    } else {
        path.clone()
    };
    let query: Vec<String> = request
        .url
        .query
        .all
        .iter()
        .filter(|p| !credentials::SECRET.contains(&p.name.as_str()))
        .map(|p| {
            let name = if p.name == p.name.trim() { p.name.as_str() } else { "…" };
            format!("{}={}", found.shown(name), found.shown(p.raw.text()))
        })
        .collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let url =
        format!("{}{}{query}", expected.endpoint(Part::Api, &request.url), found.shown(&path)).replace('\'', "%27");
    let method = if request.method == "GET" { String::new() } else { format!(" -X {}", found.shown(&request.method)) };
    let body = match &request.body {
        Body::None => "",
        _ => " -H 'Content-Type: application/json' -d '<the body>'",
    };
    let bearer = if request.url.path == "/v1/oauthApps" { "" } else { " -H 'Authorization: Bearer <access token>'" };
    format!("curl{method}{bearer} -H 'X-System: <system name>' -H 'X-System-Key: <system key>'{body} '{url}'")
}

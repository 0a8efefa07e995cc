//! An answer: the token endpoint's in either shape, the API's, or something that is neither.

use super::findings::Findings;
use super::request::{header, split_head, trimmed};
use super::source::Sourced;
use super::{ExplainOptions, Kind, codes, credentials};
use keyfob_protocol::reason::Reason;
use keyfob_protocol::token_reply::{self, ReplyError};
use serde_json::Value;

/// An answer taken apart.
struct Reply {
    status: Option<u16>,
    headers: Vec<(String, String)>,
    /// Where the head ends, for what is missing in it.
    head_at: usize,
    body: Sourced,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Where a key of the JSON stands; the beginning of the body if it does not.
    fn at(&self, key: &str) -> usize {
        self.body.at(self.body.text().find(&format!("\"{key}\"")).unwrap_or_default())
    }
}

/// Finds what the answer says and what is odd about it.
pub(super) fn check(text: &Sourced, options: &ExplainOptions, found: &mut Findings) -> Kind {
    let reply = read(text);
    let body = reply.body.text();
    if body.is_empty() && reply.status.is_some() {
        return about_status(&reply, kind_by_headers(&reply), found);
    }
    let Ok(json) = serde_json::from_str::<Value>(body) else {
        let what = if body.trim_start().starts_with('<') { "HTML" } else { "body" };
        let why = match what {
            "HTML" => {
                "This is a page and no JSON: a proxy or a load balancer answered, the host is wrong, or the method is one that shows a page. It says nothing about tokens."
            }
            _ => {
                "The body is not JSON: it was cut off, or something else than the authority answered. It says nothing about tokens."
            }
        };
        found.wrong(reply.body.start(), what, why, "Check host, path and method. In a program, treat it as a passing failure: keep the connection and try again later.");
        about_status(&reply, Kind::OtherReply, found);
        return Kind::OtherReply;
    };
    keep_secrets(&json, found);
    let kind = kind(&reply, &json);
    match kind {
        Kind::TokenReply => about_token_reply(&reply, &json, options, found),
        _ if json["errorMessage"] == codes::NOT_CONNECTED => about_not_connected(reply.at("errorMessage"), found),
        _ => {
            about_status(&reply, kind, found);
        }
    }
    kind
}

fn read(text: &Sourced) -> Reply {
    let mut whole = text.clone();
    loop {
        if !whole.text().starts_with("HTTP/") {
            return Reply { status: None, headers: Vec::new(), head_at: whole.start(), body: trimmed(&whole) };
        }
        let (head, body) = split_head(&whole);
        let mut lines = head.split('\n').into_iter();
        let status = lines.next().and_then(|line| line.text().split_whitespace().nth(1)?.parse().ok());
        // An interim answer, or a proxy's to CONNECT, stands before the answer proper.
        if body.text().starts_with("HTTP/") {
            whole = body;
            continue;
        }
        let headers = lines.filter_map(|line| header(&line));
        let headers =
            headers.map(|header| (header.name.to_ascii_lowercase(), header.value.text().to_owned())).collect();
        return Reply { status, headers, head_at: head.end(), body: trimmed(&body) };
    }
}

fn keep_secrets(json: &Value, found: &mut Findings) {
    match json {
        Value::Object(object) => {
            for (name, value) in object {
                match value.as_str() {
                    Some(text) if credentials::SECRET.contains(&name.as_str()) => found.keep_secret(text),
                    _ => keep_secrets(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keep_secrets(value, found)),
        _ => {}
    }
}

fn kind(reply: &Reply, json: &Value) -> Kind {
    let has = |key: &str| json.get(key).is_some();
    let is_token = has("access_token") || has("refresh_token") || has("token_type") || has("errorCode") || has("error");
    let is_envelope = has("success") && has("data");
    match kind_by_headers(reply) {
        Kind::ApiReply => Kind::ApiReply,
        _ if is_token || is_envelope => Kind::TokenReply,
        _ if has("errorMessage") || has("_metadata") => Kind::ApiReply,
        _ => Kind::OtherReply,
    }
}

fn kind_by_headers(reply: &Reply) -> Kind {
    let is_api = reply.headers.iter().any(|(name, _)| name.starts_with("x-ratelimit-") || name.starts_with("fub-"));
    let challenge = reply.header("www-authenticate").unwrap_or_default().to_ascii_lowercase();
    let is_challenged = challenge.contains("follow up boss api") || challenge.starts_with("bearer");
    if is_api || is_challenged { Kind::ApiReply } else { Kind::OtherReply }
}

fn about_token_reply(reply: &Reply, json: &Value, options: &ExplainOptions, found: &mut Findings) {
    let is_failure = reply.status.is_some_and(|status| status >= 400);
    if let Some(error) = token_reply::read_error(reply.body.text().as_bytes()) {
        let at = reply.at("errorCode").max(reply.at("error"));
        match codes::token(&error.code) {
            Some(known) => found.wrong(at, known.code, known.cause, known.next),
            None => found.wrong(
                at,
                "error",
                "This code is in no document. Nothing certain follows from it.",
                "Keep the connection, try again with much space between, and keep the answer for the platform's support.",
            ),
        }
        if let Some(reason) = error.reason().and_then(Reason::of_word) {
            found.note(
                reply.at("reason"),
                reason.word(),
                reason.says(),
                "The error code decides what to do; this only explains it.",
            );
        }
        return;
    }
    if is_failure {
        about_status(reply, Kind::TokenReply, found);
        return;
    }
    match token_reply::read_success(reply.body.text().as_bytes()) {
        Err(ReplyError::NoAccessToken) => {
            let why = "There is no access_token in it (nor in data, where the answer to a GET has it). Nothing was granted, or it was taken out.";
            found.wrong(
                reply.body.start(),
                "access_token",
                why,
                "Keep what you have and try again later; do not overwrite the stored tokens.",
            );
        }
        Err(ReplyError::TokenType) => {
            found.wrong(
                reply.at("token_type"),
                "token_type",
                "It is missing or is not Bearer; how to send the token is then unknown.",
                "Send tokens of the type Bearer only.",
            );
        }
        Err(ReplyError::NotJson) => found.wrong(
            reply.body.start(),
            "body",
            "The JSON has another form than a token reply.",
            "Keep what you have and try again later.",
        ),
        Ok(tokens) => {
            if tokens.refresh_token.is_none() {
                found.risky(
                    reply.body.end(),
                    "refresh_token",
                    "It is missing. After a refresh that means: unchanged. Whoever stores the answer as it is loses the connection after an hour.",
                    "Keep the stored refresh token when an answer has none. If an exchange gave none, the user has to connect again after 60 minutes.",
                );
            }
            about_expiry(reply, json, tokens.expires_in, options, found);
            if json.get("id_token").is_some() {
                found.note(
                    reply.at("id_token"),
                    "id_token",
                    "No document promises it; do not require it, and do not trust it unverified.",
                    "Ask /v1/identity whose token it is.",
                );
            }
        }
    }
}

/// The sentence that a disconnect is answered with when there is nothing to end, whatever the status.
pub(super) fn about_not_connected(at: usize, found: &mut Findings) {
    found.note(
        at,
        "not connected",
        "DELETE /v1/oauthApps/revokeAccess answers so when there is nothing to revoke: the connection was ended before, or the token is not one of this app's. The address is right.",
        "After a disconnect, take it as done and delete the stored tokens. If the user is still connected, look whose token and whose X-System headers were sent.",
    );
}

fn about_expiry(reply: &Reply, json: &Value, seconds: Option<i64>, options: &ExplainOptions, found: &mut Findings) {
    let envelope = json.get("data").filter(|data| data.get("access_token").is_some());
    let tokens = envelope.unwrap_or(json);
    if envelope.is_some() && options.authority.may_be_follow_up_boss() {
        found.note(
            reply.at("data"),
            "data",
            "This is the answer to a GET: the tokens are inside of data. A library for standard OAuth does not look there.",
            "Read data.access_token and data.refresh_token, or exchange by POST.",
        );
    }
    match (tokens.get("expires_in"), tokens.get("ttl")) {
        (None, Some(_)) => found.note(
            reply.at("ttl"),
            "ttl",
            "The lifetime is called ttl here, in seconds and as a string. Code that reads expires_in finds nothing and never refreshes in time.",
            "Read expires_in, and where it is missing ttl, as a number or as a string of digits.",
        ),
        (None, None) => found.risky(
            reply.body.end(),
            "expires_in",
            "It is missing: nobody knows when the token ends.",
            "Take a 401 for the sign to refresh, or 60 minutes as documented.",
        ),
        (Some(Value::String(_)), _) if seconds.is_some() => found.risky(
            reply.at("expires_in"),
            "expires_in",
            "It is a string, where RFC 6749 has a number. Adding it to a time fails or appends it as text.",
            "Read it as a number or as a string of digits.",
        ),
        (Some(_), _) if seconds.is_none() => {
            found.wrong(reply.at("expires_in"), "expires_in", "It is not a number of seconds.", "Take a 401 for the sign to refresh.");
        }
        _ => {}
    }
}

/// What the status alone says.
fn about_status(reply: &Reply, kind: Kind, found: &mut Findings) -> Kind {
    let Some(status) = reply.status else {
        if kind == Kind::ApiReply && reply.body.text().contains("errorMessage") {
            let write = "Paste the answer with its status line (curl -i).";
            found.wrong(
                reply.at("errorMessage"),
                "errorMessage",
                "The API refused the call. Which rule to follow depends on the status, which is not here.",
                write,
            );
        }
        return kind;
    };
    let at = reply.body.start().min(reply.head_at);
    let what = status.to_string();
    match (status, kind) {
        (200..=299, Kind::OtherReply) if !reply.body.text().is_empty() => {
            found.note(at, what, "This is no token reply, and nothing tells that it is the API's.", "Nothing to do.");
        }
        (100..=299, _) => {}
        (300..=399, _) => found.wrong(at, what, "No program is redirected in this flow: the address is wrong, http instead of https, or a sign-in page stands before it.", "Follow no redirect with credentials; correct the address."),
        (401, Kind::TokenReply) => found.wrong(at, what, "The token endpoint refused, and names no code.", "Paste the request here."),
        (401, _) => found.wrong(
            at,
            what,
            "The credentials are missing, expired (access tokens live 60 minutes), revoked, or sent as Basic although they are a token.",
            "Refresh once and send the call again with Authorization: Bearer <access token>. A second 401 is no expiry: stop, and look.",
        ),
        (403, _) => found.wrong(
            at,
            what,
            "The token is good. Its user's role does not allow this, or the account's subscription has expired.",
            "Do not ask the user to connect again. GET /v1/identity: if it answers 403 as well, the account is locked; otherwise the permission is missing.",
        ),
        (404, _) => found.wrong(at, what, "There is no such thing at this address, for this user.", "Check host, path and id: the API is at api., the OAuth endpoints at app.followupboss.com."),
        (405, _) => found.wrong(at, what, "This address does not take the method.", "GET /oauth/authorize in a browser; POST (or the older GET) /oauth/token."),
        (429, _) => {
            let wait = reply.header("retry-after").is_some();
            let next = if wait { "Wait as long as Retry-After says" } else { "Wait until the window of 10 seconds is over" };
            let why = "Too many requests in the window; this one was not carried out. The limit is the account's and the system's, not the connection's.";
            found.wrong(at, what, why, format!("{next}, with everything that falls into the same context, and send it again. The connection is fine."));
        }
        (400..=499, _) => found.wrong(at, what, "The request was refused; the text of the answer says why.", "Paste the request here."),
        _ => found.wrong(
            at,
            what,
            "The other end failed; the body need not be JSON. Nothing is known about the token.",
            "Try again with growing pauses; keep the connection. After a POST to the API that may have been carried out, look before you repeat it.",
        ),
    }
    kind
}

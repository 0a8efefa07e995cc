//! `keyfob call`: one call of the API, with a good token and the system's headers.

use super::failure;
use super::files::StoreDir;
use super::opened::Opened;
use crate::exit::Exit;
use crate::output;
use clap::Args;
use keyfob_client::{ApiBody, ApiRequest, HeaderValue, HttpResponse, Method, redact_me};
use serde_json::{Map, Value, json};
use std::io::Read;

/// Largest body that is sent, in bytes.
const MAX_DATA: u64 = 8 * 1024 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "\
The body goes to standard output, status and rate limit to standard error. The token is refreshed as needed.
Exit codes: 0 the API answered 2xx (standard error says where that is no JSON), 3 it refused, 4 not found, 5 conflict, 6 try again later, 7 the user has to connect again.")]
pub(crate) struct CallArgs {
    /// GET, POST, PUT, PATCH or DELETE.
    #[arg(value_parser = method)]
    method: Method,
    /// A path from the root (/v1/people?limit=10), one below the API's base (people), or a whole URL there, such as a nextLink.
    target: String,
    /// Which connection. Default: the only one.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// JSON to send: itself, @FILE, or - for standard input.
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// Print the answer's headers on standard error, too; values that may be secret are withheld.
    #[arg(long)]
    include: bool,
    /// Print the secrets in /v1/me as well.
    #[arg(long)]
    reveal: bool,
    #[command(flatten)]
    store_dir: StoreDir,
}

pub(crate) async fn run(args: CallArgs, json: bool) -> anyhow::Result<()> {
    let opened = Opened::open(&args.store_dir, args.connection.clone())?;
    if args.method == Method::Get && args.data.is_some() {
        return Err(Exit::Refused.because("a GET sends no data; put parameters behind ? of the path"));
    }
    let body = args.data.as_deref().map(data).transpose()?;
    let body = body.map(ApiBody::json);
    let request = ApiRequest { method: args.method, target: args.target.clone(), body, headers: Vec::new() };
    let answer = opened.told(opened.connection.send(&request).await);
    let answer = opened.finish(answer).await?;

    note(&args, &answer);
    let provider = opened.kept.place.provider()?;
    let of_me = provider.api_base().join(&args.target).is_ok_and(|url| is_me(url.path()));
    let body = match of_me && !args.reveal {
        true => withheld(answer.body.expose()),
        false => {
            if let Some(what) = unexpected(answer.body.expose()) {
                output::say(what);
            }
            answer.body.expose().clone()
        }
    };
    match json {
        true => output::data(true, &document(&answer, &body), String::new)?,
        false => output::body(&body)?,
    }
    match failure::of_status(answer.status) {
        None => Ok(()),
        Some(exit) => Err(exit.because(format!("the API answered {}{}", answer.status, meaning(answer.status)))),
    }
}

fn method(text: &str) -> Result<Method, String> {
    let methods = [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];
    let found = methods.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| "one of GET, POST, PUT, PATCH, DELETE".to_owned())
}

/// What is sent, which has to be JSON: the API would say less clearly what is wrong with it.
fn data(given: &str) -> anyhow::Result<String> {
    let (text, place) = match (given, given.strip_prefix('@')) {
        ("-", _) => {
            let mut text = String::new();
            std::io::stdin().lock().take(MAX_DATA).read_to_string(&mut text)?;
            (text, "standard input")
        }
        (_, Some(path)) => {
            let text = std::fs::read_to_string(path);
            (text.map_err(|error| Exit::Refused.because(format!("--data: {path}: {error}")))?, path)
        }
        (_, None) => (given.to_owned(), "--data"),
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(Exit::Refused.because(format!("{place} is not JSON, nothing was sent: {error}"))),
    }
}

/// `/v1/me` under any spelling that a server may take for it.
fn is_me(path: &str) -> bool {
    path.trim_end_matches('/').rsplit('/').next().is_some_and(|last| {
        let last = last.replace("%6d", "m").replace("%6D", "m").replace("%65", "e");
        last.eq_ignore_ascii_case("me")
    })
}

/// The record of `/v1/me` without its secrets. What cannot be read is not shown: nobody knows what is in it.
fn withheld(body: &[u8]) -> Vec<u8> {
    redact_me(body).unwrap_or_else(|| {
        output::say("keyfob: the answer is not JSON and may hold secrets; --reveal prints it");
        Vec::new()
    })
}

/// What to say of an answer that is not what an API sends. Its status decides the exit code as ever: it may be all that an API of yours has.
fn unexpected(body: &[u8]) -> Option<&'static str> {
    let text = body.trim_ascii_start();
    match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
        Err(_) if text.starts_with(b"<") => Some(
            "keyfob: this is a page (HTML) and no JSON: a proxy or a website answered in place of the API, whatever its status says; check the path and the API's base",
        ),
        Err(_) if !text.is_empty() => Some("keyfob: the answer is not JSON"),
        _ => None,
    }
}

fn note(args: &CallArgs, answer: &HttpResponse) {
    let path = args.target.split(['?', '#']).next().unwrap_or_default();
    let limit = match (answer.header("x-ratelimit-remaining"), answer.header("x-ratelimit-limit")) {
        (Some(remaining), Some(limit)) => {
            let window =
                answer.header("x-ratelimit-window").map(|window| format!(" in {window} s")).unwrap_or_default();
            let context = answer.header("x-ratelimit-context").map(|of| format!(" ({of})")).unwrap_or_default();
            format!("; rate limit: {remaining} of {limit} left{window}{context}")
        }
        _ => String::new(),
    };
    output::say(&format!("keyfob: {} {path}: {}{limit}", args.method.as_str(), answer.status));
    if args.include {
        for (name, value) in headers(answer) {
            output::say(&format!("{name}: {}", value.as_str().unwrap_or_default()));
        }
    }
}

/// Headers by name; what may be secret is withheld.
fn headers(answer: &HttpResponse) -> Map<String, Value> {
    let headers = answer.headers.iter().map(|header| {
        let value = match &header.value {
            HeaderValue::Plain(value) => value.as_str(),
            HeaderValue::Secret(_) => "[withheld]",
        };
        (header.name.clone(), Value::from(value))
    });
    headers.collect()
}

fn document(answer: &HttpResponse, body: &[u8]) -> Value {
    let body = match body {
        [] => Value::Null,
        body => serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into()),
    };
    json!({ "status": answer.status, "headers": headers(answer), "body": body })
}

fn meaning(status: u16) -> &'static str {
    match status {
        403 => ": the user may not, or the account is locked or expired; connecting again does not change that",
        300..400 => ": it redirects, which is not followed with a token",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{is_me, unexpected};

    #[test]
    fn a_page_is_told_from_json_and_from_nothing() {
        for json in ["", " ", "{}", "[1]", " \"text\"", "null"] {
            assert_eq!(unexpected(json.as_bytes()), None, "{json}");
        }
        assert!(unexpected(b"\n<!doctype html>").is_some_and(|said| said.contains("HTML")));
        assert!(unexpected(b"{\"cut\":").is_some_and(|said| said.contains("not JSON")));
    }

    #[test]
    fn me_is_known_under_every_spelling() {
        for path in ["/v1/me", "/v1/me/", "/v1/ME", "/v1/m%65", "/v1/%6De", "/v1//me"] {
            assert!(is_me(path), "{path}");
        }
        for path in ["/v1/people", "/v1/me/x", "/v1/home", "/"] {
            assert!(!is_me(path), "{path}");
        }
    }
}

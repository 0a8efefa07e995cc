//! A curl command, read as curl would: the options that people use against OAuth endpoints. Others are named, not guessed.

use super::findings::Findings;
use super::request::{Address, Body, HeaderField, Request, header, read_body, trimmed};
use super::shell::{self, Accident};
use super::source::{Parameter, Parameters, Sourced};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Options with a value that change nothing about the request.
const IGNORED_WITH_VALUE: [&str; 22] = [
    "-o",
    "--output",
    "-w",
    "--write-out",
    "-m",
    "--max-time",
    "--connect-timeout",
    "-A",
    "--user-agent",
    "-e",
    "--referer",
    "-c",
    "--cookie-jar",
    "-b",
    "--cookie",
    "--retry",
    "--retry-delay",
    "-x",
    "--proxy",
    "--cacert",
    "-D",
    "--dump-header",
];
/// Options without one that change nothing about the request.
const IGNORED: [&str; 28] = [
    "-s",
    "--silent",
    "-S",
    "--show-error",
    "-i",
    "--include",
    "-v",
    "--verbose",
    "-f",
    "--fail",
    "--fail-with-body",
    "--compressed",
    "-N",
    "--no-buffer",
    "-O",
    "--remote-name",
    "-q",
    "--disable",
    "-4",
    "--ipv4",
    "-6",
    "--ipv6",
    "--http1.1",
    "--http2",
    "-#",
    "--progress-bar",
    "--no-progress-meter",
    "--globoff",
];

#[derive(Default)]
struct Collected {
    method: Option<Sourced>,
    urls: Vec<Sourced>,
    headers: Vec<HeaderField>,
    /// `-d` as it was written, joined by `&`.
    data: Option<Sourced>,
    /// `--data-urlencode`, whose values are encoded by curl.
    encoded: Vec<Parameter>,
    multipart: Option<Parameters>,
    json: Option<Sourced>,
    user: Option<Sourced>,
    get: bool,
}

/// Reads a command that begins with `curl`. `None` if it has no URL.
pub(super) fn read(input: &str, offset: usize, found: &mut Findings) -> Option<Request> {
    let command = shell::cut(input, offset);
    for accident in &command.accidents {
        tell(accident, found);
    }
    let mut collected = Collected::default();
    let mut words = command.words.iter().skip(1);
    while let Some(word) = words.next() {
        if let Some(at) = word.cut_at {
            let lost: Vec<String> =
                Parameters::read(&word.text).all.into_iter().filter(|p| p.at > at).map(|p| p.name).collect();
            let lost: Vec<&str> =
                super::KNOWN.into_iter().filter(|known| lost.iter().any(|name| name == known)).collect();
            let lost = if lost.is_empty() { "what stands behind it".to_owned() } else { lost.join(", ") };
            found.wrong(
                at,
                "& outside quotes",
                format!("The shell ends the command here and runs it in the background, so curl never sees {lost}."),
                "Put the whole URL between single quotes: 'https://…?a=1&b=2'.",
            );
        }
        let text = word.text.text();
        if !text.starts_with('-') || text == "-" {
            collected.urls.push(word.text.clone());
            continue;
        }
        for (name, attached) in options(&word.text) {
            let mut value = || attached.clone().or_else(|| words.next().map(|word| word.text.clone()));
            take(&name, &mut value, word.text.start(), &mut collected, found);
        }
    }
    build(collected, offset, found)
}

fn tell(accident: &Accident, found: &mut Findings) {
    match *accident {
        Accident::OpenQuote(at) => {
            found.wrong(at, "quote", "This quote is never closed; the shell waits for more.", "Close it at the end of the value.");
        }
        Accident::CurlyQuote(at) => found.wrong(
            at,
            "typographic quote",
            "A typographic quote quotes nothing: it becomes a part of the value, as after a visit in a word processor.",
            "Type plain quotes: ' or \".",
        ),
        Accident::BrokenContinuation(at) => found.wrong(
            at,
            "\\ before a space",
            "A space stands behind the backslash, so the line does not continue; the rest runs as a command of its own.",
            "Delete the space: the backslash has to be the last character of the line.",
        ),
    }
}

/// The options in one word: `--name`, `--name=value`, `-X`, `-XPOST`, `-sSu`.
fn options(word: &Sourced) -> Vec<(String, Option<Sourced>)> {
    let text = word.text();
    if text.starts_with("--") {
        return match word.split_once('=') {
            Some((name, value)) => vec![(name.text().to_owned(), Some(value))],
            None => vec![(text.to_owned(), None)],
        };
    }
    let mut options = Vec::new();
    for (index, letter) in text.char_indices().skip(1) {
        let name = format!("-{letter}");
        let rest = word.slice(index + letter.len_utf8()..text.len());
        let takes_value = matches!(letter, 'X' | 'H' | 'd' | 'u' | 'F') || IGNORED_WITH_VALUE.contains(&name.as_str());
        if takes_value {
            options.push((name, Some(rest).filter(|rest| !rest.text().is_empty())));
            break;
        }
        options.push((name, None));
    }
    options
}

fn take(
    name: &str,
    value: &mut dyn FnMut() -> Option<Sourced>,
    at: usize,
    collected: &mut Collected,
    found: &mut Findings,
) {
    match name {
        "-X" | "--request" => collected.method = value(),
        "-H" | "--header" => collected.headers.extend(value().as_ref().and_then(header)),
        "--url" => collected.urls.extend(value()),
        "-u" | "--user" => collected.user = value(),
        "--oauth2-bearer" => collected.headers.extend(value().map(|token| bearer(&token))),
        "-d" | "--data" | "--data-raw" | "--data-binary" | "--data-ascii" => {
            if let Some(value) = value() {
                match &mut collected.data {
                    Some(data) => {
                        data.push('&', value.start());
                        data.append(&value);
                    }
                    None => collected.data = Some(value),
                }
            }
        }
        "--data-urlencode" => {
            if let Some(value) = value() {
                let (name, value) = value.split_once('=').unwrap_or_else(|| (Sourced::empty(value.start()), value.clone()));
                collected.encoded.push(Parameter::plain(&name, &value));
            }
        }
        "-F" | "--form" | "--form-string" => {
            if let Some((name, value)) = value().and_then(|value| value.split_once('=')) {
                let multipart = collected.multipart.get_or_insert_default();
                multipart.end = value.end();
                multipart.all.push(Parameter::plain(&name, &value));
            }
        }
        "--json" => collected.json = value(),
        "-G" | "--get" => collected.get = true,
        "-I" | "--head" => {
            found.note(at, name, "curl asks for the header fields only (HEAD).", "Leave it out to see the answer.");
        }
        "-k" | "--insecure" => found.risky(
            at,
            name,
            "The server's certificate is not checked, so client secret and tokens can go to anybody in between.",
            "Leave it out, and give the authority that signed a test certificate with --cacert.",
        ),
        "-L" | "--location" | "--location-trusted" => found.note(
            at,
            name,
            "curl follows redirects. No step of the flow answers a program with one; a redirect here means a wrong address.",
            "Leave it out and look at the first answer.",
        ),
        _ if IGNORED.contains(&name) => {}
        _ if IGNORED_WITH_VALUE.contains(&name) => drop(value()),
        _ => {
            // The text may be anything, also a secret that begins with a hyphen.
            let is_name = name.len() <= 24 && name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-.".contains(&byte));
            let name = if is_name { name } else { "an option" };
            found.note(at, name, "This option is not known here; it was left out of account.", "Check in curl's manual what it changes.");
        }
    }
}

fn bearer(token: &Sourced) -> HeaderField {
    let mut value = Sourced::empty(token.start());
    "Bearer ".chars().for_each(|char| value.push(char, token.start()));
    value.append(token);
    HeaderField { name: "Authorization".to_owned(), value, at: token.start() }
}

fn build(mut collected: Collected, offset: usize, found: &mut Findings) -> Option<Request> {
    if let Some(second) = collected.urls.get(1) {
        found.wrong(
            second.start(),
            "a second URL",
            "curl takes this word for another URL. Usually a value with a space in it was not quoted.",
            "Put every value between single quotes.",
        );
    }
    let whole = trimmed(collected.urls.first()?);
    let mut url = Address::read(&whole);
    if let Some(user) = &collected.user {
        let mut value = Sourced::empty(user.start());
        // What curl makes of `-u`: no form encoding.
        let joined = user.text().to_owned();
        let text = if super::source::is_open(&joined) { joined } else { STANDARD.encode(&joined) };
        format!("Basic {text}").chars().for_each(|char| value.push(char, user.start()));
        found.keep_secret(user.text().split_once(':').map_or(user.text(), |(_, password)| password));
        found.keep_secret(&text);
        collected.headers.push(HeaderField { name: "Authorization".to_owned(), value, at: user.start() });
    }
    let sends_data = collected.data.is_some() || !collected.encoded.is_empty();
    if collected.get {
        if let Some(data) = collected.data.take() {
            url.query.all.extend(Parameters::read(&data).all);
        }
        url.query.all.append(&mut collected.encoded);
    }
    let body = body(&collected);
    let implied = match (&body, collected.get) {
        (_, true) | (Body::None, false) => "GET",
        _ => "POST",
    };
    let given = collected.method.as_ref();
    let method = given.map_or_else(|| implied.to_owned(), |method| method.text().to_owned());
    if method == "GET" && sends_data && !collected.get {
        found.wrong(
            given.map_or(offset, Sourced::start),
            "-X GET with -d",
            "The parameters travel in the body of a GET, where no server looks for them.",
            "Add -G, which moves them into the URL, or leave -X GET out, which makes it a POST.",
        );
    }
    let method_at = given.map_or(offset, Sourced::start);
    Some(Request { method, method_at, url, headers: collected.headers, body, bare: false })
}

fn body(collected: &Collected) -> Body {
    if let Some(json) = &collected.json {
        return Body::Json(json.clone());
    }
    if let Some(multipart) = &collected.multipart {
        return Body::Multipart(multipart.clone());
    }
    if collected.get {
        return Body::None;
    }
    let content_type = collected.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-type"));
    let content_type = content_type.map(|header| header.value.text());
    let body = collected.data.as_ref().map_or(Body::None, |data| read_body(data, content_type));
    match body {
        Body::None if !collected.encoded.is_empty() => {
            let end = collected.encoded.last().map_or(0, |parameter| parameter.raw.end());
            Body::Form(Parameters { all: collected.encoded.clone(), end })
        }
        Body::Form(mut form) => {
            form.all.extend(collected.encoded.iter().cloned());
            Body::Form(form)
        }
        other => other,
    }
}

//! What is wrong with a URL, a curl command, a request or a reply of the flow, and what to write instead. Offline.
//!
//! Pure functions over text that somebody pasted; nothing is sent and nothing is believed. The input holds secrets, codes and tokens
//! as a rule: a finding never quotes one. What a valid message is comes from [`keyfob_protocol`]; here is what people get wrong.

mod authorize;
mod call;
mod callback;
mod codes;
mod credentials;
mod curl;
mod findings;
mod hosts;
mod hygiene;
mod log_line;
mod pair;
mod program;
mod program_text;
mod redirect_uri;
mod reply;
mod request;
mod shell;
mod source;
mod state;
mod token;

pub use findings::{Finding, Severity};
pub use hosts::Authority;

use findings::Findings;
use request::{Address, Body, Request};
use serde::Serialize;
use source::{Parameters, Sourced};

/// Parameters of all steps. Only these names of an input are ever quoted.
const KNOWN: [&str; 21] = [
    "response_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "state",
    "scope",
    "prompt",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "code",
    "refresh_token",
    "access_token",
    "response",
    "error",
    "error_description",
    "iss",
    "response_mode",
    "nonce",
    "id_token",
];

/// What is known beside the input.
#[derive(Clone, Debug, Default)]
pub struct ExplainOptions {
    /// Whose authority the messages are for.
    pub authority: Authority,
    /// The redirect URI as it is registered, or as the other step sends it.
    pub redirect_uri: Option<String>,
}

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Step 1: the URL that the browser is sent to.
    AuthorizeRequest,
    /// Step 2: the answer on the redirect URI.
    Callback,
    /// Step 3: a code for tokens.
    Exchange,
    /// Step 5: a refresh token for tokens.
    Refresh,
    /// Step 4: a call of the API.
    ApiCall,
    /// The answer of the token endpoint.
    TokenReply,
    /// The answer of the API.
    ApiReply,
    /// An answer that is neither.
    OtherReply,
    /// None of these.
    Unknown,
}

impl Kind {
    /// For a person to read.
    pub fn name(self) -> &'static str {
        match self {
            Kind::AuthorizeRequest => "an authorize request (step 1)",
            Kind::Callback => "a callback (step 2)",
            Kind::Exchange => "an exchange of a code (step 3)",
            Kind::Refresh => "a refresh (step 5)",
            Kind::ApiCall => "a call of the API (step 4)",
            Kind::TokenReply => "an answer of the token endpoint",
            Kind::ApiReply => "an answer of the API",
            Kind::OtherReply => "an answer of something else",
            Kind::Unknown => "none of the messages of the flow",
        }
    }
}

/// What is to be said about the inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What each input is.
    pub kinds: Vec<Kind>,
    /// By input and position.
    pub findings: Vec<Finding>,
    /// For each input with something to correct: the whole request, corrected, with placeholders for everything secret.
    pub instead: Vec<Option<String>>,
}

impl Explanation {
    /// Whether there is anything to correct; notes are not.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }
}

/// Explains messages of one attempt or connection, each a URL, a curl command, a request as raw HTTP, a call in Python or
/// JavaScript, or a reply (JSON, or raw HTTP, or in a line of a log). Several
/// are compared with each other: an authorize URL, its callback and the exchange must agree. Never fails; what is not recognised is a
/// finding.
pub fn explain(inputs: &[&str], options: &ExplainOptions) -> Explanation {
    let mut found = Findings::default();
    let mut read = Vec::new();
    // All first, so that a secret of one input is not quoted from another.
    for (index, input) in inputs.iter().enumerate() {
        found.input = index;
        let message = recognise(input, &mut found);
        if let Message::Request(request) = &message {
            credentials::keep_secrets(request, &mut found);
        }
        read.push(message);
    }
    let asked_for = read.iter().find_map(asked_for).map(str::to_owned);
    let mut kinds = Vec::new();
    let mut instead = Vec::new();
    let mut steps = Vec::new();
    for (index, message) in read.iter().enumerate() {
        found.input = index;
        let (kind, corrected) = match message {
            Message::Request(request) => {
                let kind = kind_of(request);
                steps.push(pair::Step { input: index, kind, request });
                (kind, about_request(kind, request, options, asked_for.as_deref(), &mut found))
            }
            Message::Reply(text) => (reply::check(text, options, &mut found), None),
            Message::Sentence(at) => {
                reply::about_not_connected(*at, &mut found);
                (Kind::ApiReply, None)
            }
            Message::WithoutAddress(at) => {
                found.wrong(
                    *at,
                    "address",
                    "This is a call in a program, and its address stands somewhere else.",
                    "Write the URL into the call, between quotes, and paste it again; or paste the lines that set it as well.",
                );
                (Kind::Unknown, None)
            }
            Message::Unknown(at) => {
                found.wrong(
                    *at,
                    "input",
                    "This is no URL, curl command, HTTP request, call of requests, httpx, fetch or axios, JSON or HTTP answer.",
                    "Paste one of them whole: the address bar's text, the command, the call, or the answer with its status line (curl -i).",
                );
                (Kind::Unknown, None)
            }
        };
        kinds.push(kind);
        instead.push(corrected);
    }
    pair::check(&steps, &mut found);
    let mut findings = found.all;
    findings.sort_by_key(|finding| (finding.input, finding.at));
    findings.dedup();
    for (index, corrected) in instead.iter_mut().enumerate() {
        if !findings.iter().any(|finding| finding.input == index && finding.severity > Severity::Note) {
            *corrected = None;
        }
    }
    Explanation { kinds, findings, instead }
}

/// The redirect URI of an authorize request.
fn asked_for(message: &Message) -> Option<&str> {
    let Message::Request(request) = message else { return None };
    let parameter = request.url.query.get("redirect_uri").filter(|_| kind_of(request) == Kind::AuthorizeRequest)?;
    Some(parameter.value.as_str()).filter(|value| !source::is_open(value))
}

fn about_request(
    kind: Kind,
    request: &Request,
    options: &ExplainOptions,
    asked_for: Option<&str>,
    found: &mut Findings,
) -> Option<String> {
    hygiene::check(kind, request, found);
    match kind {
        Kind::AuthorizeRequest => Some(authorize::check(request, options, found)),
        Kind::Callback => {
            callback::check(request, options, found);
            None
        }
        Kind::Exchange | Kind::Refresh => Some(token::check(kind, request, options, asked_for, found)),
        Kind::ApiCall => Some(call::check(request, options, found)),
        Kind::TokenReply | Kind::ApiReply | Kind::OtherReply | Kind::Unknown => {
            found.wrong(
                request.url.path_at,
                "path",
                "This is none of the steps of the flow: not /oauth/authorize, not /oauth/token, no callback with response or code, and nothing below /v1/.",
                "Check the address; the five steps are listed in the documentation of the authority.",
            );
            None
        }
    }
}

enum Message {
    Request(Box<Request>),
    Reply(Sourced),
    /// The sentence of an answer, without the answer.
    Sentence(usize),
    /// A call in a program whose address is not in the text.
    WithoutAddress(usize),
    Unknown(usize),
}

fn recognise(input: &str, found: &mut Findings) -> Message {
    let text = input.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let text = text.strip_prefix("$ ").or_else(|| text.strip_prefix("% ")).unwrap_or(text);
    let offset = input.len() - text.len();
    let text = text.trim_end();
    let whole = Sourced::verbatim(text, offset);
    if text.starts_with("HTTP/") || text.starts_with('{') || text.starts_with('[') || text.starts_with('<') {
        return Message::Reply(whole);
    }
    if text.strip_prefix("curl").is_some_and(|rest| rest.starts_with(char::is_whitespace)) {
        return curl::read(text, offset, found)
            .map_or(Message::Unknown(offset), |request| Message::Request(Box::new(request)));
    }
    if let Some(request) = request::read_raw(text, offset) {
        return Message::Request(Box::new(request));
    }
    match program::read(&whole) {
        Some(program::Called::Request(request)) => return Message::Request(request),
        Some(program::Called::WithoutAddress(at)) => return Message::WithoutAddress(at),
        None => {}
    }
    if let Some(answer) = log_line::read(&whole, found) {
        return Message::Reply(answer);
    }
    if text.trim_matches(['"', '\'', '.']) == codes::NOT_CONNECTED.trim_end_matches('.') {
        return Message::Sentence(offset);
    }
    let quoted = [('"', '"'), ('\'', '\''), ('<', '>')];
    let is_quoted = |(open, close): (char, char)| text.len() > 1 && text.starts_with(open) && text.ends_with(close);
    let url = match quoted.into_iter().any(is_quoted) {
        true => whole.slice(1..text.len() - 1),
        false => whole,
    };
    let looks_like_one = url.text().contains("://") || url.text().contains('=') || url.text().starts_with('/');
    // A call in a language that is not read is told so, not taken for a URL with odd characters.
    let is_call = url.text().find("://").is_some_and(|at| url.text()[..at].contains('('));
    if looks_like_one && !is_call {
        return Message::Request(Box::new(bare(&url)));
    }
    Message::Unknown(offset)
}

/// A URL alone, or a query alone.
fn bare(url: &Sourced) -> Request {
    let text = url.text();
    let is_query = !text.contains("://") && !text.contains('?') && !text.starts_with('/');
    let address = match is_query {
        true => Address { query: Parameters::read(url), whole: url.clone(), ..Address::default() },
        false => Address::read(url),
    };
    let (method, method_at) = ("GET".to_owned(), url.start());
    Request { method, method_at, url: address, headers: Vec::new(), body: Body::None, bare: true }
}

/// What a request is meant to be: by its parameters first, since the address may be the mistake.
fn kind_of(request: &Request) -> Kind {
    let path = request.url.path.trim_end_matches('/').to_ascii_lowercase();
    let names = |name| request.names(name);
    let fragment = request.url.fragment.as_ref().map(Sourced::text).unwrap_or_default();
    let is_api = path == "/v1" || path.starts_with("/v1/");
    match () {
        () if names("grant_type") && names("refresh_token") && !names("code") => Kind::Refresh,
        () if names("grant_type") => Kind::Exchange,
        () if names("response_type") || path.ends_with("/authorize") => Kind::AuthorizeRequest,
        () if path.ends_with("/token") && names("refresh_token") => Kind::Refresh,
        () if path.ends_with("/token") => Kind::Exchange,
        () if request.bare && (names("response") || names("code") || names("error")) => Kind::Callback,
        () if request.bare && (fragment.contains("code=") || fragment.contains("access_token=")) => Kind::Callback,
        () if is_api || request.header("authorization").is_some() || names("access_token") => Kind::ApiCall,
        () if names("response") || names("code") => Kind::Callback,
        () => Kind::Unknown,
    }
}

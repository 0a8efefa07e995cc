//! A request as somebody wrote it down: a URL, raw HTTP, or what a curl command would send.

use super::source::{Parameter, Parameters, Sourced};
use url::Url;

/// A header field.
#[derive(Clone, Debug)]
pub(super) struct HeaderField {
    pub(super) name: String,
    pub(super) value: Sourced,
    pub(super) at: usize,
}

/// What goes along.
#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Nothing.
    None,
    /// A form.
    Form(Parameters),
    /// JSON, or what looks like it.
    Json(Sourced),
    /// Multipart form fields, as curl's `-F` sends them.
    Multipart(Parameters),
    /// A file that is not here, or a type that no step of the flow has.
    Other(usize),
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) method_at: usize,
    pub(super) url: Address,
    pub(super) headers: Vec<HeaderField>,
    pub(super) body: Body,
    /// Whether it is a bare URL, for a browser, and nothing else.
    pub(super) bare: bool,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&HeaderField> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))
    }

    /// The parameters of the body, however they are packed.
    pub(super) fn body_parameters(&self) -> Parameters {
        match &self.body {
            Body::Form(parameters) | Body::Multipart(parameters) => parameters.clone(),
            Body::Json(json) => json_parameters(json),
            Body::None | Body::Other(_) => Parameters { all: Vec::new(), end: self.url.whole.end() },
        }
    }

    /// Whether a parameter stands anywhere.
    pub(super) fn names(&self, name: &str) -> bool {
        self.url.query.names(name) || self.body_parameters().names(name)
    }
}

/// The strings of a JSON object, as if they were parameters.
fn json_parameters(json: &Sourced) -> Parameters {
    let mut all = Vec::new();
    if let Ok(serde_json::Value::Object(object)) = serde_json::from_str(json.text()) {
        for (name, value) in object {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let at = json.at(json.text().find(&format!("\"{name}\"")).unwrap_or_default());
            all.push(Parameter { name, value, raw: Sourced::empty(at), at, broken: None });
        }
    }
    Parameters { all, end: json.end() }
}

/// A URL taken apart without changing a byte.
#[derive(Clone, Debug, Default)]
pub(super) struct Address {
    pub(super) whole: Sourced,
    /// In lower case; empty where there is none.
    pub(super) scheme: String,
    /// Host and port in lower case, without user information.
    pub(super) host: String,
    pub(super) host_at: usize,
    /// `user:password@`.
    pub(super) user_information: Option<Sourced>,
    pub(super) path: String,
    pub(super) path_at: usize,
    pub(super) query: Parameters,
    pub(super) fragment: Option<Sourced>,
}

impl Address {
    pub(super) fn read(whole: &Sourced) -> Address {
        let (before, fragment) = match whole.split_once('#') {
            Some((before, fragment)) => (before, Some(fragment)),
            None => (whole.clone(), None),
        };
        let (before, query) = match before.split_once('?') {
            Some((before, query)) => (before, Parameters::read(&query)),
            None => (before.clone(), Parameters { all: Vec::new(), end: before.end() }),
        };
        let text = before.text();
        let (scheme, from) = match text.find("://") {
            Some(at) => (text[..at].to_ascii_lowercase(), at + 3),
            None => (String::new(), 0),
        };
        let path_from = match (scheme.is_empty(), text[from..].find('/')) {
            (true, _) if text.starts_with('/') => 0,
            (_, Some(at)) => from + at,
            (_, None) => text.len(),
        };
        let authority = before.slice(from..path_from);
        let (user_information, host) = match authority.text().rfind('@') {
            Some(at) => (Some(authority.slice(0..at)), authority.slice(at + 1..authority.text().len())),
            None => (None, authority),
        };
        Address {
            scheme,
            host: host.text().to_ascii_lowercase(),
            host_at: host.start(),
            user_information,
            path: text[path_from..].to_owned(),
            path_at: before.at(path_from),
            query,
            fragment,
            whole: whole.clone(),
        }
    }

    /// The host without its port.
    pub(super) fn hostname(&self) -> &str {
        match self.host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => &self.host,
        }
    }

    /// Whether it leads to this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(self.hostname())
    }

    /// `scheme://host`, for a corrected URL.
    pub(super) fn origin(&self) -> String {
        let scheme = if self.scheme.is_empty() { "https" } else { &self.scheme };
        format!("{scheme}://{}", self.host)
    }
}

/// Whether a host name is this machine's.
pub(super) fn is_loopback(host: &str) -> bool {
    match Url::parse(&format!("http://{host}/")).ok().as_ref().and_then(Url::host) {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Reads raw HTTP: a request line, header fields, an empty line, a body.
pub(super) fn read_raw(input: &str, offset: usize) -> Option<Request> {
    let source = Sourced::verbatim(input, offset);
    let (head, body) = split_head(&source);
    let mut lines = head.split('\n').into_iter();
    let line = lines.next()?;
    let (method, rest) = line.split_once(' ')?;
    if !METHODS.contains(&method.text()) {
        return None;
    }
    let target = match rest.text().rfind(" HTTP/") {
        Some(at) => rest.slice(0..at),
        None => trimmed(&rest),
    };
    let headers: Vec<HeaderField> = lines.filter_map(|line| header(&line)).collect();
    let mut url = Address::read(&target);
    if url.host.is_empty()
        && let Some(host) = headers.iter().find(|header| header.name.eq_ignore_ascii_case("host"))
    {
        url.host = host.value.text().to_ascii_lowercase();
        url.host_at = host.value.start();
        url.scheme = if is_loopback(url.hostname()) { "http".to_owned() } else { "https".to_owned() };
    }
    let content_type = headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-type"));
    let body = read_body(&trimmed(&body), content_type.map(|header| header.value.text()));
    Some(Request { method: method.text().to_owned(), method_at: offset, url, headers, body, bare: false })
}

/// Methods that a request line may begin with.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// `Name: value`.
pub(super) fn header(line: &Sourced) -> Option<HeaderField> {
    let (name, value) = line.split_once(':')?;
    Some(HeaderField { name: name.text().trim().to_owned(), at: line.start(), value: trimmed(&value) })
}

/// A body by its type; without one, by its looks.
pub(super) fn read_body(body: &Sourced, content_type: Option<&str>) -> Body {
    let text = body.text();
    let is = |kind: &str| content_type.is_some_and(|value| value.to_ascii_lowercase().contains(kind));
    match () {
        () if text.is_empty() => Body::None,
        () if is("json") || (!is("x-www-form-urlencoded") && text.starts_with('{')) => Body::Json(body.clone()),
        () if is("multipart") => Body::Multipart(Parameters { all: Vec::new(), end: body.end() }),
        () if text.starts_with('@') => Body::Other(body.start()),
        () => Body::Form(Parameters::read(body)),
    }
}

/// Head and body of a message, at the first empty line.
pub(super) fn split_head(source: &Sourced) -> (Sourced, Sourced) {
    let text = source.text();
    let ends = ["\r\n\r\n", "\n\n"].iter().filter_map(|end| text.find(end).map(|at| (at, end.len())));
    match ends.min() {
        Some((at, length)) => (source.slice(0..at), source.slice(at + length..text.len())),
        None => (source.clone(), Sourced::empty(source.end())),
    }
}

/// Without white space around it.
pub(super) fn trimmed(source: &Sourced) -> Sourced {
    let text = source.text();
    let from = text.len() - text.trim_start().len();
    source.slice(from..from + text.trim().len())
}

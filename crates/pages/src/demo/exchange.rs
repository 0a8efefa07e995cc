//! One request and its answer, as they went over the wire, with secrets masked.

/// A text that may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// What is shown at first: the text itself, or a form that gives nothing away.
    pub shown: String,
    /// The whole text behind "Reveal"; absent when `shown` is everything.
    pub full: Option<String>,
}

impl Masked {
    /// A text without a secret.
    pub fn plain(text: impl Into<String>) -> Masked {
        Masked { shown: text.into(), full: None }
    }

    /// A secret: its first six characters, then dots. A short one shows nothing of itself.
    pub fn secret(text: impl Into<String>) -> Masked {
        let full = text.into();
        let start: String = if full.chars().count() > 12 { full.chars().take(6).collect() } else { String::new() };
        Masked { shown: format!("{start}••••••"), full: Some(full) }
    }
}

/// A parameter of a message with what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The name on the wire.
    pub name: String,
    /// Its value, decoded.
    pub value: Masked,
    /// What it is for, in one sentence.
    pub meaning: String,
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMessage {
    /// `POST /oauth/token HTTP/1.1` or `HTTP/1.1 200 OK`; masked when the query holds a secret.
    pub start_line: Masked,
    /// In the order sent.
    pub headers: Vec<(String, Masked)>,
    /// Explained below the message; may be fewer than were sent.
    pub parameters: Vec<Parameter>,
    /// The body as text, line breaks kept.
    pub body: Option<Masked>,
}

/// One step of the flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// A few words: `Exchange the code for tokens`.
    pub title: String,
    /// Why this step exists.
    pub explanation: String,
    /// What was sent.
    pub request: HttpMessage,
    /// What came back; absent for a request whose answer the app does not see.
    pub response: Option<HttpMessage>,
}

impl Exchange {
    /// The messages with their headings, in order.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&'static str, &HttpMessage)> {
        std::iter::once(("Request", &self.request)).chain(self.response.iter().map(|r| ("Response", r)))
    }

    /// The status of the answer, for the closed heading of the step.
    pub(crate) fn outcome(&self) -> &str {
        let line = self.response.as_ref().map_or("", |r| r.start_line.shown.as_str());
        line.split_once(' ').map_or("", |(_, status)| status)
    }
}

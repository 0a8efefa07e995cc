//! The demo's page of one connection: what state it is in, what went over the wire, what can be tried.

use crate::demo::{Exchange, Note, Tone};
use crate::{Brand, filters, to_html};

/// What the app knows of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// Never connected, or disconnected.
    NotConnected,
    /// It holds tokens.
    Connected,
    /// The authority said that the grant is gone; the user has to connect again.
    Ended,
}

impl ConnectionState {
    fn label(self) -> &'static str {
        match self {
            ConnectionState::NotConnected => "Not connected",
            ConnectionState::Connected => "Connected",
            ConnectionState::Ended => "Ended",
        }
    }

    fn class(self) -> &'static str {
        match self {
            ConnectionState::NotConnected => "plain",
            ConnectionState::Connected => "good",
            ConnectionState::Ended => "bad",
        }
    }
}

/// A button with the form around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoAction {
    /// The words on the button.
    pub label: String,
    /// What will happen, in one sentence.
    pub explanation: String,
    /// Where the form posts.
    pub action: String,
    /// Its hidden fields, `csrf` among them if the demo uses it.
    pub fields: Vec<(String, String)>,
    /// [`Tone::Good`] is the main button, [`Tone::Bad`] one that takes something away, the others are plain.
    pub tone: Tone,
}

impl DemoAction {
    /// The demo's usual actions for an app, each with the hidden field `app`: refresh, call `/v1/identity`, call
    /// `/v1/people` (field `path`), present the code again, deny, revoke, disconnect. They post to `/demo/refresh`,
    /// `/demo/call`, `/demo/present-code-again`, `/demo/deny`, `/demo/revoke`, `/demo/disconnect`.
    pub fn usual(app: &str) -> Vec<DemoAction> {
        let action = |verb: &str, label: &str, explanation: &str, tone| DemoAction {
            label: label.to_owned(),
            explanation: explanation.to_owned(),
            action: format!("/demo/{verb}"),
            fields: vec![("app".to_owned(), app.to_owned())],
            tone,
        };
        let call = |path: &str, explanation: &str, tone| {
            let mut call = action("call", &format!("Call {path}"), explanation, tone);
            call.fields.push(("path".to_owned(), path.to_owned()));
            call
        };
        vec![
            call("/v1/identity", "Asks the API whom this token acts for.", Tone::Good),
            call("/v1/people", "Reads the first page of people with the access token.", Tone::Info),
            action("refresh", "Refresh", "Trades the refresh token for a fresh access token.", Tone::Info),
            action(
                "present-code-again",
                "Present the code again",
                "A code works once. See how the authority answers when it comes back.",
                Tone::Warn,
            ),
            action(
                "deny",
                "Deny this time",
                "Starts the flow again; press Deny on the consent page and see what the app does.",
                Tone::Warn,
            ),
            action(
                "revoke",
                "Revoke",
                "Takes the grant back at the authority: every token of it stops working.",
                Tone::Bad,
            ),
            action(
                "disconnect",
                "Disconnect",
                "Forgets the tokens in the app without telling the authority.",
                Tone::Bad,
            ),
        ]
    }

    /// "Connect" (or "Connect again"): posts `app` to `/demo/connect`.
    pub fn connect(app: &str, label: &str) -> DemoAction {
        DemoAction {
            label: label.to_owned(),
            explanation: "Starts the flow from its first step.".to_owned(),
            action: "/demo/connect".to_owned(),
            fields: vec![("app".to_owned(), app.to_owned())],
            tone: Tone::Good,
        }
    }

    fn class(&self) -> &'static str {
        match self.tone {
            Tone::Good => "primary",
            Tone::Bad => "danger",
            Tone::Info | Tone::Warn => "",
        }
    }
}

/// The page of one connection.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "demo/connection.html")]
pub struct DemoConnection {
    /// Whose sandbox this is.
    pub brand: Brand,
    /// The app's name.
    pub app_name: String,
    /// The dialect it speaks.
    pub dialect: String,
    /// What the app knows.
    pub state: ConnectionState,
    /// Name and value of what there is to know: user, account, when the access token expires.
    pub facts: Vec<(String, String)>,
    /// What just happened.
    pub message: Option<Note>,
    /// What can be tried now.
    pub actions: Vec<DemoAction>,
    /// What went over the wire, in order of time; the last is open.
    pub steps: Vec<Exchange>,
    /// Back to [`crate::DemoHome`].
    pub home_url: String,
}

impl DemoConnection {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

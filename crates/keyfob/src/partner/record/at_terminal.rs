//! A person decides in their browser and pastes the address that it ends on.

use crate::output;
use crate::partner::callback::pasted_query;
use crate::partner::input::Lines;
use async_trait::async_trait;
use keyfob_client::Secret;
use keyfob_client::record::{Asked, Callback, Choice, Consent};
use tokio::sync::Mutex;
use url::Url;

/// What is typed when there is no address to paste.
const NO_RETURN: &str = "none";

pub(super) struct TerminalConsent {
    lines: Mutex<Lines>,
    redirect_uri: String,
    authorize: Url,
}

impl TerminalConsent {
    pub(super) fn new(lines: Lines, redirect_uri: &str, authorize: &Url) -> TerminalConsent {
        TerminalConsent {
            lines: Mutex::new(lines),
            redirect_uri: redirect_uri.to_owned(),
            authorize: authorize.clone(),
        }
    }
}

#[async_trait]
impl Consent for TerminalConsent {
    async fn decide(&self, asked: Asked) -> Callback {
        let choice = match asked.choice {
            Choice::Approve => "APPROVE",
            Choice::Decline => "DECLINE",
        };
        output::say(&format!("keyfob: open this address, and let the user {choice}:\n"));
        output::say(asked.url.expose());
        output::say(&format!(
            "\nkeyfob: then paste the address that the browser ends on (it begins with {}) and press Enter; where it stays on an error page, type {NO_RETURN}",
            self.redirect_uri
        ));
        let mut lines = self.lines.lock().await;
        while let Some(line) = lines.next().await {
            if line.trim() == NO_RETURN {
                return Callback::NoReturn;
            }
            match pasted_query(&line, &self.redirect_uri, &self.authorize) {
                _ if line.trim().is_empty() => {}
                Ok(query) => return Callback::Query(Secret::new(query)),
                Err(not) => output::say(&format!("keyfob: {}", not.0)),
            }
        }
        Callback::GivenUp
    }
}

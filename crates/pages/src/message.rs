//! A page that says one thing: signed out, already used, disconnected.

use crate::brand::is_link;
use crate::{Brand, filters, to_html};

/// Where to go next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The words of the link.
    pub text: String,
    /// A path on this server, or an `http:`, `https:` or `mailto:` URL; anything else is not rendered.
    pub href: String,
}

impl Link {
    /// The address, if a page may hold it.
    pub(crate) fn target(&self) -> Option<&str> {
        Some(self.href.as_str()).filter(|href| is_link(href))
    }
}

/// A message with an optional link.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "message.html")]
pub struct Message {
    /// Whose page this is.
    pub brand: Brand,
    /// What happened, in a few words.
    pub title: String,
    /// One or two sentences.
    pub sentence: String,
    /// Where to go next.
    pub link: Option<Link>,
}

impl Message {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

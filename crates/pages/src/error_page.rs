//! The page for a request that cannot go on and must not be answered with a redirect: what the user can do, and what the
//! developer has to change.

use crate::difference::{Marked, exact};
use crate::{Brand, filters, to_html};

/// Which part of the request is wrong. Holds only what the developer sent or registered, never somebody's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeveloperHint {
    /// The parameter's name: `redirect_uri`.
    pub parameter: String,
    /// What would have been accepted (the closest registered value).
    pub expected: Option<String>,
    /// What came.
    pub received: Option<String>,
    /// The first byte, counted from 0, at which the two differ; see [`crate::first_difference`].
    pub differs_at_byte: Option<usize>,
    /// What is wrong and what to do next.
    pub explanation: String,
}

/// An error page.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// Whose page this is.
    pub brand: Brand,
    /// The HTTP status, shown small.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What the person in front of the page can do.
    pub for_user: String,
    /// What the app's developer has to change; absent when it is not about the request.
    pub for_developer: Option<DeveloperHint>,
    /// Ties the page to the server's log.
    pub request_id: String,
}

impl ErrorPage {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

impl DeveloperHint {
    /// The two values with their first differing character marked, each with its label and a class for its tone.
    fn sides(&self) -> Vec<Side> {
        [("Expected", "expected", &self.expected), ("Received", "received", &self.received)]
            .into_iter()
            .filter_map(|(label, class, text)| {
                let text = text.as_deref()?;
                Some(Side { label, class, empty: text.is_empty(), text: Marked::at(text, self.differs_at_byte) })
            })
            .collect()
    }

    /// The parameter's name with nothing hidden in it: it may be echoed from the request.
    fn name(&self) -> String {
        exact(&self.parameter)
    }
}

/// One of the two compared values.
struct Side {
    label: &'static str,
    class: &'static str,
    empty: bool,
    text: Marked,
}

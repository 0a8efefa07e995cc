//! The demo's first page: who to sign in as, and which apps to connect.

use crate::demo::Note;
use crate::{Brand, Link, filters, to_html};

/// Somebody to sign in as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoPerson {
    /// The address to type.
    pub email: String,
    /// The password to type: a sandbox's, printed at start.
    pub password: String,
    /// The role in the account.
    pub role: String,
    /// The account's name.
    pub account: String,
}

/// An app of the demo. "Connect" posts `app` (and `csrf`) to `/demo/connect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoApp {
    /// The app's key in the demo, for the hidden field `app`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The dialect it speaks: `followupboss` or `oauth`.
    pub dialect: String,
    /// What it shows, in one sentence.
    pub description: String,
    /// Whom it is connected as, when it is; the button then reads "Connect again".
    pub connected_as: Option<String>,
    /// The page of the connection, linked when it is connected.
    pub connection_url: String,
}

/// The demo's first page.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "demo/home.html")]
pub struct DemoHome {
    /// Whose sandbox this is.
    pub brand: Brand,
    /// What this is, for instance that everything here is local and made up.
    pub banner: Option<String>,
    /// What just happened.
    pub message: Option<Note>,
    /// Who to sign in as.
    pub people: Vec<DemoPerson>,
    /// What to connect.
    pub apps: Vec<DemoApp>,
    /// Addresses worth knowing: the metadata document, the API, the user's connected apps.
    pub links: Vec<Link>,
    /// For hidden fields `csrf`, when the demo uses them.
    pub csrf: Option<String>,
}

impl DemoHome {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

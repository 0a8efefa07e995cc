//! The pages of the vault for the people of a partner: a sign-in by caller key, and the connections of an app.

use crate::{Brand, filters, to_html};

/// Asks for a caller key; posts `key` to `/sign-in`.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "vault_sign_in.html")]
pub struct VaultSignIn {
    /// Whose page this is.
    pub brand: Brand,
    /// Why the last try failed.
    pub error: Option<String>,
}

impl VaultSignIn {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultConnection {
    /// Its id.
    pub id: String,
    /// Its state in words.
    pub state: String,
    /// Whether nothing is to be done about it.
    pub is_good: bool,
    /// Since when, ready to read.
    pub since: Option<String>,
    /// Why, where there is something to say.
    pub reason: Option<String>,
    /// Whose it is.
    pub identity: Option<String>,
    /// When it was last used, ready to read.
    pub last_call: Option<String>,
    /// Whole days until it would die of idleness.
    pub idle_days: Option<i64>,
    /// Whether a link may be made from here.
    pub may_reconnect: bool,
}

/// The connections of one app. "Sign out" posts `csrf` to `/sign-out`, "Reconnect" posts `csrf`, `app` and `id` to `/reconnect`, whose answer is this page
/// with `link` and nothing else.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "vault_overview.html")]
pub struct VaultOverview {
    /// Whose page this is.
    pub brand: Brand,
    /// Who is signed in.
    pub caller: String,
    /// The apps there are.
    pub apps: Vec<String>,
    /// The one that is shown.
    pub app: String,
    /// Its connections.
    pub connections: Vec<VaultConnection>,
    /// The id behind which the next page begins.
    pub next: Option<String>,
    /// For the hidden fields `csrf`.
    pub csrf: String,
    /// A connection and the link that was made for its user.
    pub link: Option<(String, String)>,
}

impl VaultOverview {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

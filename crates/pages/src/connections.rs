//! The page where a user sees which apps act for them, and takes it back.

use crate::{Brand, filters, to_html};

/// One live grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The grant's id as text, for the hidden field `grant`.
    pub grant: String,
    /// The app's name as registered: a stranger's text.
    pub app_name: String,
    /// The partner that owns the app.
    pub system_name: String,
    /// When it was approved, ready to read: `12 November 2026`.
    pub connected_on: String,
    /// When it was last used, ready to read; absent when never.
    pub last_used: Option<String>,
    /// Titles of what was granted; empty means the whole role.
    pub permissions: Vec<String>,
    /// The APIs that it is for (RFC 8707); empty means the platform's own.
    pub resources: Vec<String>,
}

/// The list. "Revoke" posts `grant` and `csrf` to `/connections/revoke`, "Sign out" posts `csrf` to `/sign-out`.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "connections.html")]
pub struct Connections {
    /// Whose page this is.
    pub brand: Brand,
    /// The person signed in.
    pub user_name: String,
    /// Their address.
    pub user_email: String,
    /// Their account.
    pub account_name: String,
    /// Their live grants, newest first.
    pub connections: Vec<Connection>,
    /// What just happened: `Disconnected Listing Lantern.`
    pub notice: Option<String>,
    /// For the hidden fields `csrf`.
    pub csrf: String,
}

impl Connections {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

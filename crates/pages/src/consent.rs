//! The consent page: who asks, for what, on whose behalf, and how to take it back.

use crate::{Brand, filters, mixed_alphabets, to_html};

/// One thing the app would be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// A few words: `Read people`.
    pub title: String,
    /// One sentence for the person who decides.
    pub sentence: String,
}

/// Asks for the decision. One form posts `interaction`, `csrf` and `decision` = `approve`, `deny` or `switch` (sign in as
/// somebody else) to `action`.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "consent.html")]
pub struct Consent {
    /// Whose page this is.
    pub brand: Brand,
    /// The app's name as registered: a stranger's text.
    pub app_name: String,
    /// The partner that owns the app: a stranger's text.
    pub system_name: String,
    /// The host the browser goes to afterwards, punycode as registered.
    pub redirect_host: String,
    /// The account being delegated.
    pub account_name: String,
    /// The person who decides.
    pub user_name: String,
    /// Their address.
    pub user_email: String,
    /// Their role in the account, which bounds what the app can do.
    pub user_role: String,
    /// What is asked for; empty means the whole role.
    pub granted: Vec<Permission>,
    /// The APIs that the app asks access to, as URIs; empty: the platform's own, which goes without saying.
    pub resources: Vec<String>,
    /// The sealed authorization request, for the hidden field `interaction`.
    pub interaction: String,
    /// For the hidden field `csrf`.
    pub csrf: String,
    /// Where the form posts: `/oauth/authorize/decision` or as the server routes it.
    pub action: String,
}

impl Consent {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }

    /// The caution about a name that passes for another.
    fn caution(&self) -> Option<String> {
        [&self.app_name, &self.system_name].into_iter().find_map(|name| {
            let (one, other) = mixed_alphabets(name)?;
            Some(format!("mixes {one} and {other} letters, which can make one name look like another"))
        })
    }
}

//! The sign-in page: on the way to consent (with an interaction) or on its own.

use crate::{Brand, filters, to_html};

/// Asks for an e-mail address and a password. The form posts `email`, `password`, `csrf` and, when there is one,
/// `interaction` to `action`.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    /// Whose page this is.
    pub brand: Brand,
    /// The app that waits for the sign-in; absent when someone signs in on their own account.
    pub app_name: Option<String>,
    /// The sealed authorization request, for the hidden field `interaction`.
    pub interaction: Option<String>,
    /// For the hidden field `csrf`.
    pub csrf: String,
    /// What was typed before, or empty.
    pub email: String,
    /// The one generic message after a refused attempt; it must not tell an unknown user from a wrong password.
    pub error: Option<String>,
    /// Why the page is shown, for instance that the app asks for a new sign-in.
    pub notice: Option<String>,
    /// Where the form posts: `/oauth/authorize/sign-in` or `/sign-in`.
    pub action: String,
    /// Where "Cancel" posts the same form with `decision=deny`, so that a person can go back to the app without signing
    /// in. Absent: no such button.
    pub cancel_action: Option<String>,
}

impl SignIn {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

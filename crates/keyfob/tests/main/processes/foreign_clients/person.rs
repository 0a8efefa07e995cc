//! The person in front of the browser, for one client.

use super::super::place::REDIRECT_URI;
use super::super::visitor::{Visitor, http_client};
use super::authority::App;
use super::story::Step;
use super::wire::Notes;
use std::sync::Arc;

/// Signs in once, decides as often as asked.
pub(super) struct Person {
    visitor: Visitor,
    issuer: String,
    client_id: String,
    notes: Arc<Notes>,
}

impl Person {
    pub(super) fn before(app: &App, notes: Arc<Notes>) -> Person {
        let visitor = Visitor::new(&http_client());
        Person { visitor, issuer: app.issuer.clone(), client_id: app.client_id.clone(), notes }
    }

    /// Opens the authorize URL, signs in where the page asks for it, and decides `approve` or `deny`: the callback that the browser ends on.
    pub(super) async fn callback_of(&mut self, authorize_url: &str, decision: &str) -> String {
        let (visitor, base) = (&mut self.visitor, self.issuer.as_str());
        let mut page = visitor.get(authorize_url).await.expect("an answer");
        if page.body.contains("action=\"/oauth/authorize/sign-in\"") {
            page = visitor.sign_in(base, &page).await.expect("an answer");
        }
        let decided = visitor.submit(base, &page, "/oauth/authorize/decision", &[("decision", decision)]).await;
        let callback = decided.expect("an answer").header("location").to_owned();
        let query = callback.strip_prefix(REDIRECT_URI).and_then(|rest| rest.strip_prefix('?'));
        let query = query.unwrap_or_else(|| panic!("no callback: {callback}"));
        self.notes.note(&self.client_id, Step::Landed(query.to_owned()));
        callback
    }
}

//! The person in front of the browser, for one client.

use super::super::connections::sandbox::Sandbox;
use super::super::place::REDIRECT_URI;
use super::super::visitor::{Visitor, http_client};
use super::authority::App;
use super::story::Step;
use super::wire::Notes;
use std::sync::Arc;

/// Signs in once, decides as often as asked.
pub(super) enum Person {
    AtPages {
        visitor: Visitor,
        app: App,
        notes: Arc<Notes>,
    },
    /// Lets the sandbox's own control do it, as a partner's test suite does.
    InSandbox(Arc<Sandbox>),
}

impl Person {
    pub(super) fn before(app: &App, notes: Arc<Notes>) -> Person {
        Person::AtPages { visitor: Visitor::new(&http_client()), app: app.clone(), notes }
    }

    /// Opens the authorize URL, signs in where the page asks for it, and decides `approve` or `deny`: the callback that the browser ends on.
    pub(super) async fn callback_of(&mut self, authorize_url: &str, decision: &str) -> String {
        let (visitor, app, notes) = match self {
            Person::AtPages { visitor, app, notes } => (visitor, app, notes),
            Person::InSandbox(sandbox) => {
                return sandbox.decides(sandbox.user(1, "Owner"), authorize_url, decision).await;
            }
        };
        let base = app.issuer.as_str();
        let mut page = visitor.get(authorize_url).await.expect("an answer");
        if page.body.contains("action=\"/oauth/authorize/sign-in\"") {
            page = visitor.sign_in(base, &page).await.expect("an answer");
        }
        let decided = visitor.submit(base, &page, "/oauth/authorize/decision", &[("decision", decision)]).await;
        let callback = decided.expect("an answer").header("location").to_owned();
        let query = callback.strip_prefix(REDIRECT_URI).and_then(|rest| rest.strip_prefix('?'));
        let query = query.unwrap_or_else(|| panic!("no callback: {callback}"));
        notes.note(&app.client_id, Step::Landed(query.to_owned()));
        callback
    }
}

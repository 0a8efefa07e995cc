//! The demo integration: the app's side of the flow, walked with the client library and shown message by message.
//!
//! What a partner's own integration would do, no more: begin an attempt, read the callback once, exchange, call, refresh. It is not a
//! second client. Everything lives in memory, per browser, and within bounds. The callback's query is hostile until the client library
//! has accepted it; forms are accepted with the session's own CSRF value only.

mod actions;
mod answer;
mod apps;
mod callback;
mod connect;
mod faults;
mod masking;
mod meanings;
mod offered;
mod pages;
mod sessions;
mod shown;
mod slot;
mod steps;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, Method, StatusCode, header};
use keyfob_client::{Driver, Surroundings, TokioPause};
use keyfob_protocol::Entropy;

use crate::clock::SandboxClock;
use crate::faults::Faults;
use crate::seed::Seed;
use crate::start::seeding::RedirectUris;
use crate::start::{Addresses, SandboxError};
use answer::Answers;
use apps::DemoApps;
use sessions::Sessions;

/// Largest form, in bytes.
const MAX_BODY: usize = 8 * 1024;

/// The demo of one sandbox.
pub(crate) struct Demo {
    seed: Arc<Seed>,
    apps: DemoApps,
    sessions: Sessions,
    answers: Answers,
    clock: Arc<SandboxClock>,
    outside: Surroundings,
    addresses: Addresses,
    faults: Arc<Faults>,
}

impl Demo {
    /// A demo without sessions. Its requests go to the sandbox over real sockets, and to no other machine.
    pub(crate) fn new(
        seed: &Arc<Seed>,
        addresses: &Addresses,
        redirect_uris: &RedirectUris,
        clock: Arc<SandboxClock>,
        entropy: Arc<dyn Entropy>,
        faults: Arc<Faults>,
    ) -> Result<Demo, SandboxError> {
        let outside = Surroundings {
            transport: Arc::new(Driver::loopback_only()?),
            clock: clock.clone(),
            entropy: entropy.clone(),
            pause: Arc::new(TokioPause),
        };
        Ok(Demo {
            apps: DemoApps::new(seed, addresses, redirect_uris)?,
            sessions: Sessions::new(&addresses.demo, entropy),
            answers: Answers::new(&addresses.authority),
            seed: seed.clone(),
            clock,
            outside,
            addresses: addresses.clone(),
            faults,
        })
    }

    /// Forgets every browser and what was connected in it.
    pub(crate) fn forget(&self) {
        self.sessions.clear();
    }
}

/// The demo's routes.
pub(crate) fn router(demo: Arc<Demo>) -> Router {
    Router::new()
        .route("/demo", get(pages::home))
        .route("/demo/connections/{app}", get(pages::connection))
        .route("/demo/outcome/{app}", get(pages::outcome))
        .route("/demo/callback/{app}", get(callback::callback))
        .route("/demo/faults", get(faults::page).post(faults::set))
        .route("/demo/faults/scenario.json", get(faults::saved))
        .route("/demo/faults/end", post(faults::end))
        .route("/demo/connect", post(connect::connect))
        .route("/demo/deny", post(connect::connect))
        .route("/demo/call", post(actions::call))
        .route("/demo/refresh", post(actions::refresh))
        .route("/demo/present-code-again", post(actions::present_code_again))
        .route("/demo/advance", post(actions::advance))
        .route("/demo/revoke", post(actions::revoke))
        .route("/demo/disconnect", post(actions::disconnect))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(demo.clone(), by_its_own_name))
        .with_state(demo)
}

/// The session's cookie and the redirect URIs belong to one host name; whoever came by another one is sent to it. It also keeps out a
/// page that made its own name point here.
async fn by_its_own_name(State(demo): State<Arc<Demo>>, request: Request, next: Next) -> Response {
    if host(request.headers()).is_some_and(|host| demo.addresses.demo.strip_prefix("http://") == Some(host)) {
        return next.run(request).await;
    }
    // A callback is not sent on: its query would go where it was not meant to go.
    if request.method() == Method::GET && request.uri().query().is_none() {
        return demo.answers.see_other(&format!("{}{}", demo.addresses.demo, request.uri().path()), None);
    }
    let sentence = format!("The demo is at {}/demo.", demo.addresses.demo);
    demo.answers.message(StatusCode::MISDIRECTED_REQUEST, "Another address", &sentence)
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST)?.to_str().ok()
}

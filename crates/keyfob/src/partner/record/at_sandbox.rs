//! A sandbox decides for its first user and moves its own clock, so that nobody is asked and nothing waits.

use crate::exit::Exit;
use crate::partner::kept::KeptSystem;
use crate::partner::opened::surroundings_of;
use async_trait::async_trait;
use keyfob_client::record::{Asked, Callback, Choice, Consent};
use keyfob_client::{App, Header, HttpRequest, HttpResponse, Method, Pause, Secret, Transport};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Decides by `POST /sandbox/authorize` and waits by `POST /sandbox/clock`.
pub(super) struct SandboxConsent {
    origin: String,
    user: String,
    transport: Arc<dyn Transport>,
}

impl SandboxConsent {
    pub(super) fn new(origin: String, user: String, transport: Arc<dyn Transport>) -> Arc<SandboxConsent> {
        Arc::new(SandboxConsent { origin, user, transport })
    }

    async fn post(&self, route: &str, body: &Value) -> Option<HttpResponse> {
        let request = HttpRequest {
            method: Method::Post,
            url: Secret::new(at(&self.origin, route)),
            headers: vec![Header::plain("Content-Type", "application/json")],
            body: Secret::new(body.to_string().into_bytes()),
        };
        self.transport.send(&request).await.ok()
    }
}

#[async_trait]
impl Consent for SandboxConsent {
    async fn decide(&self, asked: Asked) -> Callback {
        let decision = match asked.choice {
            Choice::Approve => "approve",
            Choice::Decline => "deny",
        };
        let body = json!({ "url": asked.url.expose(), "user": self.user, "decision": decision });
        let Some(answer) = self.post("authorize", &body).await else { return Callback::GivenUp };
        let redirect = answer.json::<Value>().ok().and_then(|json| json["redirect"].as_str().map(str::to_owned));
        match redirect.as_deref().and_then(|redirect| redirect.split_once('?')) {
            Some((_, query)) => Callback::Query(Secret::from(query)),
            // What a browser would have been shown is in the answer's status.
            None => Callback::NoReturn,
        }
    }
}

#[async_trait]
impl Pause for SandboxConsent {
    async fn pause(&self, duration: Duration) {
        // A sandbox that does not move its clock answers as if no time had passed, and the transcript says so.
        let _ = self.post("clock", &json!({ "advance": format!("{}s", duration.as_secs()) })).await;
    }
}

/// The app that a sandbox plays Follow Up Boss for, its system and its first user.
pub(super) async fn own_app(sandbox: &str) -> anyhow::Result<(App, Option<KeptSystem>, String)> {
    let request = HttpRequest {
        method: Method::Get,
        url: Secret::new(at(sandbox, "credentials")),
        headers: Vec::new(),
        body: Secret::new(Vec::new()),
    };
    let answer = surroundings_of(sandbox)?.transport.send(&request).await;
    let answer = answer.map_err(|failure| Exit::Unavailable.because(format!("the sandbox {sandbox}: {failure}")))?;
    let no_sandbox = || Exit::Refused.because(format!("{sandbox} does not answer as a sandbox does"));
    let credentials: Value = answer.json().map_err(|_| no_sandbox())?;
    let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(no_sandbox);
    let app = &credentials["apps"][0];
    let named = App {
        client_id: text(&app["clientId"])?,
        client_secret: Some(Secret::new(text(&app["clientSecret"])?)),
        redirect_uri: text(&app["redirectUris"][0])?,
    };
    let system = &credentials["system"];
    let system = KeptSystem { name: text(&system["name"])?, key: Some(Secret::new(text(&system["key"])?)) };
    Ok((named, Some(system), text(&credentials["users"][0]["email"])?))
}

fn at(origin: &str, route: &str) -> String {
    format!("{}/sandbox/{route}", origin.trim_end_matches('/'))
}

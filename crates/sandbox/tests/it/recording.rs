//! The recorder against a sandbox: each switch is seen as what it is, and no secret reaches a transcript.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use keyfob_client::record::{
    Asked, Callback, Choice, Consent, PROBES, Probe, Telling, Transcript, differences, record,
};
use keyfob_client::{
    App, HttpRequest, HttpResponse, Observed, Observer, Pause, Provider, Secret, SendFailure, Surroundings, System,
};
use keyfob_protocol::Dialect;
use keyfob_protocol::form::Form;
use keyfob_sandbox::AnnouncedApp;
use keyfob_sandbox::seed::SEEDED_UNTIL;
use serde_json::{Value, json};

use super::integration::Partner;
use super::raw::{clear, set};
use super::running::{Running, surroundings};

/// The sandbox's user, and its clock.
struct User<'r>(&'r Running);

/// Moves both clocks; the sandbox's by its own door, from a thread of its own since a pause outlives no borrow.
struct MovedClock {
    origin: String,
    partner: Arc<Partner>,
}

struct Silent;

/// Everything that went over the wire.
#[derive(Default)]
struct Wire(Mutex<Vec<String>>);

#[async_trait]
impl Consent for User<'_> {
    async fn decide(&self, asked: Asked) -> Callback {
        let decision = if asked.choice == Choice::Approve { "approve" } else { "deny" };
        let redirect = self.0.decide(asked.url.expose(), decision).await;
        Callback::Query(Secret::from(redirect.split_once('?').expect("a query").1))
    }
}

#[async_trait]
impl Pause for MovedClock {
    async fn pause(&self, duration: Duration) {
        let body = json!({ "advance": format!("{}s", duration.as_secs()) }).to_string();
        let url = format!("{}/sandbox/clock", self.origin);
        let headers = [("Content-Type", "application/json")];
        assert_eq!(super::running::send(keyfob_client::Method::Post, &url, &headers, &body).await.status, 200);
        self.partner.0.fetch_add(i64::try_from(duration.as_secs()).expect("short"), Ordering::SeqCst);
    }
}

impl Telling for Silent {
    fn begins(&self, _: &Probe) {}
    fn waits(&self, _: u32) {}
}

impl Observer for Wire {
    fn exchanged(&self, request: &HttpRequest, answer: Result<&HttpResponse, &SendFailure>) {
        let mut seen = self.0.lock().expect("nobody panics here");
        let mut form = |text: &str| {
            if let Ok(form) = Form::parse(text.as_bytes()) {
                seen.extend(form.pairs().map(|(_, value)| value.to_owned()));
            }
        };
        form(request.query().unwrap_or_default());
        form(std::str::from_utf8(request.body.expose()).expect("a form"));
        for header in &request.headers {
            seen.extend(header.value.expose().split(' ').map(str::to_owned));
        }
        let answer = answer.expect("an answer");
        seen.extend(answer.headers.iter().map(|header| header.value.expose().to_owned()));
        leaves(&answer.json().unwrap_or_default(), &mut seen);
    }
}

fn leaves(value: &Value, seen: &mut Vec<String>) {
    match value {
        Value::String(text) => seen.push(text.clone()),
        Value::Number(number) => seen.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, seen)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, seen)),
        Value::Bool(_) | Value::Null => {}
    }
}

async fn recorded_as(running: &Running, app: &AnnouncedApp, wire: &Arc<Wire>) -> Transcript {
    let system = &running.announcement.system;
    let system = System::new(&system.name, Secret::from(system.key.as_str())).expect("usable");
    let dialect = if app.policy.dialect == "oauth" { Dialect::OAuth } else { Dialect::FollowUpBoss };
    let provider = Provider::keyfob(running.origin()).expect("loopback").speaking(dialect).with_system(system);
    let app = App {
        client_id: app.client_id.clone(),
        client_secret: app.client_secret.as_deref().map(Secret::from),
        redirect_uri: app.redirect_uris[0].clone(),
    };
    let partner = Arc::new(Partner(AtomicI64::new(SEEDED_UNTIL.0)));
    let outside = surroundings(partner.clone());
    let outside = Surroundings {
        transport: Arc::new(Observed::new(outside.transport.clone(), wire.clone())),
        pause: Arc::new(MovedClock { origin: running.origin().to_owned(), partner }),
        ..outside
    };
    record((&provider, &app), &outside, (&User(running), &Silent), |_| true).await.transcript
}

async fn recorded(running: &Running) -> Transcript {
    recorded_as(running, &running.announcement.apps[0], &Arc::default()).await
}

fn questions() -> BTreeSet<String> {
    PROBES.iter().flat_map(|probe| probe.questions).map(|question| question.id.to_owned()).collect()
}

fn named(first: &Transcript, second: &Transcript) -> Vec<String> {
    differences(first, second).into_iter().map(|difference| difference.question).collect()
}

#[tokio::test]
async fn every_question_is_answered_and_the_same_sandbox_twice_differs_in_nothing() {
    let running = Running::start().await;
    let first = recorded(&running).await;
    assert_eq!(first.unanswered, Default::default());
    assert_eq!(first.answers.keys().cloned().collect::<BTreeSet<_>>(), questions());
    assert_eq!(named(&first, &recorded(&running).await), Vec::<String>::new());
    assert_eq!(
        Transcript::parse(serde_json::to_string(&first).expect("JSON").as_bytes()).expect("a transcript"),
        first
    );
}

#[tokio::test]
async fn the_diff_names_exactly_the_switch_that_was_set() {
    let running = Running::start().await;
    let plain = recorded(&running).await;
    let bearer = ["api-garbage-bearer", "api-expired-bearer"].as_slice();
    for (switch, expected) in [
        (json!({ "fault": "refresh", "mode": "fixed" }), [].as_slice()),
        (
            json!({ "fault": "refresh", "mode": "rotating" }),
            &["refresh-rotates", "earlier-refresh-at-once", "earlier-refresh-later"],
        ),
        (
            json!({ "fault": "refresh", "mode": "strict" }),
            &["refresh-rotates", "earlier-refresh-at-once", "earlier-refresh-later", "grant-after-earlier-refresh"],
        ),
        (json!({ "fault": "state", "mode": "compared" }), &["state-other-post", "state-other-get"]),
        (json!({ "fault": "state", "mode": "ignored" }), &["state-missing-post", "state-missing-get"]),
        (json!({ "fault": "second-authorization" }), &["second-authorization"]),
        (json!({ "fault": "response-type-code", "mode": "as-auth-code" }), &["response-type-code"]),
        (json!({ "fault": "response-type-code", "mode": "refused" }), &["response-type-code"]),
        (json!({ "fault": "id-token" }), &["id-token"]),
        (json!({ "fault": "bearer-refusal", "mode": "basic-challenge" }), bearer),
        (json!({ "fault": "bearer-refusal", "mode": "legacy-envelope" }), bearer),
        (json!({ "fault": "bearer-refusal", "mode": "bare" }), bearer),
    ] {
        set(&running, switch.clone()).await;
        let switched = recorded(&running).await;
        clear(&running).await;
        assert_eq!(named(&plain, &switched), expected, "{switch}: {:#?}", differences(&plain, &switched));
    }
}

#[tokio::test]
async fn the_three_ways_of_rotation_differ_from_each_other() {
    let running = Running::start().await;
    let mut transcripts = Vec::new();
    for mode in ["rotating", "replay", "strict"] {
        set(&running, json!({ "fault": "refresh", "mode": mode })).await;
        transcripts.push(recorded(&running).await);
        clear(&running).await;
    }
    let [rotating, replay, strict] = &transcripts[..] else { panic!("three") };
    assert_eq!(named(rotating, strict), ["grant-after-earlier-refresh"]);
    assert!(named(rotating, replay).contains(&"earlier-refresh-at-once".to_owned()));
    assert!(named(replay, strict).contains(&"earlier-refresh-at-once".to_owned()));
}

#[tokio::test]
async fn no_value_that_went_over_the_wire_is_in_a_transcript() {
    let running = Running::start().await;
    set(&running, json!({ "fault": "id-token" })).await;
    for app in &running.announcement.apps {
        let wire = Arc::new(Wire::default());
        let transcript = recorded_as(&running, app, &wire).await;
        let text = serde_json::to_string(&transcript).expect("JSON");
        let mut seen = std::mem::take(&mut *wire.0.lock().expect("nobody panics here"));
        seen.extend([app.client_id.clone(), app.redirect_uris[0].clone(), running.announcement.system.key.clone()]);
        seen.extend(running.announcement.users.iter().flat_map(|user| [user.email.clone(), user.password.clone()]));
        seen.sort();
        seen.dedup();
        // What the lists let through: words of the protocol and of HTTP.
        let allowed = [
            "Bearer",
            "bearer",
            "global",
            "application/json",
            "application/x-www-form-urlencoded",
            "authorization_code",
            "auth_code",
            "refresh_token",
            "redirect_uri",
            "no-store",
            "invalid_grant",
            "invalid_client",
            "invalid_request",
            "unsupported_grant_type",
            "code-exchange-failed",
            "missing-grant-type-param",
            "missing-required-params",
            "missing-authorization-header",
            "invalid-grant-type",
            "invalid-refresh-token",
            "invalid-access-token",
            "invalid-auth-code",
            "invalid-oauth-app",
            "expired-access-token",
            "invalid-authorization-header",
        ];
        let told = seen.iter().filter(|value| value.len() >= 6 && text.contains(value.as_str()));
        let told: Vec<_> = told.filter(|value| !allowed.contains(&value.as_str())).collect();
        assert_eq!(told, Vec::<&String>::new());
        let long = seen.iter().filter(|value| value.len() >= 40).count();
        assert!(long > 40, "tokens, codes and credentials were looked for: {long}");
    }
}

//! A sandbox's API at a clock that stands, and requests to it.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use keyfob_gate::{Gate, GateConfig};
use keyfob_protocol::access_token::{
    self, AccessTokenClaims, Audience, IssuedAfter, JwkSet, PublicJwk, SigningAlgorithm,
};
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Clock, Timestamp};
use keyfob_sandbox::api::{self, ApiOptions, ApiState};
use keyfob_sandbox::seed::{Role, SEEDED_UNTIL, Seed, User};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const ORIGIN: &str = "http://127.0.0.1:4000";
const ISSUER: &str = "http://127.0.0.1:4000";
const KEY_ID: &str = "k1";

pub(crate) struct StandingClock(AtomicI64);

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) struct Sandbox {
    pub(crate) seed: Arc<Seed>,
    pub(crate) state: ApiState,
    clock: Arc<StandingClock>,
    router: Router,
    signer: Ed25519KeyPair,
}

/// Answer to a call.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The status and the sentence of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let message = self.json()["errorMessage"].as_str().expect("a refusal has an errorMessage").to_owned();
        (self.status.as_u16(), message)
    }

    /// The ids of the page.
    pub(crate) fn ids(&self, collection: &str) -> Vec<i64> {
        self.json()[collection].as_array().unwrap().iter().map(|record| record["id"].as_i64().unwrap()).collect()
    }
}

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox::kept_in(None)
    }

    pub(crate) fn kept_in(file: Option<PathBuf>) -> Sandbox {
        let seed = Arc::new(Seed::new(1));
        let clock = Arc::new(StandingClock(AtomicI64::new(SEEDED_UNTIL.0)));
        let signer = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let gate = Gate::new(GateConfig::new(ISSUER, ORIGIN), clock.clone());
        let key = PublicJwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(signer.public_key()),
            y: None,
            kid: KEY_ID.to_owned(),
            alg: SigningAlgorithm::EdDsa,
            use_: "sig".to_owned(),
        };
        gate.set_keys(&JwkSet { keys: vec![key] }).unwrap();
        gate.revocations().mark_synced(Timestamp(i64::MAX));
        let options = ApiOptions {
            seed: seed.clone(),
            clock: clock.clone(),
            gate: Arc::new(gate),
            origin: ORIGIN.to_owned(),
            file,
        };
        let state = ApiState::open(options).unwrap();
        Sandbox { seed, router: api::router(state.clone()), state, clock, signer }
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The nth user of an account with a role.
    pub(crate) fn user(&self, account: i64, role: Role, nth: usize) -> &User {
        let mut users = self.seed.users.iter().filter(|user| user.account == account && user.role == role);
        users.nth(nth).expect("the seed has such a user")
    }

    pub(crate) fn owner(&self) -> &User {
        self.user(1, Role::Owner, 0)
    }

    /// A genuine access token of the user's, good for an hour.
    pub(crate) fn token(&self, user: &User) -> String {
        let now = self.clock.now();
        let claims = AccessTokenClaims {
            iss: ISSUER.to_owned(),
            sub: user.id.to_string(),
            aud: Audience::One(ORIGIN.to_owned()),
            client_id: self.seed.apps[0].client_id.clone(),
            iat: now,
            exp: now.plus(3600),
            nbf: None,
            jti: format!("jti-{}-{}", user.id, now.0),
            scope: None,
            gid: GrantId::parse(&"0".repeat(22)).map(|grant| grant.to_text()),
            acc: Some(user.account),
            app: 1,
            after: IssuedAfter::default(),
        };
        let input =
            access_token::signing_input(&access_token::encoded_header(SigningAlgorithm::EdDsa, KEY_ID), &claims);
        let signature = self.signer.sign(input.as_bytes());
        access_token::with_signature(input, signature.as_ref())
    }

    /// A request with headers and a body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// The same with the user's API key.
    pub(crate) async fn call(&self, method: Method, path: &str, user: &User, body: impl Into<Body>) -> Answer {
        self.send(method, path, &[("authorization", &basic(user.api_key.expose()))], body).await
    }

    pub(crate) async fn get(&self, path: &str, user: &User) -> Answer {
        self.call(Method::GET, path, user, "").await
    }

    pub(crate) async fn post(&self, path: &str, user: &User, body: Value) -> Answer {
        self.call(Method::POST, path, user, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, user: &User, body: Value) -> Answer {
        self.call(Method::PUT, path, user, body.to_string()).await
    }
}

pub(crate) fn basic(name: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:")))
}

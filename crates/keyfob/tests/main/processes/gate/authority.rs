//! An authority as a gate sees it: a feed, keys, and tokens that are signed here.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::{JwkSet, PublicJwk, SigningAlgorithm};
use keyfob_protocol::revocation::{Revocation, RevocationNews, RevokedKind};
use keyfob_protocol::token_name::GrantId;
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// In the tokens, wherever the authority listens.
pub(super) const ISSUER: &str = "https://auth.example.com";
pub(super) const SECRET: &str = "a-secret-of-the-gate";

pub(super) struct Authority {
    pub(super) address: SocketAddr,
    feed: Arc<Feed>,
    server: JoinHandle<()>,
}

struct Feed {
    key: Ed25519KeyPair,
    entries: Mutex<Vec<Revocation>>,
    news: watch::Sender<()>,
}

impl Authority {
    pub(super) async fn start() -> Authority {
        let key = Ed25519KeyPair::from_seed_unchecked(&[3; 32]).expect("a key");
        let feed = Arc::new(Feed { key, entries: Mutex::default(), news: watch::Sender::default() });
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let (address, server) = serve(feed.clone(), address).await;
        Authority { address, feed, server }
    }

    pub(super) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends what listens, and every connection to it.
    pub(super) async fn cut(&mut self) {
        self.server.abort();
        // When it has ended its port is free.
        let _ = (&mut self.server).await;
    }

    /// Listens where it listened before.
    pub(super) async fn back(&mut self) {
        self.server = serve(self.feed.clone(), self.address).await.1;
    }

    /// A token of this user, for an hour from now.
    pub(super) fn token(&self, user: i64, scope: Option<&str>) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "one" });
        let mut claims = json!({
            "iss": ISSUER, "sub": user.to_string(), "aud": ISSUER, "client_id": "app-one", "iat": now().0, "exp": now().0 + 3600,
            "jti": format!("token-of-{user}"), "gid": grant(user), "acc": 5, "app": 3,
        });
        if let Some(scope) = scope {
            claims["scope"] = scope.into();
        }
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(self.feed.key.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// Ends the grant behind the tokens of this user.
    pub(super) fn revoke(&self, user: i64) {
        let mut entries = self.feed.entries.lock().expect("no panic");
        let (number, until) = (entries.len() as i64 + 1, now().plus(3600));
        entries.push(Revocation { number, kind: RevokedKind::Grant, id: grant(user), not_before: now(), until });
        self.feed.news.send_replace(());
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn grant(user: i64) -> String {
    GrantId(i128::from(user).to_be_bytes()).to_text()
}

fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64)
}

/// The task owns its connections, so that they end with it.
async fn serve(feed: Arc<Feed>, address: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind(address).await.expect("a free port, or the one of before");
    let address = listener.local_addr().expect("an address");
    let router = Router::new().route("/oauth/revocations", get(news)).route("/oauth/jwks", get(keys)).with_state(feed);
    let serving = keyfob_server::listen::serve(listener, router, Default::default(), std::future::pending());
    (address, tokio::spawn(serving))
}

#[derive(Deserialize)]
struct Asked {
    after: Option<usize>,
    wait: u64,
}

async fn news(State(feed): State<Arc<Feed>>, Query(asked): Query<Asked>, headers: axum::http::HeaderMap) -> Response {
    let presented = headers.get("authorization").and_then(|value| keyfob_protocol::basic::parse(value.as_bytes()).ok());
    if !presented.is_some_and(|basic| basic.id == "api" && basic.secret.raw.expose() == SECRET) {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "error": "invalid_client" }))).into_response();
    }
    let from = asked.after.unwrap_or(0);
    let mut news = feed.news.subscribe();
    if feed.entries.lock().expect("no panic").len() == from {
        let _ = tokio::time::timeout(Duration::from_secs(asked.wait), news.changed()).await;
    }
    let entries = feed.entries.lock().expect("no panic");
    Json(RevocationNews {
        issuer: Some(ISSUER.to_owned()),
        cursor: (!entries.is_empty()).then(|| entries.len().to_string()),
        snapshot: asked.after.is_none(),
        complete: true,
        synced_at: now(),
        time: now(),
        keys: "one".to_owned(),
        revocations: entries[from..].to_vec(),
    })
    .into_response()
}

async fn keys(State(feed): State<Arc<Feed>>) -> Json<JwkSet> {
    let jwk = PublicJwk {
        kty: "OKP".into(),
        crv: "Ed25519".into(),
        x: URL_SAFE_NO_PAD.encode(feed.key.public_key().as_ref()),
        y: None,
        kid: "one".into(),
        alg: SigningAlgorithm::EdDsa,
        use_: "sig".into(),
    };
    Json(JwkSet { keys: vec![jwk] })
}

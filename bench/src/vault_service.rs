//! Servers that the vault's proxy is measured with: the vault as a service, and a relay with nothing of the vault in it.

use crate::compose::{SystemClock, SystemEntropy};
use anyhow::Context;
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use keyfob_client::{
    App, Dialect, Driver, HttpRequest, Method, Provider, Saved, Secret, StoredConnection, Surroundings, TokenSet,
    TokenStore, TokioPause, Transport,
};
use keyfob_pages::Brand;
use keyfob_protocol::{Clock, Entropy, entropy};
use keyfob_vault::callers::{Caller, ProxyRule};
use keyfob_vault::service::{Service, ServiceSettings, router};
use keyfob_vault::store::{MasterKey, SqliteTokenStore};
use keyfob_vault::{AppSettings, Vault};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// The caller's key. Both ends of the measurement are here and nobody else is.
pub(crate) const CALLER_KEY: &str = "keyfobvk_of_the_benchmark";
/// The app, whose connections are `user-0` and so on.
const APP: &str = "bench";
/// As large as Follow Up Boss's, about.
const ACCESS_TOKEN: usize = 200;

/// Where the proxy has this path of the API for this user.
pub(crate) fn proxied(user: usize, path: &str) -> String {
    format!("/proxy/{APP}/user-{user}{path}")
}

/// The vault over a file, put together as `keyfob vault` does, with so many connections whose tokens are fresh. Serves until standard input ends.
pub(crate) async fn serve(data: &Path, api: &str, connections: usize) -> anyhow::Result<()> {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) =
        (Arc::new(SystemClock), Arc::new(SystemEntropy(SystemRandom::new())));
    let master = MasterKey::generate(&*entropy)?;
    let store = SqliteTokenStore::open(&data.join("vault.db"), master, clock.clone(), entropy.clone())?;
    let now = clock.now();
    for user in 0..connections {
        let tokens = TokenSet {
            access_token: Secret::new(format!("kf_at_{user:0>ACCESS_TOKEN$}")),
            refresh_token: Some(Secret::new(format!("kf_rt_{user}"))),
            expires_at: Some(now.plus(3600)),
            obtained_at: now,
            scope: None,
        };
        let row = StoredConnection::live(1, tokens, now, None);
        let saved = store.save(&format!("{APP}/user-{user}"), None, &row).await?;
        anyhow::ensure!(saved == Saved::Stored, "{} has a vault already", data.display());
    }
    let provider = Provider::new(&format!("{api}authorize"), &format!("{api}token"), api, Dialect::OAuth)?;
    let app = AppSettings {
        name: APP.to_owned(),
        title: APP.to_owned(),
        provider,
        app: App {
            client_id: APP.to_owned(),
            client_secret: None,
            redirect_uri: "http://127.0.0.1/callback".to_owned(),
        },
        scope: None,
        after: None,
        return_prefixes: Vec::new(),
    };
    let outside = Surroundings {
        transport: Arc::new(Driver::loopback_only()?),
        clock,
        entropy: entropy.clone(),
        pause: Arc::new(TokioPause),
    };
    let key = digest::digest(&digest::SHA256, CALLER_KEY.as_bytes());
    let caller = Caller {
        name: APP.to_owned(),
        key_sha256: key.as_ref().try_into().context("SHA-256 has 32 bytes")?,
        rights: BTreeSet::new(),
        apps: None,
        proxy: vec![ProxyRule::parse("GET /*")?],
    };
    let settings = ServiceSettings {
        public_url: "http://127.0.0.1/".parse()?,
        brand: Brand::default(),
        callers: vec![caller],
        session_key: Secret::new(entropy::random(&*entropy)?),
    };
    let vault = Arc::new(Vault::new(vec![app], Arc::new(store), outside));
    crate::serve::listen(router(Arc::new(Service::new(vault, settings)))).await
}

/// What any proxy of this kind costs: the same listener, the same client, and nothing of the vault between them. Serves until standard input ends.
pub(crate) async fn relay(api: &str) -> anyhow::Result<()> {
    let api = (Driver::loopback_only()?, api.trim_end_matches('/').to_owned());
    let pass = async |State((driver, api)): State<(Driver, String)>, uri: Uri| {
        let request = HttpRequest {
            method: Method::Get,
            url: Secret::new(format!("{api}{}", uri.path())),
            headers: Vec::new(),
            body: Secret::new(Vec::new()),
        };
        match driver.send(&request).await {
            Ok(answer) => Response::new(Body::from(answer.body.expose().clone())),
            Err(_) => {
                let mut refused = Response::new(Body::empty());
                *refused.status_mut() = StatusCode::BAD_GATEWAY;
                refused
            }
        }
    };
    crate::serve::listen(Router::new().fallback(any(pass)).with_state(api)).await
}

//! An authority that answers as a test says, on a free port of 127.0.0.1, and a gate that follows it.

use crate::issuer::{ISSUED, World};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use keyfob_gate::follow::{FollowConfig, FollowStatus, Follower};
use keyfob_gate::{GateConfig, WithoutNews};
use keyfob_protocol::access_token::JwkSet;
use keyfob_protocol::revocation::{Revocation, RevocationNews, RevokedKind};
use keyfob_protocol::{Clock, Secret};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Of the resource server, with what must be form-encoded.
pub(crate) const NAME: &str = "api one";
pub(crate) const SECRET: &str = "s%cr:et+";

/// How the authority answers.
#[derive(Clone, Default)]
pub(crate) enum Answering {
    #[default]
    Properly,
    /// This status, header and body to the feed and the keys alike.
    With(StatusCode, HeaderMap, String),
}

/// What a test may change at any time.
pub(crate) struct Script {
    pub(crate) answering: Answering,
    /// Only the keys are answered like this.
    pub(crate) keys_fail: bool,
    pub(crate) keys: JwkSet,
    pub(crate) keys_name: String,
    pub(crate) entries: Vec<Revocation>,
    /// Entries in one answer.
    pub(crate) page: usize,
    /// The authority's clock minus the gate's.
    pub(crate) ahead: i64,
    /// Seconds since the node could last read its store.
    pub(crate) behind: i64,
    /// The `after` and `Authorization` of each look at the feed.
    pub(crate) asked: Vec<(Option<String>, String)>,
    pub(crate) keys_asked: usize,
}

/// The authority, with the world whose tokens it issues.
pub(crate) struct Scripted {
    pub(crate) world: Arc<World>,
    pub(crate) base: String,
    script: Arc<Mutex<Script>>,
    server: JoinHandle<()>,
}

/// A gate that follows it.
pub(crate) struct Following {
    pub(crate) status: Arc<FollowStatus>,
    task: JoinHandle<()>,
}

impl Scripted {
    pub(crate) async fn start(change: impl FnOnce(&mut GateConfig)) -> Scripted {
        let world = Arc::new(World::unfed(|config| {
            config.without_news = WithoutNews::RefuseAfter(30);
            change(config);
        }));
        let script = Arc::new(Mutex::new(Script {
            answering: Answering::Properly,
            keys_fail: false,
            keys: world.key_set(),
            keys_name: "first".into(),
            entries: Vec::new(),
            page: 100,
            ahead: 0,
            behind: 0,
            asked: Vec::new(),
            keys_asked: 0,
        }));
        let state = (script.clone(), world.clone());
        let routes = Router::new().route("/oauth/revocations", get(feed)).route("/oauth/jwks", get(keys));
        let (address, server) = listen(routes.with_state(state)).await;
        Scripted { world, base: format!("http://{address}"), script, server }
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    pub(crate) fn answers(&self, status: StatusCode, headers: &[(header::HeaderName, &str)], body: &str) {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        self.script().answering = Answering::With(status, headers, body.to_owned());
    }

    pub(crate) fn answers_properly(&self) {
        self.script().answering = Answering::Properly;
    }

    pub(crate) fn revoke(&self, kind: RevokedKind, id: &str) {
        let mut script = self.script();
        let number = script.entries.len() as i64 + 1;
        script.entries.push(Revocation { number, kind, id: id.into(), not_before: ISSUED, until: ISSUED.plus(3600) });
    }

    pub(crate) fn config(&self) -> FollowConfig {
        FollowConfig { authority: self.base.clone(), name: NAME.into(), secret: Secret::from(SECRET) }
    }

    pub(crate) fn follow(&self) -> Following {
        let follower = Follower::new(self.world.gate.clone(), &self.config(), self.world.clock.clone()).unwrap();
        let status = follower.status();
        let task = tokio::spawn(async move {
            follower.run().await;
        });
        Following { status, task }
    }

    pub(crate) async fn ready(&self) -> Following {
        let following = self.follow();
        until("the gate is ready", || self.world.gate.is_ready()).await;
        following
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves on a free port, with the client's address in the extensions.
pub(crate) async fn listen(router: Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    (address, tokio::spawn(async move { axum::serve(listener, service).await.unwrap() }))
}

/// Waits until it is so; for 10 s at most.
pub(crate) async fn until(what: &str, condition: impl FnMut() -> bool) {
    within(Duration::from_secs(10), what, condition).await;
}

pub(crate) async fn within(time: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(time, waiting).await.is_ok(), "not within {time:?}: {what}");
}

type Shared = (Arc<Mutex<Script>>, Arc<World>);

async fn feed(State((script, world)): State<Shared>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    assert!(query.split('&').any(|part| part == "wait=1"), "{query}");
    let after = query.split('&').find_map(|part| part.strip_prefix("after=")).map(|after| after.replace("%3A", ":"));
    let authorization = request.headers()[header::AUTHORIZATION].to_str().unwrap().to_owned();
    script.lock().unwrap().asked.push((after.clone(), authorization));
    let from: usize = after.as_deref().map_or(0, |cursor| cursor.strip_prefix("epoch:").unwrap().parse().unwrap());
    for _ in 0..10 {
        {
            let script = script.lock().unwrap();
            if !matches!(script.answering, Answering::Properly) || script.entries.len() > from {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let script = script.lock().unwrap();
    if let Answering::With(status, headers, body) = &script.answering {
        return answer(*status, headers.clone(), body.clone());
    }
    let to = script.entries.len().min(from + script.page);
    let time = world.clock.now().plus(script.ahead);
    let news = RevocationNews {
        issuer: None,
        cursor: (to > 0).then(|| format!("epoch:{to}")),
        snapshot: after.is_none(),
        complete: to == script.entries.len(),
        synced_at: time.plus(-script.behind),
        time,
        keys: script.keys_name.clone(),
        revocations: script.entries[from.min(to)..to].to_vec(),
    };
    answer(StatusCode::OK, HeaderMap::new(), serde_json::to_string(&news).unwrap())
}

async fn keys(State((script, _)): State<Shared>) -> Response {
    let mut script = script.lock().unwrap();
    script.keys_asked += 1;
    if script.keys_fail {
        return answer(StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), String::new());
    }
    match &script.answering {
        Answering::Properly => answer(StatusCode::OK, HeaderMap::new(), serde_json::to_string(&script.keys).unwrap()),
        Answering::With(status, headers, body) => answer(*status, headers.clone(), body.clone()),
    }
}

fn answer(status: StatusCode, headers: HeaderMap, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

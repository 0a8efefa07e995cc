//! The third-party app: a listener that keeps what the browser brings, and shows a page of its own.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use url::Url;

/// Longer than any redirect takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const PAGE: &str = "<!DOCTYPE html><html lang=\"en\"><head><title>The app</title>\
    <link rel=\"icon\" href=\"data:,\"></head><body><h1>Back at the app</h1></body></html>";

/// The app, on an origin of its own.
pub(super) struct App {
    pub(super) origin: String,
    arrivals: Mutex<mpsc::UnboundedReceiver<Arrival>>,
    shy: Arc<AtomicBool>,
    serving: JoinHandle<()>,
}

/// A request that reached the app.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) referrer: Option<String>,
    pub(super) body_is_empty: bool,
}

impl Arrival {
    /// The value of a parameter, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The names of the parameters, in order.
    pub(super) fn names(&self) -> Vec<String> {
        self.url.query_pairs().map(|(name, _)| name.into_owned()).collect()
    }
}

#[derive(Clone)]
struct Door {
    origin: String,
    arrived: mpsc::UnboundedSender<Arrival>,
    shy: Arc<AtomicBool>,
}

impl App {
    pub(super) async fn start() -> App {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("bound"));
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let shy = Arc::new(AtomicBool::new(false));
        let door = Door { origin: origin.clone(), arrived, shy: shy.clone() };
        let router = Router::new().fallback(arrive).with_state(door);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("a listener") });
        App { origin, arrivals: Mutex::new(arrivals), shy, serving }
    }

    pub(super) fn redirect_uri(&self) -> String {
        format!("{}/callback", self.origin)
    }

    /// From now on it answers 204, at which a browser stays on the page that it has.
    pub(super) fn answers_nothing(&self) {
        self.shy.store(true, Ordering::SeqCst);
    }

    /// The next request: always a plain GET that tells nothing of the page before it.
    pub(super) async fn arrival(&self) -> Arrival {
        let next = async { self.arrivals.lock().await.recv().await };
        let arrival = tokio::time::timeout(PATIENCE, next).await.expect("the browser comes back").expect("open");
        assert_eq!((&arrival.method, &arrival.referrer, arrival.body_is_empty), (&Method::GET, &None, true));
        arrival
    }

    /// A request that has already come.
    pub(super) async fn early_arrival(&self) -> Option<Arrival> {
        self.arrivals.lock().await.try_recv().ok()
    }
}

async fn arrive(State(door): State<Door>, request: Request) -> Response {
    let url = Url::parse(&format!("{}{}", door.origin, request.uri())).expect("a request target");
    let header = |name| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    let arrival = Arrival {
        url,
        method: request.method().clone(),
        referrer: header(header::REFERER),
        body_is_empty: header(header::CONTENT_LENGTH).is_none() && header(header::TRANSFER_ENCODING).is_none(),
    };
    let _ = door.arrived.send(arrival);
    match door.shy.load(Ordering::SeqCst) {
        true => StatusCode::NO_CONTENT.into_response(),
        false => Html(PAGE).into_response(),
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

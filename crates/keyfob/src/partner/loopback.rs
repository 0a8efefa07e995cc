//! A listener on this machine for the browser's return (RFC 8252 section 7.3): loopback only, one path, for as long as the attempt lasts.
//!
//! The page that carries the code answers with a redirect to one that does not (matrix CL-10).

use super::callback::{Came, Waiting};
use crate::exit::Exit;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use keyfob_client::{CallbackOutcome, ReadyExchange};
use keyfob_pages::{BRAND_STYLESHEET_PATH, Brand, Message, STYLESHEET, STYLESHEET_PATH, brand_stylesheet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use url::{Host, Url};

/// How long the browser has to fetch the last page and its stylesheets, once it was sent there.
const LAST_PAGE: Duration = Duration::from_secs(2);
/// Between the last request and the end of the process, for the answer to leave.
const LINGER: Duration = Duration::from_millis(50);
/// The pages that a callback leads to.
const PAGES: [(&str, StatusCode, &str, &str); 4] = [
    (
        "/keyfob/approved",
        StatusCode::OK,
        "Approved",
        "Go back to the terminal: it says whether the connection stands. You can close this page.",
    ),
    ("/keyfob/declined", StatusCode::OK, "Nothing was connected", "You declined. You can close this page."),
    (
        "/keyfob/used",
        StatusCode::OK,
        "This answer was already used",
        "It did nothing this time. You can close this page.",
    ),
    (
        "/keyfob/unusable",
        StatusCode::BAD_REQUEST,
        "Nothing was connected",
        "This answer cannot be used. The terminal says why.",
    ),
];

/// The listener, bound and not yet serving.
pub(crate) struct Loopback {
    listener: TcpListener,
    /// With the port that was found.
    pub(crate) redirect_uri: String,
    path: String,
}

/// The listener at work. Stops when it is dropped.
pub(crate) struct Serving {
    came: mpsc::UnboundedReceiver<Result<Box<ReadyExchange>, CallbackOutcome>>,
    last_page: Arc<Notify>,
    task: tokio::task::JoinHandle<()>,
}

struct Door {
    waiting: Arc<Waiting>,
    path: String,
    came: mpsc::UnboundedSender<Result<Box<ReadyExchange>, CallbackOutcome>>,
    last_page: Arc<Notify>,
}

impl Loopback {
    /// Binds for this redirect URI. One without a port gets a free one, which the authority has to allow.
    pub(crate) async fn bind(redirect_uri: &str) -> anyhow::Result<Loopback> {
        let mut url = Url::parse(redirect_uri)?;
        let ip = match url.host() {
            Some(Host::Ipv6(ip)) => IpAddr::from(ip),
            Some(Host::Ipv4(ip)) => IpAddr::from(ip),
            _ => IpAddr::from(Ipv4Addr::LOCALHOST),
        };
        let address = SocketAddr::new(ip, url.port().unwrap_or(0));
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Exit::Unavailable.because(format!(
                "{address} of the redirect URI cannot be listened on: {error}; end who uses it, register another, or use --paste"
            ))
        })?;
        let redirect_uri = match url.port() {
            // As it was given, since it is compared byte for byte.
            Some(_) => redirect_uri.to_owned(),
            None => {
                let port = listener.local_addr()?.port();
                url.set_port(Some(port)).map_err(|()| Exit::Refused.because("the redirect URI takes no port"))?;
                url.to_string()
            }
        };
        Ok(Loopback { listener, redirect_uri, path: url.path().to_owned() })
    }

    /// Begins to answer.
    pub(crate) fn serve(self, waiting: Arc<Waiting>) -> Serving {
        let (sender, came) = mpsc::unbounded_channel();
        let last_page = Arc::new(Notify::new());
        let door = Arc::new(Door { waiting, path: self.path, came: sender, last_page: last_page.clone() });
        let router = Router::new().fallback(answer).with_state(door);
        let listener = self.listener;
        let task = tokio::spawn(async move {
            // Ends with the process or with the attempt; a connection that fails is the browser's to try again.
            let _ = axum::serve(listener, router).await;
        });
        Serving { came, last_page, task }
    }
}

impl Serving {
    /// What the browser brought.
    pub(crate) async fn next(&mut self) -> Result<Box<ReadyExchange>, CallbackOutcome> {
        match self.came.recv().await {
            Some(came) => came,
            None => std::future::pending().await,
        }
    }

    /// Waits until the browser has its last page, not for long.
    pub(crate) async fn finish(self) {
        if tokio::time::timeout(LAST_PAGE, self.last_page.notified()).await.is_ok() {
            tokio::time::sleep(LINGER).await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(door): State<Arc<Door>>, request: Request<Body>) -> Response<Body> {
    if request.method() != Method::GET {
        return with(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n".to_owned());
    }
    let path = request.uri().path();
    if let Some((_, status, title, sentence)) = PAGES.into_iter().find(|(page, ..)| *page == path) {
        return with(status, "text/html; charset=utf-8", page(title, sentence));
    }
    match path {
        _ if path == door.path => callback(&door, request.uri().query().unwrap_or_default()),
        STYLESHEET_PATH => with(StatusCode::OK, "text/css; charset=utf-8", STYLESHEET.to_owned()),
        BRAND_STYLESHEET_PATH => {
            // What a browser asks for last.
            door.last_page.notify_one();
            with(StatusCode::OK, "text/css; charset=utf-8", brand_stylesheet(&brand()))
        }
        _ => with(StatusCode::NOT_FOUND, "text/plain", "nothing here\n".to_owned()),
    }
}

fn callback(door: &Door, query: &str) -> Response<Body> {
    let (to, answer) = match door.waiting.take(query) {
        Came::Foreign(CallbackOutcome::AlreadyUsed(_)) => ("/keyfob/used", None),
        Came::Foreign(_) => ("/keyfob/unusable", None),
        Came::Answer(Ok(ready)) => ("/keyfob/approved", Some(Ok(ready))),
        Came::Answer(Err(CallbackOutcome::Denied)) => ("/keyfob/declined", Some(Err(CallbackOutcome::Denied))),
        Came::Answer(Err(outcome)) => ("/keyfob/unusable", Some(Err(outcome))),
    };
    if let Some(answer) = answer {
        // Nobody listens any more only when the process is about to end.
        let _ = door.came.send(answer);
    }
    let mut response = with(StatusCode::SEE_OTHER, "text/plain", String::new());
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(to));
    response
}

fn page(title: &str, sentence: &str) -> String {
    Message { brand: brand(), title: title.to_owned(), sentence: sentence.to_owned(), link: None }.render()
}

fn brand() -> Brand {
    Brand { name: "Keyfob".to_owned(), logo_url: None, accent: None, support_url: None }
}

fn with(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE.as_str(), content_type),
        (CACHE_CONTROL.as_str(), "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        (
            "content-security-policy",
            "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

//! An app whose users connect their Follow Up Boss account by the client library: begin, callback, store, call.
//!
//! Everything comes from the environment (`main`). With `SANDBOX=http://127.0.0.1:4180` it talks to a running `keyfob sandbox`. Who a user is, is your
//! own sign-in's to say; here each browser is a user.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its terminal is its log")]

mod outside;

use anyhow::Context;
use aws_lc_rs::digest;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Router, routing::get};
use keyfob_client::{
    App, Attempt, AttemptStore, BrowserSession, CallbackOutcome, ConnectError, ConnectionError, Connections, Dialect,
    Driver, Provider, Secret, Surroundings, System, TokioPause,
};
use keyfob_vault::store::{MasterKey, SqliteTokenStore};
use outside::{SystemClock, SystemEntropy};
use std::env::var;
use std::sync::Arc;
use std::time::Duration;

struct Partner {
    connections: Connections,
    /// Who is away at the authority. Of this process: several nodes need a shared store of their own.
    attempts: AttemptStore,
    outside: Surroundings,
}

/// `GET /connect`: the browser goes to the authority, bound to its session.
async fn connect(State(partner): State<Arc<Partner>>, headers: HeaderMap) -> Result<Response, Failure> {
    let session = match session(&headers) {
        Some(session) => session,
        None => {
            let mut random = [0; 32];
            partner.outside.entropy.fill(&mut random)?;
            hex(&random)
        }
    };
    let (now, entropy, bound) =
        (partner.outside.clock.now(), &*partner.outside.entropy, BrowserSession::from_value(&session));
    let (provider, app) = (partner.connections.provider(), partner.connections.app());
    let Attempt { url, pending } = Attempt::begin(provider, app, bound, now, entropy)?;
    partner.attempts.keep(pending, now);
    // Add Secure where you serve https.
    let cookie = format!("session={session}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000");
    Ok(([(SET_COOKIE, cookie)], Redirect::to(url.expose())).into_response())
}

/// `GET /callback`: the answer becomes tokens, which are in the store before the user is told. Ends on an address without the code.
async fn callback(
    State(partner): State<Arc<Partner>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Redirect, Failure> {
    let session = session(&headers).unwrap_or_default();
    let (query, bound) = (query.unwrap_or_default(), BrowserSession::from_value(&session));
    let how = match partner.attempts.accept(&query, bound, partner.outside.clock.now()) {
        Ok(ready) => match partner.connections.connect(&user(&session), ready).await {
            Ok(_) => "connected",
            Err(ConnectError::OtherIdentity { .. }) => "somebody-else",
            Err(error) => return Err(error.into()),
        },
        Err(CallbackOutcome::Denied) => "declined",
        // Reloaded, or the browser's second try. The first one may be at work still, so what there is says more than what it was told.
        Err(CallbackOutcome::AlreadyUsed(_)) => return Ok(Redirect::to("/people")),
        Err(why) => {
            eprintln!("a callback led to nothing: {why}");
            "failed"
        }
    };
    Ok(Redirect::to(&format!("/ended/{how}")))
}

/// `GET /ended/{how}`
async fn ended(Path(how): Path<String>) -> (StatusCode, &'static str) {
    match how.as_str() {
        "connected" => (StatusCode::OK, "Connected. See /people."),
        "declined" => (StatusCode::OK, "You declined, and nothing was connected. If that was a mistake: /connect."),
        "somebody-else" => (StatusCode::CONFLICT, "That is another person than before; nothing was changed."),
        _ => (StatusCode::BAD_REQUEST, "It did not work. Please try again: /connect."),
    }
}

/// `GET /people`: a call as the user of this session. The library refreshes the token when that is due.
async fn people(State(partner): State<Arc<Partner>>, headers: HeaderMap) -> Result<Response, Failure> {
    let connection = partner.connections.open(&user(&session(&headers).unwrap_or_default()));
    match connection.get("/v1/people?limit=10").await {
        Ok(answer) => {
            let status = StatusCode::from_u16(answer.status)?;
            Ok((status, [(CONTENT_TYPE, "application/json")], answer.body.expose().clone()).into_response())
        }
        // The user's to mend. Anything else passes, or is the operator's.
        Err(
            ConnectionError::NotConnected
            | ConnectionError::Denied { .. }
            | ConnectionError::ReauthRequired(_)
            | ConnectionError::LostReply(_),
        ) => Ok((StatusCode::CONFLICT, "Connect your account: /connect.").into_response()),
        Err(error) => Err(error.into()),
    }
}

fn session(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?.split("; ");
    let value = cookies.filter_map(|pair| pair.strip_prefix("session=")).next()?;
    (value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| value.to_owned())
}

/// The name of the connection. A digest, since names stand in logs and a session is a secret.
fn user(session: &str) -> String {
    format!("browser-{}", hex(digest::digest(&digest::SHA256, session.as_bytes()).as_ref()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is nobody's to read but the operator's.
struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("{:#}", self.0);
        (StatusCode::SERVICE_UNAVAILABLE, "Not available at the moment; please try again.").into_response()
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let needed = |name: &str| var(name).with_context(|| format!("{name} is not set"));
    let (provider, driver) = match var("SANDBOX") {
        Ok(sandbox) => (Provider::keyfob(&sandbox)?.speaking(Dialect::FollowUpBoss), Driver::loopback_only()?),
        Err(_) => (Provider::follow_up_boss(), Driver::new()?),
    };
    let provider = provider.with_system(System::new(&needed("X_SYSTEM")?, Secret::new(needed("X_SYSTEM_KEY")?))?);
    let app = App {
        client_id: needed("CLIENT_ID")?,
        client_secret: Some(Secret::new(needed("CLIENT_SECRET")?)),
        // As registered, byte for byte.
        redirect_uri: needed("REDIRECT_URI")?,
    };
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    // 32 random bytes in base64: openssl rand -base64 32. The file is worth nothing without it.
    let master = MasterKey::parse(&needed("MASTER_KEY")?)?;
    let store = SqliteTokenStore::open(needed("CONNECTIONS")?.as_ref(), master, clock.clone(), entropy.clone())?;
    let outside = Surroundings { transport: Arc::new(driver), clock, entropy, pause: Arc::new(TokioPause) };
    let connections = Connections::new(provider, app, Arc::new(store), outside.clone());

    let tended = connections.clone();
    tokio::spawn(async move {
        loop {
            // Keeps alive what nobody uses, and settles what a crash left open.
            if let Err(error) = tended.tend().await {
                eprintln!("connections cannot be tended now: {error}");
            }
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    });
    let partner = Arc::new(Partner { connections, attempts: AttemptStore::default(), outside });
    let router = Router::new()
        .route("/connect", get(connect))
        .route("/callback", get(callback))
        .route("/ended/{how}", get(ended))
        .route("/people", get(people))
        .with_state(partner);
    let listener = tokio::net::TcpListener::bind(var("LISTEN").as_deref().unwrap_or("127.0.0.1:3000")).await?;
    println!("http://{}/connect", listener.local_addr()?);
    Ok(axum::serve(listener, router).await?)
}

//! `GET /oauth/revocations?after=&wait=`: the revocation feed, for registered resource servers.
//!
//! An answer comes at once where there is news, and else after `wait` seconds: so a reader that asks again and again hears of a revocation as it is
//! committed, and every second that there was none.

use crate::doorway::Doorway;
use crate::feed::FeedHead;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use keyfob_authority::feed::FeedPage;
use keyfob_authority::resource_servers::ResourceServerRefusal;
use keyfob_authority::{Decision, Fault};
use keyfob_protocol::form::Form;
use keyfob_protocol::reason::Reason;
use keyfob_protocol::revocation::RevocationNews;
use keyfob_protocol::{Timestamp, basic};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait (seconds). The next answer also says that there was nothing, and a node that stops waits for these to be over.
const LONGEST_WAIT: u64 = 5;

/// Why there is no news.
enum Refused {
    /// Not the credentials of a resource server.
    Unauthenticated,
    /// They are, and it is disabled.
    Disabled,
    /// A parameter that is none.
    Parameter(&'static str),
    /// This node has not read its store yet, or cannot.
    Fault(Option<Fault>),
}

struct Query {
    after: Option<String>,
    wait: Duration,
}

/// The handler.
pub(crate) async fn revocations(
    State(doorway): State<Arc<Doorway>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let news = async {
        authenticate(&doorway, &headers).await?;
        let query = read_query(query.as_deref().unwrap_or_default())?;
        news(&doorway, query).await
    };
    match news.await {
        Ok(news) => ([(CACHE_CONTROL, "no-store")], Json(news)).into_response(),
        Err(refused) => refused.into_response(),
    }
}

async fn authenticate(doorway: &Doorway, headers: &HeaderMap) -> Result<(), Refused> {
    let mut presented = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (presented.next(), presented.next()) else { return Err(Refused::Unauthenticated) };
    let presented = basic::parse(header.as_bytes()).map_err(|_| Refused::Unauthenticated)?;
    let server = doorway.authority.authenticate_resource_server(&presented.id, &presented.secret).await;
    match server.map_err(|fault| Refused::Fault(Some(fault)))? {
        Decision::Granted(_) => Ok(()),
        Decision::Refused(ResourceServerRefusal::Disabled) => Err(Refused::Disabled),
        Decision::Refused(ResourceServerRefusal::NotProven) => Err(Refused::Unauthenticated),
    }
}

fn read_query(query: &str) -> Result<Query, Refused> {
    let form = Form::parse(query.as_bytes()).map_err(|_| Refused::Parameter("the query is not form-encoded"))?;
    let one = |name| form.one(name).map_err(|_| Refused::Parameter("a parameter stands twice"));
    let wait = match one("wait")?.unwrap_or("0").parse() {
        Ok(seconds @ 0..=LONGEST_WAIT) => Duration::from_secs(seconds),
        _ => return Err(Refused::Parameter("wait must be 0 to 5 seconds")),
    };
    Ok(Query { after: one("after")?.map(str::to_owned), wait })
}

/// Reads the store's news only where this node knows of something that the reader has not seen: a wait asks the store nothing.
async fn news(doorway: &Doorway, Query { after, wait }: Query) -> Result<RevocationNews, Refused> {
    let mut head = doorway.feed.head();
    let mut silence = pin!(tokio::time::sleep(wait));
    loop {
        let FeedHead { cursor, synced_at } = head.borrow_and_update().clone();
        let synced_at = synced_at.ok_or(Refused::Fault(None))?;
        if cursor != after {
            let read_at = doorway.now();
            let page = doorway.authority.feed_page(after.as_deref()).await;
            let page = page.map_err(|fault| Refused::Fault(Some(fault)))?;
            if page.cursor != after || !page.complete {
                return Ok(answer(doorway, page, read_at));
            }
            // The reader is ahead of this node's own look at the store.
        }
        let waited_enough = tokio::select! {
            _ = head.wait_for(|head| head.cursor != cursor) => false,
            () = &mut silence => true,
        };
        if waited_enough {
            let synced_at = head.borrow().synced_at.unwrap_or(synced_at);
            let snapshot = after.is_none();
            let nothing = FeedPage { cursor: after, snapshot, complete: true, revocations: Vec::new() };
            return Ok(answer(doorway, nothing, synced_at));
        }
    }
}

fn answer(doorway: &Doorway, page: FeedPage, synced_at: Timestamp) -> RevocationNews {
    let time = doorway.now();
    let keys = doorway.authority.jwks(time).keys;
    let kids: Vec<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
    let FeedPage { cursor, snapshot, complete, mut revocations } = page;
    revocations.retain(|revocation| time < revocation.until);
    let issuer = Some(doorway.authority.settings().issuer.clone());
    RevocationNews { issuer, cursor, snapshot, complete, synced_at, time, keys: kids.join(","), revocations }
}

fn unauthorized(body: Value) -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Basic realm=\"revocations\"")], Json(body)).into_response()
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Unauthenticated => unauthorized(json!({
                "error": "invalid_client",
                "error_description": "Send the name and the secret of a registered resource server as HTTP Basic; \
                    `keyfob resource-server add` makes one.",
            })),
            Refused::Disabled => unauthorized(json!({
                "error": "invalid_client",
                "error_description": "The operator has disabled this resource server.",
                "reason": Reason::ResourceServerDisabled.word(),
            })),
            Refused::Parameter(what) => {
                let body = json!({ "error": "invalid_request", "error_description": what });
                (StatusCode::BAD_REQUEST, Json(body)).into_response()
            }
            Refused::Fault(fault) => {
                if let Some(fault) = &fault {
                    tracing::error!(%fault, "the revocation feed could not be read");
                }
                let body = json!({ "error": "temporarily_unavailable" });
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")], Json(body)).into_response()
            }
        }
    }
}

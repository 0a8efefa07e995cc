//! `GET /events`: every change of state, in order, from any point on. Waits for the next one where that is asked for.

use super::Service;
use super::answer::{Problem, fresh};
use crate::callers::{Caller, Right};
use crate::store::StoredEvent;
use crate::vault::named;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
/// Longest wait, in seconds.
const MAX_WAIT: u64 = 30;
/// Between looks for what other nodes have written.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    after: Option<u64>,
    limit: Option<usize>,
    wait: Option<u64>,
}

pub(crate) async fn events(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let caller = service.caller(&headers)?;
    if !caller.rights.contains(&Right::Read) {
        return Err(Problem::forbidden("This caller lacks the right \"read\" in the vault's configuration."));
    }
    let Query(query) = query?;
    let (after, limit, wait) =
        (query.after.unwrap_or(0), query.limit.unwrap_or(DEFAULT_LIMIT), query.wait.unwrap_or(0));
    if !(1..=MAX_LIMIT).contains(&limit) || wait > MAX_WAIT {
        return Err(Problem::bad_request(format!("limit is 1 to {MAX_LIMIT}, wait at most {MAX_WAIT} seconds.")));
    }
    let mut from = after;
    let looking = async {
        loop {
            // From before the look on, so that nothing is missed in between.
            let rings = service.vault.bell.rings();
            let page = service.vault.events(from, limit).await?;
            let last = page.last().map(|event| event.number);
            let mine: Vec<StoredEvent> = page.into_iter().filter(|event| is_for(caller, event)).collect();
            if !mine.is_empty() || service.is_stopping() {
                return Ok::<_, Problem>((mine, last));
            }
            if let Some(last) = last {
                from = last;
                continue;
            }
            if wait == 0 {
                return Ok((mine, None));
            }
            tokio::select! {
                () = rings => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    };
    let found =
        if wait == 0 { Ok(looking.await) } else { tokio::time::timeout(Duration::from_secs(wait), looking).await };
    let (mine, last) = found.unwrap_or_else(|_| Ok((Vec::new(), None)))?;
    // Also where all of them were others': the next question begins behind them.
    let next = mine.last().map(|event| event.number).or(last).unwrap_or(from);
    let vault = service.vault.id();
    let told: Vec<Value> = mine.iter().map(|event| document(vault, event)).collect();
    Ok(fresh(json!({ "vault": vault, "events": told, "next": next })))
}

fn is_for(caller: &Caller, event: &StoredEvent) -> bool {
    caller.may_use(named(event).0)
}

/// An event as it is told, here and by webhook: of this vault, since a new one counts from the beginning.
pub(crate) fn document(vault: &str, event: &StoredEvent) -> Value {
    let (app, id) = named(event);
    json!({
        "vault": vault,
        "number": event.number,
        "app": app,
        "id": id,
        "from": event.from,
        "to": event.to,
        "since": event.since.to_utc(),
    })
}

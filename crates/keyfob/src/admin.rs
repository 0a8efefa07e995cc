//! Commands on accounts, users, systems, apps and grants. Safe beside a running authority, which acts on a change within a second.

pub(crate) mod account;
pub(crate) mod app;
pub(crate) mod grant;
pub(crate) mod ledger;
pub(crate) mod password;
pub(crate) mod system;
pub(crate) mod user;

use crate::composition::authority::Opened;
use crate::exit::Exit;
use crate::output;
use keyfob_authority::store::Administered;
use keyfob_protocol::Timestamp;
use serde_json::json;
use std::time::Duration;

/// The number of what was added or changed; or the right error.
fn done(administered: Administered, what: &str, conflict: &str) -> anyhow::Result<i64> {
    match administered {
        Administered::Done(id) => Ok(id),
        Administered::Conflict => Err(Exit::Conflict.because(conflict)),
        Administered::Missing => Err(missing(what)),
    }
}

fn missing(what: &str) -> anyhow::Error {
    Exit::NotFound.because(format!("there is no such {what}"))
}

/// Says that a change was made.
fn changed(json: bool, what: &str, id: impl std::fmt::Display + serde::Serialize, how: &str) -> anyhow::Result<()> {
    output::data(json, &json!({ "id": id, "changed": how }), || format!("{what} {id}: {how}"))
}

/// The time at which something may be enabled that was disabled at `disabled_at`: a later second. A token that is issued in the second
/// of a disabling is dated a second ahead, and would outlive another disabling (of its account, say) in that same second.
async fn later_than(opened: &Opened, disabled_at: Timestamp) -> Timestamp {
    // A time further ahead is another machine's mistake, and no reason to wait for it.
    for _ in 0..150 {
        let now = opened.now();
        if now > disabled_at || now.plus(1) < disabled_at {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    opened.now()
}

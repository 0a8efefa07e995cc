//! Commands on accounts, users, systems, apps and grants. Safe beside a running authority, which acts on a change within a second.

pub(crate) mod account;
pub(crate) mod app;
mod app_report;
pub(crate) mod grant;
pub(crate) mod key;
pub(crate) mod ledger;
pub(crate) mod password;
pub(crate) mod resource_server;
pub(crate) mod system;
pub(crate) mod user;

use crate::exit::Exit;
use crate::output;
use keyfob_authority::store::Administered;
use serde_json::json;

const OUTDATED: &str =
    "somebody else changed something at the same moment; nothing was changed here, run the command again";

/// The number of what was added or changed; or the right error.
fn done(administered: Administered, what: &str, conflict: &str) -> anyhow::Result<i64> {
    match administered {
        Administered::Done(id) => Ok(id),
        Administered::Conflict => Err(Exit::Conflict.because(conflict)),
        Administered::Missing => Err(missing(what)),
        Administered::Outdated => Err(Exit::Conflict.because(OUTDATED)),
    }
}

/// Whether somebody may be linked to this id of the platform, or is linked to another one and that was not meant.
fn may_link(what: &str, id: i64, present: Option<&str>, external: &str, replace: bool) -> anyhow::Result<()> {
    match present.filter(|present| *present != external && !replace) {
        None => Ok(()),
        Some(present) => Err(Exit::Conflict.because(format!(
            "{what} {id} is the platform's {present:?}; whoever is {external:?} there would have everything of theirs. If that is meant: --replace"
        ))),
    }
}

fn missing(what: &str) -> anyhow::Error {
    Exit::NotFound.because(format!("there is no such {what}"))
}

/// The same of what somebody named: what would name it, and where that stands.
fn not_named(what: &str, named: &str, names: &str) -> anyhow::Error {
    let list = what.replace(' ', "-");
    Exit::NotFound
        .because(format!("there is no {what} {named:?}; name it by {names}, as `keyfob {list} list` shows them"))
}

/// The row of this number, else of this name: `key` is both of a row.
fn one_of<R>(rows: Vec<R>, named: &str, key: impl Fn(&R) -> (i64, &str)) -> Option<R> {
    let number = named.parse().ok();
    let by_number = rows.iter().position(|row| Some(key(row).0) == number);
    let at = by_number.or_else(|| rows.iter().position(|row| key(row).1 == named))?;
    rows.into_iter().nth(at)
}

/// Says that a change was made.
fn changed(json: bool, what: &str, id: impl std::fmt::Display + serde::Serialize, how: &str) -> anyhow::Result<()> {
    output::data(json, &json!({ "id": id, "changed": how }), || format!("{what} {id}: {how}"))
}

//! Changes of what rarely changes: the row, the settings version and the records, or nothing.
//!
//! The version is raised first. That holds the store's single row until the end, so that administrations of all nodes come one after the
//! other: what was looked up before a change is still so when it is made, and revocations are numbered in the order of their commits.

use std::sync::Arc;
use std::time::Duration;

use keyfob_authority::model::LedgerEntry;
use keyfob_authority::store::{Administered, Administration, NewRevocation};
use tokio_postgres::Row;

use crate::columns::at;
use crate::engine::{Engine, Fault, LONGEST, Patience, Session};
use crate::{apps, keys, ledger, people, resource_servers, revocations, sessions, settings};

/// Not tried again once its commit may have happened: the second try would find its own work and call it a conflict.
pub(crate) async fn administer(
    engine: Arc<Engine>,
    change: Administration,
    entries: Vec<LedgerEntry>,
    revoked: Vec<NewRevocation>,
) -> Result<Administered, Fault> {
    // In a task of its own: a caller that goes away must not leave a transaction open.
    let task = tokio::spawn(async move {
        let mut patience = Patience::new();
        loop {
            match one_attempt(&engine, &change, &entries, &revoked).await {
                Err(Failed::Before(fault)) => patience.after(fault).await?,
                Err(Failed::AtCommit(fault)) => return Err(fault),
                Ok(outcome) => return Ok(outcome),
            }
        }
    });
    task.await.unwrap_or(Err(Fault::Panicked))
}

/// Whether anything can remain of an attempt.
enum Failed {
    Before(Fault),
    AtCommit(Fault),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Before(fault)
    }
}

async fn one_attempt(
    engine: &Engine,
    change: &Administration,
    entries: &[LedgerEntry],
    revoked: &[NewRevocation],
) -> Result<Administered, Failed> {
    let transaction = engine.begin().await?;
    let session = transaction.session();
    let step = tokio::time::timeout(Duration::from_secs(LONGEST), step(session, change, entries, revoked)).await;
    let outcome = match step {
        // Dropping the transaction ends it.
        Err(_) => return Err(Failed::Before(Fault::Slow(format!("a change took more than {LONGEST} s")))),
        // An update that would take what is unique.
        Ok(Err(Fault::Taken(_))) => Ok(Administered::Conflict),
        Ok(outcome) => outcome,
    };
    match outcome {
        Ok(Administered::Done(number)) => {
            transaction.commit().await.map_err(|fault| match fault {
                fault @ Fault::Lost(_) => Failed::AtCommit(fault),
                fault => Failed::Before(fault),
            })?;
            Ok(Administered::Done(number))
        }
        Ok(refused) => {
            transaction.roll_back().await?;
            Ok(refused)
        }
        Err(fault) => {
            if !fault.spoils_connection() {
                transaction.roll_back().await?;
            }
            Err(Failed::Before(fault))
        }
    }
}

async fn step(
    session: &Session,
    change: &Administration,
    entries: &[LedgerEntry],
    revoked: &[NewRevocation],
) -> Result<Administered, Fault> {
    let version = settings::raise_version(session).await?;
    if change.read_at().is_some_and(|read_at| read_at + 1 != version) {
        return Ok(Administered::Outdated);
    }
    let outcome = apply(session, change).await?;
    if let Administered::Done(_) = outcome {
        ledger::append(session, entries).await?;
        revocations::append(session, revoked).await?;
    }
    Ok(outcome)
}

async fn apply(session: &Session, change: &Administration) -> Result<Administered, Fault> {
    match change {
        Administration::AddAccount(account) => people::add_account(session, account).await,
        Administration::UpdateAccount(account) => people::update_account(session, &account.row).await,
        Administration::UpdateAccountEndingSessions(account) => {
            // The row first: a session that is committed while it is waited for ends as well.
            let outcome = people::update_account(session, &account.row).await?;
            sessions::close_of_account(session, account.row.id).await?;
            Ok(outcome)
        }
        Administration::RemoveAccount(id) => people::remove_account(session, *id).await,
        Administration::AddUser(user) => people::add_user(session, user).await,
        Administration::UpdateUser(user) => people::update_user(session, &user.row).await,
        Administration::UpdateUserEndingSessions(user) => {
            let outcome = people::update_user(session, &user.row).await?;
            sessions::close_of_user(session, user.row.id).await?;
            Ok(outcome)
        }
        Administration::RemoveUser(id) => people::remove_user(session, *id).await,
        Administration::AddSystem(system) => apps::add_system(session, system).await,
        Administration::UpdateSystem(system) => apps::update_system(session, &system.row).await,
        Administration::RemoveSystem(id) => apps::remove_system(session, *id).await,
        Administration::AddApp(app) => apps::add_app(session, app).await,
        Administration::UpdateApp(app) => apps::update_app(session, &app.row).await,
        Administration::RemoveApp(id) => apps::remove_app(session, *id).await,
        Administration::AddSecret(app, secret) => apps::add_secret(session, *app, secret).await,
        Administration::ExpireSecret { app, secret, at } => apps::expire_secret(session, *app, *secret, *at).await,
        Administration::AddResourceServer(server) => resource_servers::add(session, server).await,
        Administration::UpdateResourceServer(server) => resource_servers::update(session, &server.row).await,
        Administration::RemoveResourceServer(id) => resource_servers::remove(session, *id).await,
        Administration::AddKey(key) => keys::add(session, &key.row).await,
        Administration::RetireKey { id, at } => keys::retire(session, *id, *at).await,
        Administration::Reseal(resealed) => keys::reseal(session, &resealed.row).await,
    }
}

/// Before a row with a given number: the numbers that PostgreSQL chooses must not come upon it. `sql` sets the table's sequence.
pub(crate) async fn make_room(session: &Session, sql: &'static str, number: i64) -> Result<(), Fault> {
    if number != 0 {
        session.execute(sql, &[&number]).await?;
    }
    Ok(())
}

/// What an insertion that skips conflicts, and returns its number, has come to.
pub(crate) fn added(rows: &[Row]) -> Result<Administered, Fault> {
    rows.first().map_or(Ok(Administered::Conflict), |row| at(row, 0).map(Administered::Done))
}

/// What a change of at most one row has come to.
pub(crate) fn changed(number: i64, rows: u64) -> Administered {
    if rows == 1 { Administered::Done(number) } else { Administered::Missing }
}

//! Changes of what rarely changes: the row, the settings version and the records, or nothing.

use keyfob_authority::model::LedgerEntry;
use keyfob_authority::store::{Administered, Administration, NewRevocation};
use rusqlite::{Connection, OptionalExtension as _, Result};

use crate::{apps, keys, ledger, people, resource_servers, revocations, sessions, settings};

pub(crate) fn administer(
    connection: &Connection,
    change: &Administration,
    entries: &[LedgerEntry],
    revoked: &[NewRevocation],
) -> Result<Administered> {
    // A change of several rows may find its conflict at the last one. Its neighbours in the transaction must not be undone
    // with it, so it has a savepoint of its own.
    if let Some(read_at) = change.read_at()
        && read_at != settings::version(connection)?
    {
        return Ok(Administered::Outdated);
    }
    connection.execute_batch("SAVEPOINT administration")?;
    let outcome = apply(connection, change)?;
    if let Administered::Done(_) = outcome {
        settings::raise_version(connection)?;
        ledger::append(connection, entries)?;
        revocations::append(connection, revoked)?;
    } else {
        connection.execute_batch("ROLLBACK TO administration")?;
    }
    connection.execute_batch("RELEASE administration")?;
    Ok(outcome)
}

fn apply(connection: &Connection, change: &Administration) -> Result<Administered> {
    match change {
        Administration::AddAccount(account) => people::add_account(connection, account),
        Administration::UpdateAccount(account) => people::update_account(connection, &account.row),
        Administration::UpdateAccountEndingSessions(account) => {
            let outcome = people::update_account(connection, &account.row)?;
            sessions::close_of_account(connection, account.row.id)?;
            Ok(outcome)
        }
        Administration::RemoveAccount(id) => people::remove_account(connection, *id),
        Administration::AddUser(user) => people::add_user(connection, user),
        Administration::UpdateUser(user) => people::update_user(connection, &user.row),
        Administration::UpdateUserEndingSessions(user) => {
            let outcome = people::update_user(connection, &user.row)?;
            sessions::close_of_user(connection, user.row.id)?;
            Ok(outcome)
        }
        Administration::RemoveUser(id) => people::remove_user(connection, *id),
        Administration::AddSystem(system) => apps::add_system(connection, system),
        Administration::UpdateSystem(system) => apps::update_system(connection, &system.row),
        Administration::RemoveSystem(id) => apps::remove_system(connection, *id),
        Administration::AddApp(app) => apps::add_app(connection, app),
        Administration::UpdateApp(app) => apps::update_app(connection, &app.row),
        Administration::RemoveApp(id) => apps::remove_app(connection, *id),
        Administration::AddSecret(app, secret) => apps::add_secret(connection, *app, secret),
        Administration::ExpireSecret { app, secret, at } => apps::expire_secret(connection, *app, *secret, *at),
        Administration::AddResourceServer(server) => resource_servers::add(connection, server),
        Administration::UpdateResourceServer(server) => resource_servers::update(connection, &server.row),
        Administration::RemoveResourceServer(id) => resource_servers::remove(connection, *id),
        Administration::AddKey(key) => keys::add(connection, &key.row),
        Administration::RetireKey { id, at } => keys::retire(connection, *id, *at),
        Administration::Reseal(resealed) => keys::reseal(connection, &resealed.row),
    }
}

/// What an insertion that skips conflicts has come to.
pub(crate) fn added(connection: &Connection, rows: usize) -> Administered {
    if rows == 1 { Administered::Done(connection.last_insert_rowid()) } else { Administered::Conflict }
}

/// What a change of at most one row, which skips conflicts, has come to.
pub(crate) fn changed(connection: &Connection, table: &'static str, id: i64, rows: usize) -> Result<Administered> {
    if rows == 1 {
        return Ok(Administered::Done(id));
    }
    let exists = connection.query_row(&format!("SELECT 1 FROM {table} WHERE id = ?"), [id], |_| Ok(())).optional()?;
    Ok(if exists.is_some() { Administered::Conflict } else { Administered::Missing })
}

//! Systems and their apps, with redirect URIs and secrets.

use keyfob_authority::model::{App, AppId, AppSecret, System, SystemId};
use keyfob_authority::store::Administered;
use keyfob_protocol::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, Result, Row, params};

use crate::administration::{added, changed};
use crate::columns::{from_json, optional_time, seconds, time, to_json};
use crate::whole_rows::Table;

pub(crate) fn system_by_name(connection: &Connection, name: &str) -> Result<Option<System>> {
    connection.prepare_cached("SELECT * FROM systems WHERE name = ?")?.query_row([name], read_system).optional()
}

pub(crate) fn systems(connection: &Connection) -> Result<Vec<System>> {
    connection.prepare_cached("SELECT * FROM systems ORDER BY id")?.query_map([], read_system)?.collect()
}

fn read_system(row: &Row<'_>) -> Result<System> {
    Ok(System {
        id: SystemId(row.get("id")?),
        name: row.get("name")?,
        key_digest: row.get("key_digest")?,
        enabled: row.get("enabled")?,
        created_at: time(row, "created_at")?,
    })
}

const SYSTEMS: Table = Table { name: "systems", columns: "name, key_digest, enabled, created_at" };

fn system_row(system: &System) -> impl Params {
    let System { id, name, key_digest, enabled, created_at } = system;
    (id.0, name, key_digest, enabled, created_at.0)
}

pub(crate) fn add_system(connection: &Connection, system: &System) -> Result<Administered> {
    SYSTEMS.add(connection, system_row(system))
}

pub(crate) fn update_system(connection: &Connection, system: &System) -> Result<Administered> {
    SYSTEMS.replace(connection, system.id.0, system_row(system))
}

pub(crate) fn remove_system(connection: &Connection, id: SystemId) -> Result<Administered> {
    let rows = connection
        .execute("DELETE FROM systems WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM apps WHERE system = ?1)", [id.0])?;
    changed(connection, "systems", id.0, rows)
}

pub(crate) fn app(connection: &Connection, id: AppId) -> Result<Option<App>> {
    Ok(select(connection, "WHERE apps.id = ?", [id.0])?.pop())
}

pub(crate) fn app_by_client_id(connection: &Connection, client_id: &str) -> Result<Option<App>> {
    Ok(select(connection, "WHERE apps.client_id = ?", [client_id])?.pop())
}

pub(crate) fn apps(connection: &Connection, system: Option<SystemId>) -> Result<Vec<App>> {
    match system {
        Some(system) => select(connection, "WHERE apps.system = ?", [system.0]),
        None => select(connection, "", []),
    }
}

fn select(connection: &Connection, place: &str, values: impl Params) -> Result<Vec<App>> {
    connection
        .prepare_cached(&format!(
            "SELECT apps.*, systems.name AS system_name FROM apps JOIN systems ON systems.id = apps.system {place} \
             ORDER BY apps.id"
        ))?
        .query_map(values, |row| read_app(connection, row))?
        .collect()
}

fn read_app(connection: &Connection, row: &Row<'_>) -> Result<App> {
    let id: i64 = row.get("id")?;
    Ok(App {
        id: AppId(id),
        system: SystemId(row.get("system")?),
        system_name: row.get("system_name")?,
        name: row.get("name")?,
        client_id: row.get("client_id")?,
        enabled: row.get("enabled")?,
        redirect_uris: from_json(row, "redirect_uris")?,
        policy: from_json(row, "policy")?,
        secrets: secrets(connection, id)?,
        tokens_after: time(row, "tokens_after")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn secrets(connection: &Connection, app: i64) -> Result<Vec<AppSecret>> {
    connection
        .prepare_cached("SELECT * FROM app_secrets WHERE app = ? ORDER BY id")?
        .query_map([app], |row| {
            Ok(AppSecret {
                id: row.get("id")?,
                name: row.get("name")?,
                digest: row.get("digest")?,
                created_at: time(row, "created_at")?,
                expires_at: optional_time(row, "expires_at")?,
                last_used_at: optional_time(row, "last_used_at")?,
            })
        })?
        .collect()
}

const APPS: Table = Table {
    name: "apps",
    columns: "system, name, client_id, enabled, redirect_uris, policy, tokens_after, created_at, updated_at",
};

/// Without its secrets, which are rows of their own.
fn app_row(app: &App) -> Result<impl Params> {
    let redirect_uris = to_json("redirect_uris", &app.redirect_uris)?;
    let policy = to_json("policy", &app.policy)?;
    let App { id, system, name, client_id, enabled, tokens_after, created_at, updated_at, .. } = app;
    Ok((id.0, system.0, name, client_id, enabled, redirect_uris, policy, tokens_after.0, created_at.0, updated_at.0))
}

pub(crate) fn add_app(connection: &Connection, app: &App) -> Result<Administered> {
    let system = connection.query_row("SELECT 1 FROM systems WHERE id = ?", [app.system.0], |_| Ok(())).optional()?;
    if system.is_none() {
        return Ok(Administered::Missing);
    }
    let outcome = APPS.add(connection, app_row(app)?)?;
    if let Administered::Done(id) = outcome {
        for secret in &app.secrets {
            if insert_secret(connection, id, secret, secret.id)? == Administered::Conflict {
                return Ok(Administered::Conflict);
            }
        }
    }
    Ok(outcome)
}

pub(crate) fn update_app(connection: &Connection, app: &App) -> Result<Administered> {
    APPS.replace(connection, app.id.0, app_row(app)?)
}

pub(crate) fn remove_app(connection: &Connection, id: AppId) -> Result<Administered> {
    connection.execute("DELETE FROM app_secrets WHERE app = ?", [id.0])?;
    let rows = connection.execute("DELETE FROM apps WHERE id = ?", [id.0])?;
    changed(connection, "apps", id.0, rows)
}

pub(crate) fn add_secret(connection: &Connection, app: AppId, secret: &AppSecret) -> Result<Administered> {
    let exists = connection.query_row("SELECT 1 FROM apps WHERE id = ?", [app.0], |_| Ok(())).optional()?;
    if exists.is_none() {
        return Ok(Administered::Missing);
    }
    insert_secret(connection, app.0, secret, 0)
}

/// Adds a secret under `id`; 0 lets SQLite choose.
fn insert_secret(connection: &Connection, app: i64, secret: &AppSecret, id: i64) -> Result<Administered> {
    let rows = connection.execute(
        "INSERT INTO app_secrets (id, app, name, digest, created_at, expires_at, last_used_at) \
         VALUES (NULLIF(?, 0), ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        params![
            id,
            app,
            secret.name,
            secret.digest,
            secret.created_at.0,
            seconds(secret.expires_at),
            seconds(secret.last_used_at)
        ],
    )?;
    Ok(added(connection, rows))
}

pub(crate) fn expire_secret(connection: &Connection, app: AppId, secret: i64, at: Timestamp) -> Result<Administered> {
    let rows = connection
        .execute("UPDATE app_secrets SET expires_at = ? WHERE id = ? AND app = ?", params![at.0, secret, app.0])?;
    Ok(if rows == 1 { Administered::Done(secret) } else { Administered::Missing })
}

pub(crate) fn touch_secret(connection: &Connection, secret: i64, at: Timestamp) -> Result<()> {
    connection
        .prepare_cached("UPDATE app_secrets SET last_used_at = ? WHERE id = ?")?
        .execute(params![at.0, secret])
        .map(drop)
}

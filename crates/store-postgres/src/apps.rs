//! Systems and their apps, with redirect URIs and secrets.

use keyfob_authority::model::{App, AppId, AppSecret, System, SystemId};
use keyfob_authority::store::Administered;
use keyfob_protocol::Timestamp;
use tokio_postgres::Row;

use crate::administration::{added, changed, make_room};
use crate::columns::{bytes, from_json, get, is_storable, optional_time, seconds, time, to_json};
use crate::engine::{Engine, Fault, Session};

macro_rules! select_systems {
    ($place:literal) => {
        concat!("SELECT id, name, key_digest, enabled, created_at FROM systems ", $place)
    };
}

pub(crate) async fn system_by_name(engine: &Engine, name: &str) -> Result<Option<System>, Fault> {
    if !is_storable(name) {
        return Ok(None);
    }
    let row = engine.read_opt(select_systems!("WHERE name = $1"), &[&name]).await?;
    row.as_ref().map(read_system).transpose()
}

pub(crate) async fn systems(engine: &Engine) -> Result<Vec<System>, Fault> {
    engine.long(select_systems!("ORDER BY id"), &[]).await?.iter().map(read_system).collect()
}

fn read_system(row: &Row) -> Result<System, Fault> {
    Ok(System {
        id: SystemId(get(row, "id")?),
        name: get(row, "name")?,
        key_digest: bytes("systems.key_digest", get(row, "key_digest")?)?,
        enabled: get(row, "enabled")?,
        created_at: time(row, "created_at")?,
    })
}

pub(crate) async fn add_system(session: &Session, system: &System) -> Result<Administered, Fault> {
    make_room(session, "SELECT setval('systems_id_seq', GREATEST($1, last_value)) FROM systems_id_seq", system.id.0)
        .await?;
    let rows = session
        .query(
            "INSERT INTO systems (id, name, key_digest, enabled, created_at) \
             VALUES (COALESCE(NULLIF($1::bigint, 0), nextval('systems_id_seq')), $2, $3, $4, $5) \
             ON CONFLICT DO NOTHING RETURNING id",
            &[&system.id.0, &system.name, &system.key_digest.as_slice(), &system.enabled, &system.created_at.0],
        )
        .await?;
    added(&rows)
}

pub(crate) async fn update_system(session: &Session, system: &System) -> Result<Administered, Fault> {
    let rows = session
        .execute(
            "UPDATE systems SET name = $2, key_digest = $3, enabled = $4, created_at = $5 WHERE id = $1",
            &[&system.id.0, &system.name, &system.key_digest.as_slice(), &system.enabled, &system.created_at.0],
        )
        .await?;
    Ok(changed(system.id.0, rows))
}

pub(crate) async fn remove_system(session: &Session, id: SystemId) -> Result<Administered, Fault> {
    if session.query_opt("SELECT 1 FROM apps WHERE system = $1 LIMIT 1", &[&id.0]).await?.is_some() {
        return Ok(Administered::Conflict);
    }
    let rows = session.execute("DELETE FROM systems WHERE id = $1", &[&id.0]).await?;
    Ok(changed(id.0, rows))
}

/// An app and its secrets in one statement, so that they are of one moment.
macro_rules! select_apps {
    ($place:literal) => {
        concat!(
            "SELECT a.id, a.system, s.name AS system_name, a.name, a.client_id, a.enabled, a.redirect_uris, a.policy, ",
            "a.tokens_after, a.created_at, a.updated_at, k.id AS secret_id, k.name AS secret_name, k.digest, ",
            "k.created_at AS secret_created_at, k.expires_at, k.last_used_at FROM apps a JOIN systems s ON s.id = a.system ",
            "LEFT JOIN app_secrets k ON k.app = a.id ",
            $place,
            " ORDER BY a.id, k.id"
        )
    };
}

pub(crate) async fn app(engine: &Engine, id: AppId) -> Result<Option<App>, Fault> {
    Ok(gather(&engine.read(select_apps!("WHERE a.id = $1"), &[&id.0]).await?)?.pop())
}

pub(crate) async fn app_by_client_id(engine: &Engine, client_id: &str) -> Result<Option<App>, Fault> {
    if !is_storable(client_id) {
        return Ok(None);
    }
    Ok(gather(&engine.read(select_apps!("WHERE a.client_id = $1"), &[&client_id]).await?)?.pop())
}

pub(crate) async fn apps(engine: &Engine, system: Option<SystemId>) -> Result<Vec<App>, Fault> {
    let rows = match system {
        Some(system) => engine.long(select_apps!("WHERE a.system = $1"), &[&system.0]).await?,
        None => engine.long(select_apps!(""), &[]).await?,
    };
    gather(&rows)
}

/// Apps from rows that hold one secret each.
fn gather(rows: &[Row]) -> Result<Vec<App>, Fault> {
    let mut apps: Vec<App> = Vec::new();
    for row in rows {
        let id: i64 = get(row, "id")?;
        if apps.last().is_none_or(|app| app.id.0 != id) {
            apps.push(read_app(row)?);
        }
        let secret = read_secret(row)?;
        if let Some(app) = apps.last_mut() {
            app.secrets.extend(secret);
        }
    }
    Ok(apps)
}

fn read_app(row: &Row) -> Result<App, Fault> {
    Ok(App {
        id: AppId(get(row, "id")?),
        system: SystemId(get(row, "system")?),
        system_name: get(row, "system_name")?,
        name: get(row, "name")?,
        client_id: get(row, "client_id")?,
        enabled: get(row, "enabled")?,
        redirect_uris: from_json(row, "redirect_uris")?,
        policy: from_json(row, "policy")?,
        secrets: Vec::new(),
        tokens_after: time(row, "tokens_after")?,
        created_at: time(row, "created_at")?,
        updated_at: time(row, "updated_at")?,
    })
}

fn read_secret(row: &Row) -> Result<Option<AppSecret>, Fault> {
    let Some(id) = get::<Option<i64>>(row, "secret_id")? else { return Ok(None) };
    Ok(Some(AppSecret {
        id,
        name: get(row, "secret_name")?,
        digest: bytes("app_secrets.digest", get(row, "digest")?)?,
        created_at: time(row, "secret_created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
    }))
}

async fn system_exists(session: &Session, id: SystemId) -> Result<bool, Fault> {
    Ok(session.query_opt("SELECT 1 FROM systems WHERE id = $1", &[&id.0]).await?.is_some())
}

pub(crate) async fn add_app(session: &Session, app: &App) -> Result<Administered, Fault> {
    if !system_exists(session, app.system).await? {
        return Ok(Administered::Missing);
    }
    make_room(session, "SELECT setval('apps_id_seq', GREATEST($1, last_value)) FROM apps_id_seq", app.id.0).await?;
    let rows = session
        .query(
            "INSERT INTO apps (id, system, name, client_id, enabled, redirect_uris, policy, tokens_after, created_at, updated_at) \
             VALUES (COALESCE(NULLIF($1::bigint, 0), nextval('apps_id_seq')), $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             ON CONFLICT DO NOTHING RETURNING id",
            &[
                &app.id.0,
                &app.system.0,
                &app.name,
                &app.client_id,
                &app.enabled,
                &to_json("redirect_uris", &app.redirect_uris)?,
                &to_json("policy", &app.policy)?,
                &app.tokens_after.0,
                &app.created_at.0,
                &app.updated_at.0,
            ],
        )
        .await?;
    let outcome = added(&rows)?;
    if let Administered::Done(id) = outcome {
        for secret in &app.secrets {
            if insert_secret(session, id, secret, secret.id).await? == Administered::Conflict {
                return Ok(Administered::Conflict);
            }
        }
    }
    Ok(outcome)
}

pub(crate) async fn update_app(session: &Session, app: &App) -> Result<Administered, Fault> {
    let rows = session
        .execute(
            "UPDATE apps SET system = $2, name = $3, client_id = $4, enabled = $5, redirect_uris = $6, policy = $7, \
             tokens_after = $8, created_at = $9, updated_at = $10 WHERE id = $1",
            &[
                &app.id.0,
                &app.system.0,
                &app.name,
                &app.client_id,
                &app.enabled,
                &to_json("redirect_uris", &app.redirect_uris)?,
                &to_json("policy", &app.policy)?,
                &app.tokens_after.0,
                &app.created_at.0,
                &app.updated_at.0,
            ],
        )
        .await?;
    Ok(changed(app.id.0, rows))
}

pub(crate) async fn remove_app(session: &Session, id: AppId) -> Result<Administered, Fault> {
    session.execute("DELETE FROM app_secrets WHERE app = $1", &[&id.0]).await?;
    let rows = session.execute("DELETE FROM apps WHERE id = $1", &[&id.0]).await?;
    Ok(changed(id.0, rows))
}

pub(crate) async fn add_secret(session: &Session, app: AppId, secret: &AppSecret) -> Result<Administered, Fault> {
    if session.query_opt("SELECT 1 FROM apps WHERE id = $1", &[&app.0]).await?.is_none() {
        return Ok(Administered::Missing);
    }
    insert_secret(session, app.0, secret, 0).await
}

/// Adds a secret under `id`; 0 lets PostgreSQL choose.
async fn insert_secret(session: &Session, app: i64, secret: &AppSecret, id: i64) -> Result<Administered, Fault> {
    make_room(session, "SELECT setval('app_secrets_id_seq', GREATEST($1, last_value)) FROM app_secrets_id_seq", id)
        .await?;
    let rows = session
        .query(
            "INSERT INTO app_secrets (id, app, name, digest, created_at, expires_at, last_used_at) \
             VALUES (COALESCE(NULLIF($1::bigint, 0), nextval('app_secrets_id_seq')), $2, $3, $4, $5, $6, $7) \
             ON CONFLICT DO NOTHING RETURNING id",
            &[
                &id,
                &app,
                &secret.name,
                &secret.digest.as_slice(),
                &secret.created_at.0,
                &seconds(secret.expires_at),
                &seconds(secret.last_used_at),
            ],
        )
        .await?;
    added(&rows)
}

pub(crate) async fn expire_secret(
    session: &Session,
    app: AppId,
    secret: i64,
    at: Timestamp,
) -> Result<Administered, Fault> {
    let rows = session
        .execute("UPDATE app_secrets SET expires_at = $3 WHERE id = $1 AND app = $2", &[&secret, &app.0, &at.0])
        .await?;
    Ok(changed(secret, rows))
}

pub(crate) async fn touch_secret(engine: &Engine, secret: i64, at: Timestamp) -> Result<(), Fault> {
    engine.write_again("UPDATE app_secrets SET last_used_at = $2 WHERE id = $1", &[&secret, &at.0]).await.map(drop)
}

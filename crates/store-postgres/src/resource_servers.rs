//! Resource servers: who may follow the revocation feed.

use keyfob_authority::model::{ResourceServer, ResourceServerId};
use keyfob_authority::store::Administered;
use tokio_postgres::Row;

use crate::administration::{added, changed, make_room};
use crate::columns::{bytes, get, is_storable, time};
use crate::engine::{Engine, Fault, Session};

macro_rules! select {
    ($place:literal) => {
        concat!("SELECT id, name, secret_digest, enabled, resource, created_at FROM resource_servers ", $place)
    };
}

pub(crate) async fn by_name(engine: &Engine, name: &str) -> Result<Option<ResourceServer>, Fault> {
    if !is_storable(name) {
        return Ok(None);
    }
    engine.read_opt(select!("WHERE name = $1"), &[&name]).await?.as_ref().map(read).transpose()
}

pub(crate) async fn all(engine: &Engine) -> Result<Vec<ResourceServer>, Fault> {
    engine.long(select!("ORDER BY id"), &[]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<ResourceServer, Fault> {
    Ok(ResourceServer {
        id: ResourceServerId(get(row, "id")?),
        name: get(row, "name")?,
        secret_digest: bytes("resource_servers.secret_digest", get(row, "secret_digest")?)?,
        enabled: get(row, "enabled")?,
        resource: get(row, "resource")?,
        created_at: time(row, "created_at")?,
    })
}

pub(crate) async fn add(session: &Session, server: &ResourceServer) -> Result<Administered, Fault> {
    let ResourceServer { id, name, secret_digest, enabled, resource, created_at } = server;
    let room = "SELECT setval('resource_servers_id_seq', GREATEST($1, last_value)) FROM resource_servers_id_seq";
    make_room(session, room, id.0).await?;
    let rows = session
        .query(
            "INSERT INTO resource_servers (id, name, secret_digest, enabled, created_at, resource) \
             VALUES (COALESCE(NULLIF($1::bigint, 0), nextval('resource_servers_id_seq')), $2, $3, $4, $5, $6) \
             ON CONFLICT DO NOTHING RETURNING id",
            &[&id.0, name, &secret_digest.as_slice(), enabled, &created_at.0, resource],
        )
        .await?;
    added(&rows)
}

pub(crate) async fn update(session: &Session, server: &ResourceServer) -> Result<Administered, Fault> {
    let ResourceServer { id, name, secret_digest, enabled, resource, created_at } = server;
    let rows = session
        .execute(
            "UPDATE resource_servers SET name = $2, secret_digest = $3, enabled = $4, created_at = $5, resource = $6 WHERE id = $1",
            &[&id.0, name, &secret_digest.as_slice(), enabled, &created_at.0, resource],
        )
        .await?;
    Ok(changed(id.0, rows))
}

pub(crate) async fn remove(session: &Session, id: ResourceServerId) -> Result<Administered, Fault> {
    let rows = session.execute("DELETE FROM resource_servers WHERE id = $1", &[&id.0]).await?;
    Ok(changed(id.0, rows))
}

//! Resource servers: who may follow the revocation feed.

use keyfob_authority::model::{ResourceServer, ResourceServerId};
use keyfob_authority::store::Administered;
use rusqlite::{Connection, OptionalExtension as _, Params, Result, Row};

use crate::administration::changed;
use crate::columns::time;
use crate::whole_rows::Table;

pub(crate) fn by_name(connection: &Connection, name: &str) -> Result<Option<ResourceServer>> {
    connection.prepare_cached("SELECT * FROM resource_servers WHERE name = ?")?.query_row([name], read).optional()
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<ResourceServer>> {
    connection.prepare_cached("SELECT * FROM resource_servers ORDER BY id")?.query_map([], read)?.collect()
}

fn read(row: &Row<'_>) -> Result<ResourceServer> {
    Ok(ResourceServer {
        id: ResourceServerId(row.get("id")?),
        name: row.get("name")?,
        secret_digest: row.get("secret_digest")?,
        enabled: row.get("enabled")?,
        resource: row.get("resource")?,
        created_at: time(row, "created_at")?,
    })
}

const TABLE: Table = Table { name: "resource_servers", columns: "name, secret_digest, enabled, created_at, resource" };

fn whole(server: &ResourceServer) -> impl Params {
    let ResourceServer { id, name, secret_digest, enabled, resource, created_at } = server;
    (id.0, name, secret_digest, enabled, created_at.0, resource)
}

pub(crate) fn add(connection: &Connection, server: &ResourceServer) -> Result<Administered> {
    TABLE.add(connection, whole(server))
}

pub(crate) fn update(connection: &Connection, server: &ResourceServer) -> Result<Administered> {
    TABLE.replace(connection, server.id.0, whole(server))
}

pub(crate) fn remove(connection: &Connection, id: ResourceServerId) -> Result<Administered> {
    let rows = connection.execute("DELETE FROM resource_servers WHERE id = ?", [id.0])?;
    changed(connection, TABLE.name, id.0, rows)
}

//! Brings a database to the schema this build knows, one numbered migration after the other.
//!
//! Several nodes may start on a new database at the same moment: an advisory lock lets one of them work and the others find it done. All of
//! it is one transaction. The tables of another program, or of a newer Keyfob, are left as they are. Migrations go forward only, and each
//! must leave the nodes of the version before it working: first expand, a release later contract.

use tokio_postgres::Client;

use crate::engine::Fault;

/// Numbered from 1 by place, as in the SQLite store. Once released, a migration never changes.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001_rows.sql"),
    include_str!("migrations/0002_rotation_and_feed.sql"),
    include_str!("migrations/0003_resources.sql"),
];

/// "Keyfob" and a number, as the advisory lock of whoever migrates.
const LOCK: i64 = 0x4b65_7966_6f62_0001;

/// Why a database does not get our schema.
#[derive(Debug)]
pub(crate) enum Unsuitable {
    /// PostgreSQL failed.
    Fault(Fault),
    /// It holds something else.
    Content(String),
}

impl From<tokio_postgres::Error> for Unsuitable {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Fault(error.into())
    }
}

/// Applies what is missing.
pub(crate) async fn migrate(client: &mut Client) -> Result<(), Unsuitable> {
    if missing(client).await?.is_empty() {
        return Ok(());
    }
    let transaction = client.transaction().await?;
    // A migration may take long, and waiting for another node's as well.
    transaction.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let missing = missing(transaction.client()).await?;
    if !missing.is_empty() {
        transaction.batch_execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)").await?;
        for migration in missing {
            transaction.batch_execute(migration).await?;
        }
        let version = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        transaction.execute("DELETE FROM schema_version", &[]).await?;
        transaction.execute("INSERT INTO schema_version (version) VALUES ($1)", &[&version]).await?;
    }
    Ok(transaction.commit().await?)
}

async fn missing(client: &Client) -> Result<&'static [&'static str], Unsuitable> {
    let schema: Option<String> = client.query_one("SELECT current_schema()::text", &[]).await?.try_get(0)?;
    let Some(schema) = schema else {
        return Err(Unsuitable::Content(
            "its search path leads to no schema; create the schema, or set search_path for this role".to_owned(),
        ));
    };
    let tables = client
        .query(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1::text ORDER BY table_name",
            &[&schema],
        )
        .await?;
    let tables: Vec<String> = tables.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if tables.is_empty() {
        return Ok(&MIGRATIONS);
    }
    let ours = client
        .query_one(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = $1::text AND (table_name, column_name) IN \
             (('schema_version', 'version'), ('store', 'key_check'), ('grants', 'parent_branch'))",
            &[&schema],
        )
        .await?;
    if ours.try_get::<_, i64>(0)? != 3 {
        return Err(Unsuitable::Content(format!(
            "its schema {schema} holds tables of another program ({}); give keyfob an empty database or a schema of its own",
            tables.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ")
        )));
    }
    let version = client.query_one("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await?;
    let version: i64 = version.try_get(0)?;
    usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version..)).ok_or_else(|| {
        Unsuitable::Content(format!(
            "its schema has version {version} and this build knows versions up to {}; use a newer keyfob",
            MIGRATIONS.len()
        ))
    })
}

//! Brings a database to the schema that a store knows, one numbered migration after the other.
//!
//! Several nodes may start on a new database at the same moment: an advisory lock lets one of them work and the others find it done. All of
//! it is one transaction. The tables of another program, of another of our stores, or of a newer Keyfob, are left as they are. Migrations go
//! forward only, and each must leave the nodes of the version before it working: first expand, a release later contract.

use tokio_postgres::Client;

use crate::{Dialer, Fault, OpenError};

/// The tables of a store.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Numbered from 1 by place. Once released, a migration never changes. The table `schema_version` is kept here and not by them.
    pub migrations: &'static [&'static str],
    /// The advisory lock of whoever migrates.
    pub lock: i64,
    /// Tables and columns that every version has and no other program.
    pub marks: &'static [(&'static str, &'static str)],
}

/// Why a database does not get a schema.
enum Unsuitable {
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

impl Schema {
    /// Connects once and applies what is missing.
    ///
    /// # Errors
    /// The database cannot be reached or does not let us in, or it holds something that this build does not know.
    pub async fn prepare(&self, dialer: &Dialer) -> Result<(), OpenError> {
        at(dialer, async |client| self.migrate(client).await).await
    }

    /// Whether the tables are there, of any version up to ours, and this one of them, which is never empty in a store, has a row: a restore of the
    /// schema alone leaves tables as well, and so does a truncation. Connects once and changes nothing.
    ///
    /// # Errors
    /// As [`Schema::prepare`].
    pub async fn stands(&self, dialer: &Dialer, never_empty: &'static str) -> Result<bool, OpenError> {
        at(dialer, async |client| {
            if self.missing(client).await?.len() == self.migrations.len() {
                return Ok(false);
            }
            let row = client.query_one(&format!("SELECT EXISTS (SELECT FROM {never_empty})"), &[]).await?;
            Ok(row.try_get(0)?)
        })
        .await
    }

    async fn migrate(&self, client: &mut Client) -> Result<(), Unsuitable> {
        if self.missing(client).await?.is_empty() {
            return Ok(());
        }
        let transaction = client.transaction().await?;
        // A migration may take long, and waiting for another node's as well.
        transaction.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
        transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&self.lock]).await?;
        let missing = self.missing(transaction.client()).await?;
        if !missing.is_empty() {
            transaction.batch_execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)").await?;
            for migration in missing {
                transaction.batch_execute(migration).await?;
            }
            let version = i64::try_from(self.migrations.len()).unwrap_or(i64::MAX);
            transaction.execute("DELETE FROM schema_version", &[]).await?;
            transaction.execute("INSERT INTO schema_version (version) VALUES ($1)", &[&version]).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn missing(&self, client: &Client) -> Result<&'static [&'static str], Unsuitable> {
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
            return Ok(self.migrations);
        }
        let (marked, columns): (Vec<&str>, Vec<&str>) =
            self.marks.iter().copied().chain([("schema_version", "version")]).unzip();
        let ours = client
            .query_one(
                "SELECT count(*) FROM information_schema.columns \
                 JOIN unnest($2::text[], $3::text[]) AS mark(of_table, of_column) \
                 ON table_name = mark.of_table AND column_name = mark.of_column WHERE table_schema = $1::text",
                &[&schema, &marked, &columns],
            )
            .await?;
        if usize::try_from(ours.try_get::<_, i64>(0)?) != Ok(marked.len()) {
            return Err(Unsuitable::Content(format!(
                "its schema {schema} holds tables of another program ({}); give keyfob an empty database or a schema of its own",
                tables.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ")
            )));
        }
        let version = client.query_one("SELECT coalesce(max(version), 0) FROM schema_version", &[]).await?;
        let version: i64 = version.try_get(0)?;
        usize::try_from(version).ok().and_then(|version| self.migrations.get(version..)).ok_or_else(|| {
            Unsuitable::Content(format!(
                "its schema has version {version} and this build knows versions up to {}; use a newer keyfob",
                self.migrations.len()
            ))
        })
    }
}

/// Does one thing on a connection of its own.
async fn at<T>(dialer: &Dialer, work: impl AsyncFnOnce(&mut Client) -> Result<T, Unsuitable>) -> Result<T, OpenError> {
    let address = || dialer.address.to_string();
    let database = |source| OpenError::Database { address: address(), source };
    let (mut client, driver) = dialer.connect().await.map_err(database)?;
    let driver = tokio::spawn(driver);
    let done = work(&mut client).await;
    drop(client);
    // It ends because its client is gone; what went wrong before has been told by the work.
    let _ = driver.await;
    done.map_err(|unsuitable| match unsuitable {
        Unsuitable::Fault(source) => database(source),
        Unsuitable::Content(problem) => OpenError::Content { address: address(), problem },
    })
}

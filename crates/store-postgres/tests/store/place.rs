//! Databases that go away, and stores on them.

use std::sync::Arc;

use async_trait::async_trait;
use keyfob_authority::moving::Rows;
use keyfob_authority::store::Store;
use keyfob_store_postgres::{Address, OpenError, Options, PostgresRows, PostgresStore};
use keyfob_testkit::{PostgresCluster, PostgresDatabase};

/// A database of its own.
pub(crate) struct Place {
    pub(crate) database: PostgresDatabase,
}

impl Place {
    /// In the cluster that tests share.
    pub(crate) async fn new() -> Self {
        Self::in_cluster(PostgresCluster::shared).await
    }

    pub(crate) async fn in_cluster(cluster: fn() -> Arc<PostgresCluster>) -> Self {
        let database = tokio::task::spawn_blocking(move || cluster().database()).await.unwrap();
        Self { database }
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        self.store_with(&Options::default()).await
    }

    pub(crate) async fn store_with(&self, options: &Options) -> PostgresStore {
        open(&self.database.url(), options).await.unwrap()
    }

    /// A plain connection beside the store's.
    pub(crate) async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.database.url(), tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

/// Opens the store at a URL.
pub(crate) async fn open(url: &str, options: &Options) -> Result<PostgresStore, OpenError> {
    PostgresStore::open(Address::parse(url)?, options).await
}

#[async_trait]
impl keyfob_authority::conformance::Place for Place {
    async fn fresh() -> Self {
        Self::new().await
    }

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store().await)
    }

    async fn rows(&self) -> Box<dyn Rows> {
        Box::new(PostgresRows::open(Address::parse(&self.database.url()).unwrap()).await.unwrap())
    }
}

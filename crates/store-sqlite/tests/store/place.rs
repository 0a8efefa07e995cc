//! Directories with a database in them, which go away.

use std::sync::Arc;

use async_trait::async_trait;
use keyfob_authority::moving::Rows;
use keyfob_authority::store::Store;
use keyfob_store_sqlite::engine::Engine;
use keyfob_store_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

/// A directory with a path for a database in it.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn store(&self) -> SqliteStore {
        SqliteStore::open(self.file("keyfob.db"), &Options::default()).unwrap()
    }

    /// An engine with one table: `counters (name TEXT UNIQUE, value INTEGER)`.
    pub(crate) fn engine(&self, options: &Options) -> Engine {
        Engine::open(&self.file("engine.db"), options, |connection| {
            connection
                .execute_batch(
                    "CREATE TABLE IF NOT EXISTS counters (name TEXT NOT NULL UNIQUE, value INTEGER NOT NULL)",
                )
                .unwrap();
            Ok(())
        })
        .unwrap()
    }
}

#[async_trait]
impl keyfob_authority::conformance::Place for Place {
    async fn fresh() -> Self {
        Self::new()
    }

    async fn open(&self) -> Arc<dyn Store> {
        let file = self.file("keyfob.db");
        // Opening blocks, and several open at the same moment.
        let open = move || SqliteStore::open(file, &Options::default()).unwrap();
        Arc::new(tokio::task::spawn_blocking(open).await.unwrap())
    }

    async fn rows(&self) -> Box<dyn Rows> {
        Box::new(self.store())
    }
}

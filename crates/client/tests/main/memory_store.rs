//! The store in memory passes the suite of its contract.

use async_trait::async_trait;
use keyfob_client::conformance::Place;
use keyfob_client::{MemoryTokenStore, TokenStore};
use std::sync::Arc;

struct InMemory(Arc<MemoryTokenStore>);

#[async_trait]
impl Place for InMemory {
    async fn fresh() -> Self {
        InMemory(Arc::default())
    }

    async fn open(&self) -> Arc<dyn TokenStore> {
        self.0.clone()
    }
}

keyfob_client::token_store_conformance!(InMemory);

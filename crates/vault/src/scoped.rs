//! One store for several apps: each app's connections lie under names of their own.

use async_trait::async_trait;
use keyfob_client::{
    Fence, Intent, IntentFate, LeaseAnswer, Listed, Saved, StoreUnavailable, StoredConnection, Timestamp, TokenStore,
    Trouble,
};
use std::sync::Arc;

/// Between the app's name and the connection's. No app's name holds it.
pub(crate) const SEPARATOR: char = '/';
/// What comes right behind it.
const BEHIND: char = '0';

/// The connections of one app in a store of many.
pub(crate) struct ScopedStore<S: ?Sized> {
    store: Arc<S>,
    prefix: String,
}

impl<S: TokenStore + ?Sized> ScopedStore<S> {
    pub(crate) fn new(store: Arc<S>, app: &str) -> ScopedStore<S> {
        ScopedStore { store, prefix: format!("{app}{SEPARATOR}") }
    }

    fn name(&self, id: &str) -> String {
        format!("{}{id}", self.prefix)
    }
}

/// App and connection of a name in the store.
pub(crate) fn split(name: &str) -> Option<(&str, &str)> {
    name.split_once(SEPARATOR)
}

/// Stands behind every name of this app's connections and before the next app's.
pub(crate) fn behind(app: &str) -> String {
    format!("{app}{BEHIND}")
}

#[async_trait]
impl<S: TokenStore + ?Sized> TokenStore for ScopedStore<S> {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        self.store.load(&self.name(id)).await
    }

    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable> {
        self.store.save(&self.name(id), replaces, next).await
    }

    async fn note(&self, id: &str, generation: u64, trouble: Option<&Trouble>) -> Result<Saved, StoreUnavailable> {
        self.store.note(&self.name(id), generation, trouble).await
    }

    async fn take_lease(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<LeaseAnswer, StoreUnavailable> {
        self.store.take_lease(&self.name(id), now, until).await
    }

    async fn prolong(&self, id: &str, fence: Fence, until: Timestamp) -> Result<Saved, StoreUnavailable> {
        self.store.prolong(&self.name(id), fence, until).await
    }

    async fn open_intent(&self, id: &str, fence: Fence, intent: &Intent) -> Result<Saved, StoreUnavailable> {
        self.store.open_intent(&self.name(id), fence, intent).await
    }

    async fn finish(
        &self,
        id: &str,
        fence: Fence,
        replaces: u64,
        next: &StoredConnection,
    ) -> Result<Saved, StoreUnavailable> {
        self.store.finish(&self.name(id), fence, replaces, next).await
    }

    async fn release(&self, id: &str, fence: Fence, intent: IntentFate) -> Result<(), StoreUnavailable> {
        self.store.release(&self.name(id), fence, intent).await
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreUnavailable> {
        // Names of this app only: what comes behind them begins with the character behind the separator.
        let from = after.map_or_else(|| self.prefix.clone(), |after| self.name(after));
        let mut listed = self.store.page(Some(&from), limit).await?;
        let end = behind(self.prefix.trim_end_matches(SEPARATOR));
        listed.retain(|listed| listed.id < end);
        for listed in &mut listed {
            listed.id.drain(..self.prefix.len());
        }
        Ok(listed)
    }

    async fn remove(&self, id: &str) -> Result<bool, StoreUnavailable> {
        self.store.remove(&self.name(id)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_client::{MemoryTokenStore, conformance};

    struct Place(Arc<MemoryTokenStore>);

    #[async_trait]
    impl conformance::Place for Place {
        async fn fresh() -> Place {
            let store = Arc::new(MemoryTokenStore::default());
            // Neighbours on both sides, whose rows must not show.
            for name in ["ap/a", "app-/a", "app.x/a", "app0/a", "apq/a"] {
                let row = StoredConnection {
                    generation: 9,
                    standing: keyfob_client::Standing::Denied,
                    since: Timestamp(0),
                    trouble: None,
                    identity: None,
                };
                store.save(name, None, &row).await.expect("memory");
            }
            Place(store)
        }

        async fn open(&self) -> Arc<dyn TokenStore> {
            Arc::new(ScopedStore::new(self.0.clone(), "app"))
        }
    }

    keyfob_client::token_store_conformance!(Place);
}

//! What is registered, as one set each: the resources that tokens may be for and the origins that browsers may call from. Kept in memory
//! until the settings version moves, since every request with such a parameter or header asks.

use crate::authority::{Authority, Fault};
use crate::store::StoreError;
use keyfob_protocol::resource::Resources;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// One value that is read from the store as needed.
pub(crate) struct Kept<T> {
    value: RwLock<Option<Arc<T>>>,
    /// Raised by every clear: what was read before one must not be kept after it.
    epoch: AtomicU64,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept { value: RwLock::new(None), epoch: AtomicU64::new(0) }
    }
}

impl<T> Kept<T> {
    async fn get(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<Arc<T>, StoreError> {
        if let Some(value) = &*self.value.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(value.clone());
        }
        let epoch = self.epoch.load(Ordering::SeqCst);
        let read = Arc::new(read.await?);
        let mut value = self.value.write().unwrap_or_else(PoisonError::into_inner);
        if self.epoch.load(Ordering::SeqCst) == epoch {
            *value = Some(read.clone());
        }
        Ok(read)
    }

    pub(crate) fn clear(&self) {
        let mut value = self.value.write().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        *value = None;
    }
}

impl Authority {
    /// The resources that a token may be for (matrix RI-01): those of the enabled resource servers, and the authority's own API.
    pub(crate) async fn known_resources(&self) -> Result<Arc<Resources>, Fault> {
        let read = async {
            let servers = self.store.resource_servers().await?;
            let named = servers.iter().filter(|server| server.enabled).filter_map(|server| server.resource.as_deref());
            // One by one: an audience may be a mere name, which nobody can ask for.
            let known = named.chain([self.settings.audience.as_str()]).filter(|it| Resources::parse([*it]).is_ok());
            Resources::parse(known).map_err(|error| StoreError::Broken(error.to_string()))
        };
        Ok(self.resources.get(read).await?)
    }

    /// Whether pages of this origin may call the endpoints of public clients (matrix MD-06): it is registered for an enabled one.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn is_registered_origin(&self, origin: &str) -> Result<bool, Fault> {
        let read = async {
            let apps = self.store.apps(None).await?;
            let public = apps.into_iter().filter(|app| app.enabled && app.policy.public);
            Ok(public.flat_map(|app| app.policy.origins).collect::<BTreeSet<String>>())
        };
        Ok(self.origins.get(read).await?.contains(origin))
    }
}

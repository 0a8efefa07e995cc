//! Apps by client id, kept in memory: hot, rarely changing facts. Cleared when the settings version moves.

use crate::model::App;
use crate::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// Beyond this many apps the cache starts anew; unknown client ids are not cached at all.
const CAPACITY: usize = 10_000;

/// An app, and when each of its secrets was last noted as used.
#[derive(Debug)]
pub struct CachedApp {
    /// The app.
    pub app: App,
    noted: Vec<AtomicI64>,
}

impl CachedApp {
    fn new(app: App) -> CachedApp {
        let noted = app.secrets.iter().map(|secret| AtomicI64::new(secret.last_used_at.map_or(0, |at| at.0))).collect();
        CachedApp { app, noted }
    }

    /// Whether the use of the secret at `index` should be written: once in `every` seconds, and by one caller.
    pub(crate) fn should_note(&self, index: usize, now: i64, every: i64) -> bool {
        let noted = &self.noted[index];
        let last = noted.load(Ordering::Relaxed);
        now - last >= every && noted.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[derive(Default)]
pub(crate) struct AppCache {
    apps: RwLock<HashMap<String, Arc<CachedApp>>>,
    /// Raised by every clear: an app that was read before a clear must not be kept after it.
    epoch: AtomicU64,
}

impl AppCache {
    pub(crate) async fn get(&self, store: &dyn Store, client_id: &str) -> Result<Option<Arc<CachedApp>>, StoreError> {
        if let Some(app) = self.apps.read().expect("invariant: no holder panics").get(client_id) {
            return Ok(Some(app.clone()));
        }
        self.read_again(store, client_id).await
    }

    /// The app as it is now, whatever is cached of it.
    pub(crate) async fn read_again(
        &self,
        store: &dyn Store,
        client_id: &str,
    ) -> Result<Option<Arc<CachedApp>>, StoreError> {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let Some(app) = store.app_by_client_id(client_id).await? else { return Ok(None) };
        let app = Arc::new(CachedApp::new(app));
        let mut apps = self.apps.write().expect("invariant: no holder panics");
        if self.epoch.load(Ordering::SeqCst) == epoch {
            if apps.len() >= CAPACITY {
                apps.clear();
            }
            apps.insert(client_id.to_owned(), app.clone());
        }
        Ok(Some(app))
    }

    pub(crate) fn clear(&self) {
        let mut apps = self.apps.write().expect("invariant: no holder panics");
        self.epoch.fetch_add(1, Ordering::SeqCst);
        apps.clear();
    }
}

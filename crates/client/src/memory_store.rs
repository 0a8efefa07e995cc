//! The store of connections in memory: for tests, demos, and apps that keep nothing.

use crate::store::{Fence, Intent, IntentFate, LeaseAnswer, Leased, Listed, Saved, StoreUnavailable, TokenStore};
use crate::stored::{StoredConnection, Trouble};
use async_trait::async_trait;
use keyfob_protocol::Timestamp;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

/// Keeps connections until the process ends.
#[derive(Debug, Default)]
pub struct MemoryTokenStore {
    places: Mutex<BTreeMap<String, Place>>,
}

/// All that is kept under one name.
#[derive(Debug, Default)]
struct Place {
    row: Option<StoredConnection>,
    fence: u64,
    leased_until: Option<Timestamp>,
    open: Option<Intent>,
}

impl Place {
    fn generation(&self) -> Option<u64> {
        self.row.as_ref().map(|row| row.generation)
    }
}

impl MemoryTokenStore {
    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.places.lock().expect("invariant: nothing panics while the lock is held")
    }
}

#[async_trait]
impl TokenStore for MemoryTokenStore {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        Ok(self.places().get(id).and_then(|place| place.row.clone()))
    }

    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable> {
        let mut places = self.places();
        let place = places.entry(id.to_owned()).or_default();
        if place.generation() != replaces {
            return Ok(Saved::Conflict);
        }
        (place.row, place.open) = (Some(next.clone()), None);
        Ok(Saved::Stored)
    }

    async fn note(&self, id: &str, generation: u64, trouble: Option<&Trouble>) -> Result<Saved, StoreUnavailable> {
        let mut places = self.places();
        let row = places.get_mut(id).and_then(|place| place.row.as_mut());
        let Some(row) = row.filter(|row| row.generation == generation) else { return Ok(Saved::Conflict) };
        if row.trouble.as_ref().map(|trouble| trouble.kind) == trouble.map(|trouble| trouble.kind) {
            return Ok(Saved::Conflict);
        }
        row.trouble = trouble.cloned();
        Ok(Saved::Stored)
    }

    async fn take_lease(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<LeaseAnswer, StoreUnavailable> {
        let mut places = self.places();
        let place = places.entry(id.to_owned()).or_default();
        if let Some(until) = place.leased_until.filter(|until| now < *until) {
            return Ok(LeaseAnswer::Held { until });
        }
        place.fence += 1;
        place.leased_until = Some(until);
        let leased = Leased { fence: Fence(place.fence), row: place.row.clone(), open: place.open.clone() };
        Ok(LeaseAnswer::Taken(Box::new(leased)))
    }

    async fn prolong(&self, id: &str, fence: Fence, until: Timestamp) -> Result<Saved, StoreUnavailable> {
        let mut places = self.places();
        let place = places.entry(id.to_owned()).or_default();
        if place.fence != fence.0 || place.leased_until.is_none() {
            return Ok(Saved::Conflict);
        }
        place.leased_until = Some(until);
        Ok(Saved::Stored)
    }

    async fn open_intent(&self, id: &str, fence: Fence, intent: &Intent) -> Result<Saved, StoreUnavailable> {
        let mut places = self.places();
        let place = places.entry(id.to_owned()).or_default();
        if place.fence != fence.0 || place.generation() != Some(intent.generation) {
            return Ok(Saved::Conflict);
        }
        place.open = Some(intent.clone());
        Ok(Saved::Stored)
    }

    async fn finish(
        &self,
        id: &str,
        fence: Fence,
        replaces: u64,
        next: &StoredConnection,
    ) -> Result<Saved, StoreUnavailable> {
        let mut places = self.places();
        let place = places.entry(id.to_owned()).or_default();
        if place.fence != fence.0 || place.generation() != Some(replaces) {
            return Ok(Saved::Conflict);
        }
        (place.row, place.open, place.leased_until) = (Some(next.clone()), None, None);
        Ok(Saved::Stored)
    }

    async fn release(&self, id: &str, fence: Fence, intent: IntentFate) -> Result<(), StoreUnavailable> {
        let mut places = self.places();
        if let Some(place) = places.get_mut(id).filter(|place| place.fence == fence.0) {
            place.leased_until = None;
            if intent == IntentFate::NothingHappened {
                place.open = None;
            }
        }
        Ok(())
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreUnavailable> {
        let places = self.places();
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.to_owned()));
        let rows = places.range((from, Bound::Unbounded)).filter_map(|(id, place)| {
            let row = Ok(place.row.clone()?);
            Some(Listed { id: id.clone(), row, refresh_is_open: place.open.is_some() })
        });
        Ok(rows.take(limit).collect())
    }

    async fn remove(&self, id: &str) -> Result<bool, StoreUnavailable> {
        let mut places = self.places();
        let Some(place) = places.get_mut(id) else { return Ok(false) };
        (place.open, place.leased_until) = (None, None);
        place.fence += 1;
        Ok(place.row.take().is_some())
    }
}

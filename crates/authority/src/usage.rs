//! Counts how apps use the endpoints: in memory with each request, in the store once a minute and at the end (`keyfob app report`).
//!
//! What a node counted since the last minute is lost where it is killed; and where a database is lost at the very commit, a minute may be counted
//! twice. Only registered apps are counted, so nobody can fill the memory. A public app is known by its client id alone, so anybody can raise its counts.

use crate::authority::{Authority, Fault};
use crate::model::{AppId, UsageCount, UsageKind, day_of};
use keyfob_protocol::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

type Tallies = HashMap<(AppId, i64, UsageKind), UsageCount>;

#[derive(Default)]
pub(crate) struct Usage {
    tallies: Mutex<Tallies>,
    /// Held while counts are on their way to the store: whoever stops the node waits for those of the last minute.
    writing: tokio::sync::Mutex<()>,
}

impl Usage {
    pub(crate) fn count(&self, app: AppId, kinds: impl IntoIterator<Item = UsageKind>, now: Timestamp) {
        let mut kinds = kinds.into_iter().peekable();
        if kinds.peek().is_none() {
            return;
        }
        let day = day_of(now);
        let counted = kinds.map(|kind| UsageCount { app, day, kind, count: 1, first_at: now, last_at: now });
        self.add(counted);
    }

    fn add(&self, counts: impl IntoIterator<Item = UsageCount>) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        for new in counts {
            tallies
                .entry((new.app, new.day, new.kind))
                .and_modify(|tally| {
                    tally.count += new.count;
                    tally.first_at = tally.first_at.min(new.first_at);
                    tally.last_at = tally.last_at.max(new.last_at);
                })
                .or_insert(new);
        }
    }

    fn take(&self) -> Vec<UsageCount> {
        let taken = std::mem::take(&mut *self.tallies.lock().unwrap_or_else(PoisonError::into_inner));
        let mut counts: Vec<UsageCount> = taken.into_values().collect();
        // Nodes that write at the same moment take the rows in one order.
        counts.sort_by_key(|count| (count.app, count.day, count.kind.name()));
        counts
    }
}

impl Authority {
    /// Writes what was counted since the last time. What could not be written is kept for the next.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn write_usage(&self) -> Result<(), Fault> {
        let _writing = self.usage.writing.lock().await;
        let counts = self.usage.take();
        if counts.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.store.count_usage(counts.clone()).await {
            self.usage.add(counts);
            return Err(error.into());
        }
        Ok(())
    }
}

//! The vault keeps the connections of a partner's users: sealed on disk, refreshed once, alive for years. Callers in any language use them over
//! HTTP and never hold a token.
//!
//! What is at stake: a refresh token is a standing permission to act as a user. Whoever copies the database, a backup or a disk gets nothing
//! without the master key, which is never in it. Whoever has the master key and the database has everything; whoever has a caller's key has what that
//! caller may.

pub mod callers;
mod connecting;
mod connection_id;
pub mod delivery;
pub mod import;
mod scoped;
pub mod service;
pub mod store;
mod vault;

pub use vault::{AppSettings, NoSuchApp, Shown, Vault};

use std::sync::Arc;
use std::time::Duration;

/// Between two rounds of tending.
const TEND_EVERY: Duration = Duration::from_secs(3600);

/// Between two counts of the connections.
const COUNT_EVERY: Duration = Duration::from_secs(30);

/// Between tries to write what the store did not take.
const WRITE_EVERY: Duration = Duration::from_secs(5);
/// Tries between two reminders that something is unwritten.
const REMIND_EVERY: u32 = 12;

/// Looks whether the store takes writes, and writes new tokens that it did not take when they came, as soon as it does; until the process ends.
pub async fn write_unwritten(service: Arc<service::Service>) {
    let mut tries = 0_u32;
    loop {
        service.probe().await;
        let left = service.vault.write_unwritten().await;
        service.counts.unwritten.set(i64::try_from(left).unwrap_or(i64::MAX));
        tries = if left == 0 { 0 } else { tries.wrapping_add(1) };
        if tries > 0 && tries.is_multiple_of(REMIND_EVERY) {
            tracing::error!(
                connections = left,
                "new tokens are still in this process's memory alone; make room before it ends"
            );
        }
        tokio::time::sleep(WRITE_EVERY).await;
    }
}

/// Tends the connections, now and then hourly, until the process ends. Counts them more often: other nodes and imports add to them as well.
pub async fn tend(service: Arc<service::Service>) {
    tokio::join!(tend_hourly(&service), count(&service));
}

async fn count(service: &service::Service) {
    loop {
        service.count_connections().await;
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

async fn tend_hourly(service: &service::Service) {
    loop {
        match service.vault.tend().await {
            Ok(tended) => {
                service.counts.tended.inc_by(tended.refreshed);
                service.counts.tending_failed.inc_by(tended.failed);
                if tended.unreadable > 0 {
                    tracing::error!(
                        rows = tended.unreadable,
                        "rows of connections cannot be read; their users have to connect again"
                    );
                }
            }
            Err(unavailable) => tracing::error!(cause = unavailable.0, "connections could not be tended"),
        }
        tokio::time::sleep(TEND_EVERY).await;
    }
}

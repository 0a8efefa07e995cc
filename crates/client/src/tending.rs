//! Keeping connections alive that nobody uses: a grant dies after 90 days without a refresh.

use crate::connections::Connections;
use crate::refreshing::Reason;
use crate::store::StoreUnavailable;
use aws_lc_rs::digest;
use keyfob_protocol::time::DAY;

/// Seconds without a refresh after which [`Connections::tend`] makes one: a month before a grant dies of idleness.
pub const KEEP_ALIVE: i64 = 60 * DAY;
/// Connections that were made together come back spread over this many seconds, and the earlier for it.
const SPREAD: i64 = 5 * DAY;
/// Rows that are read at once.
const PAGE: usize = 200;

/// What a round of [`Connections::tend`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Connections looked at.
    pub seen: u64,
    /// Refreshed, because they were idle or because a refresh had been left open.
    pub refreshed: u64,
    /// To be refreshed and not refreshed; their state says why, and the next round tries again.
    pub failed: u64,
    /// Rows that the store cannot read. They keep nobody behind them from being tended.
    pub unreadable: u64,
}

impl Connections {
    /// Writes what the store did not take when it came. Walks all connections once and refreshes those that have been idle for
    /// long, and those whose last refresh a crash left open. To be called about hourly; several nodes may do so at once, since a refresh takes the lease.
    ///
    /// # Errors
    /// [`StoreUnavailable`] when the walk itself fails.
    pub async fn tend(&self) -> Result<Tended, StoreUnavailable> {
        // Nobody may be calling: then this is what writes tokens that came while the store was away.
        self.write_unwritten().await;
        let mut tended = Tended::default();
        let mut after: Option<String> = None;
        loop {
            let page = self.shared.store.page(after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(tended) };
            after = Some(last.id.clone());
            for listed in &page {
                tended.seen += 1;
                let Ok(row) = &listed.row else {
                    tended.unreadable += 1;
                    continue;
                };
                let Some(tokens) = row.tokens() else { continue };
                if tokens.refresh_token.is_none() {
                    self.open(&listed.id).held.note_unrenewable(row, false).await;
                    continue;
                }
                let idle = self.shared.outside.clock.now().since(tokens.obtained_at);
                if !listed.refresh_is_open && idle < KEEP_ALIVE - spread(&listed.id) {
                    continue;
                }
                match self.open(&listed.id).refreshed(row.generation, Reason::Asked).await {
                    Ok(_) => tended.refreshed += 1,
                    Err(_) => tended.failed += 1,
                }
            }
        }
    }
}

/// The same for a name at every round, so that each connection has its day.
fn spread(id: &str) -> i64 {
    let digest = digest::digest(&digest::SHA256, id.as_bytes());
    let word = u32::from_be_bytes(digest.as_ref()[..4].try_into().expect("invariant: SHA-256 has 32 bytes"));
    i64::from(word) % SPREAD
}

//! The revocation feed as its readers take it: page by page, each ending in a cursor.
//!
//! A cursor is the number of the last entry and a digest of it. A store that went back (a restore, a failover that lost writes) gives numbers again,
//! to other entries; then the digest differs, and the reader begins anew and misses nothing. So nobody has to notice in time that the store went
//! back, and nothing is kept for it. An entry that was swept ends a cursor in the same way: what is left of the feed then is little.

use crate::authority::{Authority, Fault};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_protocol::revocation::Revocation;

/// Entries in one page.
const PAGE: u32 = 1000;

/// What follows a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPage {
    /// Where it ends; `None`: at the beginning, since there is nothing.
    pub cursor: Option<String>,
    /// Whether it begins at the beginning: the cursor was none, or names nothing in this store.
    pub snapshot: bool,
    /// Whether there was nothing more.
    pub complete: bool,
    /// In the order of the feed.
    pub revocations: Vec<Revocation>,
}

impl Authority {
    /// The page after a cursor, or the first one.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn feed_page(&self, after: Option<&str>) -> Result<FeedPage, Fault> {
        if let Some(after) = after
            && let Some(number) = number_of(after)
        {
            // From the last entry on, to see that it is still the same.
            let mut revocations = self.store.revocations(number - 1, PAGE + 1).await?;
            if revocations.first().is_some_and(|last| cursor_of(last) == after) {
                let complete = revocations.len() <= PAGE as usize;
                revocations.remove(0);
                let cursor = revocations.last().map_or_else(|| after.to_owned(), cursor_of);
                return Ok(FeedPage { cursor: Some(cursor), snapshot: false, complete, revocations });
            }
        }
        let revocations = self.store.revocations(0, PAGE).await?;
        let complete = revocations.len() < PAGE as usize;
        Ok(FeedPage { cursor: revocations.last().map(cursor_of), snapshot: true, complete, revocations })
    }
}

/// Names an entry: its number, and what it says.
fn cursor_of(last: &Revocation) -> String {
    let Revocation { number, kind, id, not_before, until } = last;
    let said = format!("{number} {kind:?} {id} {not_before:?} {until:?}");
    let digest = digest::digest(&digest::SHA256, said.as_bytes());
    format!("{number}-{}", URL_SAFE_NO_PAD.encode(&digest.as_ref()[..9]))
}

fn number_of(cursor: &str) -> Option<i64> {
    let (number, _) = cursor.split_once('-')?;
    number.parse().ok().filter(|number| *number > 0)
}

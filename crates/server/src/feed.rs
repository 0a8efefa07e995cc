//! Where the feed stands, for those who wait for its news.

use keyfob_protocol::Timestamp;
use tokio::sync::{Notify, watch};

/// As far as this node has read the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedHead {
    /// The end of what it has read; `None`: nothing is revoked.
    pub cursor: Option<String>,
    /// When it last knew that it had read all; `None`: never yet.
    pub synced_at: Option<Timestamp>,
}

/// What the follower tells the feed's readers, and what those who revoke here tell the follower.
#[derive(Debug, Default)]
pub struct Feed {
    head: watch::Sender<FeedHead>,
    revoked_here: Notify,
}

impl Feed {
    /// How far this node has read, now and as it moves.
    pub fn head(&self) -> watch::Receiver<FeedHead> {
        self.head.subscribe()
    }

    /// Has read so far.
    pub(crate) fn advance(&self, head: FeedHead) {
        self.head.send_if_modified(|known| {
            let moved = *known != head;
            *known = head;
            moved
        });
    }

    /// Something was revoked by this process: it is time to read.
    pub(crate) fn nudge(&self) {
        self.revoked_here.notify_one();
    }

    /// Until something is revoked by this process.
    pub(crate) async fn nudged(&self) {
        self.revoked_here.notified().await;
    }
}

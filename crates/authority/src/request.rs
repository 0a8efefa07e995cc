//! The request that work is done for: its id stands in the ledger entries that the work writes, and in the answer.
//!
//! It goes along with the task and not through every signature, because no rule may depend on it.

use keyfob_protocol::base62;
use std::future::Future;

tokio::task_local! {
    static REQUEST: Option<[u8; 8]>;
}

/// Does the work for the request with this id, in base62 where it is written. `None`: there was no randomness to name it by.
pub async fn named<W: Future>(id: Option<[u8; 8]>, work: W) -> W::Output {
    REQUEST.scope(id, work).await
}

/// The id of the request that this is done for; `None`: a command, or the node itself.
pub(crate) fn id() -> Option<String> {
    REQUEST.try_with(|id| *id).ok().flatten().map(|bytes| base62::encode(&bytes))
}

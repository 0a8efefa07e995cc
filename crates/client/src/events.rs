//! What a connection's owner wants to hear of: one event on each change of state.

use crate::store::StoreUnavailable;
use crate::stored::{State, Status};
use crate::token_failure::Evidence;
use keyfob_protocol::Timestamp;

/// A connection changed its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The connection's name.
    pub id: String,
    /// The generation that stands now.
    pub generation: u64,
    /// What it was; `None` for a new connection.
    pub from: Option<State>,
    /// What it is.
    pub to: Status,
}

/// Hears of changes, on the node that made them and after they are durable. Must not block.
pub trait EventSink: Send + Sync {
    /// The state changed. Called once for each change, whichever node sees it.
    fn changed(&self, event: &Event);

    /// New tokens came and the store does not take them: they live in this process's memory alone and are written as soon as the
    /// store is back. Somebody should look at the disk before the process ends.
    fn unwritten(&self, id: &str, why: &StoreUnavailable);

    /// What was told as unwritten is in the store now.
    fn written(&self, id: &str);

    /// The authority refuses the app itself (an expired secret, say), so none of its connections can be refreshed; nobody asks again before `until`.
    /// Called once each time the breaker trips, however many connections were refused at that moment. The operator has to act.
    fn app_refused(&self, evidence: &Evidence, until: Timestamp);
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvents;

impl EventSink for NoEvents {
    fn changed(&self, _: &Event) {}

    fn unwritten(&self, _: &str, _: &StoreUnavailable) {}

    fn written(&self, _: &str) {}

    fn app_refused(&self, _: &Evidence, _: Timestamp) {}
}

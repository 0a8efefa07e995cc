//! Whether this node's clock can be believed (matrix OP-01). The clock itself is handed in; so is the judge.

/// Judges the clock of this node.
pub trait ClockHealth: Send + Sync {
    /// What is wrong, in words for the operator; `None` while the clock can be believed.
    fn problem(&self) -> Option<String>;
}

/// A clock that is always believed: for clocks that are moved by hand.
pub struct Believed;

impl ClockHealth for Believed {
    fn problem(&self) -> Option<String> {
        None
    }
}

//! What the contract's writes mean: what stands there of a connection, what is wanted, what comes of it. Plain functions, so that a store
//! that holds the lock of a connection has nothing left to decide.

use keyfob_client::fail_points::reach;
use keyfob_client::{
    Fence, Intent, IntentFate, LeaseAnswer, Leased, Saved, StoreUnavailable, StoredConnection, Timestamp, Trouble,
};

/// A write on one connection.
#[derive(Debug)]
pub(super) enum Change {
    Save { replaces: Option<u64>, next: Box<StoredConnection> },
    Note { generation: u64, trouble: Option<Trouble> },
    TakeLease { now: Timestamp, until: Timestamp },
    Prolong { fence: Fence, until: Timestamp },
    OpenIntent { fence: Fence, intent: Intent },
    Finish { fence: Fence, replaces: u64, next: Box<StoredConnection> },
    Release { fence: Fence, intent: IntentFate },
    Remove,
}

/// What stands there, read under the connection's lock.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Fence 0 was never given to anybody.
    pub(super) lease: Lease,
    pub(super) generation: Option<u64>,
    /// Opened where [`Change::looks_inside`]. An error: it cannot be.
    pub(super) row: Option<Result<StoredConnection, StoreUnavailable>>,
    pub(super) open: Option<Intent>,
}

/// The number of the last lease, and its end if it has not been given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) fence: u64,
    pub(super) until: Option<Timestamp>,
}

/// What is to be written, in one step.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) lease: Lease,
    pub(super) row: RowEffect,
    pub(super) intent: IntentEffect,
}

#[derive(Debug)]
pub(super) enum RowEffect {
    Stays,
    Becomes(Box<StoredConnection>),
    /// With the generation that stood there.
    Goes {
        generation: u64,
    },
}

#[derive(Debug)]
pub(super) enum IntentEffect {
    Stays,
    Opens(Intent),
    Closes,
}

/// What the caller is told.
#[derive(Debug)]
pub(super) enum Answer {
    Saved(Saved),
    Lease(LeaseAnswer),
    Released,
    Removed(bool),
}

impl Answer {
    /// The answer of a write that saves something.
    pub(super) fn saved(self) -> Result<Saved, StoreUnavailable> {
        match self {
            Answer::Saved(saved) => Ok(saved),
            other => Err(other.surprising()),
        }
    }

    /// The answer to the wish for a lease.
    pub(super) fn lease(self) -> Result<LeaseAnswer, StoreUnavailable> {
        match self {
            Answer::Lease(answer) => Ok(answer),
            other => Err(other.surprising()),
        }
    }

    /// The answer of a removal.
    pub(super) fn removed(self) -> Result<bool, StoreUnavailable> {
        match self {
            Answer::Removed(was_there) => Ok(was_there),
            other => Err(other.surprising()),
        }
    }

    /// Cannot be: each change has one kind of answer.
    fn surprising(&self) -> StoreUnavailable {
        let kind = match self {
            Answer::Saved(_) => "a save",
            Answer::Lease(_) => "a lease",
            Answer::Released => "a release",
            Answer::Removed(_) => "a removal",
        };
        StoreUnavailable(format!("a write was answered like {kind}"))
    }
}

/// What is told, and what is written before it is.
pub(super) type Decision = Result<(Answer, Option<Effects>), StoreUnavailable>;

impl Change {
    /// Whether it cannot be decided without the row's inside.
    pub(super) fn looks_inside(&self) -> bool {
        matches!(self, Change::Note { .. } | Change::TakeLease { .. })
    }

    /// Where a crash test ends the process: everything is written and nothing is committed.
    pub(super) fn before_commit(&self) {
        match self {
            Change::Save { .. } => reach("store.before_commit.save"),
            Change::Note { .. } => reach("store.before_commit.note"),
            Change::TakeLease { .. } => reach("store.before_commit.take_lease"),
            Change::Prolong { .. } => reach("store.before_commit.prolong"),
            Change::OpenIntent { .. } => reach("store.before_commit.open_intent"),
            Change::Finish { .. } => reach("store.before_commit.finish"),
            Change::Release { .. } => reach("store.before_commit.release"),
            // No part of a refresh, and done again by whoever asked for it.
            Change::Remove => {}
        }
    }

    /// Whether it may make a row.
    pub(super) fn seals(&self) -> bool {
        matches!(self, Change::Save { .. } | Change::Note { .. } | Change::Finish { .. })
    }

    /// Whether it may be the first to name a connection.
    pub(super) fn begins(&self) -> bool {
        matches!(self, Change::Save { replaces: None, .. } | Change::TakeLease { .. })
    }

    /// The answer of a write that has won.
    fn won(&self, fence: Fence, found: Found) -> Result<Answer, StoreUnavailable> {
        Ok(match self {
            Change::TakeLease { .. } => {
                let row = found.row.transpose()?;
                Answer::Lease(LeaseAnswer::Taken(Box::new(Leased { fence, row, open: found.open })))
            }
            Change::Release { .. } => Answer::Released,
            Change::Remove => Answer::Removed(true),
            _ => Answer::Saved(Saved::Stored),
        })
    }

    /// The answer of a write that has won and whose answer was lost: nobody has written since, so what stands there is its work.
    pub(super) fn again(&self, found: Found) -> Decision {
        let lease = found.lease;
        let effects = Effects { lease, row: RowEffect::Stays, intent: IntentEffect::Stays };
        Ok((self.won(Fence(lease.fence), found)?, Some(effects)))
    }

    /// Decides.
    ///
    /// # Errors
    /// The row had to be looked into and cannot be opened.
    pub(super) fn decide(&self, found: Found) -> Decision {
        let lease = found.lease;
        let is_ours = |fence: Fence| fence.0 == lease.fence && fence.0 > 0;
        let over = Lease { until: None, ..lease };
        let (lease, row, intent) = match self {
            Change::Save { replaces, next } => {
                if found.generation != *replaces {
                    return Ok((Answer::Saved(Saved::Conflict), None));
                }
                (lease, RowEffect::Becomes(next.clone()), IntentEffect::Closes)
            }
            Change::Note { generation, trouble } => {
                let row = found.row.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)?;
                let kind = |trouble: &Option<Trouble>| trouble.as_ref().map(|trouble| trouble.kind);
                let Some(row) = row.filter(|row| row.generation == *generation && kind(&row.trouble) != kind(trouble))
                else {
                    return Ok((Answer::Saved(Saved::Conflict), None));
                };
                let next = StoredConnection { trouble: trouble.clone(), ..row.clone() };
                (lease, RowEffect::Becomes(Box::new(next)), IntentEffect::Stays)
            }
            Change::TakeLease { now, until } => {
                if let Some(held) = lease.until.filter(|held| held > now) {
                    return Ok((Answer::Lease(LeaseAnswer::Held { until: held }), None));
                }
                let taken = Lease { fence: lease.fence + 1, until: Some(*until) };
                (taken, RowEffect::Stays, IntentEffect::Stays)
            }
            Change::Prolong { fence, until } => {
                if !is_ours(*fence) || lease.until.is_none() {
                    return Ok((Answer::Saved(Saved::Conflict), None));
                }
                (Lease { until: Some(*until), ..lease }, RowEffect::Stays, IntentEffect::Stays)
            }
            Change::OpenIntent { fence, intent } => {
                if !is_ours(*fence) || found.generation != Some(intent.generation) {
                    return Ok((Answer::Saved(Saved::Conflict), None));
                }
                (lease, RowEffect::Stays, IntentEffect::Opens(intent.clone()))
            }
            Change::Finish { fence, replaces, next } => {
                if !is_ours(*fence) || found.generation != Some(*replaces) {
                    return Ok((Answer::Saved(Saved::Conflict), None));
                }
                (over, RowEffect::Becomes(next.clone()), IntentEffect::Closes)
            }
            Change::Release { fence, intent } => {
                if !is_ours(*fence) {
                    return Ok((Answer::Released, None));
                }
                let intent = match intent {
                    IntentFate::NothingHappened => IntentEffect::Closes,
                    IntentFate::StaysOpen => IntentEffect::Stays,
                };
                (over, RowEffect::Stays, intent)
            }
            Change::Remove => {
                let gone = Lease { fence: lease.fence + 1, until: None };
                let Some(generation) = found.generation else {
                    let effects = Effects { lease: gone, row: RowEffect::Stays, intent: IntentEffect::Closes };
                    return Ok((Answer::Removed(false), Some(effects)));
                };
                (gone, RowEffect::Goes { generation }, IntentEffect::Closes)
            }
        };
        let answer = self.won(Fence(lease.fence), found)?;
        Ok((answer, Some(Effects { lease, row, intent })))
    }
}

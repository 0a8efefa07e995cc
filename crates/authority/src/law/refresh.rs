//! The two-token rule: what a refresh may do (docs/requirements.md, table R).
//!
//! At any moment two refresh tokens of a rotating grant are good: the current one (g, b) and its parent (g-1, parent_branch). The
//! client is authenticated and the token is genuine before this is asked; the first match answers. A sequential client never loses
//! its grant without theft, and a thief who comes back is found: `tests/refresh_model` searches for counterexamples.

use crate::model::{ActiveGrant, AppPolicy, ReusePolicy};
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::{DAY, HOUR};

/// A refresh token dies when it is unused for this long (seconds).
pub const IDLE_LIFETIME: i64 = 90 * DAY;
/// A fixed token's use is written only when the recorded one is this old (seconds).
pub const TOUCH_EVERY: i64 = HOUR;
/// How often a public client may heal within one generation, before the parent counts as reuse.
const PUBLIC_HEALS: u32 = 8;

/// The generation and branch that a genuine refresh token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PresentedPosition {
    /// `n`
    pub generation: u32,
    /// `m`
    pub branch: u32,
}

/// What the rule says. The token to return is the current one of the row as it stands after the ruling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshRuling {
    /// Unused for 90 days. Nothing is written, for a wrong clock must not kill for good.
    Expired,
    /// The row's current token is the answer; nothing is written.
    Same,
    /// The row becomes this, and its current token is the answer.
    Become {
        /// The row afterwards.
        next: ActiveGrant,
        /// What is worth a ledger entry, once a generation.
        note: Option<RefreshNote>,
    },
    /// Refused; nothing ends.
    Refused,
    /// Refused, and the grant ends.
    EndGrant,
}

/// What happened beside an ordinary refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshNote {
    /// The reply was lost; the unused successor was dropped.
    Healed,
    /// An old token of a confidential client was used; the current token was dropped.
    Contested,
    /// The store had lost writes; the row caught up.
    StoreBehind,
}

/// What the rule needs to know of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshTerms {
    /// Whether a refresh gives a successor.
    pub rotates: bool,
    /// Whether the client is public: authenticated by nothing.
    pub public: bool,
    /// Seconds after a rotation in which the parent gets the same successor.
    pub replay_window: i64,
    /// What reuse does to a confidential client.
    pub reuse: ReusePolicy,
}

impl From<&AppPolicy> for RefreshTerms {
    fn from(policy: &AppPolicy) -> Self {
        RefreshTerms {
            rotates: policy.rotates(),
            public: policy.public,
            replay_window: policy.replay_window,
            reuse: policy.reuse,
        }
    }
}

/// The rule. First match answers.
pub fn rule(now: Timestamp, terms: RefreshTerms, row: &ActiveGrant, presented: PresentedPosition) -> RefreshRuling {
    let PresentedPosition { generation: n, branch: m } = presented;
    let (g, b) = (row.generation, row.branch);
    let in_window = now < row.rotated_at.plus(terms.replay_window);

    if now >= row.last_used_at.plus(IDLE_LIFETIME) {
        return RefreshRuling::Expired;
    }
    if (n, m) == (g, b) {
        return use_current(now, terms, row, None);
    }
    if (n.checked_add(1), m) == (Some(g), row.parent_branch) {
        if in_window {
            return RefreshRuling::Same;
        }
        // The successor was never used, or the row would have moved on. Branches beyond the parent's count the heals.
        if !terms.public || b.saturating_sub(row.parent_branch) < PUBLIC_HEALS {
            let next = ActiveGrant { branch: b + 1, rotated_at: now, last_used_at: now, ..forgetting(now, row) };
            return RefreshRuling::Become { next, note: Some(RefreshNote::Healed) };
        }
    }
    if (n > g && m >= b) || (n == g && m > b) {
        let caught_up = ActiveGrant { generation: n, branch: m, parent_branch: m, rotated_at: now, ..row.clone() };
        return use_current(now, terms, &caught_up, Some(RefreshNote::StoreBehind));
    }
    if in_window {
        return RefreshRuling::Refused;
    }
    match (terms.public, terms.reuse) {
        (true, _) | (false, ReusePolicy::End) => RefreshRuling::EndGrant,
        (false, ReusePolicy::Refuse) => RefreshRuling::Refused,
        (false, ReusePolicy::Heal) => {
            let next = ActiveGrant { branch: b + 1, rotated_at: now, last_used_at: now, ..forgetting(now, row) };
            RefreshRuling::Become { next, note: Some(RefreshNote::Contested) }
        }
    }
}

/// The current token was presented: a rotating grant gets a successor, a fixed one keeps its token.
fn use_current(now: Timestamp, terms: RefreshTerms, row: &ActiveGrant, note: Option<RefreshNote>) -> RefreshRuling {
    if terms.rotates {
        let next = ActiveGrant {
            generation: row.generation + 1,
            parent_branch: row.branch,
            rotated_at: now,
            last_used_at: now,
            ..forgetting(now, row)
        };
        return RefreshRuling::Become { next, note };
    }
    if note.is_none() && now < row.last_used_at.plus(TOUCH_EVERY) {
        return RefreshRuling::Same;
    }
    RefreshRuling::Become { next: ActiveGrant { last_used_at: now, ..forgetting(now, row) }, note }
}

/// The row without what it remembers of a code whose lifetime is over.
fn forgetting(now: Timestamp, row: &ActiveGrant) -> ActiveGrant {
    let mut row = row.clone();
    row.code = row.code.filter(|code| now < code.expires_at);
    row
}

/// The position from which a row that still waits for its code catches up, when a genuine refresh token proves that the store lost
/// the redemption.
pub fn caught_up_from_approved(now: Timestamp) -> ActiveGrant {
    ActiveGrant { generation: 0, branch: 0, parent_branch: 0, rotated_at: now, last_used_at: now, code: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp(1_700_000_000);

    fn row() -> ActiveGrant {
        ActiveGrant { generation: 5, branch: 2, parent_branch: 2, rotated_at: T0, last_used_at: T0, code: None }
    }

    fn rotating(public: bool, reuse: ReusePolicy) -> RefreshTerms {
        RefreshTerms { rotates: true, public, replay_window: 45, reuse }
    }

    fn at(seconds: i64, terms: RefreshTerms, generation: u32, branch: u32) -> RefreshRuling {
        rule(T0.plus(seconds), terms, &row(), PresentedPosition { generation, branch })
    }

    fn becomes(ruling: RefreshRuling) -> (u32, u32, u32, Option<RefreshNote>) {
        match ruling {
            RefreshRuling::Become { next, note } => (next.generation, next.branch, next.parent_branch, note),
            other => panic!("expected a write, got {other:?}"),
        }
    }

    #[test]
    fn rf_02_a_token_dies_at_90_days_to_the_second() {
        let terms = rotating(false, ReusePolicy::Heal);
        assert!(matches!(at(90 * DAY - 1, terms, 5, 2), RefreshRuling::Become { .. }));
        assert_eq!(at(90 * DAY, terms, 5, 2), RefreshRuling::Expired);
        assert_eq!(at(90 * DAY, terms, 1, 0), RefreshRuling::Expired);
    }

    #[test]
    fn rf_05_the_current_token_gets_a_successor_and_becomes_the_parent() {
        assert_eq!(becomes(at(10, rotating(true, ReusePolicy::Heal), 5, 2)), (6, 2, 2, None));
    }

    #[test]
    fn rf_07_the_parent_gets_the_same_successor_in_the_window_and_a_new_one_later() {
        for public in [false, true] {
            let terms = rotating(public, ReusePolicy::Heal);
            assert_eq!(at(44, terms, 4, 2), RefreshRuling::Same);
            assert_eq!(becomes(at(45, terms, 4, 2)), (5, 3, 2, Some(RefreshNote::Healed)));
        }
    }

    #[test]
    fn rf_07_a_public_client_heals_at_most_eight_times_a_generation() {
        let terms = rotating(true, ReusePolicy::Heal);
        let parent = PresentedPosition { generation: 4, branch: 2 };
        let mut row = row();
        let mut now = T0;
        for _ in 0..8 {
            now = now.plus(60);
            match rule(now, terms, &row, parent) {
                RefreshRuling::Become { next, .. } => row = next,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(rule(now.plus(60), terms, &row, parent), RefreshRuling::EndGrant);
        let confidential = rotating(false, ReusePolicy::Heal);
        assert!(matches!(rule(now.plus(60), confidential, &row, parent), RefreshRuling::Become { .. }));
    }

    #[test]
    fn op_02_a_token_ahead_of_the_row_makes_the_row_catch_up() {
        let terms = rotating(true, ReusePolicy::Heal);
        assert_eq!(becomes(at(100, terms, 9, 2)), (10, 2, 2, Some(RefreshNote::StoreBehind)));
        assert_eq!(becomes(at(100, terms, 5, 3)), (6, 3, 3, Some(RefreshNote::StoreBehind)));
        assert_eq!(at(100, terms, 9, 1), RefreshRuling::EndGrant, "a dropped branch is not ahead");
    }

    #[test]
    fn rf_06_reuse_outside_the_window_follows_the_policy() {
        for (n, m) in [(3, 2), (1, 0), (5, 1)] {
            assert_eq!(at(44, rotating(true, ReusePolicy::Heal), n, m), RefreshRuling::Refused, "a late twin");
            assert_eq!(at(45, rotating(true, ReusePolicy::Refuse), n, m), RefreshRuling::EndGrant);
            assert_eq!(at(45, rotating(false, ReusePolicy::End), n, m), RefreshRuling::EndGrant);
            assert_eq!(at(45, rotating(false, ReusePolicy::Refuse), n, m), RefreshRuling::Refused);
            let healed = becomes(at(45, rotating(false, ReusePolicy::Heal), n, m));
            assert_eq!(healed, (5, 3, 2, Some(RefreshNote::Contested)));
        }
    }

    #[test]
    fn rf_04_a_fixed_token_stays_and_its_use_is_written_once_an_hour() {
        let terms = RefreshTerms { rotates: false, public: false, replay_window: 45, reuse: ReusePolicy::Heal };
        assert_eq!(at(HOUR - 1, terms, 5, 2), RefreshRuling::Same);
        match at(HOUR, terms, 5, 2) {
            RefreshRuling::Become { next, note: None } => {
                assert_eq!((next.generation, next.branch, next.last_used_at), (5, 2, T0.plus(HOUR)));
            }
            other => panic!("{other:?}"),
        }
    }
}

//! The check can fail: each mutant breaks one line of the rule, and both the search and the comparison with the reference notice.

use super::honest::{LockedClient, Storage, StoreGoes};
use super::nodes::{Sharing, TwoNodes};
use super::random::difference;
use super::row::Row;
use super::search::search;
use super::thief::{Robbed, theft};
use super::{Rule, WINDOW, public};
use keyfob_authority::law::refresh::{PresentedPosition, RefreshRuling, RefreshTerms, rule};
use keyfob_authority::model::ActiveGrant;
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::DAY;

fn is_parent(row: &ActiveGrant, presented: PresentedPosition) -> bool {
    (presented.generation + 1, presented.branch) == (row.generation, row.parent_branch)
}

fn is_ahead(row: &ActiveGrant, presented: PresentedPosition) -> bool {
    presented.generation > row.generation || (presented.generation == row.generation && presented.branch > row.branch)
}

/// What the rule says, with the row changed that it writes.
fn writing(ruling: RefreshRuling, change: impl FnOnce(&mut ActiveGrant)) -> RefreshRuling {
    match ruling {
        RefreshRuling::Become { mut next, note } => {
            change(&mut next);
            RefreshRuling::Become { next, note }
        }
        other => other,
    }
}

/// Writes one mutant: the arguments of the rule, and what it says instead.
macro_rules! mutant {
    ($(#[$doc:meta])* $name:ident, |$now:ident, $terms:ident, $row:ident, $presented:ident| $body:expr) => {
        $(#[$doc])*
        fn $name(
            $now: Timestamp,
            $terms: RefreshTerms,
            $row: &ActiveGrant,
            $presented: PresentedPosition,
        ) -> RefreshRuling {
            $body
        }
    };
}

mutant!(
    /// A retry within the window drops the successor that was just made.
    the_parents_window_is_ignored, |now, terms, row, presented| {
        let replay_window = if is_parent(row, presented) { 0 } else { terms.replay_window };
        rule(now, RefreshTerms { replay_window, ..terms }, row, presented)
    }
);
mutant!(
    /// A lost reply is reuse once the window is over.
    the_parent_is_reuse_after_the_window, |now, terms, row, presented| {
        match rule(now, terms, row, presented) {
            RefreshRuling::Become { .. } if is_parent(row, presented) => RefreshRuling::EndGrant,
            other => other,
        }
    }
);
mutant!(
    /// The successor does not inherit the branch.
    the_successors_branch_is_reset, |now, terms, row, presented| {
        // The rule relies on branch >= parent_branch, which this mutant breaks: the parent is looked up beforehand.
        let recorded = row.parent_branch;
        let (row, presented) = match is_parent(row, presented) {
            true => (
                &ActiveGrant { parent_branch: row.branch, ..row.clone() },
                PresentedPosition { branch: row.branch, ..presented },
            ),
            false => (&ActiveGrant { parent_branch: recorded.min(row.branch), ..row.clone() }, presented),
        };
        writing(rule(now, terms, row, presented), |next| {
            if next.generation > row.generation {
                next.branch = 0;
            } else {
                next.parent_branch = recorded;
            }
        })
    }
);
mutant!(
    /// The row forgets on which branch its parent was.
    the_parents_branch_is_not_recorded, |now, terms, row, presented| {
        writing(rule(now, terms, row, presented), |next| next.parent_branch = row.parent_branch)
    }
);
mutant!(
    /// A token that the store has lost is reuse.
    ahead_is_reuse, |now, terms, row, presented| {
        match rule(now, terms, row, presented) {
            RefreshRuling::Become { .. } if is_ahead(row, presented) => RefreshRuling::EndGrant,
            other => other,
        }
    }
);
mutant!(
    /// A healed token that the store has lost is reuse.
    ahead_looks_at_the_generation_only, |now, terms, row, presented| {
        match rule(now, terms, row, presented) {
            RefreshRuling::Become { .. } if is_ahead(row, presented) && presented.generation == row.generation => {
                RefreshRuling::EndGrant
            }
            other => other,
        }
    }
);
mutant!(
    /// Healing hands out the unused successor again, which a thief may have.
    healing_drops_nothing, |now, terms, row, presented| {
        writing(rule(now, terms, row, presented), |next| {
            if is_parent(row, presented) {
                next.branch = row.branch;
            }
        })
    }
);
mutant!(
    /// Nodes that meet after a heal drop each other's token.
    healing_opens_no_window, |now, terms, row, presented| {
        writing(rule(now, terms, row, presented), |next| {
            if is_parent(row, presented) {
                next.rotated_at = row.rotated_at;
            }
        })
    }
);
mutant!(
    /// A dropped sibling of the parent passes for the parent.
    any_branch_is_the_parent, |now, terms, row, presented| {
        let sibling = presented.generation + 1 == row.generation;
        let branch = if sibling { row.parent_branch } else { presented.branch };
        rule(now, terms, row, PresentedPosition { branch, ..presented })
    }
);
mutant!(
    /// A thief may try for ever.
    reuse_is_only_refused, |now, terms, row, presented| {
        match rule(now, terms, row, presented) {
            RefreshRuling::EndGrant => RefreshRuling::Refused,
            other => other,
        }
    }
);
mutant!(
    /// The late twin of two quick refreshes ends the grant.
    a_late_twin_is_reuse, |now, terms, row, presented| {
        match rule(now, terms, row, presented) {
            RefreshRuling::Refused => RefreshRuling::EndGrant,
            other => other,
        }
    }
);
mutant!(
    /// Ninety days are one day short.
    idle_a_day_early, |now, terms, row, presented| {
        match rule(now.plus(DAY), terms, row, presented) {
            RefreshRuling::Expired => RefreshRuling::Expired,
            _ => rule(now, terms, row, presented),
        }
    }
);

/// Which search notices, by its shortest counterexample.
fn noticed_by(rule: Rule) -> Vec<&'static str> {
    let terms = public(WINDOW);
    let storage = |store| Storage { rule, terms, store };
    let sharing = |lag| Sharing { rule, terms, lag, within_window: true };
    let robbed = theft(rule, terms);
    let with_backup = LockedClient::with_backup(Row::APPROVED);
    let searches = [
        ("locked client", search(&storage(StoreGoes::Nowhere), LockedClient::new(), 5)),
        ("store goes back", search(&storage(StoreGoes::Back), with_backup, 5)),
        ("two nodes", search(&sharing(0), TwoNodes::new(), 17)),
        ("lagging node", search(&sharing(1), TwoNodes::new(), 17)),
        ("thief", search(&robbed, Robbed::new(), 6)),
    ];
    searches.into_iter().filter(|(_, searched)| searched.counterexample.is_some()).map(|(name, _)| name).collect()
}

#[test]
fn rf_05_the_searches_and_the_reference_notice_every_broken_line_of_the_rule() {
    let mutants: [(&str, Rule, &str); 12] = [
        ("the_parents_window_is_ignored", the_parents_window_is_ignored, "two nodes"),
        ("the_parent_is_reuse_after_the_window", the_parent_is_reuse_after_the_window, "locked client"),
        ("the_successors_branch_is_reset", the_successors_branch_is_reset, "store goes back"),
        ("the_parents_branch_is_not_recorded", the_parents_branch_is_not_recorded, "locked client"),
        ("ahead_is_reuse", ahead_is_reuse, "store goes back"),
        ("ahead_looks_at_the_generation_only", ahead_looks_at_the_generation_only, "store goes back"),
        ("healing_drops_nothing", healing_drops_nothing, "thief"),
        ("healing_opens_no_window", healing_opens_no_window, "two nodes"),
        ("any_branch_is_the_parent", any_branch_is_the_parent, "thief"),
        ("reuse_is_only_refused", reuse_is_only_refused, "thief"),
        ("a_late_twin_is_reuse", a_late_twin_is_reuse, "lagging node"),
        ("idle_a_day_early", idle_a_day_early, "locked client"),
    ];
    assert_eq!(noticed_by(rule), [""; 0], "the rule itself");
    for (name, mutant, by) in mutants {
        let noticed = noticed_by(mutant);
        println!("{name}: {noticed:?}");
        assert!(noticed.contains(&by), "{name} should be noticed by {by}, was by {noticed:?}");
        assert!(difference(mutant, 4_000, 0).is_some(), "the reference agrees with {name}");
    }
}

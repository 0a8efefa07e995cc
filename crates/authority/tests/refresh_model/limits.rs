//! What the rule does not do. Each limit is a counterexample that is expected, and named in docs/threats.md: a test that fails here says
//! that the limit is gone, or has moved.

use super::honest::{LockedClient, Storage, StoreGoes};
use super::nodes::{Sharing, TwoNodes};
use super::row::{Row, Ruled, Wait};
use super::search::search;
use super::thief::{Robbed, Theft, theft};
use super::{Token, WINDOW, confidential, public};
use keyfob_authority::law::refresh::{PresentedPosition, RefreshNote, RefreshRuling, RefreshTerms, rule};
use keyfob_authority::model::{ActiveGrant, ReusePolicy};
use keyfob_protocol::Timestamp;
use keyfob_protocol::time::DAY;

/// One grant at whatever time, played by hand.
struct Played {
    terms: RefreshTerms,
    row: Row,
    notes: Vec<RefreshNote>,
}

impl Played {
    fn new(terms: RefreshTerms) -> Played {
        Played { terms, row: Row::FIRST, notes: vec![] }
    }

    fn present(&mut self, after: i64, token: Token) -> Option<Token> {
        self.row = self.row.later(after, self.terms);
        match self.row.present(rule, self.terms, token) {
            Ruled::Same => Some(self.row.current()),
            Ruled::Become(row, note) => {
                self.row = row;
                self.notes.extend(note);
                Some(row.current())
            }
            Ruled::Refused | Ruled::Expired | Ruled::Ended => None,
        }
    }
}

#[test]
fn rf_05_limit_a_thief_who_refreshes_in_the_clients_window_every_time_is_never_found() {
    let law = Theft { meetings_excuse: false, ..theft(rule, public(WINDOW)) };
    let path = search(&law, Robbed::new(), 5).breaks("a thief who meets the client");
    println!("{path:#?}");

    for terms in [public(WINDOW), confidential(ReusePolicy::End, WINDOW)] {
        let mut grant = Played::new(terms);
        let (mut client, mut thief) = ((1, 0), (1, 0));
        for _ in 0..1_000 {
            client = grant.present(3_000, client).expect("the client notices nothing");
            thief = grant.present(WINDOW - 1, thief).expect("the thief is served too");
            assert_eq!(client, thief);
        }
        assert_eq!(grant.notes, [], "and nothing is written down");
        // Once late, by a second, and it is over one client period later.
        client = grant.present(3_000, client).expect("served");
        thief = grant.present(WINDOW, thief).expect("served, and the client's token is dropped");
        assert_ne!(client, thief);
        assert_eq!(grant.present(3_000, client), None, "found");
    }
}

#[test]
fn rf_07_limit_the_ninth_heal_in_one_generation_ends_a_public_clients_grant() {
    for (terms, survives) in [(public(WINDOW), false), (confidential(ReusePolicy::End, WINDOW), true)] {
        let mut grant = Played::new(terms);
        for lost in 0..=8 {
            assert!(grant.present(WINDOW, (1, 0)).is_some(), "lost reply {lost}: the first, and eight heals");
        }
        assert!(grant.present(WINDOW - 1, (1, 0)).is_some(), "a retry within the window is no heal");
        assert_eq!(grant.present(1, (1, 0)).is_some(), survives);
    }
}

#[test]
fn rf_08_limit_an_unlocked_node_two_rotations_behind_or_storing_after_the_window_loses_the_grant() {
    let terms = public(WINDOW);
    let law = Sharing { rule, terms, lag: 2, within_window: true };
    search(&law, TwoNodes::new(), 21).breaks("two rotations behind");
    let law = Sharing { rule, terms, lag: 0, within_window: false };
    search(&law, TwoNodes::new(), 17).breaks("answers stored after the window");
}

#[test]
fn op_02_limit_a_store_that_returns_to_an_abandoned_life_may_end_a_public_clients_grant() {
    let law = Storage { rule, terms: public(WINDOW), store: StoreGoes::Anywhere };
    let path = search(&law, LockedClient::new(), 6).breaks("the wrong backup first, then the right one");
    println!("{path:#?}");
}

#[test]
fn op_02_limit_a_restore_takes_the_uses_that_it_lost_off_the_ninety_days() {
    let day = |days: i64| Timestamp(1_700_000_000 + days * DAY);
    let backup = ActiveGrant {
        generation: 1,
        branch: 0,
        parent_branch: 0,
        rotated_at: day(0),
        last_used_at: day(0),
        code: None,
    };
    let first = PresentedPosition { generation: 1, branch: 0 };
    let second = PresentedPosition { generation: 2, branch: 0 };
    for terms in [public(WINDOW), confidential(ReusePolicy::Heal, WINDOW)] {
        // The client refreshes on day 50; then the backup of day 0 comes back.
        assert!(matches!(rule(day(50), terms, &backup, first), RefreshRuling::Become { .. }));
        assert!(matches!(rule(day(89), terms, &backup, second), RefreshRuling::Become { .. }));
        assert_eq!(rule(day(90), terms, &backup, second), RefreshRuling::Expired, "40 days after its last use");
    }
}

#[test]
fn rf_02_limit_a_replay_in_the_window_does_not_restart_the_ninety_days() {
    let used = Timestamp(1_700_000_000);
    let row =
        ActiveGrant { generation: 2, branch: 0, parent_branch: 0, rotated_at: used, last_used_at: used, code: None };
    let parent = PresentedPosition { generation: 1, branch: 0 };
    let current = PresentedPosition { generation: 2, branch: 0 };
    let replayed = used.plus(599);
    assert_eq!(rule(replayed, public(600), &row, parent), RefreshRuling::Same);
    assert_eq!(rule(replayed.plus(90 * DAY - 599), public(600), &row, current), RefreshRuling::Expired);
}

#[test]
fn rf_06_limit_under_heal_a_thief_with_the_secret_and_the_client_take_turns_and_every_turn_is_noted() {
    let mut grant = Played::new(confidential(ReusePolicy::Heal, WINDOW));
    let mut thief = grant.present(WINDOW, (1, 0)).expect("the thief was first");
    let mut client = grant.present(WINDOW, (1, 0)).expect("looks like a lost reply");
    for _ in 0..100 {
        // Each presents what the other's request dropped.
        thief = grant.present(WINDOW, thief).expect("served");
        client = grant.present(WINDOW, client).expect("served");
    }
    assert_eq!(grant.notes[0], RefreshNote::Healed);
    assert!(
        grant.notes[1..].iter().all(|note| *note == RefreshNote::Contested) && grant.notes.len() > 100,
        "{:?}",
        grant.notes
    );
    assert_eq!(grant.row.after(Wait::AtOnce, grant.terms).map(|row| row.generation), Some(2));
}

#[test]
fn op_02_limit_a_restore_may_hand_the_client_a_token_that_the_thief_knows_from_the_lost_life() {
    let mut grant = Played::new(public(WINDOW));
    let backup = grant.row;
    // Two replies are lost; the thief, who copied the first token, fetches the second successor within the window.
    grant.present(0, (1, 0));
    grant.present(WINDOW, (1, 0));
    assert_eq!(grant.present(0, (1, 0)), Some((2, 1)));
    grant.row = backup;
    // The store went back. The thief uses the first token; the client heals, into the very token that the thief has.
    assert_eq!(grant.present(0, (1, 0)), Some((2, 0)));
    assert_eq!(grant.present(WINDOW, (1, 0)), Some((2, 1)));
    assert_eq!(grant.present(0, (2, 1)), Some((3, 1)), "the thief should be shut out now, and is not");
    // It is found all the same, a period later, unless it stays in the client's window.
    assert_eq!(grant.present(WINDOW, (2, 1)), Some((3, 2)));
    assert_eq!(grant.present(WINDOW, (3, 1)), None);
}

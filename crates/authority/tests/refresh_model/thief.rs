//! Property (b): a thief who returns is found, at most one client period later than under strict rotation.
//!
//! Once in a grant's life, at any moment, a thief copies the newest token of the client or catches a reply that the client never gets.
//! From then on it presents whatever it knows, whenever it likes. The client is honest: its newest token, lost replies, any delay.
//!
//! A *returning use* is a request of the thief that changes the row. A *meeting* is a request by which both come to know one token: either
//! is answered, in the window, with the successor that the other has made; or the client is answered with a token that the thief knows
//! from a life that the store has lost, for a successor has the same text in every life. After a meeting, what was used before proves
//! nothing any more. The property: after a returning use, and unless they meet, the client's next request after the first answer that it
//! receives leaves this: the client is refused; or the grant has ended; or the thief is shut out, and whatever it presents a window later
//! ends the grant. Strict rotation (a token works once, or the grant ends) finds the thief at the client's next request, which is one
//! period earlier, and loses the grant of every client whose reply was lost.
//!
//! Public clients, and confidential ones with `reuse = end`. Under `heal` nothing is ever refused to who authenticates: see `limits`.

use super::honest::{LockedClient, Reply, Storage, StoreGoes};
use super::row::{Row, Ruled, Wait};
use super::search::{Next, World, search};
use super::{Rule, Token, WINDOW, confidential, depth, public};
use keyfob_authority::law::refresh::{PresentedPosition, RefreshRuling, RefreshTerms, rule};
use keyfob_authority::model::{ActiveGrant, ReusePolicy};
use keyfob_protocol::Timestamp;
use std::collections::BTreeSet;

/// Under what client and thief meet.
pub(super) struct Theft {
    pub(super) rule: Rule,
    pub(super) terms: RefreshTerms,
    /// How many answers the client may receive after a returning use, before the request that must find it.
    pub(super) periods: u8,
    /// Whether a meeting wipes out what was used before.
    pub(super) meetings_excuse: bool,
    /// Whether the store may go back, until the returning use.
    pub(super) store_goes_back: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Party {
    Client,
    Thief,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Robbed {
    row: Row,
    past: Vec<Row>,
    newest: Token,
    /// What the thief knows; empty before the theft.
    known: BTreeSet<Token>,
    /// Who made the current token.
    maker: Party,
    /// After a returning use: the answers that the client has received since.
    received_since: Option<u8>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "read in the Debug text of a counterexample")]
pub(super) enum Deed {
    Client { after: Wait, token: Token, reply: Reply },
    ThiefCopies { token: Token },
    ThiefCatchesTheReply { after: Wait, token: Token },
    Thief { after: Wait, token: Token },
    StoreGoesBackTo { generation: u32, branch: u32 },
}

impl Robbed {
    pub(super) fn new() -> Robbed {
        Robbed {
            row: Row::FIRST,
            past: vec![],
            newest: (1, 0),
            known: BTreeSet::new(),
            maker: Party::Client,
            received_since: None,
        }
    }

    fn later(&self, after: Wait, law: &Theft) -> Option<Robbed> {
        let past = self.past.iter().map(|row| row.after(after, law.terms)).collect::<Option<Vec<Row>>>()?;
        Some(Robbed { row: self.row.after(after, law.terms)?, past, ..self.clone() })
    }

    /// The state after an answered request; none if it was refused or ended the grant, so that the other is found.
    fn answered(&self, who: Party, token: Token, law: &Theft) -> Option<(Robbed, bool)> {
        let mut next = self.clone();
        match self.row.present(law.rule, law.terms, token) {
            Ruled::Same => {
                if law.meetings_excuse && self.maker != who {
                    next.received_since = None;
                }
                Some((next, false))
            }
            Ruled::Become(row, _) => {
                if law.store_goes_back && self.received_since.is_none() && !next.past.contains(&self.row) {
                    next.past.push(self.row);
                }
                next.row = row;
                next.maker = who;
                Some((next, true))
            }
            Ruled::Refused | Ruled::Ended | Ruled::Expired => None,
        }
    }

    /// Whatever the thief presents a window later ends the grant.
    fn thief_is_shut_out(&self, law: &Theft) -> bool {
        let later = self.row.later(law.terms.replay_window, law.terms);
        self.known.iter().all(|&token| later.present(law.rule, law.terms, token) == Ruled::Ended)
    }

    fn client_steps(&self, after: Wait, law: &Theft, steps: &mut Vec<(Deed, Next<Self>)>) {
        let token = self.newest;
        // A refused client or an ended grant: found, and nothing follows.
        let Some((mut next, _)) = self.answered(Party::Client, token, law) else { return };
        if law.meetings_excuse && next.known.contains(&next.row.current()) {
            next.received_since = None;
        }
        let due = next.received_since.is_some_and(|received| received >= law.periods);
        if due && !next.thief_is_shut_out(law) {
            let what = format!("not found: the row is {:?}, the thief knows {:?}", next.row, next.known);
            steps.push((Deed::Client { after, token, reply: Reply::Received }, Next::Violation(what)));
            return;
        }
        if due {
            // Shut out: nothing that the thief can still do leads back to a live token.
            return;
        }
        let answer = next.row.current();
        if self.known.is_empty() {
            let caught = Robbed { known: BTreeSet::from([answer]), ..next.clone() };
            steps.push((Deed::ThiefCatchesTheReply { after, token }, Next::State(caught)));
        }
        steps.push((Deed::Client { after, token, reply: Reply::Lost }, Next::State(next.clone())));
        let received_since = next.received_since.map(|received| received + 1);
        let received = Robbed { newest: answer, received_since, ..next };
        steps.push((Deed::Client { after, token, reply: Reply::Received }, Next::State(received)));
    }

    fn thief_steps(&self, after: Wait, law: &Theft, steps: &mut Vec<(Deed, Next<Self>)>) {
        for &token in &self.known {
            let next = match self.answered(Party::Thief, token, law) {
                Some((mut next, wrote)) => {
                    next.known.insert(next.row.current());
                    if wrote && next.received_since.is_none() {
                        next.received_since = Some(0);
                        next.past = vec![];
                    }
                    next
                }
                None if self.row.in_window(law.terms) => self.clone(),
                None => continue,
            };
            steps.push((Deed::Thief { after, token }, Next::State(next)));
        }
    }
}

impl World for Robbed {
    type Law = Theft;
    type Step = Deed;

    fn steps(&self, law: &Theft) -> Vec<(Deed, Next<Self>)> {
        let mut steps = Vec::new();
        if self.known.is_empty() {
            let copied = Robbed { known: BTreeSet::from([self.newest]), ..self.clone() };
            steps.push((Deed::ThiefCopies { token: self.newest }, Next::State(copied)));
        }
        for (index, &row) in self.past.iter().enumerate() {
            let back = Robbed { row, past: self.past[..index].to_vec(), maker: Party::Client, ..self.clone() };
            let step = Deed::StoreGoesBackTo { generation: row.generation, branch: row.branch };
            steps.push((step, Next::State(back)));
        }
        for after in Wait::ALL {
            if let Some(later) = self.later(after, law) {
                later.client_steps(after, law, &mut steps);
                later.thief_steps(after, law, &mut steps);
            }
        }
        steps
    }
}

pub(super) fn theft(rule: Rule, terms: RefreshTerms) -> Theft {
    Theft { rule, terms, periods: 1, meetings_excuse: true, store_goes_back: false }
}

/// A token works once, or the grant ends: what RFC 9700 section 4.14.2 describes.
fn strict(now: Timestamp, _: RefreshTerms, row: &ActiveGrant, presented: PresentedPosition) -> RefreshRuling {
    if (presented.generation, presented.branch) != (row.generation, row.branch) {
        return RefreshRuling::EndGrant;
    }
    let next = ActiveGrant { generation: row.generation + 1, rotated_at: now, last_used_at: now, ..row.clone() };
    RefreshRuling::Become { next, note: None }
}

#[test]
fn rf_05_a_returning_thief_is_found_one_client_period_after_strict_rotation_at_the_latest() {
    for terms in [public(WINDOW), public(0), confidential(ReusePolicy::End, WINDOW)] {
        search(&theft(rule, terms), Robbed::new(), depth(8, 10)).holds(&format!("a thief, {terms:?}"));
    }
}

#[test]
fn op_02_a_returning_thief_is_found_although_the_store_went_back_before() {
    let law = Theft { store_goes_back: true, ..theft(rule, public(WINDOW)) };
    search(&law, Robbed::new(), depth(6, 8)).holds("a thief, the store goes back");
}

#[test]
fn rf_05_the_one_period_is_the_price_strict_rotation_finds_the_thief_earlier_and_loses_the_client() {
    let law = Theft { periods: 0, ..theft(strict, public(0)) };
    search(&law, Robbed::new(), depth(6, 8)).holds("a thief, strict rotation");
    let law = Theft { periods: 0, ..theft(rule, public(WINDOW)) };
    search(&law, Robbed::new(), 7).breaks("found at the client's very next request");
    let law = Storage { rule: strict, terms: public(0), store: StoreGoes::Nowhere };
    let lost = search(&law, LockedClient::new(), 3).breaks("a lost reply under strict rotation");
    assert_eq!(lost.len(), 3, "a lost reply, a retry, what happened: {lost:#?}");
}

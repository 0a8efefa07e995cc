//! Property (a): without theft nobody loses a grant.
//!
//! A sequential or locked client presents the newest token that it received. A lost reply, or a crash before the reply was stored, leaves
//! it with the token it had. Between requests the store may go back, any number of times, to any row of its present line of life, the
//! approved one included. The client is never refused, whenever it comes within 90 days of the last use that the store remembers; a
//! public client up to eight heals a generation (`limits` shows the ninth, and what a restore does to the 90 days).
//!
//! A confidential client with `reuse = heal` may even present any token it ever had, whatever the store went back to: a window after the
//! last write it is served.

use super::row::{Row, Ruled, Wait};
use super::search::{Next, World, search};
use super::{Rule, Token, WINDOW, confidential, depth, fixed, public};
use keyfob_authority::law::refresh::{RefreshTerms, rule};
use keyfob_authority::model::ReusePolicy;
use std::collections::BTreeSet;

/// What a public client survives: its first request in a generation and seven heals go unanswered, the eighth heal arrives.
const LOST_IN_A_ROW: u8 = 8;

/// Under what a [`LockedClient`] lives.
pub(super) struct Storage {
    pub(super) rule: Rule,
    pub(super) terms: RefreshTerms,
    pub(super) store: StoreGoes,
}

/// Where a store may go from where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreGoes {
    /// Nowhere: nothing written is ever lost.
    Nowhere,
    /// Back to an earlier row of its present life; what it leaves is gone.
    Back,
    /// To any row that it ever held, also forward into a life that an earlier restore had abandoned.
    Anywhere,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct LockedClient {
    newest: Token,
    row: Row,
    /// What the store can go back to, oldest first.
    past: Vec<Row>,
    /// Replies lost in a row.
    lost: u8,
}

impl LockedClient {
    pub(super) fn new() -> LockedClient {
        LockedClient { newest: (1, 0), row: Row::FIRST, past: vec![], lost: 0 }
    }

    /// The same, and a row that the store can go back to.
    pub(super) fn with_backup(backup: Row) -> LockedClient {
        LockedClient { past: vec![backup], ..LockedClient::new() }
    }
}

#[derive(Debug)]
#[expect(dead_code, reason = "read in the Debug text of a counterexample")]
pub(super) enum ClientStep {
    Refresh { after: Wait, token: Token, reply: Reply },
    StoreGoesBackTo { generation: u32, branch: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Received,
    Lost,
}

impl World for LockedClient {
    type Law = Storage;
    type Step = ClientStep;

    fn steps(&self, law: &Storage) -> Vec<(ClientStep, Next<Self>)> {
        let mut steps = Vec::new();
        for (index, &row) in self.past.iter().enumerate() {
            let past = match law.store {
                StoreGoes::Anywhere => keeping(&self.past, self.row),
                StoreGoes::Back | StoreGoes::Nowhere => self.past[..index].to_vec(),
            };
            let step = ClientStep::StoreGoesBackTo { generation: row.generation, branch: row.branch };
            steps.push((step, Next::State(LockedClient { row, past, ..self.clone() })));
        }
        for after in Wait::ALL {
            let Some(row) = self.row.after(after, law.terms) else { continue };
            // A row that the store can go back to grows old as well; the 90 days are `limits`'s.
            let Some(past) = self.past.iter().map(|row| row.after(after, law.terms)).collect::<Option<Vec<Row>>>()
            else {
                continue;
            };
            let (next, past) = match row.present(law.rule, law.terms, self.newest) {
                Ruled::Same => (row, past),
                Ruled::Become(next, _) if law.store == StoreGoes::Nowhere => (next, past),
                Ruled::Become(next, _) => (next, keeping(&past, row)),
                refused => {
                    let step = ClientStep::Refresh { after, token: self.newest, reply: Reply::Received };
                    steps.push((step, Next::Violation(format!("{refused:?} by the row {row:?}"))));
                    continue;
                }
            };
            let received = LockedClient { newest: next.current(), row: next, past, lost: 0 };
            if self.lost < LOST_IN_A_ROW {
                let lost = LockedClient { newest: self.newest, lost: self.lost + 1, ..received.clone() };
                let step = ClientStep::Refresh { after, token: self.newest, reply: Reply::Lost };
                steps.push((step, Next::State(lost)));
            }
            let step = ClientStep::Refresh { after, token: self.newest, reply: Reply::Received };
            steps.push((step, Next::State(received)));
        }
        steps
    }
}

fn keeping(past: &[Row], row: Row) -> Vec<Row> {
    let mut past = past.to_vec();
    if !past.contains(&row) {
        past.push(row);
    }
    past
}

/// Anyone who proves to be the client, with any token that was ever issued.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ForgetfulClient {
    issued: BTreeSet<Token>,
    row: Row,
    past: Vec<Row>,
}

impl World for ForgetfulClient {
    type Law = Storage;
    type Step = (Wait, Token);

    fn steps(&self, law: &Storage) -> Vec<(Self::Step, Next<Self>)> {
        let mut steps = Vec::new();
        let stores = std::iter::once(&self.row).chain(&self.past);
        for (row, after) in stores.flat_map(|row| [Wait::AtOnce, Wait::Window, Wait::Days89].map(|after| (row, after)))
        {
            let Some(row) = row.after(after, law.terms) else { continue };
            for &token in &self.issued {
                let next = match row.present(law.rule, law.terms, token) {
                    Ruled::Same => row,
                    Ruled::Become(next, _) => next,
                    Ruled::Refused if row.in_window(law.terms) => row,
                    lost => {
                        steps.push(((after, token), Next::Violation(format!("{lost:?} by the row {row:?}"))));
                        continue;
                    }
                };
                let mut issued = self.issued.clone();
                issued.insert(next.current());
                // Rows in the past only grow old enough to matter while they are young, so they are kept as they were.
                let past = keeping(&self.past, row);
                steps.push(((after, token), Next::State(ForgetfulClient { issued, row: next, past })));
            }
        }
        steps
    }
}

fn policies() -> Vec<RefreshTerms> {
    let mut policies = vec![fixed(false), fixed(true), public(0), public(WINDOW), public(600)];
    policies.extend([ReusePolicy::Heal, ReusePolicy::End, ReusePolicy::Refuse].map(|to| confidential(to, WINDOW)));
    policies
}

#[test]
fn rf_05_a_sequential_client_is_never_lost_without_theft() {
    for terms in policies() {
        let law = Storage { rule, terms, store: StoreGoes::Nowhere };
        search(&law, LockedClient::new(), depth(20, 40)).holds(&format!("locked client, {terms:?}"));
    }
}

#[test]
fn op_02_a_sequential_client_is_never_lost_however_often_the_store_goes_back() {
    for terms in policies() {
        let law = Storage { rule, terms, store: StoreGoes::Back };
        search(&law, LockedClient::with_backup(Row::APPROVED), depth(7, 9))
            .holds(&format!("locked client, store goes back, {terms:?}"));
    }
}

#[test]
fn rf_06_a_confidential_client_that_heals_is_served_whatever_it_presents() {
    for terms in [confidential(ReusePolicy::Heal, WINDOW), confidential(ReusePolicy::Heal, 0)] {
        let law = Storage { rule, terms, store: StoreGoes::Anywhere };
        let start = ForgetfulClient { issued: BTreeSet::from([(1, 0)]), row: Row::FIRST, past: vec![Row::APPROVED] };
        search(&law, start, depth(4, 5)).holds(&format!("any token, {terms:?}"));
    }
}

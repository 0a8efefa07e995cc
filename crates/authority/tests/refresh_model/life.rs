//! What may happen in a grant's life, played on the rule and on the reference at once.

use super::history::{Answer, History};
use super::store::{Authority, approved};
use super::{Rule, Token};
use keyfob_authority::law::refresh::RefreshTerms;
use keyfob_authority::model::GrantState;
use keyfob_protocol::Timestamp;
use proptest::sample::Index;
use std::collections::BTreeSet;

/// One event. An `Index` picks among what exists when it happens.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// The client refreshes with the token that it holds; a lost reply leaves it with that one.
    Refresh {
        reply_lost: bool,
    },
    /// Someone presents any token that was ever issued, dropped ones too.
    Present(Index),
    /// Nodes read the row at the same moment and then decide one after the other.
    Race(Vec<Index>),
    /// Nodes race with the client's own token, as unlocked workers do; the client keeps the last reply.
    RaceWithNewest {
        nodes: usize,
    },
    /// Seconds pass.
    Wait(i64),
    /// The client keeps a copy of its database, and later goes back to one.
    BackUpClient,
    RestoreClient(Index),
    /// The client stops and starts with what it had stored.
    RestartClient,
    /// The store goes back to any row that it ever held, also to one of a life that a restore had abandoned.
    SetStoreBack(Index),
}

struct Life {
    now: i64,
    authority: Authority,
    history: History,
    /// Every token that was ever answered, lost replies too.
    issued: BTreeSet<Token>,
    held: Token,
    client_backups: Vec<Token>,
    store_backups: Vec<(GrantState, History)>,
}

/// Plays `events`; the error tells the first difference.
pub(super) fn play(rule: Rule, terms: RefreshTerms, events: &[Event]) -> Result<(), String> {
    let now = 1_700_000_000;
    let mut life = Life {
        now,
        authority: Authority { rule, terms, row: approved() },
        history: History::approved(),
        issued: BTreeSet::from([(1, 0)]),
        held: (1, 0),
        client_backups: vec![(1, 0)],
        store_backups: vec![(approved(), History::approved())],
    };
    life.authority.redeem(Timestamp(now));
    life.held = life.history.issue(now);
    life.keep_row();
    for (step, event) in events.iter().enumerate() {
        life.happen(event).map_err(|difference| format!("step {step}, {event:?}: {difference}"))?;
    }
    Ok(())
}

impl Life {
    fn happen(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Refresh { reply_lost } => {
                let answers = self.race(&[self.held])?;
                if !reply_lost {
                    self.receive(&answers);
                }
            }
            Event::Present(which) => {
                self.race(&[self.pick(which)])?;
            }
            Event::Race(which) => {
                let tokens: Vec<Token> = which.iter().map(|which| self.pick(which)).collect();
                self.race(&tokens)?;
            }
            Event::RaceWithNewest { nodes } => {
                let answers = self.race(&vec![self.held; *nodes])?;
                self.receive(&answers);
            }
            Event::Wait(seconds) => self.now += seconds,
            Event::BackUpClient => self.client_backups.push(self.held),
            Event::RestoreClient(which) => self.held = *which.get(&self.client_backups),
            Event::RestartClient => {}
            Event::SetStoreBack(which) => {
                let (row, history) = which.get(&self.store_backups).clone();
                self.authority.row = row;
                self.history = history;
            }
        }
        Ok(())
    }

    fn pick(&self, which: &Index) -> Token {
        let tokens: Vec<Token> = self.issued.iter().copied().collect();
        *which.get(&tokens)
    }

    fn receive(&mut self, answers: &[Answer]) {
        for answer in answers {
            if let Answer::Token(token) = answer {
                self.held = *token;
            }
        }
    }

    fn keep_row(&mut self) {
        self.store_backups.push((self.authority.row.clone(), self.history.clone()));
    }

    /// All nodes read now; then each decides, and reads again if its write comes too late.
    fn race(&mut self, tokens: &[Token]) -> Result<Vec<Answer>, String> {
        let read = self.authority.row.clone();
        let history_read = self.history.clone();
        let mut answers = Vec::new();
        for &token in tokens {
            let reply = self.authority.refresh(read.clone(), Timestamp(self.now), token);
            let expected = if reply.on_first_read {
                let mut untouched = history_read.clone();
                let expected = untouched.present(self.now, self.authority.terms, token);
                if untouched != history_read {
                    return Err(format!("{token:?}: the rule answers {:?} without the write it owes", reply.answer));
                }
                expected
            } else {
                self.history.present(self.now, self.authority.terms, token)
            };
            if reply.answer != expected.0 {
                return Err(format!("{token:?}: the rule says {:?}, the table {:?}", reply.answer, expected.0));
            }
            let noted = reply.note == expected.1;
            if !noted {
                return Err(format!("{token:?}: the ledger says {:?}, the table {:?}", reply.note, expected.1));
            }
            if let Answer::Token(answered) = reply.answer {
                self.issued.insert(answered);
            }
            if !reply.on_first_read {
                self.keep_row();
            }
            answers.push(reply.answer);
        }
        Ok(answers)
    }
}

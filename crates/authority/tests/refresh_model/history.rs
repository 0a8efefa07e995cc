//! The reference: table R told as the history of a grant's tokens, without generations as arithmetic.
//!
//! It remembers every token that was used and every one that was dropped. Only a token that this history never issued is looked at by
//! its numbers, for only the table's line on lost writes speaks of numbers.

use super::Token;
use keyfob_authority::law::refresh::{RefreshNote, RefreshTerms};
use keyfob_authority::model::ReusePolicy;
use std::collections::BTreeSet;

/// What a presented token gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Token(Token),
    Expired,
    Refused,
    /// Refused, and this very request ended the grant.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    Approved,
    Active,
    Ended,
}

/// One grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    stage: Stage,
    /// The tokens that were used, oldest first; the last one is current, the one before it is its parent.
    chain: Vec<Token>,
    /// The tokens that were issued and then taken back.
    dropped: BTreeSet<Token>,
    /// How many were taken back since the parent was first used.
    drops: u32,
    rotated: i64,
    used: i64,
}

impl History {
    pub(super) fn approved() -> History {
        History { stage: Stage::Approved, chain: vec![], dropped: BTreeSet::new(), drops: 0, rotated: 0, used: 0 }
    }

    /// The code is redeemed: the first token.
    pub(super) fn issue(&mut self, now: i64) -> Token {
        *self = History { stage: Stage::Active, chain: vec![(1, 0)], rotated: now, used: now, ..History::approved() };
        (1, 0)
    }

    /// The answer, and what the ledger must say of it.
    pub(super) fn present(&mut self, now: i64, terms: RefreshTerms, token: Token) -> (Answer, Option<RefreshNote>) {
        let behind = Some(RefreshNote::StoreBehind);
        match self.stage {
            Stage::Ended => return (Answer::Refused, None),
            Stage::Approved => {
                self.stage = Stage::Active;
                return (self.catch_up(now, terms, token), behind);
            }
            Stage::Active => {}
        }
        let young = now - self.rotated < terms.replay_window;
        let current = self.current();
        let is_parent = self.chain.len() > 1 && token == self.chain[self.chain.len() - 2];
        let lost_by_store = !self.chain.contains(&token)
            && !self.dropped.contains(&token)
            && ((token.0 > current.0 && token.1 >= current.1) || (token.0 == current.0 && token.1 > current.1));
        if now - self.used >= 90 * 24 * 60 * 60 {
            (Answer::Expired, None)
        } else if token == current {
            (self.spend(now, terms, 60 * 60), None)
        } else if is_parent && young {
            (Answer::Token(current), None)
        } else if is_parent && (!terms.public || self.drops < 8) {
            self.drop_current(now, RefreshNote::Healed)
        } else if lost_by_store {
            (self.catch_up(now, terms, token), behind)
        } else if young {
            (Answer::Refused, None)
        } else if terms.public || terms.reuse == ReusePolicy::End {
            self.stage = Stage::Ended;
            (Answer::Ended, None)
        } else if terms.reuse == ReusePolicy::Refuse {
            (Answer::Refused, None)
        } else {
            self.drop_current(now, RefreshNote::Contested)
        }
    }

    fn current(&self) -> Token {
        *self.chain.last().expect("an active grant has a current token")
    }

    fn catch_up(&mut self, now: i64, terms: RefreshTerms, token: Token) -> Answer {
        self.chain.push(token);
        self.spend(now, terms, 0)
    }

    fn spend(&mut self, now: i64, terms: RefreshTerms, touch_every: i64) -> Answer {
        let (generation, branch) = self.current();
        if terms.rotates {
            self.chain.push((generation + 1, branch));
            self.drops = 0;
            self.rotated = now;
            self.used = now;
        } else if now - self.used >= touch_every {
            self.used = now;
        }
        Answer::Token(self.current())
    }

    fn drop_current(&mut self, now: i64, note: RefreshNote) -> (Answer, Option<RefreshNote>) {
        let (generation, branch) = self.current();
        self.chain.pop();
        self.dropped.insert((generation, branch));
        self.chain.push((generation, branch + 1));
        self.drops += 1;
        self.rotated = now;
        self.used = now;
        (Answer::Token(self.current()), Some(note))
    }
}

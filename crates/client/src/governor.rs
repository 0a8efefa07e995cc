//! How many calls may go out: learnt from the answers, kept per system, account and context, decided without I/O.
//!
//! What is promised. A server that counts in windows of `w` seconds may begin them anywhere, or slide them. So a call that was admitted is held
//! against the limit from when it was admitted until `w` seconds and one more after its answer came: wherever the server put it in between, no
//! window of the server's can hold more of this governor's calls than the learnt limit. Before a limit is learnt there is none, so the first
//! burst is bounded by [`UNLEARNT`] calls in flight. Other processes are seen by `X-RateLimit-Remaining` only; for them the 429 is the backstop.

mod bucket;
mod context;
mod waiting;

use crate::http::HttpResponse;
use crate::token_failure::read_retry_after;
use bucket::{Bucket, Room};
use context::Contexts;
use keyfob_protocol::Timestamp;
use std::collections::HashMap;

pub(crate) use waiting::Governing;
pub use waiting::LONGEST_WAIT;

/// Most calls in flight in a context whose limit is not known.
pub const UNLEARNT: usize = 4;
/// Seconds that a 429 holds a context without saying so: the window that Follow Up Boss documents.
const WINDOW: i64 = 10;
/// Most buckets that are remembered. Beyond it, those that hold nothing against anybody go first.
const MOST_BUCKETS: usize = 4096;
/// Largest limit and window that are believed: beyond it a header is nonsense, and the memory for it would not be bounded.
const MOST_CALLS: u32 = 10_000;
const LONGEST_WINDOW: i64 = 3600;

/// Whose budget a call draws on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Account {
    /// The name of the system (`X-System`), where the call has one.
    pub system: Option<String>,
    /// The account, or the connection where the account is not known.
    pub account: String,
}

/// A call, as far as a governor looks at it.
#[derive(Clone, Debug)]
pub struct Key {
    /// Whose budget.
    pub account: Account,
    /// The method's name.
    pub method: &'static str,
    /// The path below the API's base, such as `people/17`.
    pub path: String,
}

/// The answer to a call that would like to go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// It may, and is counted. [`Governor::learn`] or [`Governor::lost`] must follow.
    Now(Ticket),
    /// Ask again at this time.
    At(Timestamp),
    /// Ask again when any call that is out was answered or lost: all that may go out are out.
    AfterAnswer,
}

/// An admitted call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

/// What an answer says of its rate limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateHeaders {
    /// `X-RateLimit-Limit`: calls in a window.
    pub limit: Option<u32>,
    /// `X-RateLimit-Remaining`.
    pub remaining: Option<u32>,
    /// `X-RateLimit-Window`, in seconds.
    pub window: Option<i64>,
    /// `X-RateLimit-Context`.
    pub context: Option<String>,
    /// Whether this is a success without a limit: then there may be none.
    pub names_none: bool,
    /// Seconds for which a 429 says, or is taken, to stop.
    pub hold: Option<i64>,
}

/// The governor of one API. Bounded: see [`UNLEARNT`] and the limits that are believed.
#[derive(Debug, Default)]
pub struct Governor {
    contexts: Contexts,
    buckets: HashMap<(Account, String), Bucket>,
    /// Accounts that turned out to be others.
    aliases: HashMap<Account, Account>,
    tickets: u64,
}

impl RateHeaders {
    /// Reads an answer. What cannot be read is as if it were not there.
    pub fn of(response: &HttpResponse, now: Timestamp) -> RateHeaders {
        let number = |name: &str| response.header(name).and_then(|value| value.trim().parse::<u32>().ok());
        let retry_after = response.header("retry-after").and_then(|value| read_retry_after(value, now));
        let hold = (response.status == 429).then(|| retry_after.map_or(WINDOW, i64::from));
        RateHeaders {
            names_none: response.is_success() && response.header("x-ratelimit-limit").is_none(),
            limit: number("x-ratelimit-limit").filter(|limit| (1..=MOST_CALLS).contains(limit)),
            remaining: number("x-ratelimit-remaining"),
            window: number("x-ratelimit-window").map(i64::from).filter(|window| (1..=LONGEST_WINDOW).contains(window)),
            context: response.header("x-ratelimit-context").map(str::to_owned),
            hold,
        }
    }
}

impl Governor {
    /// Whether a call may go out. One that may is counted at once, so that no two tasks share a place.
    pub fn admit(&mut self, now: Timestamp, key: &Key) -> Admit {
        let context = self.contexts.of(key);
        self.make_room(now);
        let account = self.account(key);
        let bucket = self.buckets.entry((account, context)).or_default();
        match bucket.room(now) {
            Room::Now => {
                self.tickets += 1;
                bucket.take(now, self.tickets);
                Admit::Now(Ticket(self.tickets))
            }
            Room::At(at) => Admit::At(at),
            Room::AfterAnswer => Admit::AfterAnswer,
        }
    }

    /// What the answer to an admitted call said.
    pub fn learn(&mut self, now: Timestamp, key: &Key, ticket: Ticket, headers: &RateHeaders) {
        let expected = self.contexts.of(key);
        let named = headers.context.as_deref().map_or_else(|| expected.clone(), |name| self.contexts.learn(key, name));
        // A call belongs where the server counted it; what is in flight moves there with it.
        let account = self.account(key);
        if named != expected
            && let Some(bucket) = self.buckets.get_mut(&(account.clone(), expected))
        {
            bucket.forget(ticket.0);
        }
        let bucket = self.buckets.entry((account, named)).or_default();
        bucket.learn(now, ticket.0, headers);
    }

    /// An admitted call got no answer; it may have been counted.
    pub fn lost(&mut self, now: Timestamp, key: &Key, ticket: Ticket) {
        let place = (self.account(key), self.contexts.of(key));
        if let Some(bucket) = self.buckets.get_mut(&place) {
            bucket.answered(now, ticket.0);
        }
    }

    /// What was counted for one account belongs to another: a connection's account became known.
    pub fn is_same(&mut self, one: &Account, other: &Account) {
        if one == other || self.aliases.get(one) == Some(other) {
            return;
        }
        if self.aliases.len() >= MOST_BUCKETS {
            self.aliases.clear();
        }
        self.aliases.insert(one.clone(), other.clone());
        let contexts: Vec<_> = self.buckets.keys().filter(|(account, _)| account == one).cloned().collect();
        for (account, context) in contexts {
            if let Some(bucket) = self.buckets.remove(&(account, context.clone())) {
                self.buckets.entry((other.clone(), context)).or_default().merge(bucket);
            }
        }
    }

    fn account(&self, key: &Key) -> Account {
        self.aliases.get(&key.account).unwrap_or(&key.account).clone()
    }

    fn make_room(&mut self, now: Timestamp) {
        if self.buckets.len() < MOST_BUCKETS {
            return;
        }
        self.buckets.retain(|_, bucket| !bucket.is_idle(now));
        // All of them are busy: what was learnt of any one is forgotten, and learnt again by its next answer.
        if self.buckets.len() >= MOST_BUCKETS
            && let Some(any) = self.buckets.keys().next().cloned()
        {
            self.buckets.remove(&any);
        }
    }
}

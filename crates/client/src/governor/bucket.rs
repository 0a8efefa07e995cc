//! One budget: what is out, what was answered when, and until when nothing goes.

use super::{RateHeaders, UNLEARNT, WINDOW};
use keyfob_protocol::Timestamp;
use std::collections::VecDeque;

/// Seconds that a call is held longer than the window, since clocks here count whole seconds.
const MARGIN: i64 = 1;
/// Seconds after which a call whose answer nobody reported (its task was dropped) is taken to be lost: longer than any request may last.
const LOST: i64 = 120;

/// What is known of the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Limit {
    /// Nothing was answered yet.
    #[default]
    Unknown,
    /// The server answers and names none.
    None,
    /// So many calls in so many seconds.
    Of(u32, i64),
}

/// Whether there is room for a call.
pub(super) enum Room {
    Now,
    At(Timestamp),
    AfterAnswer,
}

#[derive(Debug, Default)]
pub(super) struct Bucket {
    limit: Limit,
    /// Calls without an answer, with the time at which they are given up; the oldest first.
    out: VecDeque<(u64, Timestamp)>,
    /// When calls were answered; several in a second are one entry. The oldest first.
    answered: VecDeque<(Timestamp, u32)>,
    /// Nothing goes out before.
    hold: Option<Timestamp>,
}

impl Bucket {
    /// When the next call may go out.
    pub(super) fn room(&mut self, now: Timestamp) -> Room {
        self.slide(now);
        if let Some(hold) = self.hold.filter(|hold| now < *hold) {
            return Room::At(hold);
        }
        let full = match self.limit {
            Limit::Unknown => self.out.len() >= UNLEARNT,
            Limit::None => false,
            Limit::Of(limit, _) => self.out.len() + self.counted() >= limit as usize,
        };
        match (full, self.limit, self.answered.front()) {
            (false, ..) => Room::Now,
            (true, Limit::Of(_, window), Some((oldest, _))) => Room::At(oldest.plus(window + MARGIN).max(now.plus(1))),
            // Everything is out: only an answer can say more.
            (true, ..) => Room::AfterAnswer,
        }
    }

    pub(super) fn take(&mut self, now: Timestamp, ticket: u64) {
        self.out.push_back((ticket, now.plus(LOST)));
    }

    /// Takes over what another one knows and holds: both turned out to be the same budget.
    pub(super) fn merge(&mut self, other: Bucket) {
        if self.limit == Limit::Unknown {
            self.limit = other.limit;
        }
        self.hold = self.hold.max(other.hold);
        self.out.extend(other.out);
        self.answered.extend(other.answered);
        self.answered.make_contiguous().sort_unstable();
    }

    /// An answer came, or will not come any more.
    pub(super) fn answered(&mut self, now: Timestamp, ticket: u64) {
        self.forget(ticket);
        match self.answered.back_mut() {
            Some((second, count)) if *second >= now => *count += 1,
            _ => self.answered.push_back((now, 1)),
        }
    }

    pub(super) fn learn(&mut self, now: Timestamp, ticket: u64, headers: &RateHeaders) {
        match headers.limit {
            Some(limit) => self.limit = Limit::Of(limit, headers.window.unwrap_or_else(|| self.window())),
            None if headers.names_none && self.limit == Limit::Unknown => self.limit = Limit::None,
            None => {}
        }
        self.answered(now, ticket);
        if let Some(seconds) = headers.hold {
            let until = now.plus(seconds.max(1));
            self.hold = Some(self.hold.map_or(until, |hold| hold.max(until)));
        }
        // Others draw on the same budget: what they took is held as if it were ours. What is out may be counted there already or not.
        if let (Limit::Of(limit, _), Some(remaining)) = (self.limit, headers.remaining) {
            let taken = (limit.saturating_sub(remaining)) as usize;
            let known = self.counted() + self.out.len();
            if let Ok(others @ 1..) = u32::try_from(taken.saturating_sub(known))
                && let Some((_, count)) = self.answered.back_mut()
            {
                *count += others;
            }
        }
    }

    pub(super) fn forget(&mut self, ticket: u64) {
        self.out.retain(|(out, _)| *out != ticket);
    }

    /// Whether nothing is held here that would be lost with it.
    pub(super) fn is_idle(&mut self, now: Timestamp) -> bool {
        self.slide(now);
        self.out.is_empty() && self.answered.is_empty() && self.hold.is_none_or(|hold| hold <= now)
    }

    fn counted(&self) -> usize {
        self.answered.iter().map(|(_, count)| *count as usize).sum()
    }

    fn window(&self) -> i64 {
        match self.limit {
            Limit::Of(_, window) => window,
            Limit::Unknown | Limit::None => WINDOW,
        }
    }

    fn slide(&mut self, now: Timestamp) {
        let window = self.window();
        while self.answered.front().is_some_and(|(second, _)| now.since(*second) >= window + MARGIN) {
            self.answered.pop_front();
        }
        let mut lost = 0;
        self.out.retain(|(_, until)| {
            let gone = now >= *until;
            lost += u32::from(gone);
            !gone
        });
        if lost > 0 {
            self.answered.push_back((now, lost));
        }
    }
}

//! The two-token rule against an adversary (docs/requirements.md, table R).
//!
//! `history` is a second, independent telling of the table; `random` compares the rule with it on long random lives of a grant, through
//! the same read, decide, compare-and-set loop that the use case has. `search` tries every short life: `honest` and `nodes` prove that
//! nobody loses a grant without theft, `thief` that a returning thief is found, `mutants` that a broken rule does not pass.
//! `KEYFOB_LONG=1` goes deeper.

mod history;
mod honest;
mod life;
mod limits;
mod mutants;

mod nodes;
mod random;
mod row;
mod search;
mod store;
mod thief;

use keyfob_authority::law::refresh::{PresentedPosition, RefreshRuling, RefreshTerms};
use keyfob_authority::model::{ActiveGrant, ReusePolicy};
use keyfob_protocol::Timestamp;

/// The rule under test; a mutant has the same shape.
type Rule = fn(Timestamp, RefreshTerms, &ActiveGrant, PresentedPosition) -> RefreshRuling;

/// A genuine refresh token: generation and branch are all that tells it from another of its grant.
type Token = (u32, u32);

/// The window of table R by default, in seconds.
const WINDOW: i64 = 45;

fn public(replay_window: i64) -> RefreshTerms {
    RefreshTerms { rotates: true, public: true, replay_window, reuse: ReusePolicy::Heal }
}

fn confidential(reuse: ReusePolicy, replay_window: i64) -> RefreshTerms {
    RefreshTerms { rotates: true, public: false, replay_window, reuse }
}

fn fixed(public: bool) -> RefreshTerms {
    RefreshTerms { rotates: false, public, replay_window: WINDOW, reuse: ReusePolicy::Heal }
}

/// `short`, or `deep` when KEYFOB_LONG asks for it.
fn depth(short: usize, deep: usize) -> usize {
    if std::env::var_os("KEYFOB_LONG").is_some_and(|value| value == "1") { deep } else { short }
}

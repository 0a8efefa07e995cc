//! The suite that every store of connections must pass: what [`TokenStore`] promises, case by case.
//!
//! A store's own tests say where its rows lie ([`Place`]) and call [`token_store_conformance!`](crate::token_store_conformance). What
//! concerns one engine only (files, keys, a full disk) is tested beside that engine.

#![expect(clippy::unwrap_used, reason = "a test may end at a surprise")]

pub mod intents;
pub mod leases;
pub mod rows;

use crate::{
    Evidence, Fence, Identity, IdentityAccount, IdentityUser, Intent, LeaseAnswer, Leased, LostReply, ReauthRequired,
    Standing, StoredConnection, TokenSet, TokenStore,
};
use async_trait::async_trait;
use keyfob_protocol::token_reply::{ReceivedError, ReplyError};
use keyfob_protocol::{Secret, Timestamp};
use std::sync::Arc;

/// A place where connections lie: a directory, a database. It is removed when the value is dropped.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// A place without any rows, which no other test uses.
    async fn fresh() -> Self
    where
        Self: Sized;

    /// Opens the store there, as another process or node would.
    async fn open(&self) -> Arc<dyn TokenStore>;
}

const NOW: Timestamp = Timestamp(1_800_000_000);

fn tokens(number: u64) -> TokenSet {
    TokenSet {
        access_token: Secret::new(format!("access-{number}")),
        refresh_token: Some(Secret::new(format!("refresh-{number}"))),
        expires_at: Some(NOW.plus(3600)),
        obtained_at: NOW,
        scope: None,
    }
}

fn live(generation: u64) -> StoredConnection {
    StoredConnection::live(generation, tokens(generation), NOW, None)
}

fn identity() -> Identity {
    Identity {
        account: IdentityAccount { id: 1, domain: Some("maple".to_owned()), name: None },
        user: IdentityUser { id: 2, name: Some("ü".to_owned()), email: None },
    }
}

/// One row of every shape.
fn every_shape() -> Vec<StoredConnection> {
    let said = ReceivedError {
        code: "invalid_grant".to_owned(),
        description: Some("é \"quoted\"\n".to_owned()),
        details: vec!["one".to_owned(), String::new()],
    };
    let silent = Evidence { status: 200, error: None, reply: Some(ReplyError::NoAccessToken) };
    let evidence = Evidence { status: 400, error: Some(said), reply: None };
    let bare = TokenSet { refresh_token: None, expires_at: None, scope: Some("all".to_owned()), ..tokens(1) };
    let with = |standing| StoredConnection { standing, ..live(1) };
    vec![
        live(1),
        with(Standing::Live(bare)),
        StoredConnection { identity: Some(identity()), ..live(1) },
        with(Standing::ReauthRequired(ReauthRequired {
            since: NOW.plus(1),
            evidence: silent,
            refused: tokens(1).refresh_digest(),
        })),
        with(Standing::LostReply(LostReply { since: NOW.plus(2), begun_at: NOW, evidence, refused: None })),
        with(Standing::Denied),
    ]
}

/// All that a row says, secrets included, to compare.
fn told(row: &StoredConnection) -> String {
    let secrets = row.tokens().map(|tokens| {
        (tokens.access_token.expose().clone(), tokens.refresh_token.as_ref().map(|token| token.expose().clone()))
    });
    format!("{row:?} {secrets:?}")
}

async fn leased(store: &Arc<dyn TokenStore>, now: Timestamp) -> Leased {
    match store.take_lease("u", now, now.plus(30)).await.unwrap() {
        LeaseAnswer::Taken(leased) => *leased,
        LeaseAnswer::Held { until } => panic!("held until {until:?}"),
    }
}

async fn is_held(store: &Arc<dyn TokenStore>, now: Timestamp) -> bool {
    matches!(store.take_lease("u", now, now.plus(30)).await.unwrap(), LeaseAnswer::Held { .. })
}

/// A store with the live row "u" of generation 1, leased at [`NOW`].
async fn with_a_leased_row(place: &impl Place) -> (Arc<dyn TokenStore>, Fence) {
    let store = place.open().await;
    store.save("u", None, &live(1)).await.unwrap();
    let fence = leased(&store, NOW).await.fence;
    (store, fence)
}

fn intent() -> Intent {
    Intent::of(1, &tokens(1), NOW).unwrap()
}

/// One `#[tokio::test]` for every case, over stores of the given [`Place`](crate::conformance::Place).
#[macro_export]
macro_rules! token_store_conformance {
    ($place:ty) => {
        $crate::token_store_conformance! { @topics $place;
            intents {
                an_open_intent_is_found_by_the_next_lease
                an_intent_needs_the_lease_and_the_generation
                finishing_closes_the_intent_and_ends_the_lease
                a_consent_closes_the_intent
                releasing_leaves_the_intent_open_or_closes_it_as_told
            }
            leases {
                one_holder_at_a_time_and_every_lease_has_a_higher_number
                sixteen_tasks_want_one_lease_and_one_gets_it
                a_lease_that_shows_life_lasts
                a_writer_with_an_older_fence_loses
                a_lease_that_ran_out_and_that_nobody_took_still_writes
                a_refresh_that_was_overtaken_by_a_consent_loses
                the_leases_of_two_connections_are_two
            }
            rows {
                what_was_saved_is_read_back
                a_save_names_what_it_replaces
                sixteen_tasks_save_over_one_generation_and_one_wins
                trouble_is_noted_once_and_changes_no_generation
                pages_follow_the_order_of_names
                what_was_removed_is_gone_and_its_late_writer_loses
                what_one_node_writes_another_reads
            }
        }
    };
    (@topics $place:ty; $($topic:ident { $($case:ident)* })*) => {
        $(mod $topic {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let place = <$place as $crate::conformance::Place>::fresh().await;
                    $crate::conformance::$topic::$case(&place).await;
                }
            )*
        })*
    };
}

#[cfg(test)]
mod tests {
    /// A case that is missing in the list would never run.
    #[test]
    fn every_case_is_in_the_list() {
        let list = include_str!("conformance.rs");
        let topics = [
            include_str!("conformance/intents.rs"),
            include_str!("conformance/leases.rs"),
            include_str!("conformance/rows.rs"),
        ];
        let cases = topics.iter().flat_map(|topic| topic.lines()).filter_map(|line| line.strip_prefix("pub async fn "));
        for case in cases.map(|line| line.split('(').next().unwrap()) {
            assert!(list.lines().any(|line| line.trim() == case), "{case} is not in the list");
        }
    }
}

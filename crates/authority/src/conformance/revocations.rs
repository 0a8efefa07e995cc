//! The revocation feed: numbered once, and complete for whoever follows it.

use super::Place;
use super::build::{NOW, account, active, approved, id, insert, revocation, update, win};
use crate::model::{Account, EndReason, Grant, GrantState, LedgerEntry, LedgerKind};
use crate::store::{Administration, LedgerFilter, NewRevocation, Store};
use keyfob_protocol::revocation::RevokedKind;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// A number is a position in the feed, so it is never given twice, not even after the entry was swept.
pub async fn revocations_are_numbered_once_and_for_all(place: &impl Place) {
    let store = place.open().await;
    let revoke = async |kind, until| {
        let entry = NewRevocation { kind, id: "7".to_owned(), not_before: NOW, until };
        let change = Administration::AddAccount(Account { domain: format!("{kind:?}"), ..account() });
        store.administer(change, vec![], vec![entry]).await.unwrap();
    };
    let kinds = [RevokedKind::Grant, RevokedKind::Token, RevokedKind::App, RevokedKind::User, RevokedKind::Account];
    for (seconds, kind) in (0..).zip(kinds) {
        revoke(kind, NOW.plus(seconds)).await;
    }
    let all = store.revocations(0, 100).await.unwrap();
    assert!(all.is_sorted_by(|one, two| one.number < two.number) && all[0].number > 0, "{all:?}");
    assert_eq!(all.iter().map(|entry| entry.kind).collect::<Vec<_>>(), kinds);
    assert_eq!(all.iter().map(|entry| entry.until.since(NOW)).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!((all[0].id.as_str(), all[0].not_before), ("7", NOW));
    assert_eq!(store.revocations(all[1].number, 2).await.unwrap(), all[2..4]);
    assert_eq!(store.sweep_rest(NOW, NOW.plus(5), NOW, 100).await.unwrap(), 5);
    assert_eq!(store.revocations(0, 100).await.unwrap(), []);
    let entry = NewRevocation { kind: RevokedKind::Token, id: "8".to_owned(), not_before: NOW, until: NOW };
    store.administer(Administration::AddAccount(account()), vec![], vec![entry]).await.unwrap();
    assert!(store.revocations(0, 100).await.unwrap()[0].number > all[4].number);
}

/// What no row stands for is revoked with its entry, in order with everything else, and administers nothing.
pub async fn a_token_without_a_grant_is_revoked(place: &impl Place) {
    let store = place.open().await;
    let before = store.settings_version().await.unwrap();
    let entry = |detail: &str| LedgerEntry::new(NOW, LedgerKind::TokenRevoked).with_detail(detail);
    let revoked = |name: &str| NewRevocation {
        kind: RevokedKind::Token,
        id: name.to_owned(),
        not_before: NOW,
        until: NOW.plus(60),
    };
    store.revoke(revoked("one"), entry("first")).await.unwrap();
    store.revoke(revoked("two"), entry("second")).await.unwrap();
    let feed = store.revocations(0, 100).await.unwrap();
    let named: Vec<_> = feed.iter().map(|entry| (entry.id.as_str(), entry.not_before, entry.until)).collect();
    assert_eq!(named, [("one", NOW, NOW.plus(60)), ("two", NOW, NOW.plus(60))]);
    let ledger = store.ledger(LedgerFilter::default(), 10).await.unwrap();
    assert_eq!(ledger, [entry("second"), entry("first")]);
    assert_eq!(store.settings_version().await.unwrap(), before);
}

/// A reader asks for what came after the last number it saw. An entry that commits behind it would never be seen, and its token would
/// live on.
pub async fn a_reader_that_follows_misses_none(place: &impl Place) {
    const WRITERS: u32 = 8;
    const EACH: u32 = 25;
    let nodes = [place.open().await, place.open().await];
    let reader = place.open().await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store: Arc<dyn Store> = Arc::clone(&nodes[(writer % 2) as usize]);
        writers.spawn(async move {
            for number in writer * EACH..(writer + 1) * EACH {
                win(&*store, insert(1, Grant { state: active(1, 0), ..approved(number) })).await;
                let ended = GrantState::Ended { reason: EndReason::RevokedByUser, at: NOW };
                let mut end = update(2, id(number), &active(1, 0), ended);
                end.revocations.push(revocation(id(number)));
                win(&*store, end).await;
                if number.is_multiple_of(10) {
                    let change = Administration::AddAccount(Account { domain: number.to_string(), ..account() });
                    let entry = NewRevocation { kind: RevokedKind::Account, ..revocation(id(number)) };
                    store.administer(change, vec![], vec![entry]).await.unwrap();
                }
            }
        });
    }
    let mut seen = BTreeSet::new();
    let mut after = 0;
    loop {
        // Before the read: what is not seen by the last read was committed behind the reader.
        let done = writers.is_empty();
        for entry in reader.revocations(after, 1000).await.unwrap() {
            after = entry.number;
            seen.insert((entry.kind == RevokedKind::Account, entry.id));
        }
        if done {
            break;
        }
        while let Some(ended) = writers.try_join_next() {
            ended.unwrap();
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(seen.len(), (WRITERS * EACH + WRITERS * EACH / 10) as usize);
}

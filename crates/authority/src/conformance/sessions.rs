//! Browser sessions.

use super::Place;
use super::build::NOW;
use crate::model::{LedgerEntry, LedgerKind, Session, SessionId, UserId};
use crate::store::LedgerFilter;

fn session(number: u8) -> Session {
    Session {
        id: SessionId([number; 32]),
        user: UserId(1),
        authenticated_at: NOW,
        last_seen_at: NOW.plus(number.into()),
    }
}

/// A session is opened, touched, closed and swept.
pub async fn sessions_come_and_go(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.session(session(1).id).await.unwrap(), None);
    store.open_session(session(2), None, vec![LedgerEntry::new(NOW, LedgerKind::SignedIn)]).await.unwrap();
    assert_eq!(store.session(session(2).id).await.unwrap(), Some(session(2)));
    store.touch_session(session(2).id, NOW.plus(50)).await.unwrap();
    assert_eq!(store.session(session(2).id).await.unwrap().unwrap().last_seen_at, NOW.plus(50));
    store.touch_session(session(9).id, NOW).await.unwrap();
    assert_eq!(store.session(session(9).id).await.unwrap(), None, "what is not there is not touched");
    assert_eq!(store.sweep_rest(NOW.plus(50), NOW, NOW, 10).await.unwrap(), 0);
    assert_eq!(store.sweep_rest(NOW.plus(51), NOW, NOW, 10).await.unwrap(), 1);
    store.open_session(session(3), None, vec![]).await.unwrap();
    store.close_session(session(3).id, vec![LedgerEntry::new(NOW, LedgerKind::SignedOut)]).await.unwrap();
    assert_eq!(store.session(session(3).id).await.unwrap(), None);
    let kinds: Vec<_> =
        store.ledger(LedgerFilter::default(), 10).await.unwrap().iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [LedgerKind::SignedOut, LedgerKind::SignedIn]);
}

/// One browser has one session.
pub async fn a_session_that_replaces_another_ends_it(place: &impl Place) {
    let store = place.open().await;
    let entry = LedgerEntry::new(NOW, LedgerKind::SignedIn);
    store.open_session(session(1), None, vec![entry.clone()]).await.unwrap();
    store.open_session(session(2), Some(session(1).id), vec![entry.clone()]).await.unwrap();
    assert_eq!(store.session(session(1).id).await.unwrap(), None);
    assert_eq!(store.session(session(2).id).await.unwrap(), Some(session(2)));
    // The one before may be gone already.
    store.open_session(session(3), Some(session(1).id), vec![entry]).await.unwrap();
    assert_eq!(store.session(session(2).id).await.unwrap(), Some(session(2)));
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 3);
}

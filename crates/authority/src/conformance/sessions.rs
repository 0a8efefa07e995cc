//! Browser sessions.

use super::Place;
use super::build::{NOW, account, administer, populate, replacing, user};
use crate::model::{Account, AccountId, AccountStatus, LedgerEntry, LedgerKind, Session, SessionId, User, UserId};
use crate::store::{Administered, Administration, LedgerFilter, NewSession, TicketUse, Written};

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

/// Sessions end with the change that ends them: those of a user, or of an account's users, and no others; and stay where it is refused.
pub async fn a_change_ends_the_sessions_of_whom_it_concerns(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    let other = Account { domain: "second".to_owned(), ..account() };
    assert_eq!(administer(&*store, Administration::AddAccount(other)).await, Administered::Done(2));
    for (number, home) in [(2, 1), (3, 2)] {
        let one = User { email: format!("{number}@example.com"), ..user(home) };
        assert_eq!(administer(&*store, Administration::AddUser(one)).await, Administered::Done(number));
    }
    let open = async || {
        for number in 1..=3 {
            if store.session(session(number).id).await.unwrap().is_none() {
                let session = Session { user: UserId(number.into()), ..session(number) };
                store.open_session(session, None, vec![]).await.unwrap();
            }
        }
    };
    let left = async || {
        let mut left = Vec::new();
        for number in 1..=3 {
            left.extend(store.session(session(number).id).await.unwrap().map(|session| session.user.0));
        }
        left
    };
    open().await;
    let one = User { id: UserId(1), ..user(1) };
    let outdated = Administration::UpdateUserEndingSessions(replacing(&*store, one.clone()).await);
    let plain = Administration::UpdateUser(replacing(&*store, one.clone()).await);
    assert_eq!(administer(&*store, plain).await, Administered::Done(1));
    assert_eq!(administer(&*store, outdated).await, Administered::Outdated);
    let taken = replacing(&*store, User { email: "2@example.com".to_owned(), ..one.clone() }).await;
    let clash = administer(&*store, Administration::UpdateUserEndingSessions(taken)).await;
    assert_eq!((clash, left().await), (Administered::Conflict, vec![1, 2, 3]));
    let ends = Administration::UpdateUserEndingSessions(replacing(&*store, one).await);
    assert_eq!(administer(&*store, ends).await, Administered::Done(1));
    assert_eq!(left().await, [2, 3]);
    open().await;
    let home = Account { id: AccountId(1), status: AccountStatus::Suspended, ..account() };
    let ends = Administration::UpdateAccountEndingSessions(replacing(&*store, home.clone()).await);
    assert_eq!(administer(&*store, ends).await, Administered::Done(1));
    assert_eq!(store.account(AccountId(1)).await.unwrap(), Some(home));
    assert_eq!(left().await, [3]);
}

fn ticket(number: u8) -> TicketUse {
    TicketUse { id: [number; 32], until: NOW.plus(600) }
}

/// A ticket opens one session; the second one leaves nothing, not even an end of the browser's earlier session.
pub async fn a_used_ticket_opens_nothing(place: &impl Place) {
    let store = place.open().await;
    let entry = || vec![LedgerEntry::new(NOW, LedgerKind::SignedIn)];
    let opens = |number, replaces| Some(NewSession { session: session(number), replaces });
    assert!(!store.is_ticket_used(ticket(1).id).await.unwrap());
    store.open_session(session(1), None, entry()).await.unwrap();
    let first = store.use_ticket(ticket(1), opens(2, Some(session(1).id)), entry()).await.unwrap();
    assert_eq!(first, Written::Won);
    assert!(store.is_ticket_used(ticket(1).id).await.unwrap());
    assert_eq!(store.session(session(1).id).await.unwrap(), None);
    let second = store.use_ticket(ticket(1), opens(3, Some(session(2).id)), entry()).await.unwrap();
    assert_eq!(second, Written::Lost);
    assert_eq!(store.session(session(2).id).await.unwrap(), Some(session(2)));
    assert_eq!(store.session(session(3).id).await.unwrap(), None);
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 2);
    // One that opens nothing is used all the same.
    assert_eq!(store.use_ticket(ticket(4), None, vec![]).await.unwrap(), Written::Won);
    assert_eq!(store.use_ticket(ticket(4), None, entry()).await.unwrap(), Written::Lost);
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 2);
    // It is forgotten when its time is over, not before.
    assert_eq!(store.sweep_rest(NOW, NOW.plus(600), NOW, 10).await.unwrap(), 0);
    assert_eq!(store.sweep_rest(NOW, NOW.plus(601), NOW, 1).await.unwrap(), 1);
    assert_eq!(store.sweep_rest(NOW, NOW.plus(601), NOW, 10).await.unwrap(), 1);
}

/// Sixteen browsers come back with one ticket at once, and one session is opened.
pub async fn sixteen_tasks_use_one_ticket_and_one_wins(place: &impl Place) {
    let store = place.open().await;
    let tasks = (1..=16).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let opens = NewSession { session: session(number), replaces: None };
            let entry = LedgerEntry::new(NOW, LedgerKind::SignedIn);
            store.use_ticket(ticket(1), Some(opens), vec![entry]).await.unwrap()
        })
    });
    let mut won = 0;
    for task in tasks.collect::<Vec<_>>() {
        won += usize::from(task.await.unwrap() == Written::Won);
    }
    let mut opened = 0;
    for number in 1..=16 {
        opened += usize::from(store.session(session(number).id).await.unwrap().is_some());
    }
    assert_eq!((won, opened, store.ledger(LedgerFilter::default(), 99).await.unwrap().len()), (1, 1, 1));
}

//! The journal of open refreshes.

use super::{NOW, Place, intent, is_held, leased, live, with_a_leased_row};
use crate::{Fence, Intent, IntentFate, Saved};

/// A crash leaves lease and intent; whoever comes next sees what was being sent.
pub async fn an_open_intent_is_found_by_the_next_lease(place: &impl Place) {
    let (store, fence) = with_a_leased_row(place).await;
    assert_eq!(store.open_intent("u", fence, &intent()).await.unwrap(), Saved::Stored);
    drop(store);
    let store = place.open().await;
    assert!(store.page(None, 1).await.unwrap()[0].refresh_is_open);
    let next = leased(&store, NOW.plus(30)).await;
    assert_eq!(next.open, Some(intent()));
    assert_eq!(next.row.unwrap().generation, 1);
    let later = Intent { begun_at: NOW.plus(31), ..intent() };
    assert_eq!(store.open_intent("u", next.fence, &later).await.unwrap(), Saved::Stored);
    assert_eq!(leased(&store, NOW.plus(60)).await.open, Some(later));
}

/// Neither an older holder nor one who read another generation may say what is being sent.
pub async fn an_intent_needs_the_lease_and_the_generation(place: &impl Place) {
    let (store, first) = with_a_leased_row(place).await;
    let second = leased(&store, NOW.plus(30)).await.fence;
    assert_eq!(store.open_intent("u", first, &intent()).await.unwrap(), Saved::Conflict);
    let other = Intent { generation: 2, ..intent() };
    assert_eq!(store.open_intent("u", second, &other).await.unwrap(), Saved::Conflict);
    assert_eq!(store.open_intent("u", Fence(second.0 + 1), &intent()).await.unwrap(), Saved::Conflict);
    assert_eq!(leased(&store, NOW.plus(60)).await.open, None);
}

/// No crash can come between the new tokens and the end of the journal's entry.
pub async fn finishing_closes_the_intent_and_ends_the_lease(place: &impl Place) {
    let (store, fence) = with_a_leased_row(place).await;
    store.open_intent("u", fence, &intent()).await.unwrap();
    assert_eq!(store.finish("u", fence, 1, &live(2)).await.unwrap(), Saved::Stored);
    let next = leased(&store, NOW).await;
    assert_eq!((next.open, next.row.unwrap().generation), (None, 2));
    assert!(next.fence > fence);
}

/// The user has connected again: what was being sent is of the past.
pub async fn a_consent_closes_the_intent(place: &impl Place) {
    let (store, fence) = with_a_leased_row(place).await;
    store.open_intent("u", fence, &intent()).await.unwrap();
    assert_eq!(store.save("u", Some(1), &live(2)).await.unwrap(), Saved::Stored);
    assert!(!store.page(None, 1).await.unwrap()[0].refresh_is_open);
    assert_eq!(leased(&store, NOW.plus(30)).await.open, None);
}

/// Only who knows that nothing happened closes an intent.
pub async fn releasing_leaves_the_intent_open_or_closes_it_as_told(place: &impl Place) {
    let (store, first) = with_a_leased_row(place).await;
    store.open_intent("u", first, &intent()).await.unwrap();
    store.release("u", first, IntentFate::StaysOpen).await.unwrap();
    let second = leased(&store, NOW).await;
    assert_eq!(second.open, Some(intent()));
    // A holder of the past ends nothing.
    store.release("u", first, IntentFate::NothingHappened).await.unwrap();
    assert!(is_held(&store, NOW).await);
    store.release("u", second.fence, IntentFate::NothingHappened).await.unwrap();
    assert_eq!(leased(&store, NOW).await.open, None);
}

//! Leases and their numbers.

use super::{NOW, Place, is_held, leased, live, with_a_leased_row};
use crate::{Fence, IntentFate, LeaseAnswer, Saved};

/// A lease ends by time or by release.
pub async fn one_holder_at_a_time_and_every_lease_has_a_higher_number(place: &impl Place) {
    let store = place.open().await;
    store.save("u", None, &live(1)).await.unwrap();
    let first = leased(&store, NOW).await.fence;
    assert!(is_held(&store, NOW).await && is_held(&store, NOW.plus(29)).await);
    let second = leased(&store, NOW.plus(30)).await.fence;
    store.release("u", second, IntentFate::StaysOpen).await.unwrap();
    let third = leased(&store, NOW.plus(30)).await.fence;
    assert!(first < second && second < third);
}

/// The lease is one conditional write.
pub async fn sixteen_tasks_want_one_lease_and_one_gets_it(place: &impl Place) {
    let nodes = [place.open().await, place.open().await];
    nodes[0].save("u", None, &live(1)).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let store = nodes[number % 2].clone();
            tokio::spawn(async move { store.take_lease("u", NOW, NOW.plus(30)).await.unwrap() })
        })
        .collect();
    let mut taken = 0;
    for task in tasks {
        taken += u32::from(matches!(task.await.unwrap(), LeaseAnswer::Taken(_)));
    }
    assert_eq!(taken, 1);
}

/// The heartbeat.
pub async fn a_lease_that_shows_life_lasts(place: &impl Place) {
    let (store, fence) = with_a_leased_row(place).await;
    assert_eq!(store.prolong("u", fence, NOW.plus(50)).await.unwrap(), Saved::Stored);
    assert!(is_held(&store, NOW.plus(49)).await);
    let next = leased(&store, NOW.plus(50)).await.fence;
    assert_eq!(store.prolong("u", fence, NOW.plus(90)).await.unwrap(), Saved::Conflict);
    store.release("u", next, IntentFate::StaysOpen).await.unwrap();
    assert_eq!(store.prolong("u", next, NOW.plus(90)).await.unwrap(), Saved::Conflict, "released is over");
}

/// What the fence is for: a process that was stopped for a minute does not write over its successor.
pub async fn a_writer_with_an_older_fence_loses(place: &impl Place) {
    let (store, slow) = with_a_leased_row(place).await;
    let quick = leased(&store, NOW.plus(30)).await.fence;
    assert_eq!(store.finish("u", slow, 1, &live(2)).await.unwrap(), Saved::Conflict);
    assert_eq!(store.finish("u", quick, 1, &live(2)).await.unwrap(), Saved::Stored);
    assert_eq!(store.finish("u", slow, 2, &live(3)).await.unwrap(), Saved::Conflict);
    assert_eq!(store.finish("u", Fence(quick.0 + 1), 2, &live(3)).await.unwrap(), Saved::Conflict);
    assert_eq!(store.load("u").await.unwrap().unwrap().generation, 2);
}

/// Late and alone is not too late: the tokens are good.
pub async fn a_lease_that_ran_out_and_that_nobody_took_still_writes(place: &impl Place) {
    let (store, fence) = with_a_leased_row(place).await;
    assert_eq!(store.finish("u", fence, 1, &live(2)).await.unwrap(), Saved::Stored);
}

/// The generation guards too.
pub async fn a_refresh_that_was_overtaken_by_a_consent_loses(place: &impl Place) {
    let (store, fence) = with_a_leased_row(place).await;
    store.save("u", Some(1), &live(2)).await.unwrap();
    assert_eq!(store.finish("u", fence, 1, &live(2)).await.unwrap(), Saved::Conflict);
}

/// A lease is about one connection.
pub async fn the_leases_of_two_connections_are_two(place: &impl Place) {
    let (store, _) = with_a_leased_row(place).await;
    assert!(matches!(store.take_lease("v", NOW, NOW.plus(30)).await.unwrap(), LeaseAnswer::Taken(_)));
}

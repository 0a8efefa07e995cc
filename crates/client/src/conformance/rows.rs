//! Rows: written whole, replaced conditionally, listed.

use super::{NOW, Place, every_shape, intent, live, told, with_a_leased_row};
use crate::{Saved, State, Trouble, TroubleKind};

/// Every shape, secrets included.
pub async fn what_was_saved_is_read_back(place: &impl Place) {
    let store = place.open().await;
    assert!(store.load("0").await.unwrap().is_none());
    for (number, row) in every_shape().iter().enumerate() {
        let id = format!("c-{number}.d_e");
        assert_eq!(store.save(&id, None, row).await.unwrap(), Saved::Stored);
        assert_eq!(told(&store.load(&id).await.unwrap().unwrap()), told(row));
    }
}

/// Of two who read one generation, one learns that it lost.
pub async fn a_save_names_what_it_replaces(place: &impl Place) {
    let store = place.open().await;
    assert_eq!(store.save("u", Some(1), &live(2)).await.unwrap(), Saved::Conflict, "nothing stands there");
    assert_eq!(store.save("u", None, &live(1)).await.unwrap(), Saved::Stored);
    assert_eq!(store.save("u", None, &live(1)).await.unwrap(), Saved::Conflict);
    assert_eq!(store.save("u", Some(1), &live(2)).await.unwrap(), Saved::Stored);
    assert_eq!(store.save("u", Some(1), &live(2)).await.unwrap(), Saved::Conflict);
    assert_eq!(store.load("u").await.unwrap().unwrap().generation, 2);
}

/// The save is one conditional write.
pub async fn sixteen_tasks_save_over_one_generation_and_one_wins(place: &impl Place) {
    let nodes = [place.open().await, place.open().await];
    nodes[0].save("u", None, &live(1)).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let store = nodes[number % 2].clone();
            tokio::spawn(async move { store.save("u", Some(1), &live(2)).await.unwrap() })
        })
        .collect();
    let mut stored = 0;
    for task in tasks {
        stored += u32::from(task.await.unwrap() == Saved::Stored);
    }
    assert_eq!(stored, 1);
}

/// Of several nodes that see the same outage one tells of it; a refresh in flight does not notice.
pub async fn trouble_is_noted_once_and_changes_no_generation(place: &impl Place) {
    let (store, fence) = with_a_leased_row(place).await;
    let degraded = Trouble { kind: TroubleKind::Degraded, since: NOW.plus(5), reason: "503".to_owned() };
    assert_eq!(store.note("u", 1, None).await.unwrap(), Saved::Conflict, "there is none");
    assert_eq!(store.note("u", 2, Some(&degraded)).await.unwrap(), Saved::Conflict);
    assert_eq!(store.note("v", 1, Some(&degraded)).await.unwrap(), Saved::Conflict);
    assert_eq!(store.note("u", 1, Some(&degraded)).await.unwrap(), Saved::Stored);
    let again = Trouble { since: NOW.plus(9), ..degraded.clone() };
    assert_eq!(store.note("u", 1, Some(&again)).await.unwrap(), Saved::Conflict, "since the first");
    let row = store.load("u").await.unwrap().unwrap();
    assert_eq!((row.generation, row.trouble.as_ref()), (1, Some(&degraded)));
    let unverified = Trouble { kind: TroubleKind::Unverified, ..again.clone() };
    assert_eq!(store.note("u", 1, Some(&unverified)).await.unwrap(), Saved::Stored, "another kind");
    assert_eq!(store.load("u").await.unwrap().unwrap().trouble.as_ref(), Some(&unverified));
    let locked = Trouble { kind: TroubleKind::AccountLocked, ..again };
    assert_eq!(store.note("u", 1, Some(&locked)).await.unwrap(), Saved::Stored);
    assert_eq!(store.load("u").await.unwrap().unwrap().status().state, State::AccountLocked);
    assert_eq!(store.note("u", 1, None).await.unwrap(), Saved::Stored);
    assert_eq!(store.finish("u", fence, 1, &live(2)).await.unwrap(), Saved::Stored);
}

/// Pages neither skip nor repeat, and leases without a row are no connections.
pub async fn pages_follow_the_order_of_names(place: &impl Place) {
    let store = place.open().await;
    for number in (0..25).rev() {
        store.save(&format!("c{number:02}"), None, &live(1)).await.unwrap();
    }
    store.take_lease("c05a", NOW, NOW.plus(30)).await.unwrap();
    let mut names = Vec::new();
    loop {
        let page = store.page(names.last().map(String::as_str), 10).await.unwrap();
        if page.is_empty() {
            break;
        }
        names.extend(page.into_iter().map(|listed| listed.id));
    }
    assert_eq!(names, (0..25).map(|number| format!("c{number:02}")).collect::<Vec<_>>());
}

/// Removal is final for whoever was refreshing.
pub async fn what_was_removed_is_gone_and_its_late_writer_loses(place: &impl Place) {
    let (store, fence) = with_a_leased_row(place).await;
    store.open_intent("u", fence, &intent()).await.unwrap();
    assert!(store.remove("u").await.unwrap());
    assert!(!store.remove("u").await.unwrap());
    assert!(store.load("u").await.unwrap().is_none());
    assert_eq!(store.finish("u", fence, 1, &live(2)).await.unwrap(), Saved::Conflict);
    // A new connection of the same name starts anew, and an older fence does not reach it.
    store.save("u", None, &live(1)).await.unwrap();
    assert_eq!(store.finish("u", fence, 1, &live(2)).await.unwrap(), Saved::Conflict);
    let next = super::leased(&store, NOW).await;
    assert!(next.fence > fence && next.open.is_none());
}

/// Durable, and seen at once.
pub async fn what_one_node_writes_another_reads(place: &impl Place) {
    let one = place.open().await;
    let two = place.open().await;
    one.save("u", None, &live(1)).await.unwrap();
    assert_eq!(told(&two.load("u").await.unwrap().unwrap()), told(&live(1)));
    two.save("u", Some(1), &live(2)).await.unwrap();
    assert_eq!(told(&one.load("u").await.unwrap().unwrap()), told(&live(2)));
    drop((one, two));
    assert_eq!(told(&place.open().await.load("u").await.unwrap().unwrap()), told(&live(2)));
}

//! A line whose connection is there and works no more takes its place; one that works is left alone.

use super::{Scene, outcomes, told};
use crate::place::{Directory, START};
use keyfob_client::{Saved, Standing, State, StoredConnection, TokenStore};
use keyfob_vault::import::{Compared, Outcome, Untried};
use keyfob_vault::store::SqliteTokenStore;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const HEAD: &str = "id,access_token,refresh_token,expires_at\n";
const ALIVE: &str = "2027-01-15T09:00:00Z";
const ENDED: &str = "1799999000";

fn scene(place: &Directory, people: impl IntoIterator<Item = u64>) -> (Arc<SqliteTokenStore>, Scene) {
    let store = Arc::new(place.store());
    (store.clone(), Scene::new(store, people))
}

async fn outcome(scene: &Scene, line: &str, dry_run: bool) -> Outcome {
    outcomes(&scene.import(&format!("{HEAD}{line}\n"), dry_run).await).remove(0)
}

fn dead_there(untried: Untried) -> Outcome {
    Outcome::DeadThere { reason: "400 invalid_grant".to_owned(), untried }
}

/// Until no node can have newer tokens of what is dead now.
fn ten_minutes_pass(scene: &Scene) {
    scene.clock.0.fetch_add(600, Ordering::SeqCst);
}

#[tokio::test]
async fn a_line_that_died_unproven_is_tried_again_with_other_tokens() {
    let place = Directory::new();
    let (store, scene) = scene(&place, [1]);
    let stale = format!("u,,r-9-1,{ENDED}");
    assert!(matches!(outcome(&scene, &stale, false).await, Outcome::Dead { .. }));
    assert_eq!(outcome(&scene, &stale, false).await, dead_there(Untried::SameTokens));
    let good = format!("u,,r-1-1,{ENDED}");
    for dry_run in [true, false] {
        assert_eq!(outcome(&scene, &good, dry_run).await, dead_there(Untried::StoppedJustNow));
    }
    ten_minutes_pass(&scene);
    assert_eq!(outcome(&scene, &good, true).await, Outcome::WouldBeImported);
    assert_eq!(outcome(&scene, &good, false).await, Outcome::Imported);
    let states = ["degraded", "reauth_required", "degraded", "connected"];
    assert_eq!(told(&*store, "u").await, states);
    // The export of before changes nothing any more.
    let before = scene.kept().await;
    assert_eq!(outcome(&scene, &stale, false).await, Outcome::AlreadyThere(Compared::NotCompared));
    assert_eq!(scene.kept().await, before);
}

/// An earlier run was interrupted before it could find out.
#[tokio::test]
async fn a_line_that_turns_out_dead_gives_way_to_a_later_run() {
    let place = Directory::new();
    let (_, scene) = scene(&place, [1]);
    *scene.world.down.lock().unwrap() = true;
    assert!(matches!(outcome(&scene, &format!("u,,r-9-1,{ENDED}"), false).await, Outcome::NotVerified { .. }));
    let good = format!("u,a-1-1,r-1-1,{ALIVE}");
    assert!(matches!(outcome(&scene, &good, false).await, Outcome::NotVerified { .. }), "it may be good");
    *scene.world.down.lock().unwrap() = false;
    ten_minutes_pass(&scene);
    assert_eq!(outcome(&scene, &good, false).await, dead_there(Untried::StoppedJustNow));
    ten_minutes_pass(&scene);
    assert_eq!(outcome(&scene, &good, false).await, Outcome::Imported);
    assert_eq!(*scene.world.refreshes.lock().unwrap(), 1, "of the dead one");
}

/// A node redeemed the refresh token and could not write; another one, or this import, sent the same token and was told that it is dead.
#[tokio::test]
async fn a_line_does_not_displace_what_another_node_could_not_write_yet() {
    let place = Directory::new();
    let (store, scene) = scene(&place, [1]);
    assert_eq!(outcome(&scene, &format!("u,a-1-1,r-1-1,{ALIVE}"), false).await, Outcome::Imported);
    let node = scene.importer().connections;
    let file = rusqlite::Connection::open(place.file()).unwrap();
    let full = "CREATE TRIGGER full BEFORE UPDATE ON connections BEGIN SELECT RAISE(ABORT, 'full'); END";
    file.execute_batch(full).unwrap();
    node.open("u").refresh_now().await.unwrap();
    assert_eq!(node.write_unwritten().await, ["u"]);
    file.execute_batch("DROP TRIGGER full").unwrap();
    scene.clock.0.fetch_add(31, Ordering::SeqCst);
    assert!(scene.importer().connections.open("u").refresh_now().await.is_err());
    scene.world.ended.lock().unwrap().clear();
    // The same person's, as the API says, of another consent.
    let line = format!("u,a-1-2,r-1-7,{ALIVE}");
    assert_eq!(outcome(&scene, &line, false).await, dead_there(Untried::StoppedJustNow));
    assert!(node.write_unwritten().await.is_empty());
    let kept = store.load("u").await.unwrap().unwrap().tokens().and_then(|tokens| tokens.refresh_token.clone());
    assert_eq!(kept.unwrap().expose(), "r-1-2");
    assert!(scene.importer().connections.open("u").refresh_now().await.is_ok());
}

#[tokio::test]
async fn a_dead_connection_is_given_to_nobody_but_its_person() {
    let place = Directory::new();
    let (store, scene) = scene(&place, [1, 2]);
    assert_eq!(outcome(&scene, &format!("u,a-1-1,r-1-1,{ALIVE}"), false).await, Outcome::Imported);
    scene.world.ended.lock().unwrap().insert(1);
    assert!(scene.importer().connections.open("u").refresh_now().await.is_err());
    scene.world.ended.lock().unwrap().clear();
    ten_minutes_pass(&scene);
    let before = scene.kept().await;
    // Only spending it would show whose a refresh token is.
    assert_eq!(outcome(&scene, &format!("u,,r-2-1,{ENDED}"), false).await, dead_there(Untried::OwnerUnknown));
    assert_eq!(outcome(&scene, &format!("u,a-2-1,r-2-1,{ALIVE}"), false).await, Outcome::OtherPerson);
    assert_eq!(outcome(&scene, &format!("u,a-1-9,r-1-9,{ALIVE}"), false).await, dead_there(Untried::OwnerUnknown));
    assert_eq!(scene.kept().await, before);
    *scene.world.people.lock().unwrap().get_mut(&1).unwrap() = 7;
    let theirs = format!("u,a-1-7,r-1-7,{ALIVE}");
    assert_eq!(outcome(&scene, &theirs, true).await, Outcome::WouldBeImported);
    assert_eq!(outcome(&scene, &theirs, false).await, Outcome::Imported);
    let row = store.load("u").await.unwrap().unwrap();
    assert_eq!(row.identity.as_ref().map(|identity| identity.user.id), Some(1));
    assert_eq!(told(&*store, "u").await.last().map(String::as_str), Some("connected"));
    assert!(scene.importer().connections.open("u").refresh_now().await.is_ok());
}

/// It stays: it is somebody's.
#[tokio::test]
async fn a_line_that_ends_as_it_is_brought_in_is_told_as_dead() {
    let place = Directory::new();
    let (store, scene) = scene(&place, [1]);
    assert_eq!(outcome(&scene, &format!("u,a-1-1,r-1-1,{ALIVE}"), false).await, Outcome::Imported);
    scene.world.ended.lock().unwrap().insert(1);
    assert!(scene.importer().connections.open("u").refresh_now().await.is_err());
    ten_minutes_pass(&scene);
    *scene.world.calls_left.lock().unwrap() = Some(1);
    let told = outcome(&scene, &format!("u,a-1-1,,{ALIVE}"), false).await;
    assert!(matches!(told, Outcome::Dead { .. }), "{told:?}");
    let row = store.load("u").await.unwrap().unwrap();
    assert_eq!((row.status().state, row.identity.is_some()), (State::ReauthRequired, true));
}

/// What the vault knows of a connection that its user declined is left to the user.
#[tokio::test]
async fn whoever_declined_is_not_brought_in_by_a_line() {
    let place = Directory::new();
    let (store, scene) = scene(&place, [1]);
    let declined =
        StoredConnection { generation: 1, standing: Standing::Denied, since: START, trouble: None, identity: None };
    assert_eq!(store.save("u", None, &declined).await.unwrap(), Saved::Stored);
    let told = outcome(&scene, &format!("u,a-1-1,r-1-1,{ALIVE}"), false).await;
    assert_eq!(told, Outcome::DeadThere { reason: "its user declined".to_owned(), untried: Untried::Declined });
}

//! KM-02: signing keys follow each other while tokens of both live, on every node, by the schedule and by command.

#![expect(clippy::disallowed_methods, reason = "how long real waiting takes is what is tested")]

use super::{DAY, HOUR, connect, connected, identity, node};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_authority::keys::{MasterKey, MasterKeys};
use keyfob_authority::open::{OpenError, Opener};
use keyfob_authority::rotation::{KeyRetirement, PUBLISHED_AHEAD};
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_testkit::{MASTER_KEY, ManualClock, START, TestServer};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn opener(server: &TestServer, master: Arc<dyn MasterKeys>, algorithm: SigningAlgorithm) -> Opener {
    Opener { master, issuer: server.authority().settings().issuer.clone(), sandbox: false, algorithm }
}

fn ours(server: &TestServer) -> Opener {
    opener(server, Arc::new(MasterKey::parse(MASTER_KEY).expect("a key")), SigningAlgorithm::EdDsa)
}

/// The `kid` of a token.
fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a header")).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

/// What the server publishes.
async fn published(server: &TestServer) -> BTreeSet<String> {
    let jwks = server.get("/oauth/jwks").await.json();
    jwks["keys"].as_array().expect("keys").iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

/// Waits until each node has taken up what changed; by itself, within the second of BR-09.
async fn followed(servers: &[&TestServer], keys: usize) {
    let since = Instant::now();
    for server in servers {
        while published(server).await.len() != keys {
            assert!(since.elapsed() < Duration::from_secs(2), "{keys} keys are not published");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn km_02_a_key_is_published_before_it_signs_and_until_its_last_token_has_ended() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let file = directory.path().join("keyfob.db");
    let (one, two) = (node(&file, &clock, 1).await, node(&file, &clock, 2).await);
    let app = one.confidential_app("Listing Lantern").await;
    let early = connect(&one, &app).await;
    let first = kid(&early.access_token);

    let starts_at = START.plus(PUBLISHED_AHEAD);
    let opener = opener(&one, Arc::new(MasterKey::parse(MASTER_KEY).expect("a key")), SigningAlgorithm::Es256);
    opener.add_signing_key(&**one.store(), starts_at, START, &*one.entropy).await.expect("ours");
    followed(&[&one, &two], 2).await;
    clock.advance(PUBLISHED_AHEAD - 1);
    let last = connected(&app.refresh(&two, &early.refresh_token).await);
    assert_eq!(kid(&last.access_token), first, "it does not sign a second too early");
    clock.advance(1);
    let next = connected(&app.refresh(&two, &early.refresh_token).await);
    let second = kid(&next.access_token);
    assert_ne!(second, first);
    for server in [&one, &two] {
        assert_eq!(published(server).await, BTreeSet::from([first.clone(), second.clone()]));
        for token in [&last.access_token, &next.access_token] {
            assert_eq!(identity(server, token).await, 200, "tokens of both keys work on both nodes");
        }
    }
    clock.advance(HOUR - 2);
    assert_eq!(identity(&one, &last.access_token).await, 200, "its last second");
    clock.advance(1);
    assert_eq!(published(&one).await.len(), 2, "as long as its last token lives");
    clock.advance(121);
    assert_eq!(published(&one).await, BTreeSet::from([second]));
}

#[tokio::test]
async fn km_02_of_several_nodes_that_find_a_rotation_due_one_makes_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let file = directory.path().join("keyfob.db");
    let (one, two) = (node(&file, &clock, 1).await, node(&file, &clock, 2).await);
    let rotate = async |server: &TestServer, now| {
        ours(server).rotate_if_due(&**server.store(), 90 * DAY, now, &*server.entropy).await.expect("ours")
    };
    let due = START.plus(90 * DAY - PUBLISHED_AHEAD);
    assert_eq!(rotate(&one, due.plus(-1)).await, None);
    let (mine, theirs) = tokio::join!(rotate(&one, due), rotate(&two, due));
    assert_eq!([mine, theirs].iter().flatten().count(), 1, "{mine:?} {theirs:?}");
    assert_eq!((rotate(&one, due).await, rotate(&two, due.plus(DAY)).await), (None, None));
    followed(&[&one, &two], 2).await;
}

#[tokio::test]
async fn km_02_a_retired_key_takes_its_tokens_along_and_the_one_that_signs_stays() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let early = connect(&server, &app).await;
    let (opener, store) = (ours(&server), server.store());
    let first = server.authority().keys().signing_key(START).id;
    let retire = async |id| opener.retire_signing_key(&**store, id, server.clock_now()).await.expect("ours");
    assert_eq!(retire(first).await, KeyRetirement::StillSigning);
    assert_eq!(retire(1).await, KeyRetirement::Missing, "a key of another purpose");
    opener.add_signing_key(&**store, START.plus(10), START, &*server.entropy).await.expect("ours");
    followed(&[&server], 2).await;
    server.clock.advance(10);
    let late = connected(&app.refresh(&server, &early.refresh_token).await);
    assert_eq!(retire(first).await, KeyRetirement::Retired);
    followed(&[&server], 1).await;
    assert_eq!(identity(&server, &early.access_token).await, 401);
    assert_eq!(identity(&server, &late.access_token).await, 200);
    assert_eq!(retire(first).await, KeyRetirement::Missing);
}

/// Two master keys, as while the data is put from one under the other.
struct Both(MasterKey, MasterKey);

impl MasterKeys for Both {
    fn candidates(&self) -> Vec<MasterKey> {
        vec![self.0.clone(), self.1.clone()]
    }
}

#[tokio::test]
async fn km_01_the_keys_go_under_another_master_key_and_every_token_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let file = directory.path().join("keyfob.db");
    let server = node(&file, &clock, 1).await;
    let app = server.rotating_app("Listing Lantern").await;
    let tokens = connect(&server, &app).await;
    let (earlier, next) =
        (MasterKey::parse(MASTER_KEY).expect("a key"), MasterKey::generate(&*server.entropy).expect("entropy"));
    let before = server.store().keys().await.expect("no fault");
    let resealed = ours(&server).reseal(&**server.store(), &next, START, &*server.entropy).await.expect("ours");
    assert_eq!(resealed, before.len());
    let after = server.store().keys().await.expect("no fault");
    assert!(before.iter().zip(&after).all(|(one, other)| one.id == other.id && one.sealed != other.sealed));
    // This server has the earlier key alone: it goes on, and says that it cannot follow.
    assert_eq!(identity(&server, &tokens.access_token).await, 200);
    let refreshed = connected(&app.refresh(&server, &tokens.refresh_token).await);
    let since = Instant::now();
    while server.get("/readyz").await.status() != 503 {
        assert!(since.elapsed() < Duration::from_secs(2), "it is still ready");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(server.get("/readyz").await.text().contains("keys"), "{}", server.get("/readyz").await.text());
    let store = server.store();
    assert!(matches!(ours(&server).keys(&**store).await, Err(OpenError::OtherMasterKey)));
    for master in [Arc::new(next.clone()) as Arc<dyn MasterKeys>, Arc::new(Both(earlier, next.clone()))] {
        let opener = opener(&server, master, SigningAlgorithm::EdDsa);
        let keyring = opener.keys(&**store).await.expect("it opens");
        assert_eq!(keyring.jwks(START, HOUR), server.authority().jwks(START));
        server.authority().reload(Some(keyring));
        assert_eq!(app.refresh(&server, &refreshed.refresh_token).await.status(), 200);
        assert_eq!(opener.reseal(&**store, &next, START, &*server.entropy).await.expect("ours"), 0, "it is done");
    }
}

//! `keyfob serve` on PostgreSQL: one flow, two equal nodes, a database that goes away, and commands beside them.

use super::partner::{Shape, call, revoke, tokens};
use super::place::{EMAIL, PASSWORD, People, Place, Told, told};
use super::serving::Serving;
use super::visitor::{Visitor, http_client, send};
use keyfob_testkit::{Cut, PostgresCluster, PostgresDatabase, PostgresWire};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// In every URL; the server asks for none over its socket, so that it only has to be kept secret.
const DATABASE_PASSWORD: &str = "hunter2-of-the-database";

/// A database, and the nodes on it. Each has a data directory of its own and the same master key.
pub(super) struct Shared {
    database: PostgresDatabase,
    pub(super) nodes: Vec<Place>,
}

impl Shared {
    pub(super) fn with_nodes(cluster: &Arc<PostgresCluster>, count: usize) -> Shared {
        let database = cluster.database();
        let url = database.url().replace("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"));
        let nodes: Vec<Place> = (0..count).map(|_| Place::on(&url)).collect();
        Shared { database, nodes }
    }

    /// The first node makes the master key; the others get a copy.
    pub(super) fn people(&self) -> People {
        let people = self.nodes[0].people();
        for node in &self.nodes[1..] {
            std::fs::copy(self.nodes[0].master_key_file(), node.master_key_file()).expect("a copy of the key");
        }
        people
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_flow_on_postgresql_from_the_first_account_to_the_last_token() {
    let shared = Shared::with_nodes(&PostgresCluster::shared(), 1);
    let place = &shared.nodes[0];
    let mut serve = place.command(&["serve"]);
    serve.env("RUST_LOG", "trace");
    let serving = Serving::start(serve);
    let people = shared.people();
    let (http, base) = (http_client(), serving.base());
    let mut visitor = Visitor::new(&http);
    let partner = &people.rotating;
    let code = visitor.connect(&base, partner, "s1").await.expect("a code");
    let redeemed = partner.redeem(&http, &base, Shape::Get, &code, "s1").await.expect("an answer");
    let (access, refresh) = tokens(&redeemed);
    assert_eq!(call(&http, &base, &access).await, Ok(200));
    let refreshed = partner.refresh(&http, &base, Shape::Post, &refresh).await.expect("an answer");
    let (access, refresh) = tokens(&refreshed);
    assert_eq!(call(&http, &base, &access).await, Ok(200));
    let ledger = place.json(&["ledger"]);
    for kind in ["account_changed", "signed_in", "consented", "redeemed"] {
        assert!(ledger.as_array().is_some_and(|all| all.iter().any(|entry| entry["kind"] == kind)), "{kind}: {ledger}");
    }
    let grant = place.json(&["grant", "list"])[0]["id"].as_str().expect("a grant").to_owned();
    place.json(&["grant", "revoke", &grant]);
    let refused = partner.refresh(&http, &base, Shape::Post, &refresh).await.expect("an answer");
    assert_eq!(refused.status, 400, "{}", refused.body);
    serving.terminate();
    serving.says("stopped");
    let said = serving.said();
    for secret in [DATABASE_PASSWORD, PASSWORD, "$argon2id", &code, &access, &refresh, &partner.client_secret] {
        assert!(!said.contains(secret), "{secret} is in the log");
    }
    assert!(!place.database().exists(), "no SQLite beside it");
    assert_eq!(shared.database.sql(&format!("SELECT count(*) FROM users WHERE email = '{EMAIL}'")), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn br_09_what_changes_on_one_node_acts_on_the_others_within_a_second() {
    let shared = Shared::with_nodes(&PostgresCluster::shared(), 3);
    let people = shared.people();
    let servers: Vec<Serving> = shared.nodes.iter().map(Place::serve).collect();
    let bases: Vec<String> = servers.iter().map(Serving::base).collect();
    let http = http_client();
    let partner = &people.rotating;
    let mut visitor = Visitor::new(&http);
    let code = visitor.connect(&bases[0], partner, "s1").await.expect("a code");
    // What one node began the other goes on with.
    let redeemed = partner.redeem(&http, &bases[1], Shape::Post, &code, "s1").await.expect("an answer");
    let again = partner.redeem(&http, &bases[0], Shape::Post, &code, "s1").await.expect("an answer");
    assert_eq!(again.status, 400, "{}", again.body);
    let (access, refresh) = tokens(&redeemed);
    let refreshed = partner.refresh(&http, &bases[0], Shape::Post, &refresh).await.expect("an answer");
    let (_, successor) = tokens(&refreshed);
    for base in &bases {
        assert_eq!(call(&http, base, &access).await, Ok(200));
        // A lost reply is answered by either node with the same successor.
        let repeated = partner.refresh(&http, base, Shape::Post, &refresh).await.expect("an answer");
        assert_eq!(tokens(&repeated).1, successor);
    }

    let revoked = revoke(&http, &bases[0], &people, &access).await.expect("an answer");
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    let since = Instant::now();
    assert_eq!(call(&http, &bases[0], &access).await, Ok(401), "at once on its own node");
    for other in &bases[1..] {
        while call(&http, other, &access).await != Ok(401) {
            assert!(since.elapsed() < Duration::from_secs(1), "another node still takes the token");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        println!("another node refused after {:?}", since.elapsed());
        let refused = partner.refresh(&http, other, Shape::Post, &successor).await.expect("an answer");
        assert_eq!(refused.status, 400, "the row is the same on every node: {}", refused.body);
    }

    shared.nodes[1].json(&["app", "disable", &people.fixed.client_id]);
    let since = Instant::now();
    for base in &bases {
        let authorize = format!("{base}{}", people.fixed.authorize("s2"));
        while send(http.get(&authorize)).await.expect("an answer").status == 200 {
            assert!(since.elapsed() < Duration::from_secs(1), "{base} does not know of the change");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_503_and_never_400_and_comes_back_without_a_restart() {
    let cluster = tokio::task::spawn_blocking(PostgresCluster::own).await.expect("a cluster");
    let shared = Shared::with_nodes(&cluster, 1);
    let people = shared.people();
    let serving = shared.nodes[0].serve();
    let (http, base) = (http_client(), serving.base());
    let partner = &people.rotating;
    let code = Visitor::new(&http).connect(&base, partner, "s1").await.expect("a code");
    let (_, refresh) = tokens(&partner.redeem(&http, &base, Shape::Post, &code, "s1").await.expect("an answer"));
    shared.database.end_connections();
    let refreshed = partner.refresh(&http, &base, Shape::Post, &refresh).await.expect("an answer");
    let (_, refresh) = tokens(&refreshed);
    cluster.crash();
    for shape in [Shape::Post, Shape::Get, Shape::Post] {
        let answer = partner.refresh(&http, &base, shape, &refresh).await.expect("an answer");
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
    }
    cluster.start_again();
    let since = Instant::now();
    let refreshed = loop {
        let answer = partner.refresh(&http, &base, Shape::Post, &refresh).await.expect("an answer");
        if answer.status != 503 {
            break answer;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "it does not come back: {}", answer.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let (access, _) = tokens(&refreshed);
    // Each of the node's connections to the database finds its own way back.
    let called = loop {
        let called = call(&http, &base, &access).await;
        if called != Ok(503) {
            break called;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "calls do not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(called, Ok(200));
    serving.stop();
}

/// The ids of the keys that a node publishes.
async fn published(base: &str, http: &reqwest::Client) -> Vec<String> {
    let jwks = send(http.get(format!("{base}/oauth/jwks"))).await.expect("an answer");
    let jwks: serde_json::Value = serde_json::from_str(&jwks.body).expect("JSON");
    let keys = jwks["keys"].as_array().expect("keys");
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn km_02_keys_are_rotated_and_the_master_key_exchanged_while_nodes_run() {
    let shared = Shared::with_nodes(&PostgresCluster::shared(), 2);
    let people = shared.people();
    let servers: Vec<Serving> = shared.nodes.iter().map(Place::serve).collect();
    let bases: Vec<String> = servers.iter().map(Serving::base).collect();
    let http = http_client();
    let partner = &people.rotating;
    let code = Visitor::new(&http).connect(&bases[0], partner, "s1").await.expect("a code");
    let (access, refresh) =
        tokens(&partner.redeem(&http, &bases[0], Shape::Post, &code, "s1").await.expect("an answer"));
    let [first, second] = &shared.nodes[..] else { panic!("two nodes") };

    let listed = first.json(&["key", "list"]);
    assert_eq!((listed[0]["stage"].as_str(), listed[1].is_null()), (Some("signing"), true), "{listed}");
    refused(&first.run(&["key", "rotate", "--after", "9"]), 3, &["--after", "10 seconds"]);
    let added = first.json(&["key", "rotate"]);
    let since = Instant::now();
    for base in &bases {
        while published(base, &http).await.len() != 2 {
            assert!(since.elapsed() < Duration::from_secs(1), "the key is not published");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let listed = second.json(&["key", "list"]);
    assert_eq!((listed[1]["id"].clone(), listed[1]["stage"].as_str()), (added["id"].clone(), Some("next")), "{listed}");
    let signs = listed[0]["id"].to_string();
    refused(&first.run(&["key", "retire", &signs]), 5, &["signs at the moment", "key rotate"]);

    refused(&first.run(&["key", "reseal"]), 4, &["there is no other master key", "key new-master"]);
    let made = first.json(&["key", "new-master"]);
    let next = made["file"].as_str().expect("a file");
    std::fs::copy(next, second.around().join("data.master-key.next")).expect("a copy of the key");
    assert_eq!(first.json(&["key", "new-master"])["made"], false, "the same again");
    let resealed = first.json(&["key", "reseal"]);
    assert_eq!(resealed["keys"], 5, "four at the start, one by rotation");
    let earlier = resealed["earlierMasterKey"].as_str().expect("a file");
    assert!(std::path::Path::new(earlier).exists() && !std::path::Path::new(next).exists());
    // Both nodes take up what changes from here on: neither has lost sight of the store.
    first.json(&["key", "retire", &added["id"].to_string()]);
    let since = Instant::now();
    for base in &bases {
        while published(base, &http).await.len() != 1 {
            assert!(since.elapsed() < Duration::from_secs(1), "the keys are not followed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(send(http.get(format!("{base}/readyz"))).await.expect("an answer").status, 200);
        assert_eq!(call(&http, base, &access).await, Ok(200), "tokens stay as they are");
    }
    let refreshed = partner.refresh(&http, &bases[1], Shape::Post, &refresh).await.expect("an answer");
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    // The second node's file has not been renamed yet, and a start finds the key all the same; who has only the earlier one is refused.
    second.json(&["account", "list"]);
    refused(&second.run(&["key", "new-master"]), 5, &["the data is under already", "rename it"]);
    std::fs::remove_file(second.around().join("data.master-key.next")).expect("it was copied");
    refused(&second.run(&["account", "list"]), 3, &["master key is not the one"]);
    let kinds: Vec<String> =
        first.json(&["ledger"]).as_array().expect("entries").iter().map(|entry| entry["kind"].to_string()).collect();
    for kind in ["key_added", "key_retired", "keys_resealed"] {
        assert!(kinds.iter().any(|other| other.contains(kind)), "{kind}: {kinds:?}");
    }
    servers.into_iter().for_each(Serving::stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_its_database_and_can_be_stopped_meanwhile() {
    let cluster = tokio::task::spawn_blocking(PostgresCluster::own).await.expect("a cluster");
    let shared = Shared::with_nodes(&cluster, 2);
    shared.people();
    cluster.stop();
    let mut waiting = Serving::start_unready(shared.nodes[0].command(&["serve"]));
    let mut stopped = Serving::start_unready(shared.nodes[1].command(&["serve"]));
    for serving in [&waiting, &stopped] {
        let said = serving.says("waiting for the database, for a minute at most");
        assert!(said["fields"]["error"].as_str().is_some_and(|why| why.contains("is the server running")), "{said}");
    }
    stopped.terminate();
    assert!(stopped.ended().success(), "{}", stopped.said());
    cluster.start_again();
    waiting.address = waiting.listens("ready");
    let said = waiting.said();
    assert_eq!(said.matches("waiting for the database").count(), 1, "it says so once: {said}");
    assert!(!said.contains(DATABASE_PASSWORD), "{said}");
    waiting.stop();
}

/// The other end of BR-09: a node that learns nothing any more cannot go on for the life of a token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn br_11_a_node_that_is_cut_off_refuses_tokens_after_half_a_minute() {
    let mut shared = Shared::with_nodes(&PostgresCluster::shared(), 1);
    let wire = PostgresWire::to(&shared.database).await;
    shared.nodes.push(Place::on(wire.url()));
    let people = shared.people();
    let servers = [shared.nodes[0].serve(), shared.nodes[1].serve()];
    let (http, cut_off) = (http_client(), servers[1].base());
    let code = Visitor::new(&http).connect(&servers[0].base(), &people.fixed, "s1").await.expect("a code");
    let redeemed = people.fixed.redeem(&http, &cut_off, Shape::Post, &code, "s1").await.expect("an answer");
    let (access, _) = tokens(&redeemed);
    assert_eq!(call(&http, &cut_off, &access).await, Ok(200));
    wire.cut(Cut::Reset);
    let since = Instant::now();
    let ended = revoke(&http, &servers[0].base(), &people, &access).await.expect("an answer");
    assert_eq!(ended.status, 200, "{}", ended.body);
    // The store is asked for the person only after the gate let the token pass, so the gate's own refusal is told by its words.
    let refused_by_the_gate = async || {
        let answer = send(http.get(format!("{cut_off}/v1/identity")).bearer_auth(&access)).await.expect("an answer");
        assert_eq!((answer.status, answer.header("retry-after").is_empty()), (503, false), "{}", answer.body);
        answer.body.contains("cannot be checked at the moment")
    };
    assert!(!refused_by_the_gate().await, "a short outage is none of the gate's business");
    while !refused_by_the_gate().await {
        assert!(since.elapsed() < Duration::from_secs(33), "it goes on without news");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(since.elapsed() > Duration::from_secs(28), "{:?}", since.elapsed());
    wire.mend();
    while call(&http, &cut_off, &access).await != Ok(401) {
        assert!(since.elapsed() < Duration::from_secs(60), "it learns nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Refused with this code, and in these words, which never hold the password.
#[track_caller]
fn refused(told: &Told, code: i32, words: &[&str]) {
    assert_eq!((told.code, told.stdout.as_str()), (Some(code), ""), "{told:?}");
    for word in words {
        assert!(told.stderr.contains(word), "{word:?} is missing: {told:?}");
    }
    assert!(!told.stderr.contains(DATABASE_PASSWORD), "{told:?}");
}

#[test]
fn what_is_wrong_with_the_database_is_said_with_what_to_do() {
    let shared = Shared::with_nodes(&PostgresCluster::shared(), 2);
    shared.people();
    let [first, second] = &shared.nodes[..] else { panic!("two nodes") };
    let with_store = |url: &str| {
        let mut command = first.command(&["account", "list"]);
        command.env("KEYFOB_STORE", url);
        told(command, "")
    };
    refused(&with_store(&format!("postgres://u:{DATABASE_PASSWORD}@127.0.0.1:1/k")), 6, &["127.0.0.1:1", "running"]);
    refused(&with_store(&format!("postgres://u:{DATABASE_PASSWORD}@127.0.0.1:1")), 3, &["names no database"]);
    refused(&with_store(&format!("mysql://u:{DATABASE_PASSWORD}@127.0.0.1:1/k")), 3, &["postgres://", "SQLite"]);
    let nowhere = shared.database.url().replace(shared.database.name(), "nowhere");
    refused(&with_store(&nowhere), 3, &["nowhere", "check user, password and database"]);

    std::fs::remove_file(second.master_key_file()).expect("it was copied");
    let keyless = second.run(&["account", "list"]);
    refused(&keyless, 3, &["master key file", "is missing", "copy it from the first"]);
    assert!(!second.master_key_file().exists(), "no other key is made");

    let target = first.around().join("backup.db");
    let backup = first.run(&["backup", target.to_str().expect("UTF-8")]);
    refused(&backup, 3, &["pg_dump", "master key is not in it"]);
    let check = first.run(&["config", "check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.contains("store postgres://postgres@"), "{check:?}");
    for told in [check, first.run(&["serve", "--help"])] {
        assert!(!told.stdout.contains(DATABASE_PASSWORD) && !told.stderr.contains(DATABASE_PASSWORD), "{told:?}");
    }

    shared.database.sql("UPDATE schema_version SET version = 1000");
    refused(&first.run(&["account", "list"]), 3, &["version 1000", "newer keyfob", "nothing was changed"]);
}

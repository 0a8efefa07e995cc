//! From SQLite to PostgreSQL and back: every token, code and session of before works after, and what had ended stays ended.

use super::super::partner::{Partner, Shape, call, revoke, tokens};
use super::super::place::{People, Place};
use super::super::visitor::{Visitor, http_client};
use super::{database, directory, moved, on, serve};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What people and apps hold in their hands, and no server does.
struct Held {
    visitor: Visitor,
    fixed: (String, String),
    rotating: (String, String),
    /// An earlier access token of the rotating one, and the refresh token that an app may have kept from a lost answer.
    parent: String,
    revoked: (String, String),
    code: String,
}

const AGAIN: &str = "the store went back: restored from a backup, or a failover lost writes";

async fn redeemed(http: &reqwest::Client, base: &str, partner: &Partner, code: &str, state: &str) -> (String, String) {
    tokens(&partner.redeem(http, base, Shape::Post, code, state).await.expect("an answer"))
}

async fn refreshed(http: &reqwest::Client, base: &str, partner: &Partner, token: &str) -> (String, String) {
    tokens(&partner.refresh(http, base, Shape::Post, token).await.expect("an answer"))
}

async fn begin(http: &reqwest::Client, base: &str, people: &People) -> Held {
    let mut visitor = Visitor::new(http);
    let mut connected = Vec::new();
    for (partner, state) in [(&people.fixed, "f"), (&people.rotating, "r"), (&people.rotating, "x")] {
        let code = visitor.connect(base, partner, state).await.expect("a code");
        connected.push(redeemed(http, base, partner, &code, state).await);
    }
    let [fixed, (_, parent), revoked] = connected.try_into().expect("three");
    let rotating = refreshed(http, base, &people.rotating, &parent).await;
    assert_eq!(revoke(http, base, people, &revoked.0).await.expect("an answer").status, 200);
    let code = visitor.connect(base, &people.rotating, "c").await.expect("a code");
    Held { visitor, fixed, rotating, parent, revoked, code }
}

/// Everything that was held works here as it would have there. Goes on with what it gets.
async fn goes_on(http: &reqwest::Client, base: &str, people: &People, held: &mut Held) {
    for token in [&held.fixed.0, &held.rotating.0] {
        assert_eq!(call(http, base, token).await, Ok(200), "an access token of before");
    }
    let since = Instant::now();
    while call(http, base, &held.revoked.0).await != Ok(401) {
        assert!(since.elapsed() < Duration::from_secs(2), "a revoked token is taken");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ended = people.rotating.refresh(http, base, Shape::Post, &held.revoked.1).await.expect("an answer");
    assert_eq!(ended.status, 400, "what ended stays ended: {}", ended.body);
    let fixed = refreshed(http, base, &people.fixed, &held.fixed.1).await;
    assert_eq!(fixed.1, held.fixed.1, "the fixed one stays the same");
    // The answer to an earlier refresh was lost: the parent gives the same successor.
    assert_eq!(refreshed(http, base, &people.rotating, &held.parent).await.1, held.rotating.1);
    let next = refreshed(http, base, &people.rotating, &held.rotating.1).await;
    assert_eq!(call(http, base, &next.0).await, Ok(200));
    (held.fixed, held.parent) = (fixed, std::mem::replace(&mut held.rotating, next).1);
    // A code that was out when the rows moved.
    let (access, _) = redeemed(http, base, &people.rotating, &held.code, "c").await;
    assert_eq!(call(http, base, &access).await, Ok(200));
    let again = people.rotating.redeem(http, base, Shape::Get, &held.code, "other").await.expect("an answer");
    assert_eq!(again.status, 400, "and only once: {}", again.body);
    // Still signed in: the consent page comes at once.
    let page = held.visitor.get(&format!("{base}{}", people.rotating.authorize("c"))).await.expect("a page");
    assert!(page.body.contains("action=\"/oauth/authorize/decision\""), "{}", page.body);
    held.code = held.visitor.connect(base, &people.rotating, "c").await.expect("a code");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_code_and_session_goes_to_postgresql_and_back() {
    let place = Place::new();
    let people = place.people();
    let here = format!("sqlite:{}", place.data().display());
    let (database, there) = database();
    let (_, back) = directory(&place, "back");
    let http = http_client();
    let serving = place.serve();
    let mut held = begin(&http, &serving.base(), &people).await;
    serving.stop();

    let mut accounts = vec![people.account];
    for (from, to) in [(&here, &there), (&there, &back)] {
        let first = moved(&place, from, to);
        assert_eq!(first["alreadyDone"], false, "{first}");
        let count = |name: &str| {
            let tables = first["tables"].as_array().expect("tables");
            tables.iter().find(|table| table["name"] == name).expect("a table")["rows"].as_u64().expect("a number")
        };
        assert!(count("grants") >= 4 && count("sessions") == 1 && count("revocations") >= 1, "{first}");
        assert_eq!(moved(&place, from, to)["alreadyDone"], true, "the same command again does no harm");

        let serving = serve(&place, to);
        assert!(!serving.said().contains(AGAIN), "{}", serving.said());
        goes_on(&http, &serving.base(), &people, &mut held).await;
        // Numbers go on where they were.
        let domain = format!("new-{}", accounts.len());
        let mut add = on(&place, to, &["account", "add", "--name", "New", "--domain", &domain, "--json"]);
        let added = add.stdin(Stdio::null()).output().expect("the binary");
        let added: serde_json::Value = serde_json::from_slice(&added.stdout).expect("JSON");
        accounts.push(added["id"].as_i64().expect("a number"));
        serving.stop();
    }
    assert_eq!(accounts, [people.account, people.account + 1, people.account + 2]);
    let numbers = database.sql("SELECT count(*) = count(DISTINCT number) AND max(number) >= 1 FROM revocations");
    assert_eq!(numbers, "t");
    let refused = super::super::serving::Serving::refused(on(&place, &there, &["serve"]));
    assert!(refused.0 == Some(3) && refused.1.contains("was moved to sqlite:"), "{refused:?}");
}

/// A node that followed the source and then serves the target with the same data directory has seen the source's last tick.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn op_02_no_node_takes_the_target_for_a_store_that_went_back() {
    let place = Place::new();
    let people = place.people();
    let here = format!("sqlite:{}", place.data().display());
    let (source, first) = database();
    let (_second, second) = database();
    moved(&place, &here, &first);
    let serving = serve(&place, &first);
    let http = http_client();
    let code = Visitor::new(&http).connect(&serving.base(), &people.fixed, "f").await.expect("a code");
    let (_, refresh) = redeemed(&http, &serving.base(), &people.fixed, &code, "f").await;
    moved(&place, &first, &second);
    serving.says("the rows of this store were moved away; this node is not ready");
    serving.stop();
    // It may or may not have seen that one before it gave up.
    let mark = place.data().join("highest-tick");
    std::fs::write(mark, source.sql("SELECT tick FROM store")).expect("a mark");
    let serving = serve(&place, &second);
    refreshed(&http, &serving.base(), &people.fixed, &refresh).await;
    serving.terminate();
    serving.says("stopped");
    assert!(!serving.said().contains(AGAIN), "{}", serving.said());
}

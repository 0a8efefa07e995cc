//! Two server processes on one data directory: one code has one winner, and what one process ends the other refuses.

use super::partner::{Shape, call, revoke, tokens};
use super::place::{People, Place};
use super::serving::Serving;
use super::visitor::{Answer, Visitor, http_client};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const ATTEMPTS: usize = 200;

struct Two {
    place: Place,
    people: People,
    servers: [Serving; 2],
    http: reqwest::Client,
}

impl Two {
    fn start() -> Two {
        let place = Place::new();
        let people = place.people();
        let servers = [place.serve(), place.serve()];
        Two { place, people, servers, http: http_client() }
    }

    fn base(&self, attempt: usize) -> String {
        self.servers[attempt % 2].base()
    }

    /// As many connections as attempts, so that none waits for another.
    async fn at_once<F>(&self, attempt: impl Fn(usize) -> F) -> Vec<Answer>
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut set = JoinSet::new();
        for number in 0..ATTEMPTS {
            set.spawn(attempt(number));
        }
        set.join_all().await
    }
}

fn shape(attempt: usize) -> Shape {
    if attempt % 4 < 2 { Shape::Get } else { Shape::Post }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tk_07_of_200_redemptions_on_two_processes_one_wins() {
    let two = Two::start();
    let partner = &two.people.fixed;
    let mut visitor = Visitor::new(&two.http);
    let code = visitor.connect(&two.base(0), partner, "s1").await.expect("a code");
    let answers = two
        .at_once(|attempt| {
            let (partner, http, base, code) = (partner.clone(), two.http.clone(), two.base(attempt), code.clone());
            async move { partner.redeem(&http, &base, shape(attempt), &code, "s1").await.expect("an answer") }
        })
        .await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "{answers:?}");
    for answer in lost {
        assert_eq!((answer.status, answer.field("access_token")), (400, None), "{}", answer.body);
    }
    // The same bound request many times ends nothing (decision D16): the winner's tokens live, on both processes.
    let (access, refresh) = tokens(won[0]);
    for attempt in 0..2 {
        assert_eq!(call(&two.http, &two.base(attempt), &access).await, Ok(200));
        tokens(&partner.refresh(&two.http, &two.base(attempt), Shape::Post, &refresh).await.expect("an answer"));
    }
    let ledger = two.place.json(&["ledger"]);
    let redeemed = ledger.as_array().expect("entries").iter().filter(|entry| entry["kind"] == "redeemed");
    assert_eq!(redeemed.count(), 1, "{ledger}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tk_07_of_200_refreshes_on_two_processes_all_get_one_successor() {
    let two = Two::start();
    let partner = &two.people.rotating;
    let mut visitor = Visitor::new(&two.http);
    let code = visitor.connect(&two.base(0), partner, "s1").await.expect("a code");
    let redeemed = partner.redeem(&two.http, &two.base(0), Shape::Post, &code, "s1").await.expect("an answer");
    let (_, refresh) = tokens(&redeemed);
    let answers = two
        .at_once(|attempt| {
            let (partner, http, base, token) = (partner.clone(), two.http.clone(), two.base(attempt), refresh.clone());
            async move { partner.refresh(&http, &base, shape(attempt), &token).await.expect("an answer") }
        })
        .await;
    let successors: BTreeSet<String> = answers.iter().map(|answer| tokens(answer).1).collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
    assert!(!successors.contains(&refresh));
}

/// Whether the token is refused on every process within a second from now.
async fn refused_within_a_second(two: &Two, access: &str, what: &str) {
    let since = Instant::now();
    for attempt in 0..2 {
        while call(&two.http, &two.base(attempt), access).await != Ok(401) {
            assert!(since.elapsed() < Duration::from_secs(1), "{what} does not act on process {attempt}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    println!("{what} acted everywhere after {:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn br_09_what_one_process_revokes_the_other_refuses_within_a_second() {
    let two = Two::start();
    let partner = &two.people.rotating;
    let mut visitor = Visitor::new(&two.http);
    let code = visitor.connect(&two.base(0), partner, "s1").await.expect("a code");
    let (access, _) =
        tokens(&partner.redeem(&two.http, &two.base(0), Shape::Post, &code, "s1").await.expect("an answer"));
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        let (http, base, access) = (two.http.clone(), two.base(worker), access.clone());
        workers.spawn(async move {
            let mut calls = 0;
            while call(&http, &base, &access).await == Ok(200) {
                calls += 1;
            }
            (calls, Instant::now())
        });
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let revoked = revoke(&two.http, &two.base(0), &two.people, &access).await.expect("an answer");
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    let answered = Instant::now();
    assert_eq!(call(&two.http, &two.base(0), &access).await, Ok(401), "at once on the same process");
    for (calls, last) in workers.join_all().await {
        assert!(calls > 0);
        assert!(last.duration_since(answered) < Duration::from_secs(1), "{:?}", last.duration_since(answered));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn br_09_what_the_command_line_ends_every_process_refuses_within_a_second() {
    let two = Two::start();
    let (account, user) = (two.people.account.to_string(), two.people.user.to_string());
    let partner = &two.people.fixed;
    let app = partner.client_id.as_str();
    let mut visitor = Visitor::new(&two.http);
    let mut known = BTreeSet::new();
    for (disable, enable) in [
        (["app", "disable", app], Some(["app", "enable", app])),
        (["user", "disable", &user], Some(["user", "enable", &user])),
        (["account", "disable", &account], Some(["account", "enable", &account])),
        (["grant", "revoke", ""], None),
    ] {
        let code = visitor.connect(&two.base(1), partner, "s1").await.expect("a code");
        let redeemed = partner.redeem(&two.http, &two.base(1), Shape::Post, &code, "s1").await.expect("an answer");
        let (access, refresh) = tokens(&redeemed);
        // Those of one second are listed in no order.
        let ids = |list: &Value| -> Vec<String> {
            let ids =
                list.as_array().expect("grants").iter().map(|grant| grant["id"].as_str().expect("an id").to_owned());
            ids.collect()
        };
        let listed = ids(&two.place.json(&["grant", "list", "--all"]));
        let grant = listed.into_iter().find(|id| known.insert(id.clone())).expect("a new grant");
        let disable = disable.map(|word| if word.is_empty() { grant.as_str() } else { word });

        two.place.json(&disable);
        refused_within_a_second(&two, &access, &disable.join(" ")).await;
        for attempt in 0..2 {
            let base = two.base(attempt);
            let refused = partner.refresh(&two.http, &base, Shape::Post, &refresh).await.expect("an answer");
            assert!([400, 401].contains(&refused.status), "{disable:?}: {} {}", refused.status, refused.body);
        }
        let Some(enable) = enable else { continue };
        two.place.json(&enable);
        let since = Instant::now();
        for attempt in 0..2 {
            let base = two.base(attempt);
            while partner.refresh(&two.http, &base, Shape::Post, &refresh).await.expect("an answer").status != 200 {
                assert!(since.elapsed() < Duration::from_secs(1), "{enable:?} does not act");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert_eq!(call(&two.http, &base, &access).await, Ok(401), "{enable:?} revives no token");
        }
    }
    let grants: Value = two.place.json(&["grant", "list", "--all"]);
    assert!(
        grants.as_array().expect("grants").iter().any(|grant| grant["state"] == "ended: revoked_by_admin"),
        "{grants}"
    );
}

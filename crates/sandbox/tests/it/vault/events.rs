//! Events as they are asked for and as they are sent.

use super::desk::{Desk, HOOK_SECRET, Wanted, change, refusal};
use super::peer::{Peer, Received, Says};
use aws_lc_rs::hmac;
use serde_json::{Value, json};
use std::time::Duration;

/// Number and change of an event that was sent, whose signature is good.
fn verified(came: &Received, now: i64) -> (u64, String) {
    let header = came.headers.get("keyfob-signature").expect("a signature").to_str().expect("text");
    let (at, tag) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("two parts");
    assert!((now - at.parse::<i64>().expect("seconds")).abs() <= 300, "{header}");
    let tag: Vec<u8> =
        (0..tag.len() / 2).map(|i| u8::from_str_radix(&tag[2 * i..2 * i + 2], 16).expect("hex")).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, HOOK_SECRET.as_bytes());
    hmac::verify(&key, format!("{at}.{}", came.body).as_bytes(), &tag).expect("a signature of ours");
    assert_eq!((came.method.as_str(), came.headers["content-type"].to_str().ok()), ("POST", Some("application/json")));
    let event: Value = serde_json::from_str(&came.body).expect("JSON");
    (
        event["number"].as_u64().expect("a number"),
        format!("{} {}", event["id"].as_str().expect("an id"), change(&event)),
    )
}

fn now(desk: &Desk) -> i64 {
    keyfob_protocol::Clock::now(&*desk.clock).0
}

#[tokio::test]
async fn every_change_is_told_once_and_in_order_with_a_good_signature() {
    let receiver = Peer::start().await;
    let desk = Desk::with(Wanted { webhook: Some(format!("{}/hook", receiver.base)), ..Wanted::default() }).await;
    desk.connect("u1").await;
    desk.taken_back("u1").await;
    assert_eq!(refusal(&desk.get("/proxy/fub/u1/v1/identity").await).0, 409);
    desk.trip("u2", 0, "deny").await;
    desk.connect("u1").await;
    let came = receiver.has_received(4).await;
    let told: Vec<_> = came.iter().map(|came| verified(came, now(&desk))).collect();
    let words: Vec<&str> = told.iter().map(|(_, word)| word.as_str()).collect();
    let expected =
        ["u1 nothing>connected", "u1 connected>reauth_required", "u2 nothing>denied", "u1 reauth_required>connected"];
    assert_eq!(words, expected);
    assert!(told.windows(2).all(|pair| pair[0].0 < pair[1].0), "{told:?}");
    let listed = desk.get("/events").await.json();
    let numbers: Vec<u64> =
        listed["events"].as_array().expect("events").iter().filter_map(|event| event["number"].as_u64()).collect();
    assert_eq!(numbers, told.iter().map(|(number, _)| *number).collect::<Vec<_>>());
    let rest = desk.get(&format!("/events?after={}&limit=1", numbers[1])).await.json();
    assert_eq!((rest["events"].as_array().map(Vec::len), &rest["next"]), (Some(1), &json!(numbers[2])));
    let none = desk.get(&format!("/events?after={}", numbers[3])).await.json();
    // Whoever keeps a number keeps with it which vault counted: a new one begins at 1.
    let vault = listed["vault"].as_str().expect("an id");
    assert!(vault.len() >= 22, "{vault}");
    assert_eq!(none, json!({ "vault": vault, "events": [], "next": numbers[3] }));
    assert_eq!(listed["events"][0]["vault"], vault);
    assert!(came.iter().all(|came| came.body.contains(&format!("\"vault\":\"{vault}\""))));
}

#[tokio::test]
async fn a_receiver_that_is_down_for_a_while_and_across_a_restart_misses_nothing() {
    let receiver = Peer::start().await;
    let mut desk = Desk::with(Wanted { webhook: Some(format!("{}/hook", receiver.base)), ..Wanted::default() }).await;
    receiver.will_say([Says(500, Vec::new(), ""), Says(404, Vec::new(), "")]);
    desk.connect("u1").await;
    receiver.has_received(2).await;
    // The next try is seconds away; the process ends before.
    desk.trip("u2", 0, "deny").await;
    desk.restart().await;
    // Whoever was killed may have held the lease of the delivery.
    desk.passes(3).await;
    let came = receiver.has_received(4).await;
    let words: Vec<_> = came.iter().map(|came| verified(came, now(&desk)).1).collect();
    let first = "u1 nothing>connected";
    assert_eq!(words, [first, first, first, "u2 nothing>denied"]);
    desk.trip("u3", 0, "deny").await;
    assert_eq!(verified(&receiver.has_received(5).await[4], now(&desk)).1, "u3 nothing>denied");
}

#[tokio::test]
async fn nothing_is_written_for_a_receiver_while_nothing_happens() {
    let receiver = Peer::start().await;
    let desk = Desk::with(Wanted { webhook: Some(receiver.base.clone()), ..Wanted::default() }).await;
    // More than one look.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(desk.count("SELECT count(*) FROM leases"), 0);
    desk.trip("u1", 0, "deny").await;
    receiver.has_received(1).await;
    assert_eq!(desk.count("SELECT count(*) FROM leases WHERE id = 'webhook:receiver'"), 1);
}

#[tokio::test]
async fn a_receiver_that_redirects_is_not_followed_and_asked_again() {
    let (receiver, elsewhere) = (Peer::start().await, Peer::start().await);
    let to: &'static str = format!("{}/hook", elsewhere.base).leak();
    receiver.will_say([Says(307, vec![("location", to)], "")]);
    let desk = Desk::with(Wanted { webhook: Some(format!("{}/hook", receiver.base)), ..Wanted::default() }).await;
    desk.connect("u1").await;
    let came = receiver.has_received(2).await;
    assert_eq!(came[0].body, came[1].body);
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn whoever_waits_hears_at_once() {
    let desk = Desk::new().await;
    let mut next = json!(0);
    // By luck a look may come at the right moment, but not each time.
    for id in ["u1", "u2", "u3", "u4"] {
        let address = format!("/events?wait=30&after={next}");
        let waiting = desk.get(&address);
        tokio::pin!(waiting);
        let acted = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            desk.connect(id).await;
        };
        let got = tokio::select! {
            got = &mut waiting => got,
            () = acted => tokio::time::timeout(Duration::from_millis(500), waiting).await.expect("at once"),
        };
        assert_eq!(change(&got.json()["events"][0]), "nothing>connected", "{id}");
        next = got.json()["next"].clone();
    }
    let none = desk.get(&format!("/events?after={next}&wait=1")).await.json();
    assert_eq!((&none["events"], &none["next"]), (&json!([]), &next));
    for bad in ["wait=31", "limit=0", "limit=1001", "after=-1", "after=x", "more=1"] {
        assert_eq!(refusal(&desk.get(&format!("/events?{bad}")).await).0, 400, "{bad}");
    }
}

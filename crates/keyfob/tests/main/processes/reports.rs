//! What an operator reads of a running and of a stopped node: who still goes old ways, and what a request came to.

use super::partner::{Shape, tokens};
use super::place::Place;
use super::visitor::{Visitor, http_client};
use std::collections::BTreeSet;

#[tokio::test]
async fn d11_lg_02_old_ways_are_reported_and_a_request_id_tells_the_grants_story() {
    let place = Place::new();
    let serving = place.serve();
    let base = serving.base();
    let people = place.people();
    let (http, app) = (http_client(), &people.fixed);
    let mut visitor = Visitor::new(&http);
    let code = visitor.connect(&base, app, "s").await.expect("a code");
    tokens(&app.redeem(&http, &base, Shape::Post, &code, "s").await.expect("an answer"));
    let again = app.redeem(&http, &base, Shape::Get, &code, "s").await.expect("an answer");
    assert!(again.body.contains("\"reason\":\"code_repeated\""), "{}", again.body);

    let story = place.json(&["ledger", "--request", again.header("x-request-id")]);
    let kinds: Vec<_> = story.as_array().expect("entries").iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert_eq!(kinds, ["code_repeated", "redeemed", "consented"]);
    // What was asked for is there, however little of the rest is wanted.
    let short = place.json(&["ledger", "--request", again.header("x-request-id"), "--limit", "1"]);
    assert_eq!(short[0]["kind"], "code_repeated");
    assert_eq!(story[0]["request"], again.header("x-request-id"));
    let unknown = place.run(&["ledger", "--request", "nothing"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(4), ""));

    // The node adds what it counted when it stops.
    serving.stop();
    let report = place.json(&["app", "report", &app.client_id]);
    let told: Vec<_> = report.as_array().expect("lines").iter().map(|line| (&line["what"], &line["count"])).collect();
    let expected = [("token_request", 2), ("legacy_get", 1), ("no_pkce", 1), ("auth_code_dialect", 1)];
    assert_eq!(told.len(), expected.len(), "{report}");
    for ((what, count), line) in expected.into_iter().zip(told) {
        assert_eq!(line, (&what.into(), &count.into()), "{report}");
    }
    let day = &report[0]["days"][0];
    assert_eq!(day["count"], 2, "{report}");
    assert!(day["day"].as_str().is_some_and(|day| day.len() == "2027-06-30".len()), "{report}");
    let table = place.run(&["app", "report"]).stdout;
    assert!(table.contains("legacy_get") && table.contains("--legacy-get DATE"), "{table}");
}

#[tokio::test]
async fn lg_02_a_request_that_was_about_two_grants_tells_of_both() {
    let place = Place::new();
    let serving = place.serve();
    let (base, people) = (serving.base(), place.people());
    let (http, app) = (http_client(), &people.fixed);
    place.json(&["app", "update", &app.client_id, "--policy", r#"{"oneGrantPerUser":true}"#]);
    let mut visitor = Visitor::new(&http);
    let code = visitor.connect(&base, app, "s").await.expect("a code");
    tokens(&app.redeem(&http, &base, Shape::Post, &code, "s").await.expect("an answer"));
    let page = visitor.consent_page(&base, app, "s").await.expect("an answer");
    let decided = visitor.approve(&base, &page).await.expect("an answer");
    let story = place.json(&["ledger", "--request", decided.header("x-request-id")]);
    let story = story.as_array().expect("entries");
    let kinds: Vec<_> = story.iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert_eq!((kinds.iter().filter(|kind| **kind == "consented").count(), kinds.len()), (2, 4), "{kinds:?}");
    assert_eq!(kinds[..2].iter().copied().collect::<BTreeSet<_>>(), BTreeSet::from(["consented", "grant_ended"]));
    assert_eq!(story.iter().map(|entry| entry["grant"].as_str()).collect::<BTreeSet<_>>().len(), 2);
    serving.stop();
}

//! What an operator reads of a running and of a stopped node: who still goes old ways, and what a request came to.

use super::partner::{Shape, tokens};
use super::place::Place;
use super::visitor::{Visitor, http_client};

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
    let table = place.run(&["app", "report"]).stdout;
    assert!(table.contains("legacy_get") && table.contains("--legacy-get DATE"), "{table}");
}

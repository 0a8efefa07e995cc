//! OP-01: a time in the store that lies far ahead of this machine's clock is neither believed nor followed. (That the wall clock is
//! not followed either, and what its departure does, is tested beside the clock: nothing here may set the machine's.)

use super::partner::{Shape, tokens};
use super::place::Place;
use super::visitor::{Visitor, http_client, send};
use rusqlite::Connection;

fn tick(place: &Place) -> (i64, i64) {
    let rows = Connection::open(place.database()).expect("a database");
    rows.query_row("SELECT tick, tick_at FROM store", [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a row")
}

fn set_tick_ahead(place: &Place, seconds: i64) {
    let rows = Connection::open(place.database()).expect("a database");
    rows.execute("UPDATE store SET tick_at = unixepoch() + ?1", [seconds]).expect("written");
}

#[tokio::test]
async fn op_01_a_stored_time_far_ahead_makes_the_node_not_ready_and_is_not_followed() {
    let place = Place::new();
    let people = place.people();
    let http = http_client();
    let mut visitor = Visitor::new(&http);
    let serving = place.serve();
    let code = visitor.connect(&serving.base(), &people.rotating, "s1").await.expect("a code");
    let redeemed = people.rotating.redeem(&http, &serving.base(), Shape::Post, &code, "s1").await.expect("an answer");
    let (_, refresh) = tokens(&redeemed);
    serving.stop();

    set_tick_ahead(&place, 5 * 60 + 30);
    let before = tick(&place);
    let serving = place.serve();
    let problem =
        serving.says("the store holds a time this many seconds ahead of this machine's clock; this node is not ready");
    assert_eq!(problem["level"], "ERROR");
    let answer = send(http.get(format!("{}/readyz", serving.base()))).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"ready":false,"reasons":["clock"]}"#));
    let alive = send(http.get(format!("{}/healthz", serving.base()))).await.expect("an answer");
    assert_eq!(alive.status, 200);
    assert_eq!(tick(&place), before, "the time is neither written nor taken over");
    // What a balancer still sends here is judged by this machine's clock: nobody loses a token for it.
    tokens(&people.rotating.refresh(&http, &serving.base(), Shape::Post, &refresh).await.expect("an answer"));
    serving.stop();

    set_tick_ahead(&place, 4 * 60);
    let serving = place.serve();
    let answer = send(http.get(format!("{}/readyz", serving.base()))).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"ready":true,"reasons":[]}"#), "within the tolerance");
    serving.stop();
}

//! A connection behind a `reqwest` client.

use crate::scripted::*;
use keyfob_client::middleware::{AsUser, UnsupportedRequest};
use keyfob_client::*;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};

fn client(connection: Connection) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new()).with(AsUser(connection)).build()
}

const PEOPLE: &str = "https://api.followupboss.com/v1/people?limit=1";

#[tokio::test]
async fn a_reqwest_client_calls_as_the_user_and_refreshes_once() {
    let world = World::new();
    let client = client(world.connected().await);
    world.script.then([reply(401, "{}"), tokens("a2", "r2"), reply(200, r#"{"people":[]}"#)]);
    let answer = client.get(PEOPLE).header("Accept", "text/plain").header("X-Mine", "1").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, r#"{"people":[]}"#));
    assert_eq!(world.script.story(), ["GET /v1/people a1", "refresh r1", "GET /v1/people a2"]);
    let sent = world.script.sent.lock().unwrap()[0].clone();
    assert_eq!((sent.header("accept").unwrap().expose(), sent.header("x-mine").unwrap().expose()), ("text/plain", "1"));
}

#[tokio::test]
async fn a_body_goes_along_and_no_header_of_the_callers_replaces_the_connections() {
    let system = System::new("Acme", Secret::from("k3y")).unwrap();
    let world = World::of(Provider::follow_up_boss().with_api_shape(ApiShape::Unknown).with_system(system));
    let client = client(world.connected().await);
    world.script.then([reply(201, "{}")]);
    let call = client.post("https://api.followupboss.com/v1/notes").body("a=1");
    let call = call.header("Content-Type", "application/x-www-form-urlencoded");
    let call = call.header("Authorization", "Bearer mine").header("X-System-Key", "mine");
    assert_eq!(call.send().await.unwrap().status().as_u16(), 201);
    let sent = world.script.sent.lock().unwrap()[0].clone();
    assert_eq!(sent.body.expose(), b"a=1");
    for (name, value) in
        [("authorization", "Bearer a1"), ("x-system-key", "k3y"), ("content-type", "application/x-www-form-urlencoded")]
    {
        let values: Vec<_> = sent.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name)).collect();
        assert!(values.len() == 1 && values[0].value.expose() == value, "{name}: {values:?}");
    }
}

#[tokio::test]
async fn what_the_connection_cannot_send_is_said_before_anything_is_sent() {
    let world = World::new();
    let client = client(world.connected().await);
    let error = client.get("https://evil.example/v1/people").send().await.unwrap_err();
    let Error::Middleware(error) = error else { panic!("{error}") };
    assert!(matches!(error.downcast_ref(), Some(ConnectionError::OtherOrigin { .. })), "{error}");
    let error = client.request(reqwest::Method::OPTIONS, PEOPLE).send().await.unwrap_err();
    let Error::Middleware(error) = error else { panic!("{error}") };
    assert_eq!(error.downcast_ref(), Some(&UnsupportedRequest::Method));
    assert_eq!(world.script.count(), 0);
}

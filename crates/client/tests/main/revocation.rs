//! Giving a connection back, and knowing whose it is.

use crate::scripted::*;
use keyfob_client::*;

fn with_system(provider: Provider) -> Provider {
    provider.with_system(System::new("Acme", Secret::from("k3y")).unwrap())
}

#[tokio::test]
async fn an_announced_revocation_endpoint_gets_the_refresh_token_and_nothing_else_does() {
    let provider = Provider::keyfob("https://id.example.com").unwrap().revoking_at("https://id.example.com/revoke");
    let world = World::of(provider.unwrap());
    let connection = world.connected().await;
    world.script.then([reply(200, ""), oauth_error(401, "invalid_client"), reply(503, "<html>")]);
    assert_eq!(connection.revoke().await.unwrap(), Revoked::Ended);
    let sent = world.script.sent.lock().unwrap()[0].clone();
    assert_eq!((sent.method, sent.url.expose().as_str()), (Method::Post, "https://id.example.com/revoke"));
    assert!(sent.header("authorization").unwrap().expose().starts_with("Basic "));
    assert_eq!(sent.body.expose(), b"token=r1&token_type_hint=refresh_token");
    for expected in ["check client id", "another try"] {
        let failure = connection.revoke().await.unwrap_err();
        assert!(matches!(failure, ConnectionError::NotRevoked(_)), "{failure}");
        assert!(failure.to_string().contains(expected), "{failure}");
    }
    assert!(Provider::follow_up_boss().revoking_at("http://id.example.com/revoke").is_err());
}

#[tokio::test]
async fn follow_up_boss_is_told_by_its_own_call_with_the_system_s_headers() {
    let world = World::of(with_system(Provider::follow_up_boss()));
    let connection = world.connected().await;
    let nothing = r#"{"errorMessage":"OAuth application not found or not connected."}"#;
    world.script.then([
        reply(200, r#"{"success":true}"#),
        reply(404, nothing),
        reply(403, r#"{"errorMessage":"No."}"#),
        // As after every 403: is it the account?
        reply(200, r#"{"account":{"id":3},"user":{"id":7}}"#),
    ]);
    assert_eq!(connection.revoke().await.unwrap(), Revoked::Ended);
    assert_eq!(connection.revoke().await.unwrap(), Revoked::NothingToEnd);
    let failure = connection.revoke().await.unwrap_err().to_string();
    assert!(failure.contains("403") && failure.contains("No."), "{failure}");
    let sent = world.script.sent.lock().unwrap()[0].clone();
    assert_eq!(sent.method, Method::Delete);
    assert_eq!(sent.endpoint(), "https://api.followupboss.com/v1/oauthApps/revokeAccess");
    assert_eq!(sent.header("x-system").unwrap().expose(), "Acme");
    assert_eq!(sent.header("x-system-key").unwrap().expose(), "k3y");
}

#[tokio::test]
async fn where_no_way_is_offered_nothing_is_sent() {
    let unknown = Provider::new("https://a.example/a", "https://a.example/t", "https://a.example", Dialect::OAuth);
    for provider in [Provider::follow_up_boss(), with_system(unknown.unwrap())] {
        let world = World::of(provider);
        assert_eq!(world.connected().await.revoke().await.unwrap(), Revoked::NotOffered);
        assert_eq!(world.script.count(), 0);
    }
}

#[tokio::test]
async fn an_identity_is_asked_where_the_api_is_known_and_a_403_ends_nothing() {
    let world = World::of(Provider::follow_up_boss());
    let connection = world.connected().await;
    world.script.then([
        reply(200, r#"{"account":{"id":3,"domain":"maple"},"user":{"id":7,"name":"A"}}"#),
        reply(403, r#"{"errorMessage":"Account expired."}"#),
        reply(200, "<html>"),
    ]);
    let identity = connection.identity().await.unwrap().unwrap();
    assert_eq!((identity.account.id, identity.user.id), (3, 7));
    for status in [403, 200] {
        let failure = connection.identity().await.unwrap_err();
        assert!(matches!(failure, ConnectionError::Unexpected { status: named, .. } if named == status), "{failure}");
    }
    assert!(matches!(connection.state().await, Ok(ConnectionState::Healthy(_))));
    assert_eq!(world.script.story()[0], "GET /v1/identity a1");

    let unknown = Provider::new("https://a.example/a", "https://a.example/t", "https://a.example", Dialect::OAuth);
    let world = World::of(unknown.unwrap());
    assert_eq!(world.connected().await.identity().await.unwrap(), None);
    assert_eq!(world.script.count(), 0);
}

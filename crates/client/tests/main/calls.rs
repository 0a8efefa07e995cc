//! Calls to the API: where the token goes, and what 401, 403 and 429 mean.

use crate::scripted::*;
use keyfob_client::*;

fn ok() -> Answer {
    reply(200, "{}")
}

fn unauthorized() -> Answer {
    reply(401, r#"{"errorMessage":"x"}"#)
}

#[tokio::test]
async fn cl_04_the_bearer_token_goes_to_the_api_origin_only() {
    let world = World::new();
    let connection = world.connected().await;
    for foreign in [
        "https://evil.example/v1/people",
        "https://app.followupboss.com/v1/people",
        "http://api.followupboss.com/v1/people",
        "https://api.followupboss.com:8443/v1/people",
        "https://api.followupboss.com.evil.example/v1/people",
        "https://api.followupboss.com@evil.example/v1/people",
        "https://user:pw@api.followupboss.com/v1/people",
        "//evil.example/v1/people",
        "\\\\evil.example\\v1",
        "/\\evil.example/v1",
        "\t//evil.example/",
        "javascript:alert(1)",
        "data:,x",
    ] {
        match connection.get(foreign).await {
            Err(ConnectionError::OtherOrigin { origin, .. }) => assert_eq!(origin, "https://api.followupboss.com"),
            other => panic!("{foreign}: {other:?}"),
        }
    }
    assert_eq!(world.script.count(), 0);
}

#[tokio::test]
async fn cl_04_paths_and_next_links_of_the_api_are_understood() {
    let world = World::new();
    let connection = world.connected().await;
    for (target, sent) in [
        ("/v1/people?limit=1", "https://api.followupboss.com/v1/people?limit=1"),
        ("people", "https://api.followupboss.com/v1/people"),
        // By the URL standard a path, however it looks; it stays on the API's host.
        ("https:evil.example", "https://api.followupboss.com/v1/evil.example"),
        ("https://api.followupboss.com/v1/people?a=1&&next=x", "https://api.followupboss.com/v1/people?a=1&&next=x"),
    ] {
        world.script.then([ok()]);
        connection.get(target).await.unwrap();
        assert_eq!(world.script.sent.lock().unwrap().last().unwrap().url.expose(), sent);
    }
}

#[tokio::test]
async fn calls_carry_bearer_and_system_headers() {
    let system = System::new("Acme", Secret::from("k3y")).unwrap();
    let world = World::of(Provider::follow_up_boss().with_api_shape(ApiShape::Unknown).with_system(system));
    let connection = world.connected().await;
    world.script.then([ok(), reply(204, "")]);
    connection.get("/v1/people").await.unwrap();
    connection.send(&ApiRequest::post("/v1/notes", r#"{"body":"x"}"#)).await.unwrap();
    let sent = world.script.sent.lock().unwrap().clone();
    let headers = |request: &HttpRequest| -> Vec<String> {
        request.headers.iter().map(|header| format!("{}: {}", header.name, header.value.expose())).collect()
    };
    let common = ["Accept: application/json", "Authorization: Bearer a1", "X-System: Acme", "X-System-Key: k3y"];
    assert_eq!(headers(&sent[0]), common);
    assert_eq!(headers(&sent[1])[..4], common);
    assert_eq!(headers(&sent[1])[4..], ["Content-Type: application/json"]);
    assert_eq!(sent[1].body.expose(), br#"{"body":"x"}"#);
    let printed = format!("{sent:?}");
    assert!(printed.contains("X-System") && !printed.contains("k3y") && !printed.contains("a1"), "{printed}");
}

#[tokio::test]
async fn cl_06_a_401_forces_one_refresh_and_a_second_one_is_an_error() {
    let world = World::new();
    let connection = world.connected().await;
    world.script.then([unauthorized(), tokens("a2", "r2"), ok()]);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(world.script.story(), ["GET /v1/people a1", "refresh r1", "GET /v1/people a2"]);

    let world = World::new();
    let connection = world.connected().await;
    world.script.then([unauthorized(), tokens("a2", "r2"), unauthorized()]);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::Unauthorized(_))));
    // The breaker: for a while a 401 of this API refreshes nothing.
    world.script.then([unauthorized()]);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::Unauthorized(_))));
    assert_eq!(world.script.story().iter().filter(|line| line.starts_with("refresh")).count(), 1);
    assert!(matches!(connection.state().await, Ok(ConnectionState::Healthy(_))), "no reason to trouble the user");
    world.clock.advance(60);
    world.script.then([unauthorized(), tokens("a3", "r3"), ok()]);
    connection.get("/v1/people").await.unwrap();
}

#[tokio::test]
async fn cl_06_a_401_to_a_token_older_than_the_stored_one_is_sent_again_with_the_stored_one() {
    let world = World::new();
    let connection = world.connected().await;
    let other = World::beside(&world);
    other.connections.adopt("u", token_set("a5", "r5")).await.unwrap();
    world.script.then([unauthorized(), ok()]);
    connection.get("/v1/people").await.unwrap();
    assert_eq!(world.script.story(), ["GET /v1/people a1", "GET /v1/people a5"]);
}

#[tokio::test]
async fn cl_06_a_revoked_grant_shows_as_401_and_ends_in_reauth_required() {
    let world = World::new();
    let connection = world.connected().await;
    world.script.then([unauthorized(), oauth_error(400, "invalid_grant")]);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::ReauthRequired(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cl_05_a_hundred_401s_at_once_make_one_refresh() {
    struct Api(std::sync::atomic::AtomicUsize);
    #[async_trait::async_trait]
    impl Transport for Api {
        async fn send(&self, request: &HttpRequest) -> Answer {
            tokio::task::yield_now().await;
            if request.endpoint().ends_with("/oauth/token") {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                return tokens("a2", "r2");
            }
            match request.header("authorization").unwrap().expose() {
                "Bearer a2" => ok(),
                _ => unauthorized(),
            }
        }
    }
    let (world, api) = (World::new(), std::sync::Arc::new(Api(0.into())));
    let outside = Surroundings {
        transport: api.clone(),
        clock: world.clock.clone(),
        entropy: std::sync::Arc::new(SeededEntropy::default()),
        pause: world.pause.clone(),
    };
    let connections = Connections::new(Provider::follow_up_boss(), app(), world.store.clone(), outside);
    let connection = connections.adopt("u", token_set("a1", "r1")).await.unwrap();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.get("/v1/people").await.unwrap().status })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), 200);
    }
    assert_eq!(api.0.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn cl_06_a_403_is_about_permission_and_never_about_the_connection() {
    let world = World::new();
    let connection = world.connected().await;
    world.script.then([reply(403, r#"{"errorMessage":"x"}"#)]);
    assert_eq!(connection.get("/v1/webhooks").await.unwrap().status, 403);
    assert_eq!(world.script.count(), 1);
    assert!(matches!(connection.state().await, Ok(ConnectionState::Healthy(_))));
}

#[tokio::test]
async fn cl_06_a_429_holds_the_calls_for_as_long_as_it_asks() {
    let world = World::new();
    let connection = world.connected().await;
    let limited = with_header(with_header(reply(429, "{}"), "Retry-After", "9"), "X-RateLimit-Context", "global");
    world.script.then([limited]);
    for _ in 0..3 {
        let error = connection.get("/v1/people").await.unwrap_err();
        assert!(matches!(error, ConnectionError::RateLimited { retry_at } if retry_at == START.plus(9)), "{error}");
    }
    assert_eq!(world.script.count(), 1);
    world.clock.advance(9);
    // A limit on notes says nothing about people.
    let narrow = with_header(reply(429, "{}"), "X-RateLimit-Context", "notes");
    world.script.then([narrow, ok()]);
    assert!(matches!(connection.get("/v1/notes").await, Err(ConnectionError::RateLimited { .. })));
    connection.get("/v1/people").await.unwrap();
}

#[tokio::test]
async fn cl_06_a_get_waits_for_a_short_429_and_is_sent_once_more() {
    let world = World::new();
    let connection = world.connected().await;
    let limited = |seconds: i64| with_header(reply(429, "{}"), "Retry-After", &seconds.to_string());
    world.script.then([limited(SHORT_HOLD), ok()]);
    assert_eq!(connection.get("/v1/people").await.unwrap().status, 200);
    assert_eq!((world.script.count(), world.clock.now()), (2, START.plus(SHORT_HOLD)));
    // Once, and then it is told.
    world.script.then([limited(2), limited(2)]);
    let error = connection.get("/v1/people").await.unwrap_err();
    let now = world.clock.now();
    assert!(matches!(error, ConnectionError::RateLimited { retry_at } if retry_at == now.plus(2)), "{error}");
    assert_eq!(world.script.count(), 4);
    // What comes while calls are held has not been sent, and waits whatever it is.
    world.script.then([ok()]);
    assert_eq!(connection.send(&ApiRequest::post("/v1/notes", "{}")).await.unwrap().status, 200);
    assert_eq!(world.clock.now(), now.plus(2));
    // A longer wait is the caller's decision, and nothing but a GET is sent twice.
    world.script.then([limited(SHORT_HOLD + 1)]);
    assert!(matches!(connection.get("/v1/people").await, Err(ConnectionError::RateLimited { .. })));
    world.clock.advance(SHORT_HOLD + 1);
    for call in [ApiRequest::post("/v1/notes", "{}"), ApiRequest::delete("/v1/notes/1")] {
        world.script.then([limited(1)]);
        assert!(matches!(connection.send(&call).await, Err(ConnectionError::RateLimited { .. })));
        world.clock.advance(1);
    }
    assert_eq!(world.script.count(), 8);
}

#[tokio::test]
async fn cl_06_an_unanswered_call_is_not_sent_again() {
    let world = World::new();
    let connection = world.connected().await;
    world.script.then([unanswered()]);
    let error = connection.send(&ApiRequest::post("/v1/notes", "{}")).await.unwrap_err();
    assert!(matches!(error, ConnectionError::NoAnswer(SendFailure::Unanswered(_))));
    assert_eq!(world.script.count(), 1);
}

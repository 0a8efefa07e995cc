//! BR-10: the endpoint that a web server asks.

use crate::issuer::{GRANT, HOUR, ISSUED, World, claims, with};
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use keyfob_gate::front::{Checkpoint, ForwardAuth};
use keyfob_protocol::revocation::RevokedKind;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn ask(world: &World, passed: StatusCode, method: Method, target: &str, authorizations: &[String]) -> Answer {
    let checkpoint = Arc::new(Checkpoint::new(world.gate.clone(), Arc::default()));
    let mut request = Request::builder().method(method).uri(target).body(Body::empty()).unwrap();
    for value in authorizations {
        request.headers_mut().append(header::AUTHORIZATION, value.parse().unwrap());
    }
    let response = ForwardAuth::new(checkpoint, passed).router().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: head.status, headers: head.headers, body }
}

async fn check(world: &World, target: &str, claims: &Value) -> Answer {
    ask(world, StatusCode::NO_CONTENT, Method::GET, target, &[format!("Bearer {}", world.token(claims))]).await
}

#[tokio::test]
async fn br_10_a_good_token_is_answered_with_204_and_who_it_is() {
    let world = World::new();
    let answer = check(&world, "/check", &with(claims(), "scope", json!("notes people"))).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::NO_CONTENT, ""));
    let mut identity: Vec<_> =
        answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    // For the router; no length goes out with a 204.
    identity.retain(|(name, _)| *name != "content-length");
    identity.sort_unstable();
    let (grant, expires) = (GRANT.to_text(), (ISSUED.0 + HOUR).to_string());
    assert_eq!(
        identity,
        [
            ("x-auth-account", "5"),
            ("x-auth-app", "3"),
            ("x-auth-client-id", "app-one"),
            ("x-auth-expires", expires.as_str()),
            ("x-auth-grant", grant.as_str()),
            ("x-auth-scope", "notes people"),
            ("x-auth-user", "42"),
        ]
    );
    let whole_role = check(&world, "/check", &claims()).await;
    assert!(!whole_role.headers.contains_key("x-auth-scope"));
}

#[tokio::test]
async fn br_10_any_method_and_path_beneath_is_answered_and_nothing_else() {
    let world = World::new();
    let bearer = [format!("Bearer {}", world.token(&claims()))];
    for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS] {
        for target in ["/check", "/check/", "/check/v1/people?limit=1", "/check//x/%ff?scope=never"] {
            let answer = ask(&world, StatusCode::OK, method.clone(), target, &bearer).await;
            assert_eq!(answer.status, StatusCode::OK, "{method} {target}");
        }
    }
    for target in ["/", "/checked", "/v1/people", "/Check"] {
        assert_eq!(ask(&world, StatusCode::OK, Method::GET, target, &bearer).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn br_10_a_refusal_is_401_or_403_and_never_400() {
    let world = World::with_config(|config| config.fub_status = true);
    world.revoke(RevokedKind::User, "9", ISSUED);
    let good = format!("Bearer {}", world.token(&claims()));
    let of = |claims: &Value| format!("Bearer {}", world.token(claims));
    let expired = of(&with(with(claims(), "iat", json!(ISSUED.0 - HOUR)), "exp", json!(ISSUED.0)));
    for (authorizations, challenge, code) in [
        (vec![], "Bearer realm=\"api\"", None),
        (vec!["Basic eDp5".to_owned()], "Bearer realm=\"api\"", None),
        (
            vec![good.clone(), good.clone()],
            "Bearer realm=\"api\", error=\"invalid_request\"",
            Some("invalid-authorization-header"),
        ),
        (
            vec!["Bearer no token".to_owned()],
            "Bearer realm=\"api\", error=\"invalid_token\"",
            Some("invalid-access-token"),
        ),
        (
            vec![of(&with(claims(), "sub", json!("9")))],
            "Bearer realm=\"api\", error=\"invalid_token\"",
            Some("invalid-access-token"),
        ),
        (vec![expired], "Bearer realm=\"api\", error=\"invalid_token\"", Some("expired-access-token")),
    ] {
        let answer = ask(&world, StatusCode::NO_CONTENT, Method::GET, "/check", &authorizations).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{challenge} {code:?}");
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], challenge);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["errorCode"].as_str(), code);
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("x-auth-")));
    }
}

#[tokio::test]
async fn br_10_a_location_may_require_scopes() {
    let world = World::new();
    let notes = with(claims(), "scope", json!("notes people"));
    for (target, passes) in [
        ("/check?scope=notes", true),
        ("/check/?scope=notes", true),
        ("/check?scope=people%20notes", true),
        ("/check?scope=people+notes&other=x", true),
        ("/check?scope=notes&scope=people", true),
        ("/check?scope=admin", false),
        ("/check/?scope=admin", false),
        ("/check?scope=notes%20admin", false),
        ("/check?scope=notes&scope=admin", false),
    ] {
        let answer = check(&world, target, &notes).await;
        assert_eq!(answer.status, if passes { StatusCode::NO_CONTENT } else { StatusCode::FORBIDDEN }, "{target}");
        if !passes {
            let challenge = answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert!(challenge.contains("error=\"insufficient_scope\", scope=\"admin"), "{challenge}");
            assert!(answer.body.contains("resource-restricted"), "{}", answer.body);
        }
        assert_eq!(check(&world, target, &claims()).await.status, StatusCode::NO_CONTENT, "a whole role");
    }
}

#[tokio::test]
async fn br_11_a_check_url_that_cannot_be_read_lets_nobody_through() {
    let world = World::new();
    for target in ["/check?scope=a%zz", "/check?scope=", "/check?scope", "/check?scope=%22", "/check?scope=a&scope=%00"]
    {
        let answer = check(&world, target, &claims()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{target}");
    }
}

#[tokio::test]
async fn br_11_what_cannot_be_decided_is_503_with_retry_after() {
    let world = World::unfed(|_| ());
    let answer = check(&world, "/check", &claims()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers[header::RETRY_AFTER], "1");
    world.gate.set_keys(&world.key_set()).unwrap();
    assert_eq!(check(&world, "/check", &claims()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.gate.revocations().mark_synced(ISSUED);
    assert_eq!(check(&world, "/check", &claims()).await.status, StatusCode::NO_CONTENT);
}

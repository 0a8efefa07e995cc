use http::{Method, header};
use keyfob_sandbox::seed::Role;

use crate::calls::{Sandbox, basic};

#[tokio::test]
async fn sb_01_without_credentials_both_challenges_in_order_and_nothing_about_rates() {
    let sandbox = Sandbox::new();
    for path in ["/v1/identity", "/v1/people", "/v1/nothing", "/v1"] {
        for headers in [&[][..], &[("authorization", "Digest abc")], &[("authorization", "")]] {
            let answer = sandbox.send(Method::GET, path, headers, "").await;
            assert_eq!(answer.refusal().0, 401);
            let challenges: Vec<_> =
                answer.headers.get_all(header::WWW_AUTHENTICATE).iter().map(|c| c.to_str().unwrap()).collect();
            assert_eq!(challenges, ["Basic realm=\"Follow Up Boss API\"", "Bearer realm=\"api\""]);
            let named: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
            assert_eq!(named, ["cache-control", "content-type", "www-authenticate", "content-length"]);
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn sb_02_an_api_key_works_as_basic_and_an_access_token_does_not() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    assert_eq!(sandbox.get("/v1/identity", owner).await.status, 200);

    let token = sandbox.token(owner);
    let as_bearer =
        sandbox.send(Method::GET, "/v1/identity", &[("authorization", &format!("Bearer {token}"))], "").await;
    assert_eq!(as_bearer.status, 200);
    let as_basic = sandbox.send(Method::GET, "/v1/identity", &[("authorization", &basic(&token))], "").await;
    let (status, message) = as_basic.refusal();
    assert!(status == 401 && message.contains("Bearer"), "{message}");
    assert_eq!(as_basic.headers.get_all(header::WWW_AUTHENTICATE).iter().count(), 2);
    assert!(as_basic.header("x-ratelimit-limit").is_none());

    for wrong in ["fka_unknown", "", &owner.api_key.expose().to_lowercase()] {
        let answer = sandbox.send(Method::GET, "/v1/identity", &[("authorization", &basic(wrong))], "").await;
        assert_eq!(answer.refusal().0, 401, "{wrong}");
    }
    for malformed in ["Basic", "Basic !!!", "Basic Zm9v"] {
        let answer = sandbox.send(Method::GET, "/v1/identity", &[("authorization", malformed)], "").await;
        assert_eq!(answer.refusal().0, 401, "{malformed}");
    }
    // The key as a Bearer token is no token.
    let key = format!("Bearer {}", owner.api_key.expose());
    let answer = sandbox.send(Method::GET, "/v1/identity", &[("authorization", &key)], "").await;
    assert_eq!((answer.status.as_u16(), answer.json()["errorCode"].as_str()), (401, Some("invalid-access-token")));
}

#[tokio::test]
async fn br_01_br_04_the_gate_judges_bearer_tokens() {
    let sandbox = Sandbox::new();
    let token = format!("Bearer {}", sandbox.token(sandbox.owner()));
    let key = basic(sandbox.owner().api_key.expose());
    for pair in [
        [("authorization", token.as_str()), ("authorization", key.as_str())],
        [("authorization", &token), ("authorization", &token)],
    ] {
        let answer = sandbox.send(Method::GET, "/v1/identity", &pair, "").await;
        assert_eq!(answer.refusal().0, 400);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\", error=\"invalid_request\""));
    }
    sandbox.advance(3600);
    let answer = sandbox.send(Method::GET, "/v1/identity", &[("authorization", &token)], "").await;
    assert_eq!((answer.status.as_u16(), answer.json()["errorCode"].as_str()), (401, Some("expired-access-token")));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"api\", error=\"invalid_token\""));
}

#[tokio::test]
async fn br_05_a_token_in_the_query_is_no_credentials() {
    let sandbox = Sandbox::new();
    let path = format!("/v1/identity?access_token={}", sandbox.token(sandbox.owner()));
    assert_eq!(sandbox.send(Method::GET, &path, &[], "").await.status, 401);
}

#[tokio::test]
async fn an_expired_account_is_403_with_credentials_that_stay_good() {
    let sandbox = Sandbox::new();
    let owner = sandbox.user(3, Role::Owner, 0);
    let bearer = format!("Bearer {}", sandbox.token(owner));
    for authorization in [bearer, basic(owner.api_key.expose())] {
        let answer = sandbox.send(Method::GET, "/v1/identity", &[("authorization", &authorization)], "").await;
        let (status, message) = answer.refusal();
        assert!(status == 403 && message.contains("expired"), "{status} {message}");
        assert_eq!(answer.header("fub-account-id"), Some("3"));
        assert!(answer.headers.get(header::WWW_AUTHENTICATE).is_none());
    }
    sandbox.state.set_account_status(3, keyfob_sandbox::seed::AccountStatus::Active).await.unwrap();
    assert_eq!(sandbox.get("/v1/identity", owner).await.status, 200);
}

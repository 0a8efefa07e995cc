//! What the upstream may believe.

use super::proxied::{Proxied, values};
use crate::issuer::{GRANT, HOUR, ISSUED};
use keyfob_protocol::revocation::RevokedKind;
use serde_json::Value;

fn names(told: &Value) -> Vec<&str> {
    told["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect()
}

#[tokio::test]
async fn br_10_forged_identity_headers_do_not_get_through() {
    let proxied = Proxied::new(|_| ()).await;
    let told = proxied
        .told(&[
            "X-Auth-User: 1",
            "x-auth-user: 2",
            "X_Auth_User: 3",
            "X-Auth_Account: 4",
            "X-AUTH-SCOPE: admin",
            "X-Auth-Of-Another-Gate: 5",
            "Connection: X-Auth-User, x-auth-account, keep-alive",
            "Proxy: http://evil.example",
        ])
        .await;
    let (grant, expires) = (GRANT.to_text(), (ISSUED.0 + HOUR).to_string());
    for (name, value) in [
        ("x-auth-user", "42"),
        ("x-auth-account", "5"),
        ("x-auth-app", "3"),
        ("x-auth-client-id", "app-one"),
        ("x-auth-grant", grant.as_str()),
        ("x-auth-expires", expires.as_str()),
    ] {
        assert_eq!(values(&told, name), [value], "{name}");
    }
    let alike = names(&told).into_iter().filter(|name| name.replace('_', "-").starts_with("x-auth-")).count();
    assert_eq!(alike, 6, "{told}");
    assert!(values(&told, "proxy").is_empty());
}

#[tokio::test]
async fn br_10_the_token_is_handed_on_only_where_configured() {
    let proxied = Proxied::new(|_| ()).await;
    assert!(values(&proxied.told(&[]).await, "authorization").is_empty());
    let proxied = Proxied::new(|config| config.forward_token = true).await;
    assert_eq!(values(&proxied.told(&[]).await, "authorization"), [proxied.bearer()]);
}

#[tokio::test]
async fn br_10_headers_of_one_connection_end_at_the_gate_in_both_directions() {
    let proxied = Proxied::new(|_| ()).await;
    let told = proxied
        .told(&[
            "Connection: keep-alive, X-Private",
            "X-Private: 1",
            "Keep-Alive: timeout=5",
            "Proxy-Connection: keep-alive",
            "Proxy-Authorization: Basic eDp5",
            "TE: trailers",
            "Upgrade: websocket",
            "X-Public: 1",
        ])
        .await;
    for name in ["x-private", "keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade", "connection"] {
        assert!(values(&told, name).is_empty(), "{name}: {told}");
    }
    assert_eq!(values(&told, "x-public"), ["1"]);
    let client = reqwest::Client::new();
    let answer = client.get(proxied.url("/")).header("authorization", proxied.bearer()).send().await.unwrap();
    assert!(answer.headers().contains_key("x-answer"));
    for name in ["x-for-one-hop", "keep-alive"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn br_10_forwarded_headers_are_those_of_the_connection() {
    let forged = [
        "X-Forwarded-For: 192.0.2.1",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: https",
        "X_Forwarded_For: 192.0.2.2",
        "X-Forwarded-Prefix: /evil",
        "X-Real-IP: 192.0.2.3",
        "Forwarded: for=192.0.2.4",
    ];
    let proxied = Proxied::new(|_| ()).await;
    let told = proxied.told(&forged).await;
    assert_eq!(values(&told, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values(&told, "x-forwarded-host"), ["api.example.com"]);
    assert_eq!(values(&told, "x-forwarded-proto"), ["http"]);
    for name in ["x_forwarded_for", "x-forwarded-prefix", "x-real-ip", "forwarded"] {
        assert!(values(&told, name).is_empty(), "{name}");
    }
    assert_ne!(values(&told, "host"), ["api.example.com"], "the upstream's own");

    let proxied = Proxied::new(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let told = proxied.told(&forged).await;
    assert_eq!(values(&told, "x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
    assert_eq!(values(&told, "x-forwarded-host"), ["evil.example"]);
    assert_eq!(values(&told, "x-forwarded-proto"), ["https"]);
    assert!(values(&told, "x_forwarded_for").is_empty());

    let proxied = Proxied::new(|config| config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()]).await;
    assert_eq!(values(&proxied.told(&forged).await, "x-forwarded-for"), ["127.0.0.1"]);
}

#[tokio::test]
async fn br_10_a_refused_request_does_not_reach_the_upstream() {
    let proxied = Proxied::new(|_| ()).await;
    let client = reqwest::Client::new();
    let request = async |authorization: Option<&str>| {
        let mut request = client.post(proxied.url("/v1/people?access_token=x")).body("x");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.headers().contains_key("www-authenticate"))
    };
    assert_eq!(request(None).await, (401, true));
    assert_eq!(request(Some("Bearer nonsense")).await, (401, true));
    assert_eq!(proxied.seen(), 0);
    let bearer = proxied.bearer();
    assert_eq!(request(Some(&bearer)).await, (200, false));
    proxied.world.revoke(RevokedKind::User, "42", ISSUED);
    assert_eq!(request(Some(&bearer)).await, (401, true));
    assert_eq!(proxied.seen(), 1);
}

//! Rows MD-01 to MD-04 and PK-06: what is announced is true, and only public keys are published.

use super::asserting::send;
use keyfob_authority::model::AppPolicy;
use keyfob_authority::{Settings, authority::DeclaredScope};
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_testkit::{Browser, TestServer, TestServerOptions};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const METADATA: &str = "/.well-known/oauth-authorization-server";

#[tokio::test]
async fn md_04_the_key_set_holds_public_members_only_and_unique_kids() {
    for (algorithm, members) in [
        (SigningAlgorithm::EdDsa, &["alg", "crv", "kid", "kty", "use", "x"][..]),
        (SigningAlgorithm::Es256, &["alg", "crv", "kid", "kty", "use", "x", "y"]),
    ] {
        let server = TestServer::start_with(TestServerOptions { algorithm, ..TestServerOptions::default() }).await;
        let answer = server.get("/oauth/jwks").await;
        assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (200, Some("*")));
        let set = answer.json();
        assert_eq!(set.as_object().expect("an object").keys().collect::<Vec<_>>(), ["keys"]);
        let keys = set["keys"].as_array().expect("keys");
        assert!(!keys.is_empty());
        let kids: BTreeSet<_> = keys.iter().map(|key| key["kid"].as_str().expect("a kid")).collect();
        assert_eq!(kids.len(), keys.len());
        for key in keys {
            let names: BTreeSet<_> = key.as_object().expect("an object").keys().map(String::as_str).collect();
            assert_eq!(names, members.iter().copied().collect(), "{key}");
        }
        // The kid of a token that is issued is among them.
        let app = server.confidential_app("Listing Lantern").await;
        let code = Browser::new(&server).connect(&app.authorize_url()).await.code();
        let access = app.exchange(&server, &code).await.at("access_token");
        let header = access.split('.').next().expect("a JWT");
        let header = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header).expect("base64");
        let header: Value = serde_json::from_slice(&header).expect("JSON");
        assert!(kids.contains(header["kid"].as_str().expect("a kid")));
    }
}

#[tokio::test]
async fn md_03_the_metadata_document_is_complete() {
    let server = TestServer::start().await;
    let answer = server.get(METADATA).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let base = "https://auth.example.com";
    let expected = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/oauth/authorize"),
        "token_endpoint": format!("{base}/oauth/token"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "introspection_endpoint": format!("{base}/oauth/introspect"),
        "jwks_uri": format!("{base}/oauth/jwks"),
        "response_types_supported": ["code", "auth_code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    });
    assert_eq!(answer.json(), expected);
    let scope = |name: &str| DeclaredScope { name: name.to_owned(), title: String::new(), sentence: String::new() };
    let settings = Settings { scopes: vec![scope("read"), scope("write")], ..Settings::new(base) };
    let server = TestServer::start_with(TestServerOptions { settings, ..TestServerOptions::default() }).await;
    assert_eq!(server.get(METADATA).await.json()["scopes_supported"], json!(["read", "write"]));
    for other in [format!("{METADATA}/x"), "/.well-known/openid-configuration".to_owned()] {
        assert_eq!(server.get(&other).await.status(), 404);
    }
}

#[tokio::test]
async fn md_03_everything_listed_works() {
    let server = TestServer::start().await;
    let metadata = server.get(METADATA).await.json();
    let listed = |name: &str| -> Vec<String> { serde_json::from_value(metadata[name].clone()).expect("a list") };
    let path = |name: &str| {
        metadata[name].as_str().and_then(|url| url.strip_prefix("https://auth.example.com")).map(str::to_owned)
    };
    let authorize = path("authorization_endpoint").expect("ours");
    assert_eq!(server.get(&path("jwks_uri").expect("ours")).await.status(), 200);
    assert_eq!(path("token_endpoint").as_deref(), Some("/oauth/token"));
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let mut worked = Vec::new();
    for response_type in listed("response_types_supported") {
        for method in listed("token_endpoint_auth_methods_supported") {
            for pkce in listed("code_challenge_methods_supported") {
                let app = match method.as_str() {
                    "none" => server.public_app("Public").await,
                    _ => server.confidential_app("Confidential").await,
                };
                let mode = listed("response_modes_supported")[0].clone();
                let url = app.authorize_url_with(&[
                    ("response_type", &response_type),
                    ("state", "s"),
                    ("code_challenge", challenge),
                    ("code_challenge_method", &pkce),
                    ("response_mode", &mode),
                ]);
                assert!(url.starts_with(&authorize));
                let code = Browser::new(&server).connect(&url).await.code();
                let redirect_uri = app.app.redirect_uris[0].as_str().to_owned();
                let grant = listed("grant_types_supported")[0].clone();
                let fields = vec![
                    ("grant_type", grant.as_str()),
                    ("code", code.as_str()),
                    ("redirect_uri", &redirect_uri),
                    ("code_verifier", verifier),
                ];
                let secret = app.secret.as_ref().map(|secret| secret.expose().clone()).unwrap_or_default();
                let tokens = match method.as_str() {
                    "client_secret_post" => {
                        let more = [("client_id", app.client_id()), ("client_secret", secret.as_str())];
                        Browser::new(&server).post("/oauth/token", &[&fields[..], &more].concat()).await.answer
                    }
                    _ => app.post(&server, &fields).await,
                };
                assert_eq!(tokens.status(), 200, "{response_type} {method}: {}", tokens.text());
                let refreshed = app.refresh(&server, &tokens.at("refresh_token")).await;
                assert_eq!(refreshed.status(), 200, "{}", refreshed.text());
                worked.push((response_type.clone(), method.clone()));
            }
        }
    }
    assert_eq!(worked.len(), 6);
    // Where an app may: by each way of proving itself, since a public app cannot.
    let own = AppPolicy { client_credentials: true, ..AppPolicy::default() };
    let app = server.app("Nightly Export", own).await;
    let grant = listed("grant_types_supported")[2].clone();
    let secret = app.secret.as_ref().map(|secret| secret.expose().clone()).unwrap_or_default();
    let in_body = [("grant_type", grant.as_str()), ("client_id", app.client_id()), ("client_secret", secret.as_str())];
    let by_post = Browser::new(&server).post("/oauth/token", &in_body).await.answer;
    for answer in [app.post(&server, &[("grant_type", &grant)]).await, by_post] {
        assert_eq!(answer.status(), 200, "{}", answer.text());
        for endpoint in ["introspection_endpoint", "revocation_endpoint"] {
            let about = [("token", answer.at("access_token")), ("client_id", app.client_id().to_owned())];
            let mut about: Vec<_> = about.iter().map(|(name, value)| (*name, value.as_str())).collect();
            about.push(("client_secret", &secret));
            let told = Browser::new(&server).post(&path(endpoint).expect("ours"), &about).await.answer.status();
            // Only a resource server may ask what a token is; its own app may give it back.
            assert_eq!(told, if endpoint == "introspection_endpoint" { 403 } else { 200 });
        }
    }
    assert_eq!(listed("grant_types_supported"), ["authorization_code", "refresh_token", "client_credentials"]);
}

#[tokio::test]
async fn md_01_the_document_has_one_path_and_is_read_only() {
    let server = TestServer::start().await;
    assert_eq!(server.get(METADATA).await.status(), 200);
    for other in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/",
        "/.well-known/oauth-authorization-server/issuer",
        "/.well-known/OAuth-Authorization-Server",
        "/issuer/.well-known/oauth-authorization-server",
    ] {
        assert_eq!(server.get(other).await.status(), 404, "{other}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(send(&server, method, METADATA, &[]).await.status(), 405, "{method}");
    }
}

#[tokio::test]
async fn md_02_the_issuer_is_the_configured_one_whatever_the_headers_say() {
    let server = TestServer::start().await;
    let forged = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example;proto=http"),
    ];
    let answer = send(&server, "GET", METADATA, &forged).await;
    assert!(!answer.text().contains("evil.example"), "{}", answer.text());
    assert_eq!(answer.at("issuer"), "https://auth.example.com");
    let app = server.confidential_app("Listing Lantern").await;
    let url = app.authorize_url_with(&[("response_type", "code"), ("state", "s")]);
    let landing = Browser::new(&server).connect(&url).await;
    assert!(landing.location.contains("iss=https%3A%2F%2Fauth.example.com"), "{}", landing.location);
    let access = app.exchange(&server, &landing.code()).await.at("access_token");
    let payload = access.split('.').nth(1).expect("a JWT");
    let payload = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload).expect("base64");
    let claims: Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!(claims["iss"], "https://auth.example.com");
}

#[tokio::test]
async fn pk_06_s256_is_listed_and_nothing_else_works() {
    let server = TestServer::start().await;
    assert_eq!(server.get(METADATA).await.json()["code_challenge_methods_supported"], json!(["S256"]));
    let app = server.public_app("Pocket Lantern").await;
    let challenge = ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    for (method, works) in [("S256", true), ("plain", false), ("s256", false), ("S512", false)] {
        let fields = [("response_type", "code"), ("state", "s"), challenge, ("code_challenge_method", method)];
        let answer = server.get(&app.authorize_url_with(&fields)).await;
        assert_eq!(answer.status() == 200, works, "{method}: {}", answer.status());
    }
}

const RESOURCE: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn md_05_the_api_of_the_authority_itself_is_announced_and_named_in_its_challenges() {
    let server = TestServer::start().await;
    let answer = server.get(RESOURCE).await;
    assert_eq!((answer.status(), answer.header("access-control-allow-origin")), (200, Some("*")));
    let base = "https://auth.example.com";
    let expected = json!({ "resource": base, "authorization_servers": [base], "bearer_methods_supported": ["header"] });
    assert_eq!(answer.json(), expected);
    let named = format!("resource_metadata=\"{base}{RESOURCE}\"");
    for token in [None, Some("x")] {
        let refused = match token {
            None => server.get("/v1/identity").await,
            Some(token) => server.call("/v1/identity", token).await,
        };
        let challenge = refused.header("www-authenticate").expect("a challenge").to_owned();
        assert!(refused.status() == 401 && challenge.ends_with(&named), "{challenge}");
    }
    // What a client reads there is what it may ask the authority for.
    let app = server.confidential_app("Listing Lantern").await;
    let fields = [("response_type", "code"), ("state", "s"), ("resource", base)];
    let code = Browser::new(&server).connect(&app.authorize_url_with(&fields)).await.code();
    let access = app.exchange(&server, &code).await.at("access_token");
    assert_eq!(server.call("/v1/identity", &access).await.status(), 200);
    for other in [format!("{RESOURCE}/"), format!("{RESOURCE}/v1"), format!("{RESOURCE}/v1/identity")] {
        assert_eq!(server.get(&other).await.status(), 404, "{other}");
    }
    assert_eq!(send(&server, "POST", RESOURCE, &[]).await.status(), 405);
}

#[tokio::test]
async fn md_05_an_api_elsewhere_is_not_announced_here() {
    let audience = "https://api.example.com".to_owned();
    let settings = Settings { audience, ..Settings::new("https://auth.example.com") };
    let server = TestServer::start_with(TestServerOptions { settings, ..TestServerOptions::default() }).await;
    assert_eq!(server.get(RESOURCE).await.status(), 404);
    let challenge = server.get("/v1/identity").await.header("www-authenticate").expect("a challenge").to_owned();
    assert_eq!(challenge, "Bearer realm=\"api\"");
}

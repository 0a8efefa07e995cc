//! An authority by its metadata: what is asked, what is believed, and what follows from it.

use crate::scripted::*;
use keyfob_client::*;
use serde_json::{Value, json};

const ISSUER: &str = "https://id.example.com";

fn document() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://login.example.com/authorize",
        "token_endpoint": "https://id.example.com/token",
        "response_types_supported": ["code"],
        "something_else": { "unknown": [1, 2] },
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut document = document();
    document[field] = value;
    document
}

fn read(document: &Value) -> Result<Metadata, DiscoveryError> {
    let (_, sent) = discovery::request(ISSUER).unwrap();
    sent.read(reply(200, &document.to_string()))
}

fn provider(document: &Value, app: &App) -> Result<Provider, DiscoveryError> {
    read(document).and_then(|metadata| metadata.provider(app, "https://api.example.com/v1"))
}

fn public() -> App {
    App { client_secret: None, ..app() }
}

#[test]
fn the_well_known_path_goes_between_host_and_path() {
    for (issuer, url) in [
        (ISSUER, "https://id.example.com/.well-known/oauth-authorization-server"),
        ("https://id.example.com/", "https://id.example.com/.well-known/oauth-authorization-server"),
        ("https://id.example.com/tenant/1", "https://id.example.com/.well-known/oauth-authorization-server/tenant/1"),
        ("http://127.0.0.1:4180", "http://127.0.0.1:4180/.well-known/oauth-authorization-server"),
    ] {
        let (request, _) = discovery::request(issuer).unwrap();
        assert_eq!((request.method, request.url.expose().as_str()), (Method::Get, url));
        assert!(request.header("authorization").is_none() && request.body.expose().is_empty());
    }
}

#[test]
fn cl_13_an_issuer_in_clear_or_with_a_query_is_refused_before_anything_is_sent() {
    let refused = |issuer: &str| discovery::request(issuer).unwrap_err();
    assert!(matches!(refused("http://id.example.com"), DiscoveryError::Issuer(UnsafeUrl::NotHttps(_))));
    assert!(matches!(refused("id.example.com"), DiscoveryError::Issuer(UnsafeUrl::NotAbsolute(_))));
    assert!(matches!(refused("https://id.example.com/#x"), DiscoveryError::Issuer(UnsafeUrl::Fragment(_))));
    assert_eq!(refused("https://id.example.com?tenant=1"), DiscoveryError::IssuerWithQuery);
}

#[test]
fn cl_08_a_document_of_another_issuer_is_not_believed() {
    for lie in
        ["https://evil.example", "https://id.example.com/", "https://ID.example.com", "http://id.example.com", ""]
    {
        let refused = read(&with("issuer", json!(lie))).unwrap_err();
        assert_eq!(refused, DiscoveryError::OtherIssuer { asked: ISSUER.to_owned(), found: lie.to_owned() });
    }
}

#[test]
fn cl_13_an_endpoint_in_clear_is_refused_wherever_it_stands() {
    for field in ["authorization_endpoint", "token_endpoint", "revocation_endpoint"] {
        for bad in ["http://id.example.com/x", "ftp://id.example.com/x", "/x", "https://u:p@id.example.com/x"] {
            let refused = read(&with(field, json!(bad))).unwrap_err();
            assert!(matches!(refused, DiscoveryError::Endpoint { field: named, .. } if named == field), "{refused}");
        }
        let long = format!("https://id.example.com/{}", "x".repeat(2048));
        assert!(matches!(read(&with(field, json!(long))), Err(DiscoveryError::Unreadable(_))));
    }
}

#[test]
fn what_is_no_document_is_refused() {
    let answer = |status, body: &str| discovery::request(ISSUER).unwrap().1.read(reply(status, body));
    for status in [201, 204, 301, 302, 401, 404, 500] {
        let refused = answer(status, &document().to_string()).unwrap_err();
        assert!(matches!(refused, DiscoveryError::Status { status: named, .. } if named == status), "{refused}");
    }
    for (body, is_page) in [("", false), ("<html>", true), ("\n<!doctype html>", true), (&"[".repeat(10_000), false)] {
        let refused = answer(200, body).unwrap_err();
        let url = "https://id.example.com/.well-known/oauth-authorization-server".to_owned();
        let text = refused.to_string();
        assert!(text.contains(&url) && text.contains("HTML") == is_page, "{text}");
        assert_eq!(refused, DiscoveryError::NotJson { url, is_page });
    }
    for body in ["[]", "null", "{}"] {
        assert!(matches!(answer(200, body), Err(DiscoveryError::Unreadable(_))), "{body:.20}");
    }
    let twice = document().to_string().replacen('{', r#"{"issuer":"https://evil.example","#, 1);
    assert!(matches!(answer(200, &twice), Err(DiscoveryError::Unreadable(_))));
    let long = with("padding", json!("x".repeat(64 * 1024)));
    assert_eq!(answer(200, &long.to_string()).unwrap_err(), DiscoveryError::TooLong);
    let (_, sent) = discovery::request(ISSUER).unwrap();
    assert!(matches!(sent.read(not_sent()), Err(DiscoveryError::NoAnswer(_))));
    for field in ["authorization_endpoint", "token_endpoint", "response_types_supported"] {
        let mut document = document();
        document.as_object_mut().unwrap().remove(field);
        assert!(matches!(read(&document), Err(DiscoveryError::Unreadable(_))), "{field}");
    }
}

#[test]
fn only_what_the_document_lists_is_used() {
    let not_offered = |document: Value, app: &App| match provider(&document, app) {
        Err(DiscoveryError::NotOffered { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let (types, grants, methods) =
        ("response_types_supported", "grant_types_supported", "token_endpoint_auth_methods_supported");
    assert_eq!(not_offered(with(types, json!(["token", "code id_token"])), &app()), types);
    assert_eq!(not_offered(with(grants, json!(["client_credentials"])), &app()), grants);
    assert_eq!(not_offered(with(methods, json!(["private_key_jwt"])), &app()), methods);
    assert_eq!(not_offered(with(methods, json!(["none"])), &app()), methods);
    for (listed, authentication) in [
        (json!(["client_secret_post", "client_secret_basic"]), ClientAuthentication::Basic),
        (json!(["client_secret_post", "private_key_jwt"]), ClientAuthentication::Post),
    ] {
        assert_eq!(provider(&with(methods, listed), &app()).unwrap().authentication(), authentication);
    }
    let silent = provider(&document(), &app()).unwrap();
    assert_eq!(silent.authentication(), ClientAuthentication::Basic);
    assert_eq!((silent.revocation_endpoint(), silent.api_shape()), (None, ApiShape::Unknown));
    assert_eq!(silent.authorize_endpoint().as_str(), "https://login.example.com/authorize");
    assert_eq!(silent.api_base().as_str(), "https://api.example.com/v1/");
    let revoking = provider(&with("revocation_endpoint", json!("https://id.example.com/revoke")), &app()).unwrap();
    assert_eq!(revoking.revocation_endpoint().unwrap().as_str(), "https://id.example.com/revoke");
}

#[test]
fn cl_09_pkce_is_sent_where_s256_is_listed_and_always_without_a_secret() {
    let methods = "code_challenge_methods_supported";
    for (listed, pkce) in [
        (json!(["plain", "S256"]), Pkce::Always),
        (json!(["plain"]), Pkce::Never),
        (json!([]), Pkce::Never),
        (Value::Null, Pkce::Never),
    ] {
        let provider = |app: &App| provider(&with(methods, listed.clone()), app).unwrap();
        assert_eq!(provider(&app()).pkce_for(&app()), pkce, "{listed}");
        assert_eq!(provider(&public()).pkce_for(&public()), Pkce::Always);
        let attempt = begin(&provider(&app()));
        assert_eq!(attempt.url.expose().contains("code_challenge="), pkce == Pkce::Always);
        assert_eq!(provider(&app()).with_pkce(Pkce::Never).pkce_for(&app()), Pkce::Never, "the switch per server");
    }
}

fn begin(provider: &Provider) -> Attempt {
    let session = BrowserSession::from_value("alice");
    Attempt::begin(provider, &app(), session, START, &SeededEntropy::default()).unwrap()
}

/// The callback of an attempt at `provider`, with `more` behind it.
fn callback(provider: &Provider, answer: &str, more: &str) -> Result<ReadyExchange, CallbackOutcome> {
    let Attempt { url, pending } = begin(provider);
    let query = format!("{answer}&state={}{more}", state_of(url.expose()));
    pending.accept(&query, BrowserSession::from_value("alice"), START)
}

#[test]
fn cl_08_an_announced_issuer_is_compared_before_anything_is_believed() {
    let announced = "authorization_response_iss_parameter_supported";
    let announcing = provider(&with(announced, json!(true)), &app()).unwrap();
    let silent = provider(&document(), &app()).unwrap();
    let ours = "&iss=https%3A%2F%2Fid.example.com";
    for answer in ["code=c1", "error=access_denied", "error=server_error"] {
        for stranger in ["&iss=https://evil.example", "&iss=https://id.example.com/", "&iss=HTTPS://id.example.com"] {
            for provider in [&announcing, &silent] {
                let refused = callback(provider, answer, stranger).unwrap_err();
                assert!(matches!(refused, CallbackOutcome::WrongIssuer { .. }), "{answer}{stranger}: {refused}");
            }
        }
        for missing in ["", "&iss="] {
            let refused = callback(&announcing, answer, missing).unwrap_err();
            let expected = CallbackOutcome::WrongIssuer { expected: ISSUER.to_owned(), received: None };
            assert_eq!(refused, expected, "{answer}{missing}");
        }
    }
    assert!(callback(&announcing, "code=c1", ours).is_ok());
    assert!(callback(&silent, "code=c1", ours).is_ok() && callback(&silent, "code=c1", "").is_ok());
    assert_eq!(callback(&announcing, "error=access_denied", ours).unwrap_err(), CallbackOutcome::Denied);
    let twice = format!("{ours}{ours}");
    assert!(matches!(callback(&announcing, "code=c1", &twice), Err(CallbackOutcome::ProtocolError(_))));
}

#[test]
fn cl_08_with_two_servers_the_code_of_one_is_never_sent_to_the_other() {
    // The attack of RFC 9700 section 4.4: the user chose H, the attacker's authority A answered with a code of H, or the other way round.
    let [honest, attacker] =
        ["https://id.example.com", "https://evil.example"].map(|issuer| Provider::keyfob(issuer).unwrap());
    for (asked, answering) in [(&honest, "https://evil.example"), (&attacker, "https://id.example.com")] {
        let refused = callback(asked, "code=c1", &format!("&iss={answering}")).unwrap_err();
        assert!(matches!(refused, CallbackOutcome::WrongIssuer { .. }), "{refused}");
    }
    // Follow Up Boss's spelling names nobody; where somebody is named, it has to be the right one.
    let fub = honest.speaking(Dialect::FollowUpBoss);
    assert!(callback(&fub, "response=approved&code=c1", "").is_ok());
    assert!(callback(&fub, "response=approved&code=c1", "&iss=https://evil.example").is_err());
}

#[tokio::test]
async fn a_client_that_may_only_post_its_secret_does_so_and_a_stored_document_still_serves() {
    let document = with("token_endpoint_auth_methods_supported", json!(["client_secret_post"]));
    let stored = serde_json::to_string(&read(&document).unwrap()).unwrap();
    let metadata: Metadata = serde_json::from_str(&stored).unwrap();
    let world = World::of(metadata.provider(&app(), "https://api.example.com").unwrap());
    let connection = world.connected().await;
    world.script.then([tokens("a2", "r2")]);
    connection.refresh_now().await.unwrap();
    let sent = world.script.sent.lock().unwrap()[0].clone();
    assert_eq!(sent.endpoint(), "https://id.example.com/token");
    assert!(sent.header("authorization").is_none());
    let body = String::from_utf8(sent.body.expose().clone()).unwrap();
    assert_eq!(body, "grant_type=refresh_token&refresh_token=r1&client_id=app1&client_secret=s3cret");
}

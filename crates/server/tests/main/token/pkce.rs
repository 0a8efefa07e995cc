//! PKCE through both endpoints: PK-01 to PK-05.

use super::{CHALLENGE, STATE, VERIFIER, assert_refused, code, exchange_fields, pkce_code};
use keyfob_authority::model::AppPolicy;
use keyfob_testkit::{Browser, TestApp, TestServer};

async fn start() -> (TestServer, TestApp) {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    (server, app)
}

/// The error that an authorize request with these parameters is redirected with; `None`: it goes on to sign-in.
async fn authorize(server: &TestServer, app: &TestApp, response_type: &str, more: &[(&str, &str)]) -> Option<String> {
    let own = [("response_type", response_type), ("state", STATE)];
    let parameters: Vec<_> = own.into_iter().chain(more.iter().copied()).collect();
    let page = Browser::new(server).get(&app.authorize_url_with(&parameters)).await;
    match page.status() {
        200 => None,
        _ => Some(page.landing().parameter("error").expect("an error")),
    }
}

#[tokio::test]
async fn pk_01_s256_is_accepted_in_both_dialects_and_nothing_else_is() {
    let (server, app) = start().await;
    for dialect in ["auth_code", "code"] {
        let with = async |method: &[(&str, &str)]| {
            let more: Vec<_> = [("code_challenge", CHALLENGE)].into_iter().chain(method.iter().copied()).collect();
            authorize(&server, &app, dialect, &more).await
        };
        assert_eq!(with(&[("code_challenge_method", "S256")]).await, None, "{dialect}");
        assert_eq!(with(&[]).await.as_deref(), Some("invalid_request"), "absent means plain");
        for method in ["plain", "s256", "S512", "S256 ", "none", ""] {
            let error = with(&[("code_challenge_method", method)]).await;
            assert_eq!(error.as_deref(), Some("invalid_request"), "{dialect} {method:?}");
        }
    }
}

#[tokio::test]
async fn pk_02_the_right_verifier_redeems_and_every_other_is_refused() {
    let (server, app) = start().await;
    let public = server.public_app("Public").await;
    let long = format!("{VERIFIER}{}", "a".repeat(86));
    assert_eq!(long.len(), 129);
    for app in [&app, &public] {
        for wrong in [
            None,
            Some(""),
            Some(&VERIFIER[..42]),
            Some(&long),
            Some(CHALLENGE),
            Some(&"w".repeat(43)),
            Some(&VERIFIER.to_lowercase()),
        ] {
            let code = pkce_code(&server, app).await;
            let more: Vec<_> = wrong.map(|verifier| ("code_verifier", verifier)).into_iter().collect();
            let answer = app.post(&server, &exchange_fields(app, &code, &more)).await;
            assert_refused(&answer, "invalid_grant");
        }
        let code = pkce_code(&server, app).await;
        let right = exchange_fields(app, &code, &[("code_verifier", VERIFIER)]);
        assert_eq!(app.post(&server, &right).await.status(), 200);
    }
}

#[tokio::test]
async fn pk_02_verifiers_of_43_and_128_characters_work() {
    let (server, app) = start().await;
    for length in [43, 128] {
        let verifier = "-._~aZ09".repeat(16)[..length].to_owned();
        let challenge =
            keyfob_protocol::pkce::CodeVerifier::parse(&verifier).expect("well-formed").challenge().to_text();
        let more = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
        let code = super::standard_code(&server, &app, &more).await;
        let right = exchange_fields(&app, &code, &[("code_verifier", &verifier)]);
        assert_eq!(app.post(&server, &right).await.status(), 200, "{length}");
    }
}

#[tokio::test]
async fn pk_02_a_challenge_binds_the_legacy_get_too() {
    let (server, app) = start().await;
    let code = pkce_code(&server, &app).await;
    assert_eq!(app.exchange_by_get(&server, &code).await.at("errorCode"), "code-exchange-failed");
    let code = pkce_code(&server, &app).await;
    let right = exchange_fields(&app, &code, &[("code_verifier", VERIFIER)]);
    assert_eq!(app.get(&server, &right).await.status(), 200);
}

#[tokio::test]
async fn pk_03_a_verifier_without_a_challenge_is_refused() {
    let (server, app) = start().await;
    // Somebody stripped the challenge from the authorize URL.
    let code = code(&server, &app).await;
    let fields = exchange_fields(&app, &code, &[("code_verifier", VERIFIER), ("state", STATE)]);
    assert_refused(&app.post(&server, &fields).await, "invalid_grant");
    assert_refused(&app.exchange(&server, &code).await, "invalid_grant");
}

#[tokio::test]
async fn pk_05_a_challenge_is_exactly_43_base64url_characters() {
    let (server, app) = start().await;
    let bad = [
        CHALLENGE[..42].to_owned(),
        format!("{CHALLENGE}A"),
        format!("{CHALLENGE}="),
        format!("{}=", &CHALLENGE[..42]),
        CHALLENGE.replace('-', "+"),
        format!("/{}", &CHALLENGE[1..]),
        format!("é{}", &CHALLENGE[2..]),
        format!("{} ", &CHALLENGE[..42]),
    ];
    for dialect in ["auth_code", "code"] {
        for challenge in &bad {
            let more = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
            let error = authorize(&server, &app, dialect, &more).await;
            assert_eq!(error.as_deref(), Some("invalid_request"), "{challenge}");
        }
        let method_only = authorize(&server, &app, dialect, &[("code_challenge_method", "S256")]).await;
        assert_eq!(method_only.as_deref(), Some("invalid_request"));
    }
}

#[tokio::test]
async fn pk_04_public_apps_and_those_of_the_2_1_profile_must_send_a_challenge_and_others_may() {
    let server = TestServer::start().await;
    let public = AppPolicy { public: true, ..AppPolicy::default() };
    let profile_2_1 = AppPolicy { redirect_uri_optional: true, ..AppPolicy::default() };
    let by_choice = AppPolicy { require_pkce: true, ..AppPolicy::default() };
    for (name, policy, required) in [
        ("Public", public, true),
        ("OAuth 2.1", profile_2_1, true),
        ("By choice", by_choice, true),
        ("Confidential", AppPolicy::default(), false),
    ] {
        let app = server.app(name, policy).await;
        for dialect in ["auth_code", "code"] {
            let refused = required.then_some("invalid_request");
            assert_eq!(authorize(&server, &app, dialect, &[]).await.as_deref(), refused, "{name} {dialect}");
            let challenge = [("code_challenge", CHALLENGE), ("code_challenge_method", "S256")];
            assert_eq!(authorize(&server, &app, dialect, &challenge).await, None, "{name} {dialect}");
        }
    }
}

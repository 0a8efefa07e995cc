//! Signing in at an OpenID provider: rows IN-03, IN-04 and IN-05 where an ID token says who came.

use super::asserting::assert_page;
use super::platform::{CONTINUE, DECISION, ISSUER, assert_elsewhere, assert_refused, b64, count, with};
use super::provider::{
    self, Asked, CLIENT_ID, PROVIDER, Provider, answered, back, id_token, refused, says, server, signed,
    signed_with_the_public_key, tokens, una,
};
use keyfob_authority::hand_off::openid::{OpenIdSettings, SwitchPrompt};
use keyfob_authority::model::Role;
use keyfob_protocol::Clock;
use keyfob_testkit::{Browser, TestApp, TestServer};
use serde_json::json;

/// A browser at the provider, for this app's request.
async fn away<'s>(server: &'s TestServer, app: &TestApp) -> (Browser<'s>, Asked) {
    let mut browser = Browser::new(server);
    let asked = Asked::of(&browser.get(&app.authorize_url()).await);
    (browser, asked)
}

#[tokio::test]
async fn in_04_somebody_signs_in_at_the_provider_and_decides_here() {
    let (server, provider) = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let (mut browser, asked) = away(&server, &app).await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", &format!("{ISSUER}/sign-in/openid/callback")),
        ("scope", "openid email profile"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(asked.get(name), value);
    }
    assert!(!asked.0.contains_key("prompt") && !asked.0.contains_key("max_age"));
    assert!(
        asked.get("state").len() >= 21 && asked.get("nonce").len() >= 21 && asked.get("state") != asked.get("nonce")
    );
    let returned = says(&mut browser, &provider, &asked, &una(&server, &asked)).await;
    assert_eq!((returned.status(), returned.landing().location.as_str()), (303, CONTINUE), "{}", returned.text());
    assert_eq!(returned.answer.header("referrer-policy"), Some("no-referrer"));
    let consent = browser.get(CONTINUE).await;
    assert!(consent.has_form(DECISION) && consent.text().contains("una@example.com"), "{}", consent.text());
    let csp = consent.answer.header("content-security-policy").expect("a CSP");
    assert!(csp.contains("form-action 'self'") && csp.contains("https://idp.example.com"), "{csp}");
    let code = browser.decide(&consent, "approve").await.landing().code();
    assert_eq!(app.exchange(&server, &code).await.status(), 200);
    let user = server.store().user_by_external("u-1").await.expect("no fault").expect("made when she came");
    let account = server.store().account_by_external("acme").await.expect("no fault").expect("likewise");
    assert_eq!((user.role, user.account, user.password_hash), (Role::Admin, account.id, None));
    assert_eq!((account.name.as_str(), account.domain.as_str()), ("Acme Homes", "acme"));
    // The documents are kept.
    let (mut browser, asked) = away(&server, &app).await;
    assert_eq!(says(&mut browser, &provider, &asked, &una(&server, &asked)).await.status(), 303);
    assert_eq!((provider.asked("/jwks"), provider.asked("/.well-known/openid-configuration")), (1, 1));
    // And the doors of the other ways are not there.
    assert_page(&browser.get("/sign-in/return?assertion=x").await.answer, 404);
}

/// OpenID Connect Core section 3.1.3.7, and what a thief would try.
#[tokio::test]
async fn in_04_an_id_token_that_does_not_answer_this_departure_is_refused() {
    let (server, provider) = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let (mut browser, asked) = away(&server, &app).await;
    let good = una(&server, &asked);
    let now = server.clock.now().0;
    for (change, reason) in [
        (json!({ "nonce": "other" }), "wrong_nonce"),
        (json!({ "nonce": null }), "wrong_nonce"),
        (json!({ "iss": "https://evil.example.com" }), "wrong_issuer"),
        (json!({ "iss": format!("{PROVIDER}/") }), "wrong_issuer"),
        (json!({ "iss": null }), "malformed_claims"),
        (json!({ "aud": "another-client" }), "wrong_audience"),
        (json!({ "aud": [CLIENT_ID, "another-client"], "azp": CLIENT_ID }), "wrong_audience"),
        (json!({ "aud": [] }), "wrong_audience"),
        (json!({ "azp": "another-client" }), "wrong_party"),
        (json!({ "iat": now - 300, "exp": now }), "expired"),
        (json!({ "exp": null }), "malformed_claims"),
        (json!({ "iat": now + 61, "auth_time": now }), "issued_in_the_future"),
        (json!({ "iat": null }), "malformed_claims"),
        (json!({ "auth_time": now + 61 }), "issued_in_the_future"),
        (json!({ "at_hash": "AAAAAAAAAAAAAAAAAAAAAA" }), "wrong_token_hash"),
        (json!({ "sub": "" }), "malformed_claims"),
        (json!({ "sub": 7 }), "malformed_claims"),
        (json!({ "sub": "x".repeat(256) }), "malformed_claims"),
    ] {
        let answer = tokens(&id_token(&with(good.clone(), change)));
        refused((&server, &mut browser), &provider, &asked, answer, (400, reason)).await;
    }
    for (change, reason) in [
        (json!({ "email": null }), "malformed_claims"),
        (json!({ "email": "nobody" }), "malformed_claims"),
        (json!({ "email_verified": false }), "email_not_verified"),
        (json!({ "email_verified": "false" }), "email_not_verified"),
        (json!({ "groups": ["staff"] }), "no_role"),
        (json!({ "groups": null }), "no_role"),
        (json!({ "groups": { "keyfob-admins": true } }), "no_role"),
    ] {
        let answer = tokens(&id_token(&with(good.clone(), change)));
        refused((&server, &mut browser), &provider, &asked, answer, (403, reason)).await;
    }
    let unsigned = format!("{}.{}.", b64(json!({ "alg": "none" }).to_string()), b64(good.to_string()));
    let header = |alg: &str, kid: &str| json!({ "alg": alg, "kid": kid });
    for (token, reason) in [
        (unsigned, "wrong_algorithm"),
        (signed_with_the_public_key(&good), "wrong_algorithm"),
        (signed(&header("EdDSA", "k1"), &good, 2), "wrong_signature"),
        (signed(&header("ES256", "k1"), &good, 1), "unknown_key"),
        (signed(&header("EdDSA", "k2"), &good, 2), "unknown_key"),
        (signed(&json!({ "alg": "EdDSA", "kid": "k1", "typ": "logout+jwt" }), &good, 1), "wrong_type"),
        (signed(&json!({ "alg": "EdDSA", "kid": "k1", "crit": ["x"] }), &good, 1), "critical_extension"),
        (id_token(&json!("claims")), "malformed_claims"),
        ("x".to_owned(), "not_a_jwt"),
    ] {
        refused((&server, &mut browser), &provider, &asked, tokens(&token), (400, reason)).await;
    }
    let page = answered(&mut browser, &provider, &asked, json!({ "access_token": "a", "token_type": "Bearer" })).await;
    assert_refused(&server, &browser, &page, (400, "no_id_token"));
    assert_eq!(server.store().user_by_external("u-1").await.expect("no fault"), None);
    // None of it used the state. Half of SHA-512 is what at_hash has of Ed25519; a single audience may stand in a list.
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, b"canary-access-token");
    let whole = json!({ "at_hash": b64(&digest.as_ref()[..32]), "aud": [CLIENT_ID], "azp": CLIENT_ID });
    assert_eq!(says(&mut browser, &provider, &asked, &with(good, whole)).await.status(), 303);
}

#[tokio::test]
async fn in_04_a_callback_counts_once_and_in_the_browser_that_left() {
    let (server, provider) = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    for (case, status) in [("other_ticket", 400), ("not_waiting", 403), ("other_browser", 403)] {
        let (mut browser, asked) = away(&server, &app).await;
        let mut other = Browser::new(&server);
        match case {
            "other_ticket" => drop(other.get(&app.authorize_url()).await),
            "other_browser" => {
                other.cookies = browser.cookies.clone();
                other.cookies.remove("keyfob-flow");
            }
            _ => {}
        }
        let before = provider.asked("/token");
        let code = provider.code(&asked, tokens(&id_token(&una(&server, &asked))));
        let pairs = [("code", code.as_str()), ("state", asked.get("state"))];
        let page = back(&mut other, &pairs).await;
        assert_elsewhere(&server, &mut other, &page, (status, case)).await;
        assert_eq!(provider.asked("/token"), before, "the provider is not asked for a stranger's code");
        // A stranger who calls it does not spoil it for who left.
        assert_eq!(back(&mut browser, &pairs).await.status(), 303);
    }
    // Even the whole jar opens no second session, whether the provider gives out another code or not.
    let (mut browser, asked) = away(&server, &app).await;
    let mut replay = Browser::new(&server);
    replay.cookies = browser.cookies.clone();
    let code = provider.code(&asked, tokens(&id_token(&una(&server, &asked))));
    let pairs = [("code", code.as_str()), ("state", asked.get("state"))];
    assert_eq!(back(&mut browser, &pairs).await.status(), 303);
    for pairs in [pairs, [("error", "access_denied"), pairs[1]]] {
        let page = back(&mut replay, &pairs).await;
        assert_refused(&server, &replay, &page, (400, "ticket_used"));
    }
    let again = answered(&mut replay, &provider, &asked, tokens(&id_token(&una(&server, &asked)))).await;
    assert_refused(&server, &replay, &again, (400, "ticket_used"));
    // The code of one departure in another: PKCE and the nonce are the browser's.
    let (_, first) = away(&server, &app).await;
    let (mut browser, second) = away(&server, &app).await;
    let stolen = provider.code(&first, tokens(&id_token(&una(&server, &first))));
    let page = back(&mut browser, &[("code", &stolen), ("state", second.get("state"))]).await;
    assert_refused(&server, &browser, &page, (400, "code_refused"));
    server.clock.advance(600);
    let page = says(&mut browser, &provider, &second, &una(&server, &second)).await;
    assert_refused(&server, &browser, &page, (400, "ticket_past"));
    let (mut browser, asked) = away(&server, &app).await;
    let page = back(&mut browser, &[("state", asked.get("state"))]).await;
    assert_refused(&server, &browser, &page, (400, "no_code"));
    let page = back(&mut browser, &[("state", "a"), ("state", asked.get("state")), ("code", "c")]).await;
    assert_page(&page.answer, 400);
    // A program that looks at the URL first uses nothing up.
    let code = provider.code(&asked, tokens(&id_token(&una(&server, &asked))));
    let pairs = [("code", code.as_str()), ("state", asked.get("state"))];
    let head = http::Request::head(provider::callback(&pairs)).body(String::new()).expect("a request");
    assert_eq!(server.send(head).await.status(), 405);
    assert_eq!(back(&mut browser, &pairs).await.status(), 303);
}

#[tokio::test]
async fn in_04_the_callback_names_its_authorization_server_where_the_provider_does() {
    let (server, provider) = server().await;
    provider.now(|script| script.metadata["authorization_response_iss_parameter_supported"] = json!(true));
    let app = server.confidential_app("Listing Lantern").await;
    let (mut browser, asked) = away(&server, &app).await;
    let code = provider.code(&asked, tokens(&id_token(&una(&server, &asked))));
    let (code, state) = (("code", code.as_str()), ("state", asked.get("state")));
    for pairs in [&[code, state][..], &[code, state, ("iss", "https://evil.example.com")]] {
        let page = back(&mut browser, pairs).await;
        assert_refused(&server, &browser, &page, (400, "other_provider"));
    }
    // It is looked at first: the denial of another server is none.
    let page = back(&mut browser, &[("error", "access_denied"), state, ("iss", "https://evil.example.com")]).await;
    assert_refused(&server, &browser, &page, (400, "other_provider"));
    assert_eq!(provider.asked("/token"), 0);
    assert_eq!(back(&mut browser, &[code, state, ("iss", PROVIDER)]).await.status(), 303);
}

#[tokio::test]
async fn in_05_a_fresh_sign_in_is_asked_of_the_provider_and_must_be_proven() {
    let (server, provider) = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let url = app.authorize_url_with(&[("response_type", "code"), ("prompt", "login")]);
    let asked = Asked::of(&browser.get(&url).await);
    assert_eq!((asked.get("prompt"), asked.get("max_age")), ("login", "0"));
    let left = server.clock.now().0;
    server.clock.advance(30);
    let page = says(&mut browser, &provider, &asked, &una(&server, &asked)).await;
    assert_refused(&server, &browser, &page, (400, "malformed_claims"));
    let stale = with(una(&server, &asked), json!({ "auth_time": left - 1 }));
    let page = says(&mut browser, &provider, &asked, &stale).await;
    assert_refused(&server, &browser, &page, (403, "not_fresh"));
    let fresh = with(una(&server, &asked), json!({ "auth_time": left }));
    assert_eq!(says(&mut browser, &provider, &asked, &fresh).await.landing().location, CONTINUE);
    let consent = browser.get(CONTINUE).await;
    let switched = Asked::of(&browser.decide(&consent, "switch").await);
    assert_eq!(switched.get("prompt"), "login");
}

#[tokio::test]
async fn in_05_somebody_else_is_asked_for_in_the_words_that_the_provider_knows() {
    let provider = Provider::new();
    let settings = OpenIdSettings { switch_prompt: SwitchPrompt::SelectAccount, ..provider::settings() };
    let server = TestServer::start_with(provider::options(&provider, settings)).await;
    let app = server.confidential_app("Listing Lantern").await;
    let (mut browser, asked) = away(&server, &app).await;
    says(&mut browser, &provider, &asked, &una(&server, &asked)).await;
    let consent = browser.get(CONTINUE).await;
    let asked = Asked::of(&browser.decide(&consent, "switch").await);
    assert_eq!((asked.get("prompt"), asked.get("max_age")), ("select_account", ""));
    // No time of sign-in is said, and none needed.
    let other = json!({ "sub": "u-2", "email": "umo@example.com", "name": null });
    assert_eq!(says(&mut browser, &provider, &asked, &with(una(&server, &asked), other)).await.status(), 303);
    let consent = browser.get(CONTINUE).await;
    assert!(consent.text().contains("umo@example.com"));
    assert!(count(&server, "signed_in"));
}

#[tokio::test]
async fn in_03_who_gives_up_at_the_provider_denies_in_the_apps_dialect_once() {
    let (server, _provider) = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    for (response_type, parameter, value) in [("auth_code", "response", "denied"), ("code", "error", "access_denied")] {
        let mut browser = Browser::new(&server);
        let url = app.authorize_url_with(&[("response_type", response_type), ("state", "s1")]);
        let asked = Asked::of(&browser.get(&url).await);
        let gave_up = [("error", "access_denied"), ("error_description", "no"), ("state", asked.get("state"))];
        let mut again = Browser::new(&server);
        again.cookies = browser.cookies.clone();
        let landing = back(&mut browser, &gave_up).await.landing();
        assert_eq!(landing.parameter(parameter).as_deref(), Some(value), "{}", landing.location);
        assert_eq!(landing.parameter("state").as_deref(), Some("s1"));
        let page = back(&mut again, &gave_up).await;
        assert_refused(&server, &again, &page, (400, "ticket_used"));
    }
    let mut browser = Browser::new(&server);
    let asked = Asked::of(&browser.get("/connections").await);
    let page = back(&mut browser, &[("error", "access_denied"), ("state", asked.get("state"))]).await;
    assert_page(&page.answer, 403);
    // What is wrong with our request the operator must see, and no app can help it.
    for error in ["invalid_scope", "unauthorized_client", "login_required", "canary-error"] {
        let (mut browser, asked) = away(&server, &app).await;
        let page = back(&mut browser, &[("error", error), ("state", asked.get("state"))]).await;
        assert_refused(&server, &browser, &page, (400, "request_refused"));
        assert!(page.text().contains("trying again will not change that"), "{}", page.text());
    }
}

#[tokio::test]
async fn in_04_a_public_client_and_one_whose_secret_goes_into_the_body_exchange_as_well() {
    for public in [true, false] {
        let provider = Provider::new();
        provider.now(|script| {
            script.confidential = !public;
            script.metadata["token_endpoint_auth_methods_supported"] = json!(["client_secret_post", "none"]);
        });
        let mut settings = provider::settings();
        settings.client_secret = settings.client_secret.filter(|_| !public);
        let server = TestServer::start_with(provider::options(&provider, settings)).await;
        let mut browser = Browser::new(&server);
        let asked = Asked::of(&browser.get("/connections").await);
        let page = says(&mut browser, &provider, &asked, &una(&server, &asked)).await;
        assert_eq!(page.landing().location, "/connections");
    }
    let (server, provider) = server().await;
    provider.now(|script| script.confidential = false);
    let mut browser = Browser::new(&server);
    let asked = Asked::of(&browser.get("/connections").await);
    let page = says(&mut browser, &provider, &asked, &una(&server, &asked)).await;
    assert_refused(&server, &browser, &page, (400, "code_refused"));
}

//! Rows AZ-08 and AZ-12: what was validated is frozen, and a fresh sign-in is one for this very request.

use super::asserting::{assert_page, assert_refused_to_app, grants};
use keyfob_protocol::Dialect;
use keyfob_testkit::{Browser, Page, REDIRECT_URI, TestServer};

const SIGN_IN: &str = "/oauth/authorize/sign-in";
const DECISION: &str = "/oauth/authorize/decision";

#[tokio::test]
async fn az_08_prompt_login_asks_again_and_only_that_sign_in_counts() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let fresh = app.authorize_url_with(&[("response_type", "auth_code"), ("state", "s"), ("prompt", "login")]);
    let mut browser = Browser::new(&server);
    browser.connect(&app.authorize_url()).await;
    let before = grants(&server).await;

    let page = browser.get(&fresh).await;
    assert!(page.has_form(SIGN_IN) && !page.has_form(DECISION), "{}", page.text());
    let wrong = browser.sign_in_as(&page, "owner@example.com", "wrong").await;
    assert_eq!(wrong.status(), 422);
    // Back to the first page, and to the app's link: still nothing to approve.
    for page in [&page, &wrong] {
        let sealed = page.hidden(SIGN_IN)["interaction"].clone();
        let csrf = page.hidden(SIGN_IN)["csrf"].clone();
        let fields = [("interaction", sealed.as_str()), ("csrf", &csrf), ("decision", "approve")];
        assert_page(&browser.post(DECISION, &fields).await.answer, 403);
    }
    assert_eq!(grants(&server).await, before);
    // The request is still pending: the form that was shown again works.
    let consent = browser.sign_in(&wrong, &server.owner).await;
    // The earlier seal is of the same request and so has the same CSRF token; it is not signed in to.
    let unsigned = page.hidden(SIGN_IN)["interaction"].clone();
    let csrf = consent.hidden(DECISION)["csrf"].clone();
    let fields = [("interaction", unsigned.as_str()), ("csrf", &csrf), ("decision", "approve")];
    assert_page(&browser.post(DECISION, &fields).await.answer, 403);
    assert_eq!(grants(&server).await, before);
    assert!(browser.decide(&consent, "approve").await.landing().parameter("code").is_some());
}

#[tokio::test]
async fn az_08_a_sign_in_elsewhere_is_not_the_one_that_was_asked_for() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let fresh = app.authorize_url_with(&[("response_type", "code"), ("state", "s"), ("prompt", "login consent")]);
    let mut browser = Browser::new(&server);
    let first = browser.get(&fresh).await;
    let consent = browser.sign_in(&first, &server.owner).await;
    // Signing in for one request does not sign in for the next.
    assert!(browser.get(&fresh).await.has_form(SIGN_IN));
    // A later sign-in, for the list of connections, makes a session that did not sign in for this request.
    browser.cookies.remove("keyfob-session");
    let page = browser.get("/connections").await;
    browser.sign_in(&page, &server.owner).await;
    assert_page(&browser.decide(&consent, "approve").await.answer, 403);
    assert_eq!(grants(&server).await, 0);
}

#[tokio::test]
async fn az_08_unknown_prompts_are_refused() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    for prompt in ["none", "select_account", "Login", "login,consent", "login none", "login\tconsent", " ", "login "] {
        let url = app.authorize_url_with(&[("response_type", "auth_code"), ("state", "s"), ("prompt", prompt)]);
        assert_refused_to_app(&server.get(&url).await, Dialect::FollowUpBoss, "invalid_request", Some("s"));
    }
}

#[tokio::test]
async fn az_12_fields_sent_along_later_change_nothing() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let other = server.app_at("Other", Default::default(), &["https://other.example/cb"]).await;
    let extra = [
        ("redirect_uri", "https://evil.example/cb"),
        ("response_type", "code"),
        ("client_id", other.client_id()),
        ("state", "forged"),
        ("scope", "everything"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("prompt", "none"),
        ("user", "1"),
        ("action", "https://evil.example"),
    ];
    let mut browser = Browser::new(&server);
    let page = browser.get(&app.authorize_url()).await;
    let credentials = [("email", "owner@example.com"), ("password", server.owner.password.as_str())];
    let consent = browser.submit(&page, SIGN_IN, &[&credentials[..], &extra].concat()).await;
    assert!(consent.text().contains("app.example.com") && !consent.text().contains("evil.example"));
    let landing =
        browser.submit(&consent, DECISION, &[&[("decision", "approve")][..], &extra].concat()).await.landing();
    let golden = format!("{REDIRECT_URI}?response=approved&code={}&state=st-4711", landing.code());
    assert_eq!(landing.location, golden);
    // The code was bound to the frozen redirect URI and asks for no verifier.
    assert_eq!(app.exchange(&server, &landing.code()).await.status(), 200);
}

/// The sealed interaction with one character changed.
fn altered(sealed: &str, at: usize) -> String {
    let with = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{with}{}", &sealed[..at], &sealed[at + 1..])
}

async fn post_decision(browser: &mut Browser<'_>, consent: &Page, sealed: &str) -> Page {
    let csrf = consent.hidden(DECISION)["csrf"].clone();
    browser.post(DECISION, &[("interaction", sealed), ("csrf", &csrf), ("decision", "approve")]).await
}

#[tokio::test]
async fn az_12_an_altered_interaction_is_no_interaction() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    let sealed = consent.hidden(DECISION)["interaction"].clone();
    // The last character may carry bits that no byte holds; a change of it must not be accepted either.
    let changes = (0..sealed.len()).step_by(7).chain([sealed.len() - 1]);
    for at in changes {
        assert_page(&post_decision(&mut browser, &consent, &altered(&sealed, at)).await.answer, 400);
    }
    let (cut, long, doubled) = (&sealed[..sealed.len() - 4], format!("{sealed}AAAA"), format!("{sealed}{sealed}"));
    for other in
        ["", "x", "AAAAAAAA", cut, long.as_str(), doubled.as_str(), &format!("{sealed}="), &format!(" {sealed}")]
    {
        assert_page(&post_decision(&mut browser, &consent, other).await.answer, 400);
    }
    // The same door for the sign-in form, and for switching the user.
    let bad = altered(&sealed, 40);
    let credentials = [("interaction", bad.as_str()), ("email", "owner@example.com"), ("password", "x")];
    assert_page(&browser.post(SIGN_IN, &credentials).await.answer, 400);
    assert_page(&browser.post(DECISION, &[("interaction", &bad), ("decision", "switch")]).await.answer, 400);
    assert_eq!(grants(&server).await, 0);
    // Repeated fields are none.
    let csrf = consent.hidden(DECISION)["csrf"].clone();
    let twice = [("interaction", sealed.as_str()), ("interaction", &sealed), ("csrf", &csrf), ("decision", "approve")];
    assert_page(&browser.post(DECISION, &twice).await.answer, 400);
    assert_eq!(post_decision(&mut browser, &consent, &sealed).await.status(), 303);
}

#[tokio::test]
async fn az_12_one_apps_interaction_does_not_pass_for_anothers() {
    let server = TestServer::start().await;
    let one = server.confidential_app("One").await;
    let two = server.app_at("Two", Default::default(), &["https://two.example/cb"]).await;
    let mut browser = Browser::new(&server);
    let for_one = browser.consent(&one.authorize_url()).await;
    let for_two = browser.consent(&two.authorize_url_with(&[("response_type", "code"), ("state", "2")])).await;
    let sealed_one = for_one.hidden(DECISION)["interaction"].clone();
    // The CSRF token names the interaction that it was shown with.
    assert_page(&post_decision(&mut browser, &for_two, &sealed_one).await.answer, 403);
    assert_eq!(grants(&server).await, 0);
    let landing = browser.decide(&for_two, "approve").await.landing();
    assert!(landing.location.starts_with("https://two.example/cb?code="), "{}", landing.location);
    assert_eq!(one.exchange(&server, &landing.code()).await.status(), 400);
}

#[tokio::test]
async fn az_12_sealed_is_not_trusted_when_the_app_changes() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    let now = server.clock_now();
    let put = |enabled| server.authority().set_app_enabled(app.app.id, enabled, now);
    put(false).await.expect("no fault");
    assert_page(&browser.decide(&consent, "approve").await.answer, 400);
    assert_page(&browser.decide(&consent, "deny").await.answer, 400);
    assert_eq!(grants(&server).await, 0);
    put(true).await.expect("no fault");
    let moved = keyfob_authority::register::NewApp {
        name: "Listing Lantern".to_owned(),
        redirect_uris: vec!["https://app.example.com/moved".to_owned()],
        policy: app.app.policy.clone(),
    };
    let read_at = server.store().settings_version().await.expect("no fault");
    let updated = server.authority().update_app(app.app.id, moved, read_at, now).await.expect("no fault");
    assert!(matches!(updated, keyfob_authority::Decision::Granted(_)));
    assert_page(&browser.decide(&consent, "approve").await.answer, 400);
    server.authority().remove_app(app.app.id, now).await.expect("no fault");
    assert_page(&browser.decide(&consent, "approve").await.answer, 400);
    assert_eq!(grants(&server).await, 0);
}

#[tokio::test]
async fn az_12_no_page_puts_the_interaction_into_a_url_or_a_cookie() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let page = browser.get(&app.authorize_url()).await;
    let consent = browser.sign_in(&page, &server.owner).await;
    let landing = browser.decide(&consent, "approve").await;
    let sealed = [page.hidden(SIGN_IN)["interaction"].clone(), consent.hidden(DECISION)["interaction"].clone()];
    for sealed in &sealed {
        for answer in [&page.answer, &consent.answer, &landing.answer] {
            for value in answer.headers.values() {
                assert!(!String::from_utf8_lossy(value.as_bytes()).contains(sealed));
            }
            let text = answer.text();
            assert_eq!(text.matches(sealed.as_str()).count(), text.matches(&format!("value=\"{sealed}\"")).count());
        }
    }
}

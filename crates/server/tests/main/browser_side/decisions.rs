//! Rows IN-03 and IN-04: one decision, by the one who was asked, in the browser that was asked.

use super::asserting::{assert_page, grants};
use keyfob_authority::model::GrantState;
use keyfob_testkit::{Browser, Page, TestServer};

const SIGN_IN: &str = "/oauth/authorize/sign-in";
const DECISION: &str = "/oauth/authorize/decision";

async fn decide_with(browser: &mut Browser<'_>, consent: &Page, csrf: &[&str]) -> Page {
    let sealed = consent.hidden(DECISION)["interaction"].clone();
    let mut fields = vec![("interaction", sealed.as_str()), ("decision", "approve")];
    fields.extend(csrf.iter().map(|csrf| ("csrf", *csrf)));
    browser.post(DECISION, &fields).await
}

#[tokio::test]
async fn in_03_without_the_right_token_nothing_is_decided() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let page = browser.get(&app.authorize_url()).await;
    let of_sign_in = page.hidden(SIGN_IN)["csrf"].clone();
    let consent = browser.sign_in(&page, &server.owner).await;
    let right = consent.hidden(DECISION)["csrf"].clone();
    let of_list = browser.get("/connections").await.hidden("/sign-out")["csrf"].clone();
    let next = browser.get(&app.authorize_url()).await;
    let of_next = next.hidden(DECISION)["csrf"].clone();
    // Another person's token for their own page.
    let mut attacker = Browser::new(&server);
    let theirs = attacker.consent(&app.authorize_url()).await;
    let of_attacker = theirs.hidden(DECISION)["csrf"].clone();
    let (cut, longer) = (&right[..right.len() - 1], format!("{right}A"));
    for csrf in [
        &[][..],
        &[""],
        &["x"],
        &[cut],
        &[&longer],
        &[&of_sign_in],
        &[&of_list],
        &[&of_next],
        &[&of_attacker],
        &[&right, &right],
    ] {
        assert_page(&decide_with(&mut browser, &consent, csrf).await.answer, 403);
    }
    assert_eq!(grants(&server).await, 0);
    assert_eq!(decide_with(&mut browser, &consent, &[&right]).await.status(), 303);
}

#[tokio::test]
async fn in_03_another_site_that_posts_its_own_form_gets_nothing() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut attacker = Browser::new(&server);
    let consent = attacker.consent(&app.authorize_url()).await;
    let fields = consent.hidden(DECISION);
    let fields: Vec<_> =
        fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain([("decision", "approve")]).collect();
    // The victim's browser submits it: with its cookies, signed in or not, or without any (SameSite).
    let agent = server.person("agent@example.com", keyfob_authority::model::Role::Agent).await;
    let mut victim = Browser::new(&server);
    let page = victim.get(&app.authorize_url()).await;
    assert_page(&victim.post(DECISION, &fields).await.answer, 403);
    victim.sign_in(&page, &agent).await;
    assert_page(&victim.post(DECISION, &fields).await.answer, 403);
    victim.cookies.clear();
    assert_page(&victim.post(DECISION, &fields).await.answer, 403);
    assert_eq!(grants(&server).await, 0);
}

#[tokio::test]
async fn in_03_the_same_decision_again_is_the_same_redirect_and_no_write() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    for (decision, parameters) in [
        ("approve", [("response_type", "auth_code"), ("state", "s")]),
        ("deny", [("response_type", "auth_code"), ("state", "s")]),
        ("approve", [("response_type", "code"), ("state", "s")]),
        ("deny", [("response_type", "code"), ("state", "s")]),
    ] {
        let consent = browser.consent(&app.authorize_url_with(&parameters)).await;
        let first = browser.decide(&consent, decision).await;
        let rows = server.store().grants(Default::default(), 100).await.expect("no fault");
        let ledger = server.store().ledger(Default::default(), 100).await.expect("no fault");
        for seconds in [0, 1, 14 * 60] {
            server.clock.advance(seconds);
            let again = browser.decide(&consent, decision).await;
            assert_eq!((again.status(), again.landing().location), (303, first.landing().location));
        }
        assert_eq!(server.store().grants(Default::default(), 100).await.expect("no fault"), rows);
        assert_eq!(server.store().ledger(Default::default(), 100).await.expect("no fault"), ledger);
        // The other decision, while the first one stands.
        let other = if decision == "approve" { "deny" } else { "approve" };
        assert_page(&browser.decide(&consent, other).await.answer, 400);
        assert_eq!(server.store().grants(Default::default(), 100).await.expect("no fault"), rows);
    }
}

#[tokio::test]
async fn in_03_after_redemption_the_form_gives_no_code_any_more() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    let code = browser.decide(&consent, "approve").await.landing().code();
    let tokens = app.exchange(&server, &code).await;
    assert_page(&browser.decide(&consent, "approve").await.answer, 400);
    assert_page(&browser.decide(&consent, "deny").await.answer, 400);
    // Neither of them did anything to the connection.
    assert_eq!(server.call("/v1/identity", &tokens.at("access_token")).await.status(), 200);
    assert_eq!(app.refresh(&server, &tokens.at("refresh_token")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_03_of_many_submits_at_once_all_get_the_one_code() {
    let server: &'static TestServer = Box::leak(Box::new(TestServer::start().await));
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(server);
    let consent = browser.consent(&app.authorize_url()).await;
    let mut submits = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (cookies, consent) = (browser.cookies.clone(), consent.clone());
        submits.spawn(async move {
            let mut tab = Browser::new(server);
            tab.cookies = cookies;
            tab.decide(&consent, "approve").await.landing().location
        });
    }
    let mut locations = submits.join_all().await;
    locations.dedup();
    assert_eq!((locations.len(), grants(server).await), (1, 1), "{locations:?}");
}

#[tokio::test]
async fn in_04_a_second_browser_cannot_use_the_interaction() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut first = Browser::new(&server);
    let page = first.get(&app.authorize_url()).await;
    let consent = first.sign_in(&page, &server.owner).await;
    // Without cookies, with a flow of its own, and with the whole session but not the flow.
    let mut second = Browser::new(&server);
    assert_page(&second.sign_in(&page, &server.owner).await.answer, 403);
    assert_page(&second.decide(&consent, "approve").await.answer, 403);
    second.consent(&app.authorize_url()).await;
    assert_page(&second.sign_in(&page, &server.owner).await.answer, 403);
    assert_page(&second.decide(&consent, "approve").await.answer, 403);
    assert_page(&second.decide(&consent, "switch").await.answer, 403);
    second.cookies.insert("keyfob-session".to_owned(), first.cookies["keyfob-session"].clone());
    assert_page(&second.decide(&consent, "approve").await.answer, 403);
    second.cookies.remove("keyfob-flow");
    assert_page(&second.decide(&consent, "approve").await.answer, 403);
    assert_eq!(grants(&server).await, 0);
    assert_eq!(first.decide(&consent, "approve").await.status(), 303);
}

#[tokio::test]
async fn in_04_an_interaction_dies_after_15_minutes() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let page = browser.get(&app.authorize_url()).await;
    let consent = browser.sign_in(&page, &server.owner).await;
    let second = browser.get(&app.authorize_url()).await;
    server.clock.advance(15 * 60 - 1);
    assert_eq!(browser.decide(&consent, "approve").await.status(), 303);
    server.clock.advance(1);
    // Signing in late does not make it younger.
    assert_page(&browser.sign_in(&page, &server.owner).await.answer, 400);
    assert_page(&browser.decide(&second, "approve").await.answer, 400);
    assert_page(&browser.decide(&second, "switch").await.answer, 400);
    assert_page(&browser.decide(&consent, "approve").await.answer, 400);
    assert_eq!(grants(&server).await, 1);
}

#[tokio::test]
async fn in_04_the_row_of_the_grant_is_the_single_use() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    let sealed = consent.hidden(DECISION)["interaction"].clone();
    browser.decide(&consent, "approve").await.landing();
    let rows = server.store().grants(Default::default(), 10).await.expect("no fault");
    assert!(matches!(rows[..], [keyfob_authority::model::Grant { state: GrantState::Approved(_), .. }]));
    assert!(!sealed.contains(&rows[0].id.to_text()), "the id is known only inside the seal");
    let denied = browser.get(&app.authorize_url()).await;
    browser.decide(&denied, "deny").await.landing();
    let rows = server.store().grants(Default::default(), 10).await.expect("no fault");
    let ended = rows.iter().filter(|grant| matches!(grant.state, GrantState::Ended { .. })).count();
    assert_eq!((rows.len(), ended), (2, 1));
}

#[tokio::test]
async fn in_03_a_decision_that_is_none_is_no_decision() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    for odd in ["", "Approve", "yes", "approve ", "1"] {
        assert_page(&browser.decide(&consent, odd).await.answer, 400);
    }
    let both = [("decision", "deny"), ("decision", "approve")];
    assert_page(&browser.submit(&consent, DECISION, &both).await.answer, 400);
    assert_eq!(grants(&server).await, 0);
}

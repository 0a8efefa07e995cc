//! Row IN-09: a user sees what they connected and takes it back.

use super::asserting::assert_page;
use keyfob_authority::model::Role;
use keyfob_testkit::{Answer, Browser, Page, TestApp, TestServer};

async fn connected(server: &TestServer, browser: &mut Browser<'_>, app: &TestApp) -> Answer {
    let code = browser.connect(&app.authorize_url()).await.code();
    app.exchange(server, &code).await
}

async fn revoke(browser: &mut Browser<'_>, list: &Page, grant: &str) -> Page {
    let csrf = list.hidden("/connections/revoke")["csrf"].clone();
    browser.post("/connections/revoke", &[("csrf", csrf.as_str()), ("grant", grant)]).await
}

#[tokio::test]
async fn in_09_revoking_a_connection_kills_its_tokens_at_once_and_no_others() {
    let server = TestServer::start().await;
    let (one, two) = (server.rotating_app("Listing Lantern").await, server.confidential_app("Open House").await);
    let mut browser = Browser::new(&server);
    let revoked = connected(&server, &mut browser, &one).await;
    server.clock.advance(1);
    let kept = connected(&server, &mut browser, &two).await;
    let list = browser.get("/connections").await;
    let text = list.text();
    assert!(text.contains("Listing Lantern") && text.contains("Open House") && text.contains("2026-11-23"), "{text}");
    // The newest stands first.
    assert!(text.find("Open House") < text.find("Listing Lantern"), "{text}");
    let grants = server.store().grants(Default::default(), 10).await.expect("no fault");
    let grant = grants.iter().find(|grant| grant.app == one.app.id).expect("connected").id.to_text();

    let answer = revoke(&mut browser, &list, &grant).await;
    assert_eq!((answer.status(), answer.landing().location.as_str()), (303, "/connections"));
    let refused = server.call("/v1/identity", &revoked.at("access_token")).await;
    assert_eq!((refused.status(), refused.at("errorCode")), (401, "invalid-access-token".to_owned()));
    let refused = one.refresh(&server, &revoked.at("refresh_token")).await;
    assert_eq!((refused.status(), refused.at("error")), (400, "invalid_grant".to_owned()));
    let refused = one.refresh_by_get(&server, &revoked.at("refresh_token")).await;
    assert_eq!((refused.status(), refused.at("errorCode")), (400, "invalid-refresh-token".to_owned()));

    assert_eq!(server.call("/v1/identity", &kept.at("access_token")).await.status(), 200);
    assert_eq!(two.refresh(&server, &kept.at("refresh_token")).await.status(), 200);
    let list = browser.get("/connections").await;
    assert!(!list.text().contains("Listing Lantern") && list.text().contains("Open House"));
    // Again, and one that never was: nothing to do.
    for grant in [grant.as_str(), "0000000000000000000000", "", "x"] {
        assert_eq!(revoke(&mut browser, &list, grant).await.status(), 303);
    }
}

#[tokio::test]
async fn in_09_nobody_sees_or_revokes_what_is_not_theirs() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut owner = Browser::new(&server);
    let tokens = connected(&server, &mut owner, &app).await;
    let grant = server.store().grants(Default::default(), 1).await.expect("no fault")[0].id.to_text();
    let list = owner.get("/connections").await;

    let agent = server.person("agent@example.com", Role::Agent).await;
    let mut other = Browser::new(&server);
    let page = other.get("/connections").await;
    other.sign_in(&page, &agent).await;
    let empty = other.get("/connections").await;
    assert!(!empty.text().contains("Listing Lantern") && !empty.text().contains(&grant));
    let own_csrf = empty.hidden("/sign-out")["csrf"].clone();
    let fields = [("csrf", own_csrf.as_str()), ("grant", grant.as_str())];
    assert_eq!(other.post("/connections/revoke", &fields).await.status(), 303);
    // With the owner's form, without a session, without a token.
    assert_page(&revoke(&mut other, &list, &grant).await.answer, 403);
    assert_page(&revoke(&mut Browser::new(&server), &list, &grant).await.answer, 403);
    assert_page(&owner.post("/connections/revoke", &[("grant", &grant)]).await.answer, 403);
    assert_eq!(owner.get("/connections/revoke").await.status(), 405);
    assert_eq!(server.call("/v1/identity", &tokens.at("access_token")).await.status(), 200);
}

#[tokio::test]
async fn in_09_only_what_tokens_are_out_for_is_listed() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    browser.decide(&consent, "deny").await;
    let code = browser.connect(&app.authorize_url()).await.code();
    assert!(!browser.get("/connections").await.has_form("/connections/revoke"));
    app.exchange(&server, &code).await;
    assert!(browser.get("/connections").await.has_form("/connections/revoke"));
}

//! Rows IN-01, IN-05, IN-07, IN-08 and SE-04: who signs in, and what that makes of what was there before.

use super::asserting::{assert_page, grants};
use keyfob_authority::model::{Account, AccountStatus, Role, User, UserStatus};
use keyfob_authority::store::{Administered, Administration, Replacement};
use keyfob_testkit::{Browser, TestServer};

const SIGN_IN: &str = "/oauth/authorize/sign-in";
const DECISION: &str = "/oauth/authorize/decision";
const SESSION: &str = "keyfob-session";

#[tokio::test]
async fn in_01_unknown_user_and_wrong_password_are_one_answer_for_the_same_work() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let page = browser.get(&app.authorize_url()).await;
    let long = "x".repeat(5000);
    let (mut texts, password) = (Vec::new(), server.owner.password.clone());
    for (email, password) in [
        ("owner@example.com", "wrong"),
        ("owner@example.com", ""),
        ("nobody@example.com", "wrong"),
        ("nobody@example.com", password.as_str()),
        ("owner@example.com\0", password.as_str()),
        ("", ""),
        ("owner@example.com", long.as_str()),
        ("' OR 1=1 --", "x"),
    ] {
        let before = server.passwords.verified();
        let refused = browser.sign_in_as(&page, email, password).await;
        if email.contains('\0') {
            assert_eq!(refused.status(), 400, "a NUL makes no form");
            continue;
        }
        assert_eq!(server.passwords.verified(), before + 1, "one hash: {email}");
        assert_eq!((refused.status(), refused.answer.header("location")), (422, None), "{}", refused.text());
        assert!(refused.has_form(SIGN_IN) && !browser.cookies.contains_key(SESSION));
        assert_eq!(refused.hidden(SIGN_IN), page.hidden(SIGN_IN), "the same request, still pending");
        if password.len() > 1 {
            assert!(!refused.text().contains(password), "no password comes back");
        }
        let shown = refused.text().replace("&#39;", "'").replace(&format!("value=\"{email}\""), "value=\"\"");
        texts.push(shown.replace(" autofocus", ""));
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:#?}");
    let consent = browser.sign_in_as(&page, " OWNER@Example.com ", &password).await;
    assert!(consent.has_form(DECISION), "{}", consent.text());
    assert_eq!(browser.decide(&consent, "approve").await.status(), 303);
}

#[tokio::test]
async fn in_05_the_session_changes_at_every_sign_in_and_the_earlier_one_dies() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let planted = "A".repeat(43);
    let mut browser = Browser::new(&server);
    browser.cookies.insert(SESSION.to_owned(), planted.clone());
    let page = browser.get(&app.authorize_url()).await;
    assert!(page.has_form(SIGN_IN), "a planted cookie is nobody's");
    browser.sign_in(&page, &server.owner).await;
    let first = browser.cookies[SESSION].clone();
    assert_ne!(first, planted);
    let page = browser.get("/connections").await;
    assert!(page.text().contains("owner@example.com"));
    // Again, by prompt=login.
    let fresh = app.authorize_url_with(&[("response_type", "code"), ("prompt", "login")]);
    let page = browser.get(&fresh).await;
    browser.sign_in(&page, &server.owner).await;
    let second = browser.cookies[SESSION].clone();
    assert_ne!(second, first);
    for (cookie, lives) in [(&planted, false), (&first, false), (&second, true)] {
        let mut other = Browser::new(&server);
        other.cookies.insert(SESSION.to_owned(), cookie.clone());
        assert_eq!(other.get("/connections").await.has_form("/sign-out"), lives);
    }
    // A refused sign-in changes nothing.
    let page = browser.get(&fresh).await;
    browser.sign_in_as(&page, "owner@example.com", "wrong").await;
    assert_eq!(browser.cookies[SESSION], second);
    assert!(browser.get("/connections").await.has_form("/sign-out"));
}

#[tokio::test]
async fn in_07_another_user_mid_flow_ends_the_earlier_session_and_is_the_one_who_consents() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let agent = server.person("agent@example.com", Role::Agent).await;
    let mut browser = Browser::new(&server);
    let of_owner = browser.consent(&app.authorize_url()).await;
    let owners = browser.cookies[SESSION].clone();
    let sign_in = browser.decide(&of_owner, "switch").await;
    assert!(sign_in.has_form(SIGN_IN) && browser.cookies[SESSION] == owners);
    let of_agent = browser.sign_in(&sign_in, &agent).await;
    let text = of_agent.text();
    assert!(text.contains("agent@example.com") && !text.contains("owner@example.com"), "{text}");
    // The owner's page in the other tab decides nothing, and neither does the owner's session.
    assert_page(&browser.decide(&of_owner, "approve").await.answer, 403);
    let mut earlier = Browser::new(&server);
    earlier.cookies = browser.cookies.clone();
    earlier.cookies.insert(SESSION.to_owned(), owners);
    assert!(earlier.decide(&of_owner, "approve").await.has_form(SIGN_IN));
    assert_eq!(grants(&server).await, 0);
    let code = browser.decide(&of_agent, "approve").await.landing().code();
    let access = app.exchange(&server, &code).await.at("access_token");
    assert_eq!(server.call("/v1/identity", &access).await.json()["user"]["email"], "agent@example.com");
}

#[tokio::test]
async fn in_08_inactive_people_do_not_get_to_consent() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let now = server.clock_now();
    let (user, account) = (server.owner.user.id, server.owner.user.account);
    for suspended in [false, true] {
        let set = async |enabled| match suspended {
            true => server.authority().set_account_enabled(account, enabled, now).await.expect("no fault"),
            false => server.authority().set_user_enabled(user, enabled, now).await.expect("no fault"),
        };
        let mut browser = Browser::new(&server);
        let page = browser.get(&app.authorize_url()).await;
        let consent = browser.sign_in(&page, &server.owner).await;
        set(false).await;
        // Their session has ended with that.
        assert!(browser.decide(&consent, "approve").await.has_form(SIGN_IN));
        assert!(browser.get(&app.authorize_url()).await.has_form(SIGN_IN));
        // One that was opened at the same moment: at the decision, at the consent page, at sign-in.
        set(true).await;
        let consent = browser.sign_in(&page, &server.owner).await;
        let store = server.store();
        let read_at = store.settings_version().await.expect("no fault");
        let change = match suspended {
            true => {
                let row = store.account(account).await.expect("no fault").expect("an account");
                let row = Account { status: AccountStatus::Suspended, ..row };
                Administration::UpdateAccount(Replacement { row, read_at })
            }
            false => {
                let row = store.user(user).await.expect("no fault").expect("a user");
                let row = User { status: UserStatus::Disabled, ..row };
                Administration::UpdateUser(Replacement { row, read_at })
            }
        };
        let changed = server.authority().administer(change, Vec::new(), Vec::new()).await.expect("no fault");
        assert!(matches!(changed, Administered::Done(_)));
        assert_page(&browser.decide(&consent, "approve").await.answer, 403);
        assert_page(&browser.get(&app.authorize_url()).await.answer, 403);
        let refused = browser.sign_in(&page, &server.owner).await;
        assert_page(&refused.answer, 403);
        // Only who knows the password learns that.
        assert_eq!(browser.sign_in_as(&page, "owner@example.com", "wrong").await.status(), 422);
        assert_eq!(grants(&server).await, 0);
        set(true).await;
    }
}

#[tokio::test]
async fn in_08_suspended_between_consent_and_redemption() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let now = server.clock_now();
    let (user, account) = (server.owner.user.id, server.owner.user.account);
    let mut browser = Browser::new(&server);
    for (suspended, legacy) in [(false, "user-not-found"), (true, "inactive-account")] {
        let codes =
            [browser.connect(&app.authorize_url()).await.code(), browser.connect(&app.authorize_url()).await.code()];
        let set = async |enabled| match suspended {
            true => server.authority().set_account_enabled(account, enabled, now).await.expect("no fault"),
            false => server.authority().set_user_enabled(user, enabled, now).await.expect("no fault"),
        };
        set(false).await;
        let by_post = app.exchange(&server, &codes[0]).await;
        assert_eq!((by_post.status(), by_post.at("error")), (400, "invalid_grant".to_owned()));
        let by_get = app.exchange_by_get(&server, &codes[1]).await;
        let expected = [legacy, "invalid-account"];
        assert_eq!(by_get.status(), 404);
        assert!(expected.contains(&by_get.at("errorCode").as_str()), "{}", by_get.text());
        set(true).await;
    }
}

#[tokio::test]
async fn se_04_nobody_is_signed_in_by_another_sites_form() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let attacker = server.person("attacker@example.com", Role::Agent).await;
    let mut theirs = Browser::new(&server);
    let for_app = theirs.get(&app.authorize_url()).await;
    let alone = theirs.get("/connections").await;
    // The attacker's form, with the attacker's own credentials, sent by the victim's browser.
    for has_flow in [false, true] {
        let mut victim = Browser::new(&server);
        if has_flow {
            victim.get("/connections").await;
        }
        assert_page(&victim.sign_in(&for_app, &attacker).await.answer, 403);
        assert_page(&victim.sign_in(&alone, &attacker).await.answer, 403);
        let credentials = [("email", "attacker@example.com"), ("password", attacker.password.as_str())];
        assert_page(&victim.post("/sign-in", &credentials).await.answer, 403);
        assert!(!victim.cookies.contains_key(SESSION));
    }
    // No password was looked at for a foreign form.
    let before = server.passwords.verified();
    assert_page(&Browser::new(&server).sign_in(&alone, &server.owner).await.answer, 403);
    assert_eq!(server.passwords.verified(), before);
}

#[tokio::test]
async fn se_04_signing_out_is_a_post_with_the_sessions_own_token() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let page = browser.get("/connections").await;
    browser.sign_in(&page, &server.owner).await;
    let list = browser.get("/connections").await;
    let cookie = browser.cookies[SESSION].clone();
    let get = browser.get("/sign-out").await;
    assert_eq!((get.status(), get.answer.header("allow")), (405, Some("POST")));
    let mut other = Browser::new(&server);
    let page = other.get("/connections").await;
    other.sign_in(&page, &server.owner).await;
    let foreign = other.get("/connections").await.hidden("/sign-out")["csrf"].clone();
    for csrf in ["", "x", foreign.as_str()] {
        assert_page(&browser.post("/sign-out", &[("csrf", csrf)]).await.answer, 403);
    }
    assert_page(&browser.post("/sign-out", &[]).await.answer, 403);
    assert!(browser.get("/connections").await.has_form("/sign-out"));

    assert_eq!(browser.submit(&list, "/sign-out", &[]).await.status(), 200);
    assert!(!browser.cookies.contains_key(SESSION), "the browser is told to forget");
    // Replay after logout: the server has forgotten too.
    browser.cookies.insert(SESSION.to_owned(), cookie);
    assert!(browser.get("/connections").await.has_form("/sign-in"));
    assert_page(&browser.submit(&list, "/sign-out", &[]).await.answer, 403);
    assert!(other.get("/connections").await.has_form("/sign-out"), "other sessions live");
}

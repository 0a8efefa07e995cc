//! Users and accounts as the platform describes them: rows LG-03 and IN-02 where people sign in elsewhere.

use super::asserting::assert_page;
use super::logs::Captured;
use super::platform::{CONTINUE, LOGIN, assertion, back, count, server, ticket, una, with};
use futures_util::future::join_all;
use keyfob_authority::model::{LedgerKind, Role};
use keyfob_authority::store::LedgerFilter;
use keyfob_protocol::Clock;
use keyfob_testkit::Browser;
use serde_json::{Value, json};

#[tokio::test]
async fn lg_03_a_known_user_follows_the_platform_and_a_local_one_is_not_taken_over() {
    let server = server().await;
    let store = server.doorway.authority.store();
    let arrive = async |more: Value| {
        let mut browser = Browser::new(&server);
        let (_, ticket) = ticket(&browser.get("/connections").await);
        back(&mut browser, &assertion(&with(una(&server, &ticket), more))).await
    };
    assert_eq!(arrive(json!({})).await.landing().location, "/connections");
    let first = store.user_by_external("u-1").await.expect("no fault").expect("made");
    let moved = json!({
        "email": "una@new.example.com", "name": "Una New", "role": "Agent",
        "account": { "id": "a-2", "name": "Second", "domain": "second" },
    });
    assert_eq!(arrive(moved).await.status(), 303);
    let now = store.user_by_external("u-1").await.expect("no fault").expect("still there");
    assert_eq!((now.id, now.email.as_str(), now.name.as_str()), (first.id, "una@new.example.com", "Una New"));
    assert!(now.role == Role::Agent && now.account != first.account && now.tokens_after > first.tokens_after);
    let entries = store.ledger(LedgerFilter { user: Some(now.id), ..LedgerFilter::default() }, 20).await;
    let entries = entries.expect("no fault");
    assert!(
        entries.iter().any(|entry| {
            let told = &entry.detail;
            told.starts_with("follows the platform: ")
                && told.contains(r#"email: "una@example.com" -> "una@new.example.com""#)
        }),
        "{entries:?}"
    );
    // The owner has a password here.
    let page = arrive(json!({ "sub": "u-9", "email": "OWNER@example.com" })).await;
    assert_page(&page.answer, 409);
    assert!(count(&server, "email_taken"));
    let owner = store.user(server.owner.user.id).await.expect("no fault").expect("there");
    assert_eq!((owner.external, owner.email.as_str()), (None, "owner@example.com"));
    let advice = format!("keyfob user link {} --external='u-9'", owner.id);
    let newest = store.ledger(LedgerFilter { user: Some(owner.id), ..LedgerFilter::default() }, 1).await;
    assert!(newest.expect("no fault")[0].detail.contains(&advice));
    let page = arrive(json!({ "sub": "u-8", "account": { "id": "a-9", "name": "X", "domain": "maple-street" } })).await;
    assert_page(&page.answer, 409);
    assert!(count(&server, "domain_taken"));
}

/// Two assertions on their way at once may change places; the younger one's word stands, and both people come in.
#[tokio::test]
async fn lg_03_an_older_assertion_that_arrives_late_signs_in_and_changes_nothing() {
    let server = server().await;
    let store = server.doorway.authority.store();
    let arrive = async |more: Value| {
        let mut browser = Browser::new(&server);
        let (_, ticket) = ticket(&browser.get("/connections").await);
        let page = back(&mut browser, &assertion(&with(una(&server, &ticket), more))).await;
        assert_eq!(page.status(), 303, "{}", page.text());
        assert!(browser.cookies.contains_key("keyfob-session"));
        let user = store.user_by_external("u-1").await.expect("no fault").expect("there");
        let account = store.account_by_external("a-1").await.expect("no fault").expect("there");
        (user, account)
    };
    let now = server.clock.now().0;
    let account = |name: &str| json!({ "id": "a-1", "name": name, "domain": "una" });
    arrive(json!({ "iat": now - 30, "role": "Owner", "account": account("Before") })).await;
    // Nothing is new in it but that it was said later.
    arrive(json!({ "iat": now - 10, "role": "Owner", "account": account("Before") })).await;
    let elsewhere = json!({ "id": "a-2", "name": "Second", "domain": "second" });
    arrive(json!({ "iat": now - 20, "role": "Agent", "account": elsewhere })).await;
    assert_eq!(store.account_by_external("a-2").await.expect("no fault"), None);
    let (user, company) = arrive(json!({ "iat": now - 11, "role": "Agent", "account": account("Old") })).await;
    assert_eq!((user.role, company.name.as_str()), (Role::Owner, "Before"));
    let (user, company) = arrive(json!({ "iat": now - 10, "role": "Lender", "account": account("Now") })).await;
    assert_eq!((user.role, company.name.as_str()), (Role::Lender, "Now"));
    // A colleague whose assertion is older is followed, and what it says of the company is not.
    let colleague = json!({
        "iat": now - 15, "sub": "u-2", "email": "two@example.com", "account": account("Older"),
    });
    let (_, company) = arrive(colleague).await;
    assert_eq!(company.name, "Now");
    assert!(store.user_by_external("u-2").await.expect("no fault").is_some());
}

/// In whichever order their reads and writes come: the word of the youngest stands.
#[tokio::test]
async fn lg_03_of_many_assertions_at_once_the_youngest_stands() {
    let server = server().await;
    let store = server.doorway.authority.store();
    for round in 0..8 {
        server.clock.advance(60);
        let now = server.clock.now().0;
        let mut browsers = Vec::new();
        for number in 0..6 {
            let mut browser = Browser::new(&server);
            let (_, ticket) = ticket(&browser.get("/connections").await);
            // Each round begins with another of them.
            let age = (number + round) % 6;
            let role = if age == 0 { "Lender" } else { "Owner" };
            let account = json!({ "id": "a-1", "name": format!("{round} {age}"), "domain": "una" });
            let said = json!({ "iat": now - age, "role": role, "name": format!("{round} {age}"), "account": account });
            browsers.push((browser, assertion(&with(una(&server, &ticket), said))));
        }
        let pages = join_all(browsers.iter_mut().map(|(browser, assertion)| back(browser, assertion))).await;
        assert!(pages.iter().all(|page| page.status() == 303));
        let user = store.user_by_external("u-1").await.expect("no fault").expect("there");
        let account = store.account_by_external("a-1").await.expect("no fault").expect("there");
        assert_eq!((user.role, user.name, account.name), (Role::Lender, format!("{round} 0"), format!("{round} 0")));
    }
}

/// What was consented to were the data of the account that the page named (matrix IN-02): nobody approved the app for another company's.
#[tokio::test]
async fn in_02_a_consent_does_not_follow_a_user_to_another_account() {
    let server = server().await;
    let app = server.confidential_app("Listing Lantern").await;
    let second = json!({ "account": { "id": "a-2", "name": "Second", "domain": "second" } });
    let consent = async |browser: &mut Browser<'_>| {
        let (_, asked) = ticket(&browser.get(&app.authorize_url()).await);
        back(browser, &assertion(&una(&server, &asked))).await;
        browser.get(CONTINUE).await
    };
    let (mut one, mut two, mut three) = (Browser::new(&server), Browser::new(&server), Browser::new(&server));
    let page = consent(&mut one).await;
    let code = one.decide(&page, "approve").await.landing().code();
    let refresh = app.exchange(&server, &code).await.at("refresh_token");
    let page = consent(&mut two).await;
    let unspent = two.decide(&page, "approve").await.landing().code();
    let shown = consent(&mut three).await;
    let mut elsewhere = Browser::new(&server);
    let (_, asked) = ticket(&elsewhere.get("/connections").await);
    let moved = with(una(&server, &asked), second);
    assert_eq!(back(&mut elsewhere, &assertion(&moved)).await.status(), 303);
    let refused = app.refresh(&server, &refresh).await;
    assert_eq!(refused.status(), 400, "a token for the other company's data");
    assert_eq!(refused.at("reason"), "user_moved");
    let ended = server.store().ledger(LedgerFilter::default(), 100).await.expect("no fault");
    let ended = ended.iter().find(|entry| entry.kind == LedgerKind::GrantEnded).expect("told");
    assert_eq!(ended.detail, "user_moved");
    assert_eq!(app.exchange(&server, &unspent).await.status(), 400, "a code for the other company's data");
    // Who was signed in for the other account is not any more.
    assert!(three.decide(&shown, "approve").await.landing().location.starts_with(LOGIN));
}

/// Two of the platform's own are never the same: to join one to the other would give it everything of theirs.
#[tokio::test]
async fn lg_03_one_of_the_platforms_own_is_never_advised_to_be_joined_to_another() {
    let server = server().await;
    let arrive = async |more: Value| {
        let mut browser = Browser::new(&server);
        let (_, ticket) = ticket(&browser.get("/connections").await);
        back(&mut browser, &assertion(&with(una(&server, &ticket), more))).await
    };
    assert_eq!(arrive(json!({})).await.status(), 303);
    let other = json!({ "id": "a-2", "name": "Second", "domain": "second" });
    assert_page(&arrive(json!({ "sub": "u-2", "account": other })).await.answer, 409);
    assert!(count(&server, "email_twice"));
    let account = json!({ "id": "a-3", "name": "Third", "domain": una(&server, &json!({}))["account"]["domain"] });
    assert_page(&arrive(json!({ "sub": "u-3", "email": "three@example.com", "account": account })).await.answer, 409);
    assert!(count(&server, "domain_twice"));
    let store = server.doorway.authority.store();
    let entries = store.ledger(LedgerFilter::default(), 50).await.expect("no fault");
    let told: Vec<_> = entries.iter().filter(|entry| entry.detail.contains("_twice")).collect();
    assert!(told.len() == 2 && told.iter().all(|entry| !entry.detail.contains("link")), "{told:?}");
}

/// The command of the advice is there to be pasted, and its id may be anything that somebody chose.
#[tokio::test]
async fn lg_03_an_id_is_quoted_for_a_shell() {
    let server = server().await;
    let mut browser = Browser::new(&server);
    let (_, asked) = ticket(&browser.get("/connections").await);
    let more = json!({ "sub": "-x$(id)`id`'\"!", "email": "owner@example.com" });
    assert_page(&back(&mut browser, &assertion(&with(una(&server, &asked), more))).await.answer, 409);
    let store = server.doorway.authority.store();
    let newest = store.ledger(LedgerFilter::default(), 1).await.expect("no fault");
    assert!(newest[0].detail.ends_with(r#"--external='-x$(id)`id`'\''"!'"#), "{}", newest[0].detail);
}

/// Whoever writes the platform's login learns from the log which claim is wrong.
#[tokio::test]
async fn lg_03_the_log_names_the_claim_that_is_malformed() {
    let (captured, _guard) = Captured::start();
    let server = server().await;
    let mut browser = Browser::new(&server);
    let (_, ticket) = ticket(&browser.get("/connections").await);
    let account = |more: Value| json!({ "account": with(una(&server, &ticket)["account"].clone(), more) });
    let cases = [
        ("iss", json!({ "iss": 1 })),
        ("aud", json!({ "aud": null })),
        ("iat", json!({ "iat": "now" })),
        ("exp", json!({ "exp": 1.5 })),
        ("ticket", json!({ "ticket": null })),
        ("error", json!({ "error": "server_error" })),
        ("error", json!({ "error": 1 })),
        ("auth_time", json!({ "auth_time": null })),
        ("sub", json!({ "sub": "x".repeat(256) })),
        ("sub", json!({ "sub": "" })),
        ("email", json!({ "email": "nobody" })),
        ("name", json!({ "name": "two\nlines" })),
        ("role", json!({ "role": "Emperor" })),
        ("account.id", json!({ "account": null })),
        ("account.id", json!({ "account": "a-1" })),
        ("account.id", account(json!({ "id": 1 }))),
        ("account.name", account(json!({ "name": " " }))),
        ("account.domain", account(json!({ "domain": "Una" }))),
    ];
    for (claim, change) in cases {
        let before = captured.text().len();
        let claims = with(una(&server, &ticket), change);
        assert_page(&back(&mut browser, &assertion(&claims)).await.answer, 400);
        let logged = captured.text().split_off(before);
        let expected = format!("reason=\"malformed_claims\" claim=\"{claim}\"");
        assert!(logged.contains(&expected), "{claims}: {logged}");
    }
    assert_eq!(back(&mut browser, &assertion(&una(&server, &ticket))).await.status(), 303);
}

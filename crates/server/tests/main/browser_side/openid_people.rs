//! Users and accounts as an OpenID provider describes them: row LG-03 where its claims are translated.

use super::asserting::assert_page;
use super::platform::{assert_refused, count, with};
use super::provider::{self, Asked, Provider, says, server, una};
use keyfob_authority::hand_off::openid::OpenIdSettings;
use keyfob_authority::hand_off::openid::rules::{AccountRule, RoleRule};
use keyfob_authority::model::{Role, User, UserStatus};
use keyfob_authority::store::{Administered, Administration, LedgerFilter, Replacement};
use keyfob_protocol::Clock;
use keyfob_testkit::{Browser, Page, TestServer};
use serde_json::{Value, json};

/// Somebody comes to the list of connections, and is Una but for this.
async fn arrive(server: &TestServer, provider: &Provider, more: Value) -> Page {
    let mut browser = Browser::new(server);
    let asked = Asked::of(&browser.get("/connections").await);
    says(&mut browser, provider, &asked, &with(una(server, &asked), more)).await
}

/// As the command line writes it.
async fn change(server: &TestServer, row: User) {
    let read_at = server.store().settings_version().await.expect("no fault");
    let change = Administration::UpdateUser(Replacement { row, read_at });
    let done = server.store().administer(change, Vec::new(), Vec::new()).await.expect("no fault");
    assert!(matches!(done, Administered::Done(_)), "{done:?}");
}

#[tokio::test]
async fn lg_03_a_known_user_follows_the_provider_and_a_local_one_is_not_taken_over() {
    let (server, provider) = server().await;
    let store = server.store();
    let una = async || store.user_by_external("u-1").await.expect("no fault").expect("there");
    assert_eq!(arrive(&server, &provider, json!({})).await.landing().location, "/connections");
    let first = una().await;
    let changed = json!({ "email": "una@new.example.com", "name": "Una New", "groups": ["sales", "keyfob-owners"] });
    server.clock.advance(1);
    assert_eq!(arrive(&server, &provider, changed).await.status(), 303);
    let now = una().await;
    assert_eq!((now.id, now.email.as_str(), now.name.as_str()), (first.id, "una@new.example.com", "Una New"));
    assert_eq!(now.role, Role::Owner, "the strongest of those that the values give");
    let entries = store.ledger(LedgerFilter { user: Some(now.id), ..LedgerFilter::default() }, 20).await;
    let entries = entries.expect("no fault");
    for detail in
        [r#"follows the OpenID provider: email: "una@example.com" -> "una@new.example.com""#, "at the OpenID provider"]
    {
        assert!(entries.iter().any(|entry| entry.detail.contains(detail)), "{entries:?}");
    }
    let page = arrive(&server, &provider, json!({ "sub": "u-9", "email": "OWNER@example.com" })).await;
    assert_page(&page.answer, 409);
    assert!(count(&server, "email_taken"));
    let owner = server.owner.user.id;
    let newest = store.ledger(LedgerFilter { user: Some(owner), ..LedgerFilter::default() }, 1).await;
    let advice = format!("keyfob user link {owner} --external='u-9'");
    assert!(newest.expect("no fault")[0].detail.contains(&advice));
    // Joined by the operator, they are the same: in the provider's account from then on.
    let local = store.user(owner).await.expect("no fault").expect("there");
    let linked = User { external: Some("u-9".to_owned()), password_hash: None, ..local };
    change(&server, linked).await;
    let page = arrive(&server, &provider, json!({ "sub": "u-9", "email": "OWNER@example.com" })).await;
    assert_eq!(page.status(), 303, "{}", page.text());
    let known = store.user_by_external("u-9").await.expect("no fault").expect("there");
    assert_eq!((known.id, known.account), (owner, now.account));
    let page = arrive(&server, &provider, json!({ "sub": "u-8", "email": "una@new.example.com" })).await;
    assert_page(&page.answer, 409);
    assert!(count(&server, "email_twice"));
    // Whoever is disabled here stays outside, whatever the provider says.
    change(&server, User { status: UserStatus::Disabled, ..una().await }).await;
    assert_page(&arrive(&server, &provider, json!({})).await.answer, 403);
    assert!(count(&server, "inactive"));
}

#[tokio::test]
async fn lg_03_companies_are_told_apart_by_a_claim_and_who_has_none_stays_outside() {
    let provider = Provider::new();
    let account = AccountRule::Claim { id: "org.id".to_owned(), name: Some("https://example.com/org_name".to_owned()) };
    let role = RoleRule { otherwise: Some(Role::Agent), ..RoleRule::default() };
    let settings = OpenIdSettings { account, role, ..provider::settings() };
    let server = TestServer::start_with(provider::options(&provider, settings)).await;
    let company = |id: Value| json!({ "org": { "id": id }, "https://example.com/org_name": "Acme & Sons" });
    assert_eq!(arrive(&server, &provider, company(json!("Acme.example"))).await.status(), 303);
    let account = server.store().account_by_external("Acme.example").await.expect("no fault").expect("made");
    assert_eq!((account.name.as_str(), account.domain.as_str()), ("Acme & Sons", "acme-example"));
    let user = server.store().user_by_external("u-1").await.expect("no fault").expect("made");
    assert_eq!((user.role, user.account), (Role::Agent, account.id));
    for id in [Value::Null, json!(""), json!(7), json!("x".repeat(256)), json!(["Acme.example"])] {
        let mut browser = Browser::new(&server);
        let asked = Asked::of(&browser.get("/connections").await);
        let page = says(&mut browser, &provider, &asked, &with(una(&server, &asked), company(id))).await;
        assert_refused(&server, &browser, &page, (403, "no_account"));
    }
    // Two ids that make one short name are told so, and not joined.
    let other = with(company(json!("acme-example")), json!({ "sub": "u-2", "email": "umo@example.com" }));
    assert_page(&arrive(&server, &provider, other).await.answer, 409);
    assert!(count(&server, "domain_twice"));
}

/// What each of the large providers leaves out or spells in its own way.
#[tokio::test]
async fn lg_03_a_name_and_a_verified_address_are_read_as_providers_spell_them() {
    let (server, provider) = server().await;
    for (sub, more, name) in [
        ("u-1", json!({ "email": "a@example.com", "email_verified": "true" }), "Una User"),
        (
            "u-2",
            json!({ "email": "b@example.com", "email_verified": null, "name": null, "preferred_username": "una" }),
            "una",
        ),
        ("u-3", json!({ "email": " C@example.com ", "name": " " }), "c@example.com"),
        ("u-4", json!({ "email": "d@example.com", "groups": "sales" }), "Una User"),
    ] {
        let page = arrive(&server, &provider, with(more, json!({ "sub": sub }))).await;
        assert_eq!(page.status(), 303, "{sub}: {}", page.text());
        let user = server.store().user_by_external(sub).await.expect("no fault").expect("made");
        assert_eq!(user.name, name);
    }
}

/// OpenID Connect Core section 5.4: beside an access token the ID token may leave the person's claims to the endpoint for it.
#[tokio::test]
async fn lg_03_what_an_id_token_leaves_out_the_userinfo_endpoint_says_of_the_same_person() {
    let (server, provider) = server().await;
    provider.now(|script| {
        script.metadata["userinfo_endpoint"] = json!(format!("{}/userinfo", provider::PROVIDER));
        script.user_info = json!({
            "sub": "u-1", "email": "una@example.com", "email_verified": true, "groups": ["sales"], "name": "Other", "auth_time": 4_102_444_800_i64,
        });
    });
    let arrive = async |sub: &str| {
        let mut browser = Browser::new(&server);
        let asked = Asked::of(&browser.get("/connections").await);
        let mut claims = with(una(&server, &asked), json!({ "sub": sub }));
        for claim in ["email", "email_verified", "groups"] {
            claims.as_object_mut().expect("an object").remove(claim);
        }
        (says(&mut browser, &provider, &asked, &claims).await, browser)
    };
    assert_eq!(arrive("u-1").await.0.status(), 303);
    let user = server.store().user_by_external("u-1").await.expect("no fault").expect("made");
    assert_eq!((user.role, user.name.as_str()), (Role::Agent, "Una User"), "the ID token counts where both speak");
    let (page, browser) = arrive("u-2").await;
    assert_refused(&server, &browser, &page, (400, "other_subject"));
    provider.now(|script| script.user_info["email_verified"] = json!(false));
    let (page, browser) = arrive("u-1").await;
    assert_refused(&server, &browser, &page, (403, "email_not_verified"));
    provider.answers("/userinfo", (500, "oops"));
    assert_page(&arrive("u-1").await.0.answer, 503);
    // Whose ID token says enough is asked nothing more.
    let before = provider.asked("/userinfo");
    provider.heals();
    let mut browser = Browser::new(&server);
    let asked = Asked::of(&browser.get("/connections").await);
    assert_eq!(says(&mut browser, &provider, &asked, &una(&server, &asked)).await.status(), 303);
    assert_eq!(provider.asked("/userinfo"), before);
}

/// Told to whoever can do nothing about it, so it says who can.
#[tokio::test]
async fn in_04_the_page_says_whether_another_try_may_help() {
    let (server, provider) = server().await;
    let now = server.clock.now().0;
    for (more, told) in [
        (json!({ "email": null }), "Your sign-in names no e-mail address"),
        (json!({ "iat": now - 300, "exp": now }), "Go back to the app and connect again"),
        (json!({ "sub": 7 }), "Tell support the request id"),
        (json!({ "groups": null }), "You may not sign in here"),
    ] {
        let page = arrive(&server, &provider, more.clone()).await;
        assert!(page.text().contains(told), "{more}: {}", page.text());
    }
}

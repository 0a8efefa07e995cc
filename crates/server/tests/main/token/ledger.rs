//! LG-03: what happened stands in the ledger, once, in order, and in the transaction of what it records.

use super::watched_store::WatchedStore;
use super::{code, connect, connected, exchange_fields, identity, node, rotating};
use keyfob_authority::Decision;
use keyfob_authority::model::{
    Account, AppPolicy, EndReason, LedgerEntry, LedgerKind, LegacyGet, ReusePolicy, Role, User, UserId,
};
use keyfob_authority::register::NewApp;
use keyfob_authority::store::{Administered, GrantFilter, LedgerFilter, Replacement, StoreError};
use keyfob_protocol::token_name::{PresentedToken, TokenKind};
use keyfob_testkit::{Browser, ManualClock, START, TestServer, TestServerOptions};
use std::sync::Arc;

/// Kinds, oldest first.
async fn kinds(server: &TestServer) -> Vec<&'static str> {
    entries(server).await.iter().map(|entry| entry.kind.name()).collect()
}

async fn entries(server: &TestServer) -> Vec<LedgerEntry> {
    let mut entries = server.authority().store().ledger(LedgerFilter::default(), 1000).await.expect("a ledger");
    entries.reverse();
    entries
}

#[tokio::test]
async fn lg_03_every_event_of_a_connection_s_life_stands_there_once_and_in_order() {
    let server = TestServer::start().await;
    let app = server.app("Listing Lantern", rotating()).await;
    let before = entries(&server).await.len();
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    browser.decide(&consent, "deny").await;
    let code = browser.connect(&app.authorize_url()).await.code();
    let first = connected(&app.exchange(&server, &code).await);
    // Ordinary refreshes are not told: the row is their record.
    let second = connected(&app.refresh(&server, &first.refresh_token).await);
    server.clock.advance(60);
    // The answer was lost, and its successor was never used: healed.
    let healed = connected(&app.refresh(&server, &first.refresh_token).await);
    // The dropped successor comes after all: somebody else has it.
    server.clock.advance(60);
    let contested = app.refresh(&server, &second.refresh_token).await;
    assert_eq!(contested.status(), 200, "{}", contested.text());
    // The same, bound request again.
    assert_eq!(app.exchange(&server, &code).await.status(), 400);
    server.authority().set_app_enabled(app.app.id, false, server.clock_now()).await.expect("no fault");
    server.authority().set_app_enabled(app.app.id, true, server.clock_now()).await.expect("no fault");
    let last = connected(&app.refresh(&server, &contested.at("refresh_token")).await);
    let form = keyfob_protocol::form::encode([("token", last.refresh_token.as_str())]);
    let revoke = http::Request::post("/oauth/revoke")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", app.basic());
    assert_eq!(server.send(revoke.body(form).expect("a request")).await.status(), 200);

    let told = kinds(&server).await;
    let expected = [
        "signed_in",
        "denied",
        "consented",
        "redeemed",
        "healed",
        "contested",
        "code_repeated",
        "app_changed",
        "app_changed",
        "grant_ended",
    ];
    assert_eq!(told[before..], expected);
    // Nothing in it can be presented.
    let text = format!("{:?}", entries(&server).await);
    let secret = app.secret.as_ref().expect("confidential").expose();
    for presented in
        [&code, &first.refresh_token, &healed.refresh_token, &last.refresh_token, &last.access_token, secret]
    {
        assert!(!text.contains(presented.as_str()), "a secret stands in the ledger");
    }
}

/// Entry and change are one transaction: a table that takes no entry undoes what it would have told, whatever that is.
#[tokio::test]
async fn lg_03_where_the_entry_cannot_be_written_nothing_else_is() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("db");
    let server = node(&file, &Arc::new(ManualClock::new(START)), 1).await;
    let app = server.app("Listing Lantern", rotating()).await;
    let (unspent, first) = (code(&server, &app).await, connect(&server, &app).await);
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    let (authority, now) = (server.authority(), server.clock_now());
    let grant = |token| PresentedToken::parse(TokenKind::Refresh, token).expect("ours").claimed_name().grant;
    let rows = async || {
        let store = server.store();
        let grants = store.grants(GrantFilter::default(), 100).await.expect("no fault");
        let app = store.app(app.app.id).await.expect("no fault").expect("the app");
        let revocations = store.revocations(0, 100).await.expect("no fault");
        (grants, app, revocations, entries(&server).await)
    };
    let before = rows().await;

    let beside = rusqlite::Connection::open(&file).expect("the file");
    let takes_none = "CREATE TRIGGER no_entry BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'no entry'); END";
    beside.execute_batch(takes_none).expect("a trigger");
    let redeemed = app.post(&server, &exchange_fields(&app, &unspent, &[])).await;
    assert_eq!((redeemed.status(), redeemed.at("error").as_str()), (500, "server_error"), "{}", redeemed.text());
    assert_eq!(browser.decide(&consent, "approve").await.landing().parameter("code"), None);
    authority.end_grant(grant(&first.refresh_token), EndReason::RevokedByUser, now).await.expect_err("no entry");
    authority.set_app_enabled(app.app.id, false, now).await.expect_err("no entry");
    authority.add_secret(app.app.id, "second", None, now).await.expect_err("no entry");
    assert_eq!(rows().await, before, "each was rolled back with its entry");
    assert_eq!(identity(&server, &first.access_token).await, 200, "and no gate heard of it");

    beside.execute_batch("DROP TRIGGER no_entry").expect("no trigger");
    connected(&app.post(&server, &exchange_fields(&app, &unspent, &[])).await);
    connected(&app.refresh(&server, &first.refresh_token).await);
    let told = kinds(&server).await;
    assert_eq!(told[before.3.len()..], [LedgerKind::Redeemed.name()]);
}

/// And the other way round: no entry without what it tells.
#[tokio::test]
async fn lg_03_where_the_change_cannot_be_written_no_entry_is() {
    let (store, server) = WatchedStore::serve(TestServerOptions::default()).await;
    let app = server.app("Listing Lantern", rotating()).await;
    let code = code(&server, &app).await;
    let before = kinds(&server).await;
    store.fail("write_grant", StoreError::Unavailable("the disk is full".to_owned()));
    let refused = app.post(&server, &exchange_fields(&app, &code, &[])).await;
    assert_eq!((refused.status(), refused.at("error").as_str()), (503, "temporarily_unavailable"));
    assert_eq!(kinds(&server).await, before);
}

#[tokio::test]
async fn lg_03_a_change_of_an_app_says_what_was_and_what_is() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let uri = app.app.redirect_uris[0].as_str();
    let change = async |name: &str, uris: Vec<String>, policy: AppPolicy| {
        let (store, authority) = (server.store(), server.authority());
        let read_at = store.settings_version().await.expect("no fault");
        let new = NewApp { name: name.to_owned(), redirect_uris: uris, policy };
        let done = authority.update_app(app.app.id, new, read_at, server.clock_now()).await.expect("no fault");
        assert!(matches!(done, Decision::Granted(_)), "{done:?}");
        entries(&server).await.pop().expect("an entry").detail
    };
    let kept = || vec![uri.to_owned()];
    let policy = AppPolicy { reuse: ReusePolicy::End, legacy_get: LegacyGet::Warn, ..app.app.policy.clone() };
    let told = change("Listing Lantern", kept(), policy.clone()).await;
    assert_eq!(told, r#"policy.reuse: "heal" -> "end"; policy.legacyGet: "allow" -> "warn""#);
    let told = change("Lamp", kept(), AppPolicy { client_credentials: true, ..policy.clone() }).await;
    assert_eq!(told, r#"name: "Listing Lantern" -> "Lamp"; policy.clientCredentials: "default" -> true"#);
    let moved = "https://lamp.example/back".to_owned();
    let told = change("Lamp", vec![moved.clone()], policy.clone()).await;
    let uris = format!(r#"redirectUris: ["{uri}"] -> ["{moved}"]"#);
    assert_eq!(told, format!(r#"policy.clientCredentials: true -> "default"; {uris}"#));
    assert_eq!(change("Lamp", vec![moved], policy.clone()).await, "nothing changed");
    // Nobody fills the ledger with addresses.
    let long = |n: usize| format!("https://lamp.example/{n}/{}", "a".repeat(1900));
    let told = change("Lamp", (0..50).map(long).collect(), policy).await;
    assert!(told.chars().count() == 2001 && told.ends_with('…'), "{}", told.len());
}

#[tokio::test]
async fn lg_03_a_change_of_a_user_or_account_says_what_was_and_what_is() {
    let server = TestServer::start().await;
    let (store, authority, now) = (server.store(), server.authority(), server.clock_now());
    let owner = server.owner.user.clone();
    let read_at = async || store.settings_version().await.expect("no fault");
    let newest = async || entries(&server).await.pop().expect("an entry").detail;
    let row = User { role: Role::Agent, password_hash: Some("canary-hash".to_owned()), ..owner.clone() };
    authority.update_user(Replacement { row, read_at: read_at().await }, now).await.expect("no fault");
    assert_eq!(newest().await, r#"role: "Owner" -> "Agent"; password set"#);
    let account = store.account(owner.account).await.expect("no fault").expect("there");
    let row = Account { name: "Elm Street".to_owned(), ..account.clone() };
    authority.update_account(Replacement { row, read_at: read_at().await }, now).await.expect("no fault");
    assert_eq!(newest().await, format!(r#"name: "{}" -> "Elm Street""#, account.name));
    let gone = Replacement { row: User { id: UserId(99), ..owner }, read_at: read_at().await };
    assert_eq!(authority.update_user(gone, now).await.expect("no fault"), Administered::Missing);
}

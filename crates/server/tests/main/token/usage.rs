//! What a platform knows of how its apps use the endpoint, before it switches an old way off (decision D11).

use super::{DAY, STATE, VERIFIER, code, connect, exchange_fields, pkce_code, post_form, standard_code};
use keyfob_authority::Decision;
use keyfob_authority::model::{AppId, AppPolicy, AppSecret, LegacyGet, UsageCount};
use keyfob_authority::register::NewApp;
use keyfob_authority::secrets;
use keyfob_authority::store::{Administration, LedgerFilter, StoreError};
use keyfob_protocol::Secret;
use keyfob_testkit::{START, TestApp, TestServer, TestServerOptions};

/// What was counted of this app, by name and in their order.
async fn counted(server: &TestServer, app: AppId) -> Vec<(&'static str, i64)> {
    usage(server, app).await.iter().map(|usage| (usage.kind.name(), usage.count)).collect()
}

async fn usage(server: &TestServer, app: AppId) -> Vec<UsageCount> {
    server.authority().write_usage().await.expect("a working store");
    server.store().usage(Some(app), 0).await.expect("a working store")
}

#[tokio::test]
async fn d11_every_old_way_is_counted_by_app_and_day() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let other = server.confidential_app("Other").await;
    let code = code(&server, &app).await;
    assert_eq!(app.exchange_by_get(&server, &code).await.status(), 200);
    let in_body = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "nothing"),
        ("client_id", app.client_id()),
        ("client_secret", app.secret.as_ref().expect("confidential").expose()),
    ];
    assert_eq!(post_form(&server, &[], &in_body).await.status(), 400);
    let expected =
        [("auth_code_dialect", 1), ("legacy_get", 1), ("no_pkce", 1), ("secret_in_body", 1), ("token_request", 2)];
    assert_eq!(counted(&server, app.app.id).await, expected);
    assert_eq!(counted(&server, other.app.id).await, []);

    server.clock.advance(DAY);
    let bound = pkce_code(&server, &app).await;
    let with_proof = exchange_fields(&app, &bound, &[("code_verifier", VERIFIER)]);
    assert_eq!(app.post(&server, &with_proof).await.status(), 200);
    let next_day: Vec<_> = usage(&server, app.app.id).await.split_off(expected.len());
    let told: Vec<_> = next_day.iter().map(|usage| (usage.kind.name(), usage.count, usage.last_at)).collect();
    assert_eq!(told, [("token_request", 1, START.plus(DAY))]);
}

#[tokio::test]
async fn d11_strangers_are_not_counted() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let stranger = TestApp { secret: Some(Secret::from("guessed")), ..app.clone() };
    assert_ne!(stranger.refresh_by_get(&server, "x").await.status(), 200);
    let in_body = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("client_id", app.client_id()),
        ("client_secret", "guessed"),
    ];
    assert_eq!(post_form(&server, &[], &in_body).await.at("error"), "invalid_client");
    assert_eq!(counted(&server, app.app.id).await, []);
}

/// Who switched it off has to see whom that hits.
#[tokio::test]
async fn d7_a_right_secret_in_the_body_is_counted_also_where_it_is_refused() {
    let server = TestServer::start().await;
    let app = server.app("Old", AppPolicy { secret_in_body: false, ..AppPolicy::default() }).await;
    let secret = app.secret.as_ref().expect("confidential").expose();
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("client_id", app.client_id()),
        ("client_secret", secret),
    ];
    assert_eq!(post_form(&server, &[], &fields).await.at("error"), "invalid_client");
    assert_eq!(counted(&server, app.app.id).await, [("secret_in_body", 1)]);
}

/// Replaces the app's secret by one that form encoding changes, as an imported one may be.
async fn odd_secret(server: &TestServer, app: &TestApp, secret: &str) {
    let secret = AppSecret {
        id: 0,
        name: "imported".to_owned(),
        digest: secrets::digest(secret),
        created_at: START,
        expires_at: None,
        last_used_at: None,
    };
    let added = server.store().administer(Administration::AddSecret(app.app.id, secret), vec![], vec![]).await;
    added.expect("a working store");
}

#[tokio::test]
async fn ca_02_basic_that_was_not_form_encoded_is_counted() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    odd_secret(&server, &app, "a+b").await;
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    use base64::Engine as _;
    for secret in ["a+b", "a%2Bb"] {
        let joined = format!("{}:{secret}", app.client_id());
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(joined));
        assert_eq!(post_form(&server, &[("authorization", &basic)], &fields).await.at("error"), "invalid_grant");
    }
    assert_eq!(counted(&server, app.app.id).await, [("basic_not_encoded", 1), ("token_request", 2)]);
}

#[tokio::test]
async fn t_08_a_retired_secret_is_counted_and_answered_like_a_wrong_one() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let guess = TestApp { secret: Some(Secret::from("wrong")), ..app.clone() };
    let wrong = guess.refresh(&server, "x").await;
    let now = server.clock_now();
    let secret = app.app.secrets.first().expect("one").id;
    server.authority().retire_secret(app.app.id, secret, now, now).await.expect("a working store");
    let retired = app.refresh(&server, "x").await;
    assert_eq!((retired.status(), retired.text()), (wrong.status(), wrong.text()));
    assert_eq!(counted(&server, app.app.id).await, [("retired_secret", 1)]);
}

#[tokio::test]
async fn d11_an_app_that_is_to_leave_the_legacy_get_is_told_with_every_answer() {
    let server = TestServer::start().await;
    let until = START.plus(10 * DAY);
    let sunset = until.to_http();
    for (legacy_get, warns, sunset) in [
        (LegacyGet::Allow, false, None),
        (LegacyGet::Warn, true, None),
        (LegacyGet::OffAfter(until), true, Some(sunset.as_str())),
    ] {
        let since = format!("@{}", server.clock_now().0);
        let told = (warns.then_some(since.as_str()), sunset);
        let app = server.app("Moving on", AppPolicy { legacy_get, ..AppPolicy::default() }).await;
        let token = connect(&server, &app).await.refresh_token;
        // The dial was turned when it was: neither time nor another change of the app moves that.
        server.clock.advance(60);
        let read_at = server.store().settings_version().await.expect("a working store");
        let renamed = NewApp {
            name: "Renamed".to_owned(),
            redirect_uris: app.app.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
            policy: app.app.policy.clone(),
        };
        let now = server.clock_now();
        let changed = server.authority().update_app(app.app.id, renamed, read_at, now).await.expect("a working store");
        assert!(matches!(changed, Decision::Granted(_)), "{changed:?}");
        let by_get = app.refresh_by_get(&server, &token).await;
        assert_eq!(by_get.status(), 200, "{legacy_get:?}");
        assert_eq!((by_get.header("deprecation"), by_get.header("sunset")), told, "{legacy_get:?}");
        let refused = app.refresh_by_get(&server, "nothing").await;
        assert_eq!(refused.status(), 400, "{legacy_get:?}");
        assert_eq!((refused.header("deprecation"), refused.header("sunset")), told, "{legacy_get:?}");
        let by_post = app.refresh(&server, &token).await;
        assert_eq!((by_post.header("deprecation"), by_post.header("sunset")), (None, None), "{legacy_get:?}");
    }
}

#[tokio::test]
async fn d11_a_warning_that_gets_a_date_goes_on_since_it_began() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Moving on").await;
    let turn = async |legacy_get| {
        server.clock.advance(60);
        let read_at = server.store().settings_version().await.expect("a working store");
        let redirect_uris = app.app.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect();
        let policy = AppPolicy { legacy_get, ..app.app.policy.clone() };
        let new = NewApp { name: "Moving on".to_owned(), redirect_uris, policy };
        let now = server.clock_now();
        let changed = server.authority().update_app(app.app.id, new, read_at, now).await.expect("a working store");
        assert!(matches!(changed, Decision::Granted(_)), "{changed:?}");
        app.refresh_by_get(&server, "nothing").await.header("deprecation").map(str::to_owned)
    };
    let warned = turn(LegacyGet::Warn).await;
    assert_eq!(warned, Some(format!("@{}", server.clock_now().0)));
    assert_eq!(turn(LegacyGet::OffAfter(START.plus(10 * DAY))).await, warned);
    assert_eq!(turn(LegacyGet::OffAfter(START.plus(20 * DAY))).await, warned);
    assert_eq!(turn(LegacyGet::Allow).await, None);
    assert_ne!(turn(LegacyGet::Warn).await, warned, "another time, it begins anew");
}

#[tokio::test]
async fn lg_02_a_request_id_opens_the_entry_that_the_request_wrote() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let code = standard_code(&server, &app, &[("state", STATE)]).await;
    let redeemed = app.exchange(&server, &code).await;
    let refused = app.exchange(&server, &code).await;
    assert_eq!((redeemed.status(), refused.status()), (200, 400));
    for (answer, kind) in [(redeemed, "redeemed"), (refused, "code_repeated")] {
        let id = answer.header("x-request-id").expect("an id");
        let entries = server.store().ledger_of_request(id).await.expect("a working store");
        let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.name()).collect();
        assert_eq!(kinds, [kind]);
        let of_grant = LedgerFilter { grant: entries[0].grant, ..LedgerFilter::default() };
        assert_eq!(server.store().ledger(of_grant, 10).await.expect("a working store").len(), 3);
    }
}

#[tokio::test]
async fn d11_counts_that_could_not_be_written_are_kept() {
    let (store, server) = super::watched_store::WatchedStore::serve(TestServerOptions::default()).await;
    let app = server.confidential_app("Listing Lantern").await;
    app.refresh(&server, "x").await;
    store.fail("count_usage", StoreError::Unavailable("full".to_owned()));
    assert!(server.authority().write_usage().await.is_err());
    store.heal();
    app.refresh(&server, "x").await;
    assert_eq!(counted(&server, app.app.id).await, [("token_request", 2)]);
}

//! What a refused app is told beside the error code: a stable reason, and nothing to strangers (docs/reasons.md).

use super::{
    DAY, STATE, code, connect, connect_public, exchange_fields, pkce_code, post_form, rotating, standard_code,
};
use crate::browser_side::logs::Captured;
use keyfob_authority::Decision;
use keyfob_authority::model::{AppPolicy, EndReason, LegacyGet, ReusePolicy};
use keyfob_protocol::Secret;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::{PresentedToken, TokenKind};
use keyfob_testkit::{Answer, TestApp, TestServer};

async fn start() -> (TestServer, TestApp) {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    (server, app)
}

/// The reason in the answer, if any.
fn reason(answer: &Answer) -> Option<String> {
    assert_ne!(answer.status(), 200, "{}", answer.text());
    answer.json().get("reason").map(|reason| reason.as_str().expect("a text").to_owned())
}

fn because(answer: &Answer, word: &str) {
    assert_eq!(reason(answer).as_deref(), Some(word), "{}", answer.text());
}

async fn end(server: &TestServer, refresh_token: &str, reason: EndReason) {
    let token = PresentedToken::parse(TokenKind::Refresh, refresh_token).expect("ours");
    let now = server.doorway.now();
    server.doorway.authority.end_grant(token.claimed_name().grant, reason, now).await.expect("a working store");
}

#[tokio::test]
async fn t_17_an_app_is_told_who_ended_its_grant_in_both_shapes() {
    for (ended, word) in [
        (EndReason::RevokedByUser, "revoked_by_user"),
        (EndReason::RevokedByAdmin, "revoked_by_admin"),
        (EndReason::RevokedByApp, "revoked_by_app"),
        (EndReason::Superseded, "superseded"),
        (EndReason::UserMoved, "user_moved"),
    ] {
        let (server, app) = start().await;
        let refresh_token = connect(&server, &app).await.refresh_token;
        end(&server, &refresh_token, ended).await;
        let by_post = app.refresh(&server, &refresh_token).await;
        assert_eq!(by_post.at("error"), "invalid_grant");
        because(&by_post, word);
        let by_get = app.refresh_by_get(&server, &refresh_token).await;
        assert_eq!(by_get.at("errorCode"), "invalid-refresh-token");
        because(&by_get, word);
    }
}

#[tokio::test]
async fn t_17_a_stranger_gets_the_same_bytes_for_a_genuine_token_as_for_an_unknown_one() {
    let (server, app) = start().await;
    let other = server.confidential_app("Other").await;
    let live = connect(&server, &app).await.refresh_token;
    let ended = connect(&server, &app).await.refresh_token;
    end(&server, &ended, EndReason::RevokedByUser).await;
    let mut forged = ended.clone();
    forged.replace_range(forged.len() - 12..forged.len() - 8, "AAAA");
    let unknown = other.refresh(&server, "nothing").await;
    assert_eq!(reason(&unknown), None);
    for token in [&live, &ended, &forged] {
        assert_eq!(other.refresh(&server, token).await.text(), unknown.text(), "another app");
    }
    assert_eq!(app.refresh(&server, &forged).await.text(), unknown.text(), "a forged one, by its own app");
    let by_get = other.refresh_by_get(&server, "nothing").await;
    assert_eq!(other.refresh_by_get(&server, &ended).await.text(), by_get.text());
    // Nobody at all: no secret, and a wrong one.
    let fields =
        |token| [("grant_type", "refresh_token"), ("client_id", &*app.app.client_id), ("refresh_token", token)];
    let nobody = post_form(&server, &[], &fields("nothing")).await;
    assert_eq!(post_form(&server, &[], &fields(&ended)).await.text(), nobody.text());
    let wrong = |token| [fields(token).as_slice(), &[("client_secret", "wrong")]].concat();
    let wrong_secret = post_form(&server, &[], &wrong("nothing")).await;
    assert_eq!(post_form(&server, &[], &wrong(&ended)).await.text(), wrong_secret.text());
    assert_eq!(reason(&wrong_secret), None);
}

#[tokio::test]
async fn t_13_a_stranger_gets_the_same_bytes_for_a_genuine_code_as_for_an_unknown_one() {
    let (server, app) = start().await;
    let other = server.confidential_app("Other").await;
    let code = code(&server, &app).await;
    let unknown = other.exchange(&server, "nothing").await;
    assert_eq!(other.exchange(&server, &code).await.text(), unknown.text());
    assert_eq!(app.exchange(&server, &code).await.status(), 200, "and it burned nothing");
    assert_eq!(other.exchange(&server, &code).await.text(), unknown.text());
    assert_eq!(reason(&unknown), None);
}

#[tokio::test]
async fn rf_02_an_idle_token_says_so() {
    let (server, app) = start().await;
    let refresh_token = connect(&server, &app).await.refresh_token;
    server.clock.advance(90 * DAY);
    because(&app.refresh(&server, &refresh_token).await, "idle_expired");
}

#[tokio::test]
async fn rf_06_reuse_is_named_when_it_is_found_and_ever_after() {
    let server = TestServer::start().await;
    let app = server.app("Strict", AppPolicy { reuse: ReusePolicy::End, ..rotating() }).await;
    let first = connect(&server, &app).await.refresh_token;
    let second = app.refresh(&server, &first).await.at("refresh_token");
    let third = app.refresh(&server, &second).await.at("refresh_token");
    because(&app.refresh(&server, &first).await, "rotated_out");
    server.clock.advance(46);
    because(&app.refresh(&server, &first).await, "reuse_detected");
    because(&app.refresh(&server, &third).await, "reuse_detected");
}

#[tokio::test]
async fn rf_06_a_public_app_is_told_of_its_own_token() {
    let server = TestServer::start().await;
    let app = server.public_app("Porch Light").await;
    let refresh_token = connect_public(&server, &app).await.refresh_token;
    end(&server, &refresh_token, EndReason::RevokedByUser).await;
    because(&app.refresh(&server, &refresh_token).await, "revoked_by_user");
}

#[tokio::test]
async fn t_14_to_t_16_a_code_that_fails_says_why() {
    let (server, app) = start().await;
    let late = code(&server, &app).await;
    server.clock.advance(900);
    because(&app.exchange(&server, &late).await, "code_expired");

    let bound = pkce_code(&server, &app).await;
    because(&app.exchange(&server, &bound).await, "pkce_failed");
    because(&app.exchange(&server, &bound).await, "code_burned");

    let elsewhere = code(&server, &app).await;
    let fields =
        [("grant_type", "auth_code"), ("code", elsewhere.as_str()), ("redirect_uri", "https://elsewhere.example/")];
    because(&app.post(&server, &fields).await, "redirect_uri_differs");
}

#[tokio::test]
async fn tk_08_a_second_use_says_which_it_was() {
    let (server, app) = start().await;
    let doubled = code(&server, &app).await;
    let same = exchange_fields(&app, &doubled, &[("state", STATE)]);
    assert_eq!(app.post(&server, &same).await.status(), 200);
    because(&app.post(&server, &same).await, "code_repeated");
    server.clock.advance(900);
    because(&app.post(&server, &same).await, "code_used");

    let unbound = standard_code(&server, &app, &[]).await;
    assert_eq!(app.exchange(&server, &unbound).await.status(), 200);
    because(&app.exchange(&server, &unbound).await, "code_reused");
    because(&app.exchange(&server, &unbound).await, "code_reused");
}

/// The one line of the log that tells of a refused request to the token endpoint.
fn line_of(captured: &Captured, answer: &Answer) -> String {
    let id = answer.header("x-request-id").expect("an id").to_owned();
    let text = captured.text();
    let mut lines = text.lines().filter(|line| line.contains("refused") && line.contains(&id) && line.contains("row="));
    let line = lines.next().unwrap_or_else(|| panic!("no line of {id}: {text}")).to_owned();
    assert_eq!(lines.next(), None, "told once");
    line
}

fn without_reason(answer: &Answer) -> serde_json::Value {
    let mut body = answer.json();
    body.as_object_mut().expect("an object").remove("reason");
    body
}

#[tokio::test]
async fn t_08_a_disabled_app_with_its_secret_is_told_so_and_nobody_else() {
    let (server, app) = start().await;
    let refresh_token = connect(&server, &app).await.refresh_token;
    let stranger = TestApp { secret: Some("wrong".into()), ..app.clone() };
    let wrong =
        [stranger.refresh(&server, &refresh_token).await, stranger.refresh_by_get(&server, &refresh_token).await];
    server.authority().set_app_enabled(app.app.id, false, server.clock_now()).await.expect("no fault");
    let (captured, _guard) = Captured::start();

    let told = [app.refresh(&server, &refresh_token).await, app.refresh_by_get(&server, &refresh_token).await];
    for (told, wrong) in told.iter().zip(&wrong) {
        because(told, "app_disabled");
        assert_eq!((told.status(), without_reason(told)), (wrong.status(), wrong.json()), "the row answers as ever");
        let line = line_of(&captured, told);
        assert!(line.contains("app_disabled") && line.contains(&format!("app={}", app.app.id)), "{line}");
        assert!(!line.contains("unknown client"), "{line}");
    }
    assert_eq!(stranger.refresh(&server, &refresh_token).await.text(), wrong[0].text());
    assert_eq!(stranger.refresh_by_get(&server, &refresh_token).await.text(), wrong[1].text());
    // Giving a token back is proven alike.
    let form = keyfob_protocol::form::encode([("token", refresh_token.as_str())]);
    let revoke = |app: &TestApp| {
        http::Request::post("/oauth/revoke")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", app.basic())
            .body(form.clone())
            .expect("a request")
    };
    because(&server.send(revoke(&app)).await, "app_disabled");
    assert_eq!(reason(&server.send(revoke(&stranger)).await), None);
}

#[tokio::test]
async fn t_08_of_a_disabled_public_app_the_log_alone_has_the_reason() {
    let server = TestServer::start().await;
    let app = server.public_app("Porch Light").await;
    let refresh_token = connect_public(&server, &app).await.refresh_token;
    server.authority().set_app_enabled(app.app.id, false, server.clock_now()).await.expect("no fault");
    let (captured, _guard) = Captured::start();
    let answer = app.refresh(&server, &refresh_token).await;
    assert_eq!(reason(&answer), None);
    assert!(line_of(&captured, &answer).contains("app_disabled"));
}

#[tokio::test]
async fn ca_03_a_right_secret_in_a_body_where_it_may_not_be_says_so() {
    let server = TestServer::start().await;
    let app = server.app("App", AppPolicy { secret_in_body: false, ..AppPolicy::default() }).await;
    let refresh = |secret| {
        let own = [("client_id", app.client_id()), ("client_secret", secret)];
        [("grant_type", "refresh_token"), ("refresh_token", "x"), own[0], own[1]]
    };
    let secret = app.secret.as_ref().expect("confidential").expose().as_str();
    because(&post_form(&server, &[], &refresh(secret)).await, "secret_in_body_off");
    assert_eq!(reason(&post_form(&server, &[], &refresh("wrong")).await), None);
}

#[tokio::test]
async fn lg_02_the_line_of_a_retired_secret_has_the_request_id_and_the_app() {
    let (server, app) = start().await;
    let (authority, now) = (server.authority(), server.clock_now());
    let stored = server.store().app(app.app.id).await.expect("no fault").expect("the app");
    let Decision::Granted(_) = authority.add_secret(app.app.id, "second", None, now).await.expect("no fault") else {
        panic!("a second secret");
    };
    let (captured, _guard) = Captured::start();
    let wrong = TestApp { secret: Some(Secret::from("guessed")), ..app.clone() }.refresh(&server, "x").await;
    assert_eq!((wrong.status(), reason(&wrong)), (401, None));
    assert!(line_of(&captured, &wrong).contains(&format!("app={}", app.app.id)), "whose app somebody tries");
    authority.retire_secret(app.app.id, stored.secrets[0].id, now, now).await.expect("no fault");
    let answer = app.refresh(&server, "x").await;
    assert_eq!((answer.status(), reason(&answer)), (401, None));
    let line = line_of(&captured, &answer);
    assert!(line.contains("secret_retired") && line.contains(&format!("app={}", app.app.id)), "{line}");
}

/// The grant of a code or refresh token, as the log and the ledger name it.
fn grant_of(kind: TokenKind, token: &str) -> String {
    PresentedToken::parse(kind, token).expect("ours").claimed_name().grant.to_text()
}

/// The kind and detail of what the request wrote, and of which grant.
async fn entry_of(server: &TestServer, answer: &Answer) -> Option<(&'static str, String, Option<String>)> {
    let id = answer.header("x-request-id").expect("an id");
    let mut entries = server.store().ledger_of_request(id).await.expect("a working store");
    assert!(entries.len() <= 1, "{entries:?}");
    entries.pop().map(|entry| (entry.kind.name(), entry.detail, entry.grant.map(|grant| grant.to_text())))
}

#[tokio::test]
async fn t_20_what_exceeds_a_genuine_grant_says_so_in_answer_log_and_ledger() {
    let (server, app) = start().await;
    let refresh_token = connect(&server, &app).await.refresh_token;
    let code = code(&server, &app).await;
    let (captured, _guard) = Captured::start();
    let beyond_scope = ("scope", "people");
    let beyond_target = ("resource", "https://elsewhere.example");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    let exchange = exchange_fields(&app, &code, &[beyond_target]);
    for (fields, kind, token, word) in [
        ([refresh[0], refresh[1], beyond_scope].as_slice(), TokenKind::Refresh, &refresh_token, "scope_exceeds_grant"),
        (&[refresh[0], refresh[1], beyond_target], TokenKind::Refresh, &refresh_token, "resource_exceeds_grant"),
        (
            &[refresh[0], refresh[1], ("resource", "no uri")],
            TokenKind::Refresh,
            &refresh_token,
            "resource_exceeds_grant",
        ),
        (&exchange, TokenKind::Code, &code, "resource_exceeds_grant"),
    ] {
        let (answer, grant) = (app.post(&server, fields).await, grant_of(kind, token));
        because(&answer, word);
        let line = line_of(&captured, &answer);
        assert!(line.contains(word) && line.contains(&grant), "{line}");
        match entry_of(&server, &answer).await {
            Some(entry) => assert_eq!(entry, ("refused", format!("T-20 {word}"), Some(grant))),
            None => assert!(fields.contains(&("resource", "no uri")), "told in this hour already"),
        }
        // A stranger gets what an unknown one gets.
        let other = server.confidential_app("Other").await;
        assert_eq!(reason(&other.post(&server, fields).await), None);
    }
    assert_eq!(app.exchange(&server, &code).await.status(), 200, "T-20 burns nothing");
}

#[tokio::test]
async fn tk_16_a_refused_client_credentials_grant_says_why() {
    let (server, app) = start().await;
    let ask = [("grant_type", "client_credentials")];
    let (captured, _guard) = Captured::start();
    let off = app.post(&server, &ask).await;
    because(&off, "client_credentials_off");
    let line = line_of(&captured, &off);
    assert!(line.contains("client_credentials_off") && line.contains(&format!("app={}", app.app.id)), "{line}");
    let public = server.public_app("Pocket").await;
    assert_eq!(reason(&public.post(&server, &ask).await), None, "a client id proves nothing");

    let people = Scope::parse("people").expect("a scope");
    let policy = AppPolicy { client_credentials: true, allowed_scope: people, ..AppPolicy::default() };
    let app = server.app("Nightly Export", policy).await;
    because(&app.post(&server, &ask).await, "scope_not_allowed");
    because(&app.post(&server, &[ask[0], ("scope", "admin")]).await, "scope_not_allowed");
    let elsewhere = [ask[0], ("scope", "people"), ("resource", "https://elsewhere.example")];
    because(&app.post(&server, &elsewhere).await, "resource_unknown");
}

#[tokio::test]
async fn lg_02_a_refused_legacy_get_with_a_genuine_token_names_its_grant_in_log_and_ledger_once_an_hour() {
    let server = TestServer::start().await;
    let off = LegacyGet::OffAfter(server.clock_now());
    let app = server.app("Late", AppPolicy { legacy_get: off, ..AppPolicy::default() }).await;
    let refresh_token = connect(&server, &app).await.refresh_token;
    let code = code(&server, &app).await;
    let (captured, _guard) = Captured::start();
    let by_code = app.get(&server, &[("grant_type", "auth_code"), ("code", &code)]).await;
    let by_token = app.refresh_by_get(&server, &refresh_token).await;
    for (answer, kind, token) in [(&by_code, TokenKind::Code, &code), (&by_token, TokenKind::Refresh, &refresh_token)] {
        because(answer, "legacy_get_off");
        let grant = grant_of(kind, token);
        assert!(line_of(&captured, answer).contains(&grant));
        let entry = entry_of(&server, answer).await;
        assert_eq!(entry, Some(("refused", "T-11 legacy_get_off".to_owned(), Some(grant))));
    }
    // Later ones of the hour write nothing more; the line has the grant, which the ledger knows.
    let again = app.refresh_by_get(&server, &refresh_token).await;
    assert_eq!(entry_of(&server, &again).await, None);
    assert!(line_of(&captured, &again).contains(&grant_of(TokenKind::Refresh, &refresh_token)));
    // Of a token that is not its own nothing is written, and the answer is the same.
    let other = server.app("Other", AppPolicy { legacy_get: off, ..AppPolicy::default() }).await;
    let foreign = other.refresh_by_get(&server, &refresh_token).await;
    assert_eq!(foreign.text(), by_token.text());
    assert_eq!(other.refresh_by_get(&server, "nothing").await.text(), by_token.text());
    assert_eq!(entry_of(&server, &foreign).await, None);
    // Nothing was used up.
    assert_eq!(app.exchange(&server, &code).await.status(), 200);
}

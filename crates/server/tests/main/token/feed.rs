//! The revocation feed as a gate on its own reads it: BR-09, JW-04 and whom it is for.

#![expect(clippy::disallowed_methods, reason = "how long real waiting takes is what is tested")]

use super::table_t_grants::grant_of;
use super::{HOUR, connect, node, send};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfob_authority::model::{Account, AccountId, AccountStatus, EndReason, ResourceServer, ResourceServerId};
use keyfob_authority::secrets;
use keyfob_authority::store::{Administered, Administration, NewRevocation, Replacement};
use keyfob_protocol::revocation::{RevocationNews, RevokedKind};
use keyfob_protocol::token_name::TokenKind;
use keyfob_testkit::{Answer, ManualClock, START, TestServer};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECRET: &str = "keyfobsecretOfAGate";

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

async fn add_gate(server: &TestServer) {
    let gate = ResourceServer {
        id: ResourceServerId(0),
        name: "gate".to_owned(),
        secret_digest: secrets::digest(SECRET),
        enabled: true,
        resource: None,
        created_at: server.clock_now(),
    };
    let added = server.authority().add_resource_server(gate, server.clock_now()).await.expect("no fault");
    assert_eq!(added, Administered::Done(1));
}

async fn ask(server: &TestServer, query: &str) -> Answer {
    let credentials = basic("gate", SECRET);
    send(server, "GET", &format!("/oauth/revocations{query}"), &[("authorization", &credentials)], "").await
}

async fn news(server: &TestServer, query: &str) -> RevocationNews {
    let answer = ask(server, query).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    serde_json::from_str(&answer.text()).expect("news")
}

/// Ends the grant of a new connection.
async fn end_one(server: &TestServer) -> String {
    let app = server.confidential_app(&format!("App {}", server.store().apps(None).await.expect("apps").len())).await;
    let tokens = connect(server, &app).await;
    let grant = grant_of(TokenKind::Refresh, &tokens.refresh_token);
    server.authority().end_grant(grant, EndReason::RevokedByUser, server.clock_now()).await.expect("no fault");
    grant.to_text()
}

#[tokio::test]
async fn the_feed_is_for_enabled_resource_servers_only() {
    let server = TestServer::start().await;
    add_gate(&server).await;
    let app = server.confidential_app("Listing Lantern").await;
    for credentials in [
        basic("gate", "wrong"),
        basic("nobody", SECRET),
        basic("gate", ""),
        app.basic(),
        format!("Bearer {}", connect(&server, &app).await.access_token),
        "Basic !".to_owned(),
    ] {
        let headers = [("authorization", credentials.as_str())];
        let answer = send(&server, "GET", "/oauth/revocations", &headers, "").await;
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_client"), "{credentials}");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Basic")));
    }
    assert_eq!(server.get("/oauth/revocations").await.status(), 401);
    for query in ["?wait=6", "?wait=-1", "?wait=x", "?wait=1&wait=1", "?after=%zz"] {
        assert_eq!(ask(&server, query).await.status(), 400, "{query}");
    }
    assert_eq!(ask(&server, "").await.status(), 200);
    let read_at = server.store().settings_version().await.expect("no fault");
    let row = ResourceServer { enabled: false, ..server.store().resource_servers().await.expect("no fault").remove(0) };
    let replacement = Replacement { row, read_at };
    server.authority().update_resource_server(replacement, "disabled", server.clock_now()).await.expect("no fault");
    let disabled = ask(&server, "").await;
    assert_eq!((disabled.status(), disabled.at("reason").as_str()), (401, "resource_server_disabled"));
}

#[tokio::test]
async fn br_09_a_reader_of_the_feed_hears_of_each_ending_at_once_and_only_once() {
    let server = TestServer::start().await;
    add_gate(&server).await;
    let first = news(&server, "").await;
    assert!(first.snapshot && first.complete && first.revocations.is_empty() && first.cursor.is_none(), "{first:?}");
    assert_eq!(first.keys, server.authority().jwks(START).keys[0].kid);
    let ended = end_one(&server).await;
    let second = news(&server, "?wait=5").await;
    assert!(second.snapshot && second.complete, "{second:?}");
    let [entry] = &second.revocations[..] else { panic!("{second:?}") };
    assert_eq!((entry.kind, &entry.id), (RevokedKind::Grant, &ended));
    let after = second.cursor.expect("a cursor");
    let since = Instant::now();
    let query = format!("?after={after}&wait=5");
    let (heard, also) = tokio::join!(news(&server, &query), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        end_one(&server).await
    });
    assert!(since.elapsed() < Duration::from_secs(2), "it waited for {:?}", since.elapsed());
    assert!(!heard.snapshot && heard.complete, "{heard:?}");
    assert_eq!(heard.revocations.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&also]);
}

#[tokio::test]
async fn a_reader_without_news_hears_each_second_that_there_is_none() {
    let server = TestServer::start().await;
    add_gate(&server).await;
    end_one(&server).await;
    let cursor = news(&server, "?wait=2").await.cursor.expect("a cursor");
    let since = Instant::now();
    let nothing = news(&server, &format!("?after={cursor}&wait=1")).await;
    assert!((900..3000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
    assert_eq!((nothing.cursor.as_deref(), nothing.complete, nothing.snapshot), (Some(&*cursor), true, false));
    assert_eq!((nothing.revocations.len(), nothing.synced_at, nothing.time), (0, START, START));
}

/// What is revoked once it is two entries.
async fn both(server: &TestServer) -> RevocationNews {
    let since = Instant::now();
    loop {
        let all = news(server, "").await;
        if all.revocations.len() == 2 {
            return all;
        }
        assert!(since.elapsed() < Duration::from_secs(2), "{all:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn op_02_a_cursor_of_a_store_that_went_back_gives_everything_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(START));
    let file = directory.path().join("keyfob.db");
    let server = node(&file, &clock, 1).await;
    add_gate(&server).await;
    let kept = end_one(&server).await;
    server.store().close().await;
    drop(server);
    let copy = directory.path().join("copy.db");
    std::fs::copy(&file, &copy).expect("a copy");
    let log = |file: &Path| file.with_extension("db-wal");
    if log(&file).exists() {
        std::fs::copy(log(&file), log(&copy)).expect("a copy");
    }

    let server = node(&file, &clock, 2).await;
    let lost = end_one(&server).await;
    let ahead = both(&server).await;
    assert_eq!(ahead.revocations.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&kept, &lost]);
    // The copy gives the lost entry's number to another one.
    let restored = node(&copy, &clock, 3).await;
    let other = end_one(&restored).await;
    let numbers = restored.store().revocations(0, 10).await.expect("no fault");
    assert_eq!(numbers[1].number, ahead.revocations[1].number, "the test tests what it means to");
    let again = news(&restored, &format!("?after={}", ahead.cursor.expect("a cursor"))).await;
    assert!(again.snapshot && again.complete);
    assert_eq!(again.revocations.iter().map(|entry| &entry.id).collect::<Vec<_>>(), [&kept, &other]);
    for unknown in ["0-x", "999-abc", "-", "x", "-5-abc"] {
        assert!(news(&restored, &format!("?after={unknown}")).await.snapshot, "{unknown}");
    }
}

#[tokio::test]
async fn a_long_feed_comes_in_pages_and_none_is_missing() {
    let server = TestServer::start().await;
    add_gate(&server).await;
    for number in 0..2100 {
        let (kind, id) = (RevokedKind::Token, format!("t{number}"));
        let revocation = NewRevocation { kind, id, not_before: START, until: START.plus(HOUR) };
        let account = Account {
            id: AccountId(0),
            name: "Maple Street Realty".to_owned(),
            domain: format!("domain-{number}"),
            status: AccountStatus::Active,
            tokens_after: START,
            created_at: START,
            external: None,
            followed_at: None,
        };
        let add = Administration::AddAccount(account);
        server.store().administer(add, Vec::new(), vec![revocation]).await.expect("no fault");
    }
    let (mut cursor, mut seen) = (None::<String>, Vec::new());
    loop {
        let query = format!("?after={}&wait=2", cursor.unwrap_or_default());
        let page = news(&server, &query).await;
        assert_eq!(page.snapshot, seen.is_empty());
        seen.extend(page.revocations.into_iter().map(|entry| entry.id));
        cursor = page.cursor;
        if page.complete {
            break;
        }
    }
    assert!(seen.iter().cloned().eq((0..2100).map(|number| format!("t{number}"))), "{} entries", seen.len());
}

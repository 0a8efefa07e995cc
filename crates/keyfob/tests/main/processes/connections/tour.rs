//! The whole life of a connection, and what the commands say on the way.

use super::desk::Desk;
use super::sandbox::{FIXED, ROTATING, Sandbox};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_connection_is_made_called_refreshed_given_back_and_says_when_it_is_over() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    let told = desk.connected(&sandbox, "harbor").await;
    assert!(told.stdout.contains("connection harbor: connected, Yusuf Shah"), "{told:?}");
    assert!(told.stderr.contains("open this address") && told.stderr.contains("paste the address"), "{told:?}");

    let people = desk.does(&["call", "GET", "/v1/people?limit=2"]);
    assert!(people.stdout.starts_with("{\"_metadata\"") && people.stdout.ends_with("}\n"), "{people:?}");
    assert!(people.stderr.contains("GET /v1/people: 200; rate limit: 24"), "X-System doubles the limit: {people:?}");
    assert!(!people.stderr.contains("limit=2"), "queries may hold names: {people:?}");

    sandbox.advance("61m").await;
    assert_eq!(desk.kept("harbor")["generation"], 1);
    desk.does(&["call", "GET", "/v1/identity"]);
    let first = desk.kept("harbor");
    assert_eq!(first["generation"], 2, "the expired token was refreshed");
    desk.does(&["connections", "refresh"]);
    let second = desk.kept("harbor");
    assert_ne!(first["standing"]["refreshToken"], second["standing"]["refreshToken"], "this app's tokens rotate");

    sandbox.takes_back(&desk.access_token("harbor")).await;
    for _ in 0..2 {
        let over = desk.run(&["call", "GET", "/v1/identity"]);
        assert_eq!((over.code, over.stdout.as_str()), (Some(7), ""), "{over:?}");
        assert!(over.stderr.contains("has to connect again") && over.stderr.contains("invalid_grant"), "{over:?}");
        assert!(over.stderr.contains("keyfob connect followupboss --sandbox"), "the next step: {over:?}");
    }
    assert_eq!(desk.json(&["connections", "show", "harbor"])["state"], "reauth_required");

    desk.connected(&sandbox, "harbor").await;
    assert_eq!(desk.kept("harbor")["generation"], 5, "a reconnect is a new generation of the same connection");
    desk.does(&["call", "GET", "/v1/identity"]);
}

#[tokio::test]
async fn a_connection_is_given_back_at_the_authority_and_then_here() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    desk.connected(&sandbox, "mine").await;
    let token = desk.access_token("mine");
    let live = desk.run(&["connections", "remove", "mine"]);
    assert_eq!(live.code, Some(5), "{live:?}");
    assert!(live.stderr.contains("connections revoke mine"), "{live:?}");

    desk.does(&["connections", "revoke", "mine"]);
    let asked = sandbox.http.get(format!("{}/v1/identity", sandbox.issuer())).bearer_auth(&token);
    assert_eq!(super::super::visitor::send(asked).await.expect("an answer").status, 401, "ended at the authority");
    let left = std::fs::read_to_string(desk.file("mine")).expect("the file");
    for secret in [&token, sandbox.app(FIXED, "clientSecret"), sandbox.system("key")] {
        assert!(!left.contains(secret), "nothing secret is left: {left}");
    }
    for command in [&["call", "GET", "/v1/identity"][..], &["token"], &["connections", "refresh"]] {
        let over = desk.run(command);
        assert_eq!((over.code, over.stdout.as_str()), (Some(7), ""), "{over:?}");
        assert!(over.stderr.contains("was given back"), "{over:?}");
    }
    desk.does(&["connections", "remove", "mine"]);
    let none = desk.run(&["call", "GET", "/v1/identity"]);
    assert_eq!(none.code, Some(4), "{none:?}");

    // Without the system's headers there is no way to tell the authority.
    let connecting =
        desk.begin(&["followupboss", "--sandbox", sandbox.issuer(), "--redirect-uri", super::sandbox::REDIRECT_URI]);
    let callback = sandbox.approved(&connecting.url).await;
    assert_eq!(connecting.pastes(&[&callback]).code, Some(0));
    let no_way = desk.run(&["connections", "revoke", "followupboss"]);
    assert_eq!(no_way.code, Some(3), "{no_way:?}");
    assert!(no_way.stderr.contains("--system") && no_way.stderr.contains("--local"), "{no_way:?}");
    let local = desk.does(&["connections", "revoke", "followupboss", "--local"]);
    assert!(local.stdout.contains("lives on"), "{local:?}");
}

#[tokio::test]
async fn nothing_secret_is_printed_by_anything_but_token() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, ROTATING);
    let mut said = vec![desk.connected(&sandbox, "a").await];
    let mut secrets =
        BTreeSet::from([sandbox.app(ROTATING, "clientSecret").to_owned(), sandbox.system("key").to_owned()]);
    let mut remember = || {
        let standing = &desk.kept("a")["standing"];
        for token in ["accessToken", "refreshToken"] {
            secrets.extend(standing[token].as_str().map(str::to_owned));
        }
    };
    remember();
    let revealed = desk.does(&["call", "GET", "/v1/me", "--reveal"]);
    let me: serde_json::Value = serde_json::from_str(&revealed.stdout).expect("JSON");
    sandbox.advance("61m").await;
    for command in [
        &["call", "GET", "/v1/me", "--include"][..],
        &["call", "get", "me", "--json"],
        &["call", "GET", "/v1/nothing", "--include"],
        &["call", "GET", "https://evil.example/v1/people"],
        &["connections", "list"],
        &["connections", "show"],
        &["connections", "show", "--json"],
        &["connections", "refresh"],
        &["connections", "revoke", "a"],
        &["call", "GET", "/v1/me"],
    ] {
        remember();
        said.push(desk.run(command));
    }
    secrets.extend(["apiKey", "algoliaKey"].map(|key| me[key].as_str().expect("a key").to_owned()));
    assert!(secrets.len() >= 8, "two generations, two keys, two credentials: {}", secrets.len());
    for told in &said {
        for secret in &secrets {
            assert!(!told.stdout.contains(secret) && !told.stderr.contains(secret), "{secret} in {told:?}");
        }
    }
    assert!(said[1].stdout.contains("\"apiKey\":\"[redacted]\""), "{:?}", said[1]);

    desk.connected(&sandbox, "a").await;
    let token = desk.does(&["token"]);
    assert_eq!(token.stdout.trim_end(), desk.access_token("a"));
    assert!(token.stderr.contains("secret") && !token.stderr.contains(token.stdout.trim_end()), "{token:?}");
}

#[tokio::test]
async fn every_command_prints_json_and_exits_by_meaning() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, FIXED);
    let connecting = desk.begin_at(sandbox.issuer(), sandbox.system("name"), &["--as", "one", "--json"]);
    let callback = sandbox.approved(&connecting.url).await;
    let told = connecting.pastes(&[&callback]);
    let connected: serde_json::Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!((&connected["name"], &connected["identity"]["user"]["id"]), (&"one".into(), &1.into()), "{told:?}");

    let note = desk.json(&["call", "POST", "/v1/notes", "--data", r#"{"personId":240,"subject":"s","body":"b"}"#]);
    assert_eq!(note["body"]["personId"], 240, "{note}");
    std::fs::write(desk.connections().join("note"), r#"{"personId":240,"body":"from a file"}"#).expect("written");
    desk.json(&["call", "POST", "/v1/notes", "--data", &format!("@{}", desk.connections().join("note").display())]);
    assert_eq!(desk.json(&["call", "GET", "/v1/identity"])["status"], 200);
    assert_eq!(desk.json(&["connections", "list"])[0]["name"], "one");
    assert_eq!(desk.json(&["connections", "show"])["state"], "connected");
    assert_eq!(desk.json(&["connections", "refresh"])["generation"], 2);
    assert_eq!(desk.json(&["token"])["accessToken"], desk.access_token("one"));

    for (code, arguments) in [
        (2, &["call", "FETCH", "/v1/people"][..]),
        (2, &["connect", "followupboss"][..0]),
        (2, &["connect", "followupboss", "--client-secret", "s"]),
        (3, &["connect", "nobody"]),
        (3, &["connect", "followupboss", "--redirect-uri", "http://127.0.0.1:3000/callback"]),
        (3, &["connect", "followupboss"]),
        (3, &["connect", "keyfob"]),
        (3, &["connect", "http://id.example.com", "--api", "https://api.example.com"]),
        (3, &["connect", "https://id.example.com"]),
        (3, &["connect", "keyfob", sandbox.issuer(), "--as", "../up"]),
        (3, &["call", "POST", "/v1/notes", "--data", "{no json"]),
        (3, &["call", "POST", "/v1/notes", "--data", "{}"]),
        (3, &["call", "GET", "/v1/people", "--data", "{}"]),
        (3, &["call", "GET", "https://evil.example/v1/people"]),
        (4, &["call", "GET", "/v1/nothing"]),
        (4, &["call", "GET", "/v1/people", "--connection", "other"]),
        (4, &["connections", "show", "other"]),
        (5, &["connect", "keyfob", sandbox.issuer(), "--as", "one"]),
        (5, &["connections", "remove", "one"]),
        (6, &["connect", "http://127.0.0.1:9", "--api", "http://127.0.0.1:9"]),
    ] {
        let told = desk.run(arguments);
        assert_eq!(told.code, Some(code), "{arguments:?}: {told:?}");
        assert!(!told.stderr.is_empty(), "{arguments:?}: {told:?}");
    }
    desk.connected(&sandbox, "two").await;
    let which = desk.run(&["call", "GET", "/v1/people"]);
    assert_eq!(which.code, Some(3), "{which:?}");
    assert!(which.stderr.contains("one, two"), "{which:?}");
    desk.does(&["call", "GET", "/v1/people", "--connection", "two"]);

    sandbox.advance("1s").await;
    drop(sandbox);
    let gone = desk.run(&["call", "GET", "/v1/people", "--connection", "two"]);
    assert_eq!(gone.code, Some(6), "{gone:?}");
}

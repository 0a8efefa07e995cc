//! The gate as a reverse proxy, and what it does without its authority.

use super::authority::{Authority, SECRET};
use super::guarding::{Api, call, command, saw, start, until};
use crate::processes::place::bare_command;
use crate::processes::serving::Serving;
use crate::processes::visitor::{http_client, send};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn br_10_the_proxy_replaces_forged_identity_and_says_who_calls() {
    let (authority, api, directory) =
        (Authority::start().await, Api::start().await, tempfile::tempdir().expect("a directory"));
    let upstream = format!("http://{}", api.address);
    std::fs::write(
        directory.path().join("keyfob-gate.toml"),
        format!("upstream = \"{upstream}\"\n[[paths]]\nprefix = \"/v1/notes\"\nscope = \"notes\"\n"),
    )
    .expect("written");
    let gate = start(command(&directory, &authority, &["--metrics-listen", "127.0.0.1:0"]));
    let metrics = format!("http://{}", gate.listens("metrics"));
    let (base, token) = (gate.base(), authority.token(42, Some("people")));
    let forged = [("X-Auth-User", "1"), ("X_Auth_User", "1"), ("X-Forwarded-For", "192.0.2.1")];

    until(&base, "/v1/people", &token, 200, PATIENCE).await;
    let answer = call(&base, "/v1/people", Some(&token), &forged).await;
    assert_eq!(saw(&answer, "x-auth-user"), ["42"]);
    assert_eq!(saw(&answer, "x-auth-scope"), ["people"]);
    assert_eq!(saw(&answer, "x-forwarded-for"), ["127.0.0.1"]);
    assert!(saw(&answer, "x_auth_user").is_empty() && saw(&answer, "authorization").is_empty(), "{answer:?}");
    assert_eq!(call(&base, "/v1/notes", Some(&token), &[]).await.status, 403);
    assert_eq!(call(&base, "/v1/people", None, &forged).await.header("www-authenticate"), "Bearer realm=\"api\"");

    authority.revoke(42);
    until(&base, "/v1/people", &token, 401, Duration::from_secs(1)).await;
    let text = send(http_client().get(format!("{metrics}/metrics"))).await.expect("an answer").body;
    for line in [
        "keyfob_gate_revocations 1",
        "keyfob_gate_ready 1",
        "keyfob_gate_checks_total{outcome=\"insufficient_scope\"} 1",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // These paths are the API's on the other listener.
    let other = authority.token(43, None);
    assert_eq!(call(&base, "/metrics", Some(&other), &[]).await.status, 200);
    let said = gate.said();
    assert!(!said.contains(&token) && !said.contains(SECRET), "{said}");
    gate.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn br_11_without_its_authority_a_closed_gate_refuses_and_an_open_one_goes_on() {
    let (mut authority, directory) = (Authority::start().await, tempfile::tempdir().expect("a directory"));
    let token = authority.token(42, None);
    let closed = start(command(&directory, &authority, &["--max-stale", "5"]));
    let open = start(command(&directory, &authority, &["--fail", "open"]));
    for gate in [&closed, &open] {
        until(&gate.base(), "/check", &token, 204, PATIENCE).await;
    }
    authority.cut().await;
    // One that starts now knows nothing, open or not.
    let late = start(command(&directory, &authority, &["--fail", "open"]));
    let since = Instant::now();
    let answer = until(&closed.base(), "/check", &token, 503, PATIENCE).await;
    // What it knew may have been two seconds old.
    assert!(since.elapsed() > Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(answer.header("retry-after"), "1");
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (base, token) = (closed.base(), token.clone());
            tokio::spawn(async move {
                for _ in 0..25 {
                    assert_eq!(call(&base, "/check", Some(&token), &[]).await.status, 503);
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("never 2xx");
    }
    assert_eq!(call(&open.base(), "/check", Some(&token), &[]).await.status, 204);
    assert_eq!(call(&late.base(), "/check", Some(&token), &[]).await.status, 503);
    const ALARM: &str = "no news from the authority; tokens revoked since then still pass";
    assert_eq!(closed.says(ALARM)["level"], "ERROR");
    // What was revoked meanwhile acts when it is back.
    authority.revoke(43);
    authority.back().await;
    let revoked = authority.token(43, None);
    for gate in [&closed, &open, &late] {
        until(&gate.base(), "/check", &token, 204, PATIENCE).await;
        until(&gate.base(), "/check", &revoked, 401, PATIENCE).await;
    }
    closed.says("there is news from the authority again");
    assert_eq!(closed.said().matches(ALARM).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_whose_secret_is_wrong_says_so_and_serves_nothing() {
    let (authority, directory) = (Authority::start().await, tempfile::tempdir().expect("a directory"));
    let mut wrong = command(&directory, &authority, &[]);
    wrong.env("KEYFOB_GATE_SECRET", "wrong-secret");
    let gate = start(wrong);
    let told = "the authority refuses this gate's name and secret; register the resource server there, or correct name and secret here";
    assert_eq!(gate.says(told)["level"], "ERROR");
    assert!(!gate.said().contains("wrong-secret"));
    assert_eq!(call(&gate.base(), "/check", Some(&authority.token(42, None)), &[]).await.status, 503);
    gate.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_expects_another_issuer_says_so_and_serves_nothing() {
    let (authority, directory) = (Authority::start().await, tempfile::tempdir().expect("a directory"));
    let base = authority.base();
    let mut other =
        bare_command(&["gate", "--authority", &base, "--name", "api", "--listen", "127.0.0.1:0", "--log", "json"]);
    other.current_dir(directory.path()).env("KEYFOB_GATE_SECRET", SECRET);
    let gate = start(other);
    let told = format!(
        "the authority calls itself https://auth.example.com, and this gate expects {base}: every token would be refused; \
         set issuer to https://auth.example.com"
    );
    assert_eq!(gate.says(&told)["level"], "ERROR");
    assert_eq!(call(&gate.base(), "/check", Some(&authority.token(42, None)), &[]).await.status, 503);
    gate.stop();
}

#[test]
fn se_03_a_gate_refuses_to_start_on_unsafe_settings() {
    let directory = tempfile::tempdir().expect("a directory");
    let (safe, plain) = ("https://auth.example.com", "http://auth.example.com");
    for (authority, more, words) in [
        (safe, ["--listen", "0.0.0.0:0"], "needs [tls]"),
        (plain, ["--listen", "127.0.0.1:0"], "must be https"),
        (safe, ["--upstream", "127.0.0.1:80"], "upstream"),
        (safe, ["--secret-file", "nowhere"], "both set"),
    ] {
        let least = ["gate", "--authority", authority, "--name", "api"];
        let mut command = bare_command(&[&least[..], &more].concat());
        command.current_dir(directory.path()).env("KEYFOB_GATE_SECRET", SECRET);
        let (code, said) = Serving::refused(command);
        assert_eq!(code, Some(3), "{more:?}: {said}");
        assert!(said.contains(words) && !said.contains(SECRET), "{more:?}: {said}");
    }
}

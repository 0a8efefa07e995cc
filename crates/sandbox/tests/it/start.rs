//! Starting: what is announced, which listener serves what, and what stays.

use keyfob_authority::open::Opener;
use keyfob_client::Method;
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_sandbox::{SandboxError, SandboxOptions, start};
use serde_json::json;
use std::sync::Arc;

use super::calls::basic;
use super::running::{Running, get, kept_in, options, parts, send};

#[tokio::test]
async fn sb_06_two_starts_announce_the_same_and_another_seed_something_else() {
    let (first, second) = (Running::start().await, Running::start().await);
    let fixed = |running: &Running| {
        let announced = serde_json::to_value(&running.announcement).expect("JSON");
        let apps: Vec<_> = announced["apps"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|app| json!([app["clientId"], app["clientSecret"], app["policy"]]))
            .collect();
        json!([announced["system"], announced["users"], apps])
    };
    assert_eq!(fixed(&first), fixed(&second));
    assert_ne!(first.announcement.issuer, second.announcement.issuer);
    let other = Running::start_with(SandboxOptions { seed: 2, ..options() }).await;
    assert_ne!(fixed(&first), fixed(&other));

    let apps = &first.announcement.apps;
    let policies: Vec<_> = apps
        .iter()
        .map(|app| (app.policy.dialect, app.policy.refresh, app.policy.state_at_token, app.policy.public))
        .collect();
    assert_eq!(
        policies,
        [
            ("followupboss", "fixed", "present", false),
            ("followupboss", "rotating", "present", false),
            ("oauth", "rotating", "ignored", true),
        ]
    );
    assert!(apps[0].client_secret.is_some() && apps[1].client_secret.is_some() && apps[2].client_secret.is_none());
}

#[tokio::test]
async fn the_announcement_has_the_documented_shape_and_is_there_to_be_asked_for() {
    let running = Running::start_with(SandboxOptions {
        redirect_uris: vec!["http://localhost:3000/callback".to_owned()],
        ..options()
    })
    .await;
    let announced = serde_json::to_value(&running.announcement).expect("JSON");
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(&announced), ["api", "apps", "demo", "issuer", "system", "users"]);
    assert_eq!(keys(&announced["system"]), ["key", "name"]);
    assert_eq!(keys(&announced["apps"][0]), ["clientId", "clientSecret", "policy", "redirectUris"]);
    assert_eq!(keys(&announced["apps"][0]["policy"]), ["dialect", "public", "refresh", "stateAtToken"]);
    assert_eq!(keys(&announced["users"][0]), ["accountId", "email", "password", "role"]);
    let origin = running.origin();
    assert_eq!(announced["api"], format!("{origin}/v1"));
    assert_eq!(announced["demo"], format!("{origin}/demo"));
    assert_eq!(
        announced["apps"][2]["redirectUris"],
        json!([format!("{origin}/demo/callback/standard"), "http://localhost:3000/callback"])
    );
    assert_eq!(get(&format!("{origin}/sandbox/credentials"), &[]).await.json(), announced);
    for known in ["http://localhost:3000/callback", &running.announcement.users[3].password, "/sandbox/authorize"] {
        assert!(running.welcome.contains(known), "{known} is not in\n{}", running.welcome);
    }
}

#[tokio::test]
async fn sb_01_the_api_challenges_for_basic_first_and_bearer_second() {
    let running = Running::start().await;
    for path in ["/v1/identity", "/v1/people", "/v1/nothing"] {
        let got = get(&format!("{}{path}", running.origin()), &[]).await;
        assert_eq!(got.status, 401);
        let challenges = got.all("www-authenticate");
        let bearer = format!(
            "Bearer realm=\"api\", resource_metadata=\"{}/.well-known/oauth-protected-resource\"",
            running.origin()
        );
        assert_eq!(challenges, ["Basic realm=\"Follow Up Boss API\"", bearer.as_str()]);
        assert!(!got.message().is_empty());
        assert!(got.headers.iter().all(|(name, _)| !name.starts_with("x-ratelimit")));
    }
}

#[tokio::test]
async fn sb_02_an_api_key_works_as_basic_on_the_same_listener() {
    let running = Running::start().await;
    let seed = keyfob_sandbox::seed::Seed::new(1);
    let authorization = basic(seed.users[0].api_key.expose());
    let got = get(&format!("{}/v1/identity", running.origin()), &[("Authorization", &authorization)]).await;
    assert_eq!((got.status, &got.json()["user"]["id"]), (200, &json!(1)));
}

/// Where the API is announced (RFC 9728).
const RESOURCE: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn md_05_the_api_announces_itself_on_its_own_host() {
    for separate_hosts in [false, true] {
        let running = Running::start_with(SandboxOptions { separate_hosts, ..options() }).await;
        let api = running.announcement.api.trim_end_matches("/v1").to_owned();
        let told = get(&format!("{api}{RESOURCE}"), &[]).await;
        assert_eq!((told.status, &told.json()["resource"]), (200, &json!(api)));
        assert_eq!(told.json()["authorization_servers"], json!([running.origin()]));
        assert_eq!(get(&format!("{api}{RESOURCE}/v1"), &[]).await.status, 404);
        let challenges = get(&format!("{api}/v1/identity"), &[]).await.all("www-authenticate").join(" ");
        assert!(challenges.contains(&format!("resource_metadata=\"{api}{RESOURCE}\"")), "{challenges}");
    }
}

#[tokio::test]
async fn a_wrong_host_fails_where_the_parts_have_hosts_of_their_own() {
    let running = Running::start_with(SandboxOptions { separate_hosts: true, ..options() }).await;
    let authority = running.origin().to_owned();
    let api = running.announcement.api.trim_end_matches("/v1").to_owned();
    let demo = running.announcement.demo.trim_end_matches("/demo").to_owned();
    for (origin, path, status) in [
        (&authority, "/.well-known/oauth-authorization-server", 200),
        (&authority, "/v1/identity", 404),
        (&authority, RESOURCE, 404),
        (&authority, "/demo", 404),
        (&authority, "/sandbox/credentials", 200),
        (&api, "/v1/identity", 401),
        (&api, RESOURCE, 200),
        (&api, "/v1/oauthApps", 401),
        (&api, "/oauth/authorize", 404),
        (&api, "/oauth/token", 404),
        (&api, "/sandbox/credentials", 404),
        (&api, "/", 404),
        (&demo, "/demo", 200),
        (&demo, "/assets/brand.css", 200),
        (&demo, "/oauth/authorize", 404),
        (&demo, "/v1/identity", 404),
        (&demo, RESOURCE, 404),
        (&demo, "/", 303),
    ] {
        let got = get(&format!("{origin}{path}"), &[]).await;
        assert_eq!(got.status, status, "{origin}{path}: {}", got.text);
    }
    let wrong = send(Method::Post, &format!("{api}/oauth/token"), &[], "").await;
    assert!(wrong.status == 404 && wrong.message().contains(&authority), "{}", wrong.text);
}

#[tokio::test]
async fn the_root_leads_to_the_demo() {
    let running = Running::start().await;
    let got = get(&format!("{}/", running.origin()), &[]).await;
    assert_eq!((got.status, got.header("location")), (303, Some(running.announcement.demo.as_str())));
}

#[tokio::test]
async fn d9_invalid_tokens_get_the_listed_status_where_that_is_asked_for() {
    for (fub_status, status) in [(false, 401), (true, 400)] {
        let running = Running::start_with(SandboxOptions { fub_status, ..options() }).await;
        let url = format!("{}/identity", running.announcement.api);
        let got = get(&url, &[("Authorization", "Bearer eyJhbGciOiJFZERTQSJ9.e30.c2ln")]).await;
        assert_eq!(got.status, status, "{}", got.text);
    }
}

#[tokio::test]
async fn a_start_that_cannot_work_says_what_is_wrong() {
    let elsewhere = SandboxOptions { listen: "192.0.2.1:4000".parse().expect("an address"), ..options() };
    assert!(matches!(Running::try_start(elsewhere).await, Err(SandboxError::NotLocal(_))));
    let clear = SandboxOptions { redirect_uris: vec!["http://app.example.com/callback".to_owned()], ..options() };
    match Running::try_start(clear).await {
        Err(SandboxError::RedirectUri(why)) => assert!(why.contains("https"), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("started"),
    }
    let directory = tempfile::tempdir().expect("a directory");
    Running::start_with(kept_in(directory.path())).await.stop().await;
    let other = SandboxOptions { seed: 2, ..kept_in(directory.path()) };
    match Running::try_start(other).await {
        Err(error) => assert!(error.to_string().contains("--seed 1"), "{error}"),
        Ok(_) => panic!("started"),
    }
    std::fs::remove_file(directory.path().join("sandbox.json")).expect("removed");
    let other = SandboxOptions { seed: 2, ..kept_in(directory.path()) };
    assert!(matches!(Running::try_start(other).await, Err(SandboxError::Seed(_))));
}

#[tokio::test]
async fn the_data_of_a_real_authority_is_refused_and_nothing_is_written_beside_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let options = kept_in(directory.path());
    let parts = parts(options.data.clone());
    let opener = Opener {
        master: Arc::new(parts.master.clone()),
        issuer: "https://auth.example.com".to_owned(),
        sandbox: false,
        algorithm: SigningAlgorithm::EdDsa,
    };
    opener.open(&*parts.store, parts.clock.now(), &*parts.entropy).await.expect("a store of its own");
    match start(options, parts).await {
        Err(error) => assert!(error.to_string().contains("`keyfob sandbox` refuses it"), "{error}"),
        Ok(_) => panic!("started"),
    }
    assert!(!directory.path().join("sandbox.json").exists());
}

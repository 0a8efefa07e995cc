//! Rows AZ-06, AZ-11 and AZ-13: state, scope, and what is refused by name.

use super::asserting::{assert_refused_to_app, grants};
use keyfob_authority::authority::DeclaredScope;
use keyfob_authority::model::AppPolicy;
use keyfob_authority::register::NewApp;
use keyfob_authority::{Decision, Settings};
use keyfob_protocol::Dialect::{FollowUpBoss, OAuth};
use keyfob_protocol::scope::Scope;
use keyfob_testkit::{Browser, REDIRECT_URI, TestApp, TestServer, TestServerOptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn any_state() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,60}",
        "[+ %&#=\"<>?/\\\\;']{1,20}",
        "\\PC{1,40}",
        "(%2B|%00|%0d%0a|\\+|&amp;|é|😀|عربي){1,6}",
        Just("s".repeat(2048)),
    ]
}

#[test]
fn az_06_state_comes_back_unchanged_on_every_redirect() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(TestServer::start());
    let app = runtime.block_on(server.confidential_app("Listing Lantern"));
    let mut signed_in = Browser::new(&server);
    runtime.block_on(signed_in.connect(&app.authorize_url()));
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let checked = TestRunner::new(config).run(&any_state(), |state| {
        let mut browser = Browser::new(&server);
        browser.cookies = signed_in.cookies.clone();
        runtime.block_on(async {
            for response_type in ["auth_code", "code"] {
                for decision in ["approve", "deny"] {
                    let url = app.authorize_url_with(&[("response_type", response_type), ("state", &state)]);
                    let consent = browser.get(&url).await;
                    let landing = browser.decide(&consent, decision).await.landing();
                    assert_eq!(landing.parameter("state").as_ref(), Some(&state), "{}", landing.location);
                }
            }
            let refused = [("response_type", "nonsense"), ("state", state.as_str())];
            let landing = browser.get(&app.authorize_url_with(&refused)).await.landing();
            assert_eq!(landing.parameter("state").as_ref(), Some(&state), "{}", landing.location);
        });
        Ok(())
    });
    checked.expect("every state survives");
}

#[tokio::test]
async fn az_06_a_state_too_long_or_with_control_characters_is_refused_without_it() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let long = "s".repeat(2049);
    let long_in_bytes = "é".repeat(1025);
    for bad in [long.as_str(), &long_in_bytes, "a\rb", "a\nb", "a\tb", "\u{1b}[31m", "\u{7f}", "\u{85}"] {
        for (response_type, dialect) in [("auth_code", FollowUpBoss), ("code", OAuth)] {
            let url = app.authorize_url_with(&[("response_type", response_type), ("state", bad)]);
            assert_refused_to_app(&server.get(&url).await, dialect, "invalid_request", None);
        }
    }
    let longest = "é".repeat(1024);
    let url = app.authorize_url_with(&[("response_type", "auth_code"), ("state", &longest)]);
    assert_eq!(Browser::new(&server).connect(&url).await.parameter("state"), Some(longest));
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).expect("a scope")
}

async fn with_scopes() -> TestServer {
    let declared = |name: &str| DeclaredScope {
        name: name.to_owned(),
        title: format!("Title of {name}"),
        sentence: format!("Sentence of {name}."),
    };
    let scopes = ["read", "write", "admin"].map(declared).to_vec();
    let settings = Settings { scopes, ..Settings::new("https://auth.example.com") };
    TestServer::start_with(TestServerOptions { settings, ..TestServerOptions::default() }).await
}

async fn granted(server: &TestServer, app: &TestApp, asked: Option<&str>) -> String {
    let mut pairs = vec![("response_type", "code"), ("state", "s")];
    pairs.extend(asked.map(|asked| ("scope", asked)));
    let landing = Browser::new(server).connect(&app.authorize_url_with(&pairs)).await;
    let tokens = app.exchange(server, &landing.code()).await.json();
    tokens["scope"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn az_11_the_grant_never_exceeds_what_was_asked_and_what_the_app_may() {
    let server = with_scopes().await;
    let policy = AppPolicy { allowed_scope: scope("read write"), default_scope: scope("read"), ..AppPolicy::default() };
    let app = server.app("Listing Lantern", policy).await;
    for (asked, got) in [
        (None, "read"),
        (Some(""), "read"),
        (Some(" "), "read"),
        (Some("write"), "write"),
        (Some("write read"), "read write"),
        (Some("read write read  write"), "read write"),
    ] {
        assert_eq!(granted(&server, &app, asked).await, got, "{asked:?}");
    }
    let before = grants(&server).await;
    let many = (0..200).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
    for bad in
        ["admin", "read admin", "READ", "read\"", "read\\", "re\tad", "lése", "unknown", "read,write", many.as_str()]
    {
        for (response_type, dialect) in [("auth_code", FollowUpBoss), ("code", OAuth)] {
            let url = app.authorize_url_with(&[("response_type", response_type), ("state", "s"), ("scope", bad)]);
            assert_refused_to_app(&server.get(&url).await, dialect, "invalid_scope", Some("s"));
        }
    }
    assert_eq!(grants(&server).await, before);
    // 200 tokens that are all the same one are one token.
    assert_eq!(granted(&server, &app, Some(&vec!["write"; 200].join(" "))).await, "write");
}

#[tokio::test]
async fn az_11_leaving_the_scope_out_is_no_way_to_the_whole_role() {
    let server = with_scopes().await;
    let app = server.app("No default", AppPolicy { allowed_scope: scope("read"), ..AppPolicy::default() }).await;
    for pairs in [&[("response_type", "code")][..], &[("response_type", "code"), ("scope", "")]] {
        assert_refused_to_app(&server.get(&app.authorize_url_with(pairs)).await, OAuth, "invalid_scope", None);
    }
    assert_eq!(granted(&server, &app, Some("read")).await, "read");
}

#[tokio::test]
async fn az_11_a_scope_that_the_app_lost_on_the_way_grants_nothing() {
    let server = with_scopes().await;
    for left in ["write", ""] {
        let policy = AppPolicy { allowed_scope: scope("read write"), ..AppPolicy::default() };
        let app = server.app("Listing Lantern", policy.clone()).await;
        let url = app.authorize_url_with(&[("response_type", "code"), ("state", "s"), ("scope", "read")]);
        let mut browser = Browser::new(&server);
        let consent = browser.consent(&url).await;
        assert!(consent.text().contains("Title of read"), "{}", consent.text());
        let narrowed = NewApp {
            name: app.app.name.clone(),
            redirect_uris: vec![REDIRECT_URI.to_owned()],
            policy: AppPolicy { allowed_scope: scope(left), ..policy },
        };
        let read_at = server.store().settings_version().await.expect("no fault");
        let updated = server.authority().update_app(app.app.id, narrowed, read_at, server.clock_now()).await;
        assert!(matches!(updated.expect("no fault"), Decision::Granted(_)));
        // What the user saw cannot be granted any more, and an empty scope would be the user's whole role.
        super::asserting::assert_page(&browser.decide(&consent, "approve").await.answer, 400);
        assert_eq!(grants(&server).await, 0);
    }
}

#[tokio::test]
async fn az_13_unsupported_features_are_refused_by_name_and_nothing_is_fetched() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a setting");
    let ours = format!("http://{}/request.jwt", listener.local_addr().expect("bound"));
    for (name, value, error) in [
        ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported"),
        ("request_uri", ours.as_str(), "request_uri_not_supported"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x", "request_uri_not_supported"),
        ("registration", "{\"logo_uri\":\"https://x\"}", "registration_not_supported"),
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "form_post", "invalid_request"),
        ("response_mode", "jwt", "invalid_request"),
        ("response_mode", "Query", "invalid_request"),
    ] {
        for (response_type, dialect) in [("auth_code", FollowUpBoss), ("code", OAuth)] {
            let url = app.authorize_url_with(&[("response_type", response_type), ("state", "s"), (name, value)]);
            assert_refused_to_app(&server.get(&url).await, dialect, error, Some("s"));
        }
    }
    let hits = listener.accept().map(|_| ());
    assert_eq!(hits.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock));
    let url = app.authorize_url_with(&[("response_type", "code"), ("response_mode", "query")]);
    assert!(Browser::new(&server).connect(&url).await.parameter("code").is_some());
}

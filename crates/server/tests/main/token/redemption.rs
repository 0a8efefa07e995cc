//! Redeeming a code: TK-01 to TK-07 and TK-09 to TK-14.

use super::table_t::{Case, Column, check_headers};
use super::{
    CHALLENGE, Connected, STATE, VERIFIER, assert_refused, code, connected, exchange_fields, identity, node, pkce_code,
    post_form, send, standard_code,
};
use keyfob_authority::model::{AppPolicy, StateAtToken};
use keyfob_protocol::Timestamp;
use keyfob_server::metrics::Outcome;
use keyfob_testkit::{Answer, Browser, ManualClock, REDIRECT_URI, START, TestApp, TestServer};
use std::sync::Arc;

#[tokio::test]
async fn tk_01_get_answers_the_legacy_envelope_and_nothing_else() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let answer = app.exchange_by_get(&server, &code(&server, &app).await).await;
    assert_eq!(answer.status(), 200);
    let body = answer.json();
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(keys(&body), ["data", "success"]);
    assert_eq!(body["success"], true);
    let data = &body["data"];
    assert_eq!(keys(data), ["access_token", "expires_at", "issued_at", "refresh_token", "token_type", "ttl"]);
    assert!(data.as_object().expect("an object").values().all(serde_json::Value::is_string), "all strings: {data}");
    assert_eq!((data["token_type"].as_str(), data["ttl"].as_str()), (Some("bearer"), Some("3600")));
    let time = |name: &str| Timestamp::from_utc(data[name].as_str().expect("a text")).expect("Y-m-dTH:i:sZ");
    assert_eq!((time("issued_at"), time("expires_at")), (START, START.plus(3600)));
    assert_eq!(identity(&server, &answer.at("data.access_token")).await, 200);
}

#[tokio::test]
async fn tk_02_post_answers_flat_json() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let answer = app.exchange(&server, &code(&server, &app).await).await;
    assert_eq!(answer.status(), 200);
    let body = answer.json();
    let mut keys: Vec<_> = body.as_object().expect("an object").keys().cloned().collect();
    keys.sort_unstable();
    assert_eq!(keys, ["access_token", "expires_in", "refresh_token", "token_type"]);
    assert_eq!((body["token_type"].as_str(), body["expires_in"].as_i64()), (Some("Bearer"), Some(3600)));
    assert_eq!(identity(&server, &answer.at("access_token")).await, 200);
}

#[tokio::test]
async fn tk_03_every_answer_is_json_that_nobody_keeps_whatever_accept_says() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let basic = app.basic();
    for accept in ["text/html", "application/xml;q=1", "*/*", ""] {
        let code = code(&server, &app).await;
        let headers = [("authorization", basic.as_str()), ("accept", accept)];
        let good = post_form(&server, &headers, &exchange_fields(&app, &code, &[("state", STATE)])).await;
        assert_eq!(good.status(), 200);
        check_headers(&good);
        check_headers(&post_form(&server, &headers, &exchange_fields(&app, &code, &[("state", STATE)])).await);
    }
}

#[tokio::test]
async fn tk_04_both_grant_names_work_on_both_methods_for_codes_of_both_dialects() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    for response_type in ["auth_code", "code"] {
        for grant_type in ["auth_code", "authorization_code"] {
            for by_get in [false, true] {
                let url = app.authorize_url_with(&[("response_type", response_type), ("state", STATE)]);
                let code = Browser::new(&server).connect(&url).await.code();
                let fields =
                    [("grant_type", grant_type), ("code", &code), ("redirect_uri", REDIRECT_URI), ("state", STATE)];
                let answer = if by_get { app.get(&server, &fields).await } else { app.post(&server, &fields).await };
                assert_eq!(answer.status(), 200, "{response_type} {grant_type} {by_get}: {}", answer.text());
            }
        }
    }
    for grant_type in ["Auth_Code", "auth-code", "AUTHORIZATION_CODE", " auth_code"] {
        let answer = app.post(&server, &[("grant_type", grant_type), ("code", "x")]).await;
        assert_refused(&answer, "unsupported_grant_type");
    }
}

/// One fault each, in the order of table T: what it does to a good redemption, and the answer.
struct Fault {
    row: &'static str,
    error: (u16, &'static str),
    apply: fn(&mut Wire),
}

/// A redemption as it goes out.
struct Wire {
    method: &'static str,
    query: String,
    authorization: Option<String>,
    fields: Vec<(&'static str, String)>,
    /// Seconds between consent and redemption.
    late: i64,
    suspended: bool,
}

impl Wire {
    fn set(&mut self, name: &'static str, value: &str) {
        self.fields.retain(|(n, _)| *n != name);
        self.fields.push((name, value.to_owned()));
    }

    fn drop(&mut self, name: &str) {
        self.fields.retain(|(n, _)| *n != name);
    }
}

const FAULTS: [Fault; 14] = [
    Fault { row: "T-01", error: (405, "code-exchange-failed"), apply: |wire| wire.method = "PUT" },
    Fault {
        row: "T-02",
        error: (414, "invalid_request"),
        apply: |wire| wire.query = format!("?pad={}", "a".repeat(9000)),
    },
    Fault {
        row: "T-04",
        error: (400, "invalid_request"),
        apply: |wire| wire.fields.push(("code", "again".to_owned())),
    },
    Fault {
        row: "T-06",
        error: (401, "invalid_client"),
        apply: |wire| wire.authorization = Some("Basic !".to_owned()),
    },
    Fault { row: "T-07", error: (400, "invalid_request"), apply: |wire| wire.set("client_secret", "x") },
    Fault {
        row: "T-08",
        error: (401, "invalid_client"),
        apply: |wire| {
            // Keeps an already broken header broken.
            if wire.authorization.as_ref().is_some_and(|header| header != "Basic !") {
                wire.authorization = Some("Basic eDp4".to_owned());
            }
        },
    },
    Fault { row: "T-10", error: (400, "unsupported_grant_type"), apply: |wire| wire.set("grant_type", "password") },
    Fault { row: "T-12", error: (400, "invalid_request"), apply: |wire| wire.drop("redirect_uri") },
    Fault { row: "T-13", error: (400, "invalid_grant"), apply: |wire| wire.set("code", "unknown") },
    Fault { row: "T-14", error: (400, "invalid_grant"), apply: |wire| wire.late = 900 },
    Fault { row: "T-15", error: (400, "invalid_grant"), apply: |wire| wire.set("redirect_uri", "https://b.example/") },
    Fault { row: "T-16", error: (400, "invalid_grant"), apply: |wire| wire.set("code_verifier", "wrong") },
    Fault { row: "T-19", error: (400, "invalid_grant"), apply: |wire| wire.suspended = true },
    Fault {
        row: "T-20",
        error: (400, "invalid_target"),
        apply: |wire| wire.set("resource", "https://elsewhere.example"),
    },
];

/// How often each row was answered so far: two rows may share a status and an error.
fn answered(server: &TestServer) -> Vec<(&'static str, u64)> {
    let token = &server.doorway.metrics.token;
    FAULTS.iter().map(|fault| (fault.row, token.get_or_create(&Outcome { outcome: fault.row }).get())).collect()
}

/// The row that was answered since.
fn row_since(server: &TestServer, before: &[(&'static str, u64)]) -> Vec<&'static str> {
    let after = answered(server);
    before.iter().zip(&after).filter(|(before, after)| before != after).map(|(before, _)| before.0).collect()
}

#[tokio::test]
async fn tk_05_of_two_faults_the_earlier_row_answers() {
    for (first, earlier) in FAULTS.iter().enumerate() {
        let Case { server, app, .. } = Column::Rfc.case().await;
        for later in &FAULTS[first + 1..] {
            if (earlier.row, later.row) == ("T-06", "T-08") || (earlier.row, later.row) == ("T-12", "T-15") {
                // The later fault would undo the earlier one.
                continue;
            }
            let code = pkce_code(&server, &app).await;
            let own = |value: &str| value.to_owned();
            let mut wire = Wire {
                method: "POST",
                query: String::new(),
                authorization: Some(app.basic()),
                fields: vec![
                    ("grant_type", own("auth_code")),
                    ("code", code),
                    ("redirect_uri", own(REDIRECT_URI)),
                    ("state", own(STATE)),
                    ("code_verifier", own(VERIFIER)),
                ],
                late: 0,
                suspended: false,
            };
            // The later one first: an earlier one may then add to what it left.
            (later.apply)(&mut wire);
            (earlier.apply)(&mut wire);
            server.clock.advance(wire.late);
            let account = server.owner.user.account;
            let enable = async |enabled| {
                let _ = server
                    .authority()
                    .set_account_enabled(account, enabled, server.doorway.now())
                    .await
                    .expect("no fault");
            };
            enable(!wire.suspended).await;
            let before = answered(&server);
            let fields: Vec<_> = wire.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
            headers.extend(wire.authorization.iter().map(|value| ("authorization", value.as_str())));
            let body = keyfob_protocol::form::encode(fields);
            let answer = send(&server, wire.method, &format!("/oauth/token{}", wire.query), &headers, &body).await;
            enable(true).await;
            let pair = format!("{} before {}: {} {}", earlier.row, later.row, answer.code, answer.text());
            let error = if wire.method == "PUT" { "errorCode" } else { "error" };
            assert_eq!((answer.status(), answer.at(error).as_str()), earlier.error, "{pair}");
            if earlier.row != "T-02" {
                assert_eq!(row_since(&server, &before), [earlier.row], "{pair}");
            }
        }
    }
}

#[tokio::test]
async fn tk_06_a_failed_authentication_leaves_the_code_usable() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let code = pkce_code(&server, &app).await;
    let wrong = TestApp { secret: Some("keyfobsecretwrong".into()), ..app.clone() };
    // Everything else is wrong as well, which must not show and must not burn.
    for fields in [
        exchange_fields(&app, &code, &[("code_verifier", VERIFIER)]),
        exchange_fields(&app, &code, &[]),
        vec![("grant_type", "auth_code"), ("code", &code), ("redirect_uri", "https://evil.example")],
        vec![("grant_type", "auth_code"), ("code", "unknown"), ("redirect_uri", REDIRECT_URI)],
    ] {
        let answer = wrong.post(&server, &fields).await;
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_client"));
        let answer = wrong.get(&server, &fields).await;
        assert_eq!((answer.status(), answer.at("errorCode").as_str()), (400, "invalid-oauth-app"));
    }
    let answer = app.post(&server, &exchange_fields(&app, &code, &[("code_verifier", VERIFIER)])).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

/// 200 redemptions of one code at once, over two nodes and both methods. Returns the only winner.
async fn race(nodes: [&Arc<TestServer>; 2], app: &TestApp, code: &str) -> Connected {
    let attempts: Vec<_> = (0..200)
        .map(|n: usize| {
            let (server, app, code) = (nodes[n % 2].clone(), app.clone(), code.to_owned());
            tokio::spawn(async move {
                let by_get = n % 4 < 2;
                let answer: Answer = match by_get {
                    true => app.exchange_by_get(&server, &code).await,
                    false => app.exchange(&server, &code).await,
                };
                (by_get, answer)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for attempt in attempts {
        let (by_get, answer) = attempt.await.expect("no panic");
        match (answer.status(), by_get) {
            (200, true) => winners.push(Connected {
                access_token: answer.at("data.access_token"),
                refresh_token: answer.at("data.refresh_token"),
            }),
            (200, false) => winners.push(connected(&answer)),
            (_, true) => assert_eq!((answer.status(), answer.at("errorCode").as_str()), (400, "invalid-auth-code")),
            (_, false) => assert_refused(&answer, "invalid_grant"),
        }
    }
    assert_eq!(winners.len(), 1, "exactly one redemption wins");
    winners.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tk_07_of_200_parallel_redemptions_on_two_nodes_one_wins() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, clock) = (directory.path().join("keyfob.db"), Arc::new(ManualClock::new(START)));
    let (one, two) = (Arc::new(node(&file, &clock, 1).await), Arc::new(node(&file, &clock, 2).await));
    let app = one.confidential_app("Listing Lantern").await;

    let bound = race([&one, &two], &app, &code(&one, &app).await).await;
    assert_eq!(identity(&one, &bound.access_token).await, 200, "the same bound request ends nothing (D16)");
    assert_eq!(identity(&two, &bound.access_token).await, 200);
    assert_eq!(app.refresh(&two, &bound.refresh_token).await.status(), 200);

    // Without state and without PKCE nothing tells a doubled callback from an injected code.
    let unbound = race([&one, &two], &app, &standard_code(&one, &app, &[]).await).await;
    assert_refused(&app.refresh(&one, &unbound.refresh_token).await, "invalid_grant");
    assert_refused(&app.refresh(&two, &unbound.refresh_token).await, "invalid_grant");
    assert_eq!(app.refresh(&one, &bound.refresh_token).await.status(), 200, "the user's other grant lives");
}

#[tokio::test]
async fn tk_09_a_wrong_redirect_uri_or_verifier_burns_the_code() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let code = pkce_code(&server, &app).await;
    let right = exchange_fields(&app, &code, &[("code_verifier", VERIFIER)]);
    assert_refused(
        &app.post(&server, &exchange_fields(&app, &code, &[("code_verifier", CHALLENGE)])).await,
        "invalid_grant",
    );
    assert_refused(&app.post(&server, &right).await, "invalid_grant");
    let again = app.get(&server, &right).await;
    assert_eq!(again.at("errorCode"), "invalid-auth-code", "T-13, not the earlier reason");

    let code = super::code(&server, &app).await;
    let wrong = [("grant_type", "auth_code"), ("code", &code), ("redirect_uri", "https://app.example.com/other")];
    assert_eq!(app.get(&server, &wrong).await.at("errorCode"), "invalid-redirect-uri");
    assert_eq!(app.exchange_by_get(&server, &code).await.at("errorCode"), "invalid-auth-code");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tk_09_a_burn_that_races_with_the_redemption_wins_or_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, clock) = (directory.path().join("keyfob.db"), Arc::new(ManualClock::new(START)));
    let nodes = [Arc::new(node(&file, &clock, 1).await), Arc::new(node(&file, &clock, 2).await)];
    let app = nodes[0].confidential_app("Listing Lantern").await;
    for round in 0..10 {
        let code = pkce_code(&nodes[0], &app).await;
        let attempts: Vec<_> = (0..20)
            .map(|n: usize| {
                let (server, app, code) = (nodes[n % 2].clone(), app.clone(), code.clone());
                let verifier = if (n + round) % 4 < 2 { VERIFIER } else { CHALLENGE };
                tokio::spawn(async move {
                    app.post(&server, &exchange_fields(&app, &code, &[("code_verifier", verifier)])).await
                })
            })
            .collect();
        let mut winners = Vec::new();
        for attempt in attempts {
            let answer = attempt.await.expect("no panic");
            match answer.status() {
                200 => winners.push(connected(&answer)),
                _ => assert_refused(&answer, "invalid_grant"),
            }
        }
        assert!(winners.len() <= 1, "round {round}");
        for winner in winners {
            // Never tokens out and the grant burnt.
            assert_eq!(app.refresh(&nodes[1], &winner.refresh_token).await.status(), 200, "round {round}");
        }
        let late = app.post(&nodes[1], &exchange_fields(&app, &code, &[("code_verifier", VERIFIER)])).await;
        assert_refused(&late, "invalid_grant");
    }
}

#[tokio::test]
async fn tk_10_the_redirect_uri_is_compared_byte_for_byte() {
    let server = TestServer::start().await;
    let uri = "https://app.example.com/cb?x=1";
    let app = server.app_at("Listing Lantern", AppPolicy::default(), &[uri, "https://app.example.com/second"]).await;
    for other in [
        "https://app.example.com/cb?x=1&",
        "https://app.example.com/cb/?x=1",
        "https://APP.example.com/cb?x=1",
        "https://app.example.com:443/cb?x=1",
        "https://app.example.com/%63b?x=1",
        "http://app.example.com/cb?x=1",
        "https://app.example.com/cb",
        "https://app.example.com/cb?x=1#",
        "https://app.example.com/second",
    ] {
        let code = code(&server, &app).await;
        let answer = app.get(&server, &[("grant_type", "auth_code"), ("code", &code), ("redirect_uri", other)]).await;
        assert_eq!((answer.status(), answer.at("errorCode").as_str()), (400, "invalid-redirect-uri"), "{other}");
    }
    let code = code(&server, &app).await;
    assert_refused(&app.post(&server, &[("grant_type", "auth_code"), ("code", &code)]).await, "invalid_request");
    assert_eq!(app.exchange(&server, &code).await.status(), 200, "T-12 burns nothing");
}

#[tokio::test]
async fn tk_10_a_client_of_the_2_1_profile_may_leave_the_redirect_uri_out_with_pkce() {
    let server = TestServer::start().await;
    let policy = AppPolicy { redirect_uri_optional: true, ..AppPolicy::default() };
    let app = server.app("Profile 2.1", policy).await;
    let code = pkce_code(&server, &app).await;
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", VERIFIER)];
    assert_eq!(app.post(&server, &fields).await.status(), 200);
    let code = pkce_code(&server, &app).await;
    let fields = [("grant_type", "authorization_code"), ("code", code.as_str()), ("state", STATE)];
    assert_refused(&app.post(&server, &fields).await, "invalid_request");
}

#[tokio::test]
async fn tk_11_state_at_the_token_endpoint_follows_the_policy() {
    let server = TestServer::start().await;
    use StateAtToken::{Ignored, Match, Present};
    for (policy, state, expected) in [
        (Ignored, None, Ok(())),
        (Ignored, Some("dummy"), Ok(())),
        (Ignored, Some(STATE), Ok(())),
        (Present, None, Err("missing-required-params")),
        (Present, Some(""), Err("missing-required-params")),
        (Present, Some("dummy"), Ok(())),
        (Present, Some(STATE), Ok(())),
        (Match, None, Err("missing-required-params")),
        (Match, Some("dummy"), Err("code-exchange-failed")),
        (Match, Some(STATE), Ok(())),
    ] {
        let app = server.app("App", AppPolicy { state_at_token: policy, ..AppPolicy::default() }).await;
        let code = code(&server, &app).await;
        let more: Vec<_> = state.map(|state| ("state", state)).into_iter().collect();
        let answer = app.get(&server, &exchange_fields(&app, &code, &more)).await;
        match expected {
            Ok(()) => {
                assert_eq!(answer.status(), 200, "{policy:?} {state:?}: {}", answer.text());
                let refresh_token = answer.at("data.refresh_token");
                assert_eq!(app.refresh_by_get(&server, &refresh_token).await.status(), 200, "refresh without state");
            }
            Err(error) => assert_eq!(answer.at("errorCode"), error, "{policy:?} {state:?}"),
        }
        // D3 concerns only codes obtained with response_type=auth_code.
        let code = standard_code(&server, &app, &[("state", STATE)]).await;
        assert_eq!(app.post(&server, &exchange_fields(&app, &code, &[])).await.status(), 200, "{policy:?}");
    }
}

#[tokio::test]
async fn tk_12_head_never_runs_the_get_handler() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let code = code(&server, &app).await;
    let fields = exchange_fields(&app, &code, &[("state", STATE)]);
    let uri = format!("/oauth/token?{}", keyfob_protocol::form::encode(fields));
    for method in ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"] {
        let answer = send(&server, method, &uri, &[("authorization", &app.basic())], "").await;
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, POST")), "{method}");
    }
    assert_eq!(send(&server, "GET", &uri, &[("authorization", &app.basic())], "").await.status(), 200);
}

#[tokio::test]
async fn tk_13_post_takes_only_a_form_body() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let code = code(&server, &app).await;
    let basic = app.basic();
    let form = keyfob_protocol::form::encode(exchange_fields(&app, &code, &[("state", STATE)]));
    let json = format!("{{\"grant_type\":\"auth_code\",\"code\":\"{code}\",\"redirect_uri\":\"{REDIRECT_URI}\"}}");
    let multipart = format!("--b\r\ncontent-disposition: form-data; name=\"code\"\r\n\r\n{code}\r\n--b--\r\n");
    for (content_type, body) in [
        ("application/json", json.as_str()),
        ("application/x-www-form-urlencodedx", &form),
        ("application/json; application/x-www-form-urlencoded", &form),
        ("multipart/form-data; boundary=b", &multipart),
        ("text/plain", &form),
        ("", &form),
    ] {
        let headers = [("authorization", basic.as_str()), ("content-type", content_type)];
        let answer = send(&server, "POST", "/oauth/token", &headers, body).await;
        assert_refused(&answer, "invalid_request");
    }
    assert_refused(
        &send(&server, "POST", "/oauth/token", &[("authorization", &basic)], &form).await,
        "invalid_request",
    );
    let headers = [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let both = send(&server, "POST", &format!("/oauth/token?{form}"), &headers, &form).await;
    assert_refused(&both, "invalid_request");
    let ignored = send(&server, "GET", "/oauth/token", &[("authorization", &basic)], &form).await;
    assert_eq!(ignored.at("errorCode"), "missing-grant-type-param", "the body of a GET is not looked at");
    let headers =
        [("authorization", basic.as_str()), ("content-type", "APPLICATION/x-www-form-urlencoded ; charset=\"utf-8\"")];
    assert_eq!(send(&server, "POST", "/oauth/token", &headers, &form).await.status(), 200);
}

#[tokio::test]
async fn tk_14_other_grants_do_not_exist() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    for grant_type in [
        "password",
        "implicit",
        "token",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:openid:params:grant-type:ciba",
        "refresh_token ",
    ] {
        let fields = [("grant_type", grant_type), ("username", "owner@example.com"), ("password", "maple-otter-41")];
        assert_refused(&app.post(&server, &fields).await, "unsupported_grant_type");
        assert_eq!(app.get(&server, &fields).await.at("errorCode"), "invalid-grant-type");
    }
}

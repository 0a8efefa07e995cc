//! Table T, rows T-01 to T-12, in its three columns.

use super::watched_store::WatchedStore;
use super::{code, get_form, post_form, send};
use keyfob_authority::model::{AppPolicy, LegacyGet, StateAtToken};
use keyfob_server::Options;
use keyfob_testkit::{Answer, REDIRECT_URI, START, TestApp, TestServer, TestServerOptions};
use std::sync::Arc;

/// A column of table T.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Rfc,
    FubStatus,
    Legacy,
}

/// A server of one column with a confidential app.
pub(super) struct Case {
    pub(super) column: Column,
    pub(super) server: TestServer,
    pub(super) store: Arc<WatchedStore>,
    pub(super) app: TestApp,
}

/// What a row answers: status and code, by column.
pub(super) struct Row {
    pub(super) rfc: (u16, &'static str),
    pub(super) fub_status: (u16, &'static str),
    pub(super) legacy: (u16, &'static str),
}

impl Row {
    /// A row whose second column is blank: the same as the first.
    pub(super) const fn new(rfc: (u16, &'static str), legacy: (u16, &'static str)) -> Row {
        Row { rfc, fub_status: rfc, legacy }
    }
}

impl Column {
    pub(super) const ALL: [Column; 3] = [Column::Rfc, Column::FubStatus, Column::Legacy];

    pub(super) async fn case(self) -> Case {
        let doorway = TestServerOptions::default().doorway;
        let doorway = Options { fub_status: self == Column::FubStatus, ..doorway };
        let options = TestServerOptions { doorway, ..TestServerOptions::default() };
        let (store, server) = WatchedStore::serve(options).await;
        let app = server.confidential_app("Listing Lantern").await;
        Case { column: self, server, store, app }
    }
}

impl Case {
    /// A request of this app in this column's method.
    pub(super) async fn ask(&self, app: &TestApp, fields: &[(&str, &str)]) -> Answer {
        match self.column {
            Column::Legacy => app.get(&self.server, fields).await,
            _ => app.post(&self.server, fields).await,
        }
    }

    /// A request with these headers and no others.
    pub(super) async fn ask_with(&self, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        match self.column {
            Column::Legacy => get_form(&self.server, headers, fields).await,
            _ => post_form(&self.server, headers, fields).await,
        }
    }

    pub(super) async fn exchange(&self, app: &TestApp, code: &str) -> Answer {
        self.ask(app, &super::exchange_fields(app, code, &[("state", super::STATE)])).await
    }

    pub(super) async fn refresh(&self, app: &TestApp, refresh_token: &str) -> Answer {
        self.ask(app, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
    }

    /// The whole answer of a row: status, code, exactly the documented keys, the headers of every answer and those of some.
    pub(super) fn check(&self, row: &Row, answer: &Answer) {
        let (status, error) = match self.column {
            Column::Rfc => row.rfc,
            Column::FubStatus => row.fub_status,
            Column::Legacy => row.legacy,
        };
        let context = format!("{:?}: {} {}", self.column, answer.code, answer.text());
        assert_eq!(answer.status(), status, "{context}");
        check_headers(answer);
        let body = answer.json();
        let mut keys: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
        keys.sort_unstable();
        // Whether it may be there is `reasons.rs`.
        keys.retain(|key| *key != "reason");
        match self.column {
            Column::Legacy => {
                assert_eq!(body["errorCode"], error, "{context}");
                assert_eq!(body["success"], false, "{context}");
                assert!(body["errorMessage"].is_string(), "{context}");
                let allowed = ["errorCode", "errorDetails", "errorMessage", "success"];
                assert!(keys.iter().all(|key| allowed.contains(key)), "{context}");
                assert_eq!(keys.contains(&"errorDetails"), error == "missing-required-params", "{context}");
            }
            _ => {
                assert_eq!(body["error"], error, "{context}");
                assert!(body["error_description"].is_string(), "{context}");
                assert_eq!(keys, ["error", "error_description"], "{context}");
            }
        }
        let challenge = (status == 401).then_some("Basic realm=\"oauth\", charset=\"UTF-8\"");
        assert_eq!(answer.header("www-authenticate"), challenge, "{context}");
        let retry = matches!(status, 429 | 503);
        assert_eq!(answer.header("retry-after").is_some(), retry, "{context}");
    }
}

/// The headers of every answer of the token endpoint (matrix TK-03).
pub(super) fn check_headers(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.text());
    assert_eq!(answer.header("pragma"), Some("no-cache"), "{}", answer.text());
}

/// Asks in all three columns and checks the row.
pub(super) async fn in_every_column(row: Row, ask: impl AsyncFn(&Case) -> Answer) {
    for column in Column::ALL {
        let case = column.case().await;
        let answer = ask(&case).await;
        case.check(&row, &answer);
    }
}

const T_04: Row = Row::new((400, "invalid_request"), (400, "code-exchange-failed"));
const T_05: Row = Row {
    fub_status: (400, "invalid_client"),
    ..Row::new((401, "invalid_client"), (400, "missing-authorization-header"))
};
const T_06: Row = Row {
    fub_status: (400, "invalid_client"),
    ..Row::new((401, "invalid_client"), (400, "invalid-authorization-header"))
};
const T_07: Row = Row::new((400, "invalid_request"), (400, "invalid-authorization-header"));
pub(super) const T_08: Row =
    Row { fub_status: (400, "invalid_client"), ..Row::new((401, "invalid_client"), (400, "invalid-oauth-app")) };
const T_09: Row = Row {
    fub_status: (400, "unsupported_grant_type"),
    ..Row::new((400, "invalid_request"), (400, "missing-grant-type-param"))
};
const T_10: Row = Row::new((400, "unsupported_grant_type"), (400, "invalid-grant-type"));
const T_12: Row = Row::new((400, "invalid_request"), (400, "missing-required-params"));

#[tokio::test]
async fn t_01_other_methods_are_refused_with_allow() {
    let case = Column::Rfc.case().await;
    let code = code(&case.server, &case.app).await;
    let basic = case.app.basic();
    let uri = format!("/oauth/token?grant_type=auth_code&code={code}&redirect_uri=x&state={}", super::STATE);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "BREW"] {
        let answer = send(&case.server, method, &uri, &[("authorization", &basic)], "").await;
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET, POST")), "{method}");
        check_headers(&answer);
    }
    assert_eq!(case.app.exchange(&case.server, &code).await.status(), 200, "the code was not touched");
}

#[tokio::test]
async fn t_01_get_is_refused_where_it_is_switched_off() {
    let doorway = Options { legacy_get: false, ..TestServerOptions::default().doorway };
    let server = TestServer::start_with(TestServerOptions { doorway, ..TestServerOptions::default() }).await;
    let app = server.confidential_app("Listing Lantern").await;
    let code = code(&server, &app).await;
    let answer = app.exchange_by_get(&server, &code).await;
    assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")));
    check_headers(&answer);
    assert_eq!(app.exchange(&server, &code).await.status(), 200);
}

#[tokio::test]
async fn t_02_oversized_requests_are_refused_and_requests_at_the_limit_are_not() {
    let case = Column::Rfc.case().await;
    let basic = case.app.basic();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let target = |length: usize| format!("/oauth/token?pad={}", "a".repeat(length - "/oauth/token?pad=".len()));
    let body = |length: usize| format!("pad={}", "a".repeat(length - "pad=".len()));
    for (length, status) in [(8 * 1024, 400), (8 * 1024 + 1, 414)] {
        for method in ["GET", "POST"] {
            let headers = [form, ("authorization", basic.as_str())];
            let answer = send(&case.server, method, &target(length), &headers, "").await;
            assert_eq!(answer.status(), status, "{method} target of {length}");
            check_headers(&answer);
        }
    }
    for (length, status) in [(64 * 1024, 400), (64 * 1024 + 1, 413)] {
        let headers = [form, ("authorization", basic.as_str())];
        let answer = send(&case.server, "POST", "/oauth/token", &headers, &body(length)).await;
        assert_eq!(answer.status(), status, "body of {length}");
        check_headers(&answer);
    }
    let headers = |total: usize| {
        let others = "content-type".len() + form.1.len() + "authorization".len() + basic.len() + "x-pad".len();
        "a".repeat(total - others)
    };
    for (length, status) in [(16 * 1024, 400), (16 * 1024 + 1, 431)] {
        for method in ["GET", "POST"] {
            let pad = headers(length);
            let headers = [form, ("authorization", basic.as_str()), ("x-pad", pad.as_str())];
            let answer = send(&case.server, method, "/oauth/token", &headers, "").await;
            assert_eq!(answer.status(), status, "{method} headers of {length}");
            check_headers(&answer);
        }
    }
}

#[tokio::test]
async fn t_04_bytes_that_are_no_form_are_refused() {
    for column in Column::ALL {
        let case = column.case().await;
        let basic = case.app.basic();
        for bytes in [
            "grant_type=%zz",
            "grant_type=auth_code&x=%4",
            "code=%c0%af&grant_type=auth_code",
            "code=%ff",
            "code=a%00b",
            "%00=x",
            "code=a&code=a&grant_type=auth_code",
            "grant_type=auth_code&grant_type=refresh_token",
            "state=&state=x",
            "client_id=a&client_id=a",
            "scope=a&scope=b",
        ] {
            let answer = match column {
                Column::Legacy => {
                    let uri = format!("/oauth/token?{bytes}");
                    send(&case.server, "GET", &uri, &[("authorization", &basic)], "").await
                }
                _ => {
                    let headers =
                        [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
                    send(&case.server, "POST", "/oauth/token", &headers, bytes).await
                }
            };
            case.check(&T_04, &answer);
        }
    }
}

#[tokio::test]
async fn t_04_parameters_of_a_post_do_not_stand_in_its_query() {
    let case = Column::Rfc.case().await;
    let basic = case.app.basic();
    let headers = [("authorization", basic.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    for name in [
        "grant_type",
        "code",
        "redirect_uri",
        "state",
        "refresh_token",
        "client_id",
        "client_secret",
        "code_verifier",
        "scope",
        "resource",
        "client_assertion",
    ] {
        let uri = format!("/oauth/token?{name}=x");
        let answer = send(&case.server, "POST", &uri, &headers, "grant_type=refresh_token").await;
        case.check(&T_04, &answer);
        assert!(answer.at("error_description").contains("URL"), "{name}: {}", answer.text());
    }
    let unknown = send(&case.server, "POST", "/oauth/token?utm_source=x", &headers, "grant_type=refresh_token").await;
    case.check(&T_12, &unknown);
}

#[tokio::test]
async fn t_05_a_request_without_client_authentication_is_refused() {
    in_every_column(T_05, async |case| case.ask_with(&[], &[("grant_type", "refresh_token")]).await).await;
    in_every_column(T_05, async |case| {
        // A confidential client's id alone is no authentication.
        case.ask_with(&[], &[("grant_type", "refresh_token"), ("client_id", case.app.client_id())]).await
    })
    .await;
}

#[tokio::test]
async fn t_06_a_malformed_authorization_header_is_refused() {
    for column in Column::ALL {
        let case = column.case().await;
        let control = "Basic YQo6Yg=="; // "a\n:b"
        let bearer = format!("Bearer {}", &case.app.basic()[6..]);
        for header in
            ["Basic", "Basic ", "Basic !!!", "Basic bm9jb2xvbg==", "Digest x=y", "Basic //46eA==", control, &bearer]
        {
            let answer = case.ask_with(&[("authorization", header)], &[("grant_type", "refresh_token")]).await;
            case.check(&T_06, &answer);
        }
        let twice = [("authorization", case.app.basic()), ("authorization", "Basic !".to_owned())];
        let twice = twice.each_ref().map(|(name, value)| (*name, value.as_str()));
        case.check(&T_06, &case.ask_with(&twice, &[("grant_type", "refresh_token")]).await);
    }
}

#[tokio::test]
async fn t_07_several_authentications_are_refused() {
    in_every_column(T_07, async |case| {
        case.ask(&case.app, &[("grant_type", "refresh_token"), ("client_secret", "x")]).await
    })
    .await;
    in_every_column(T_07, async |case| {
        let basic = case.app.basic();
        let twice = [("authorization", basic.as_str()), ("authorization", basic.as_str())];
        case.ask_with(&twice, &[("grant_type", "refresh_token")]).await
    })
    .await;
    in_every_column(T_07, async |case| {
        case.ask(&case.app, &[("grant_type", "refresh_token"), ("client_assertion", "x")]).await
    })
    .await;
}

#[tokio::test]
async fn t_08_failed_client_authentication_has_one_answer() {
    let mut bodies = Vec::new();
    for column in Column::ALL {
        let case = column.case().await;
        let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
        let stranger = TestServer::start().await.confidential_app("Stranger").await;
        let unknown =
            TestApp { app: keyfob_authority::model::App { client_id: "f".repeat(64), ..stranger.app }, ..stranger };
        let wrong = TestApp { secret: unknown.secret.clone().map(|_| "keyfobsecretwrong".into()), ..case.app.clone() };
        let disabled = case.server.confidential_app("Disabled").await;
        let now = case.server.doorway.now();
        let done = case.server.authority().set_app_enabled(disabled.app.id, false, now).await.expect("no fault");
        assert!(matches!(done, keyfob_authority::store::Administered::Done(_)));
        let disabled_wrong = TestApp { secret: wrong.secret.clone(), ..disabled.clone() };
        // Whoever has the right secret learns why besides.
        for (app, besides) in
            [(&unknown, ""), (&wrong, ""), (&disabled_wrong, ""), (&disabled, r#","reason":"app_disabled""#)]
        {
            let answer = case.ask(app, &fields).await;
            case.check(&T_08, &answer);
            let body = answer.text();
            let body =
                body.strip_suffix('}').and_then(|body| body.strip_suffix(besides)).expect("what is told besides");
            bodies.push((column, body.to_owned()));
        }
    }
    for column in Column::ALL {
        let of_column: Vec<_> = bodies.iter().filter(|(c, _)| *c == column).map(|(_, body)| body).collect();
        assert!(of_column.windows(2).all(|pair| pair[0] == pair[1]), "no oracle: {of_column:?}");
    }
}

#[tokio::test]
async fn t_09_a_missing_or_empty_grant_type_is_refused() {
    in_every_column(T_09, async |case| case.ask(&case.app, &[("code", "x")]).await).await;
    in_every_column(T_09, async |case| case.ask(&case.app, &[("grant_type", ""), ("code", "x")]).await).await;
}

#[tokio::test]
async fn t_10_an_unknown_grant_type_is_refused() {
    in_every_column(T_10, async |case| case.ask(&case.app, &[("grant_type", "Auth_Code"), ("code", "x")]).await).await;
}

#[tokio::test]
async fn t_11_the_legacy_get_of_an_app_ends_at_its_date() {
    let case = Column::Legacy.case().await;
    let policy = AppPolicy { legacy_get: LegacyGet::OffAfter(START.plus(100)), ..AppPolicy::default() };
    let app = case.server.app("Moving on", policy).await;
    let refresh_token = super::connect(&case.server, &app).await.refresh_token;
    case.server.clock.advance(99);
    assert_eq!(app.refresh_by_get(&case.server, &refresh_token).await.status(), 200);
    case.server.clock.advance(1);
    let row = Row::new((400, "unauthorized_client"), (403, "resource-restricted"));
    case.check(&row, &app.refresh_by_get(&case.server, &refresh_token).await);
    assert_eq!(app.refresh(&case.server, &refresh_token).await.status(), 200, "POST goes on");
}

#[tokio::test]
async fn t_12_missing_parameters_are_named() {
    for column in Column::ALL {
        let case = column.case().await;
        let policy = AppPolicy { state_at_token: StateAtToken::Present, ..AppPolicy::default() };
        let wants_state = case.server.app("Wants state", policy).await;
        let code = code(&case.server, &wants_state).await;
        let code_grant = ("grant_type", "auth_code");
        type Missing<'a> = (&'a TestApp, Vec<(&'a str, &'a str)>, &'a [&'a str]);
        let cases: [Missing<'_>; 6] = [
            (&case.app, vec![code_grant], &["code", "redirect_uri"]),
            (&case.app, vec![code_grant, ("code", ""), ("redirect_uri", REDIRECT_URI)], &["code"]),
            (&case.app, vec![code_grant, ("code", "x")], &["redirect_uri"]),
            (&case.app, vec![("grant_type", "refresh_token")], &["refresh_token"]),
            (&case.app, vec![("grant_type", "refresh_token"), ("refresh_token", "")], &["refresh_token"]),
            (&wants_state, vec![code_grant, ("code", &code), ("redirect_uri", REDIRECT_URI)], &["state"]),
        ];
        for (app, fields, missing) in cases {
            let answer = case.ask(app, &fields).await;
            case.check(&T_12, &answer);
            match column {
                Column::Legacy => assert_eq!(answer.json()["errorDetails"], serde_json::json!(missing)),
                _ => assert!(missing.iter().all(|name| answer.at("error_description").contains(name))),
            }
        }
        assert_eq!(case.exchange(&wants_state, &code).await.status(), 200, "the code is still usable");
    }
}

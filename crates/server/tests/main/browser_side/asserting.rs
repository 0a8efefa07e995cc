//! What a page, and a refusal on the redirect URI, must look like whatever they say (the marks PAGE and R of the matrix).

use http::Request;
use keyfob_protocol::{Dialect, form};
use keyfob_testkit::{Answer, REDIRECT_URI, TestServer};
use url::Url;

/// PAGE(status): HTML, no redirect, the request id for the log, and nothing of the inside.
pub(crate) fn assert_page(answer: &Answer, status: u16) {
    let text = answer.text();
    assert_eq!(answer.status(), status, "{text}");
    assert_eq!(answer.header("location"), None);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let id = answer.header("x-request-id").expect("every answer has an id");
    assert!(text.contains(&format!("<code>{id}</code>")), "the page names its request: {text}");
    assert_reveals_nothing(answer);
}

/// No stack, SQL, path or version (matrix LG-02).
pub(crate) fn assert_reveals_nothing(answer: &Answer) {
    let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
    let all = format!("{headers}{}", answer.text());
    for inside in ["SELECT", "INSERT", "sqlite", "rusqlite", "panicked", ".rs:", "/src/", "/tmp/", "axum", "hyper"] {
        assert!(!all.contains(inside), "{inside} in {all}");
    }
    assert!(!all.contains(env!("CARGO_PKG_VERSION")), "{all}");
    assert_eq!(answer.header("server"), None);
}

/// R(error) for [`REDIRECT_URI`] and the issuer of the test server: these parameters, in this order, and no others.
pub(crate) fn assert_refused_to_app(answer: &Answer, dialect: Dialect, error: &str, state: Option<&str>) {
    assert_eq!(answer.status(), 303, "{}", answer.text());
    let location = answer.header("location").expect("a redirect");
    let (base, query) = location.split_once('?').expect("a query");
    assert_eq!(base, REDIRECT_URI);
    let mut expected: Vec<(&str, String)> = match dialect {
        Dialect::FollowUpBoss => vec![("response", "denied".to_owned()), ("error", error.to_owned())],
        Dialect::OAuth => {
            let url = Url::parse(location).expect("a URL");
            let description = url.query_pairs().find(|(name, _)| name == "error_description").expect("a description");
            vec![("error", error.to_owned()), ("error_description", description.1.into_owned())]
        }
    };
    expected.extend(state.map(|state| ("state", state.to_owned())));
    if dialect == Dialect::OAuth {
        expected.push(("iss", "https://auth.example.com".to_owned()));
    }
    assert_eq!(query, form::encode(expected.iter().map(|(name, value)| (*name, value.as_str()))));
}

/// An authorize URL of exactly these pairs.
pub(crate) fn authorize_url(pairs: &[(&str, &str)]) -> String {
    format!("/oauth/authorize?{}", form::encode(pairs.iter().copied()))
}

/// Sends a request without cookies and without a body.
pub(crate) async fn send(server: &TestServer, method: &str, uri: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(Request::builder().method(method).uri(uri), |r, (n, v)| r.header(*n, *v));
    server.send(request.body(String::new()).expect("a request")).await
}

/// How many grants there are, ended ones included.
pub(crate) async fn grants(server: &TestServer) -> usize {
    server.store().grants(Default::default(), 1000).await.expect("no fault").len()
}

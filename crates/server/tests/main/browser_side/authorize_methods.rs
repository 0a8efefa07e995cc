//! Rows AZ-09, AZ-10 and AZ-15: which methods do what, and that no other origin's script reads anything.

use super::asserting::{assert_page, assert_refused_to_app, authorize_url, grants, send};
use http::Request;
use keyfob_protocol::{Dialect, form};
use keyfob_testkit::{Browser, REDIRECT_URI, TestServer};

#[tokio::test]
async fn az_09_looking_at_the_consent_page_approves_nothing() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookies = cookies.join("; ");
    let ledger = server.store().ledger(Default::default(), 100).await.expect("no fault").len();
    for (method, purpose) in [("GET", "prefetch"), ("HEAD", "prefetch"), ("GET", "prerender"), ("HEAD", "")] {
        let headers = [("cookie", cookies.as_str()), ("sec-purpose", purpose)];
        let answer = send(&server, method, &app.authorize_url(), &headers).await;
        assert_eq!((answer.status(), answer.header("location")), (200, None));
        assert_eq!(answer.body.is_empty(), method == "HEAD");
    }
    // The same with what the form would post, in the URL.
    let mut fields = consent.hidden("/oauth/authorize/decision");
    fields.insert("decision".to_owned(), "approve".to_owned());
    let query = form::encode(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let uri = format!("/oauth/authorize/decision?{query}");
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = send(&server, method, &uri, &[("cookie", cookies.as_str())]).await;
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("POST")), "{method}");
    }
    let answer = browser.post(&uri, &[]).await.answer;
    assert_page(&answer, 400);
    assert_eq!(grants(&server).await, 0);
    assert_eq!(server.store().ledger(Default::default(), 100).await.expect("no fault").len(), ledger);
}

#[tokio::test]
async fn az_10_post_with_a_form_works_as_get_does() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let fields = [("client_id", app.client_id()), ("redirect_uri", REDIRECT_URI)];
    let good = [&fields[..], &[("response_type", "auth_code"), ("state", "s&=+")]].concat();
    let page = browser.post("/oauth/authorize", &good).await;
    let consent = browser.sign_in(&page, &server.owner).await;
    let landing = browser.decide(&consent, "approve").await.landing();
    assert_eq!(landing.parameter("state").as_deref(), Some("s&=+"));
    // The same faults, the same answers.
    for (more, error) in [
        (&[("response_type", "code"), ("prompt", "none")][..], "invalid_request"),
        (&[("response_type", "Code")], "unsupported_response_type"),
        (&[("response_type", "code"), ("scope", "x")], "invalid_scope"),
        (&[("response_type", "code"), ("request", "x")], "request_not_supported"),
    ] {
        let pairs = [&fields[..], more].concat();
        let (by_get, by_post) =
            (server.get(&authorize_url(&pairs)).await, browser.post("/oauth/authorize", &pairs).await);
        assert_refused_to_app(&by_get, Dialect::OAuth, error, None);
        assert_refused_to_app(&by_post.answer, Dialect::OAuth, error, None);
    }
    assert_page(&browser.post("/oauth/authorize", &[("client_id", "nobody"), fields[1]]).await.answer, 400);
    // Two places at once.
    for query in ["state=x", "client_id=x", "redirect_uri=https://evil.example", "x"] {
        assert_page(&browser.post(&format!("/oauth/authorize?{query}"), &good).await.answer, 400);
    }
}

#[tokio::test]
async fn az_10_other_bodies_are_415_and_other_methods_405() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let url = app.authorize_url();
    let body = url.split_once('?').expect("a query").1;
    for content_type in ["application/json", "multipart/form-data; boundary=x", "text/plain", ""] {
        let request = Request::post("/oauth/authorize").header("content-type", content_type);
        assert_page(&server.send(request.body(body.to_owned()).expect("a request")).await, 415);
    }
    assert_page(&server.send(Request::post("/oauth/authorize").body(body.to_owned()).expect("a request")).await, 415);
    let charset =
        Request::post("/oauth/authorize").header("content-type", "application/x-www-form-urlencoded; charset=UTF-8");
    assert_eq!(server.send(charset.body(body.to_owned()).expect("a request")).await.status(), 200);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"] {
        let answer = send(&server, method, &url, &[]).await;
        assert_eq!((answer.status(), answer.header("allow")), (405, Some("GET,HEAD,POST")), "{method}");
    }
}

#[tokio::test]
async fn az_15_no_script_of_another_origin_reads_authorize_sign_in_or_consent() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let authorize = app.authorize_url();
    let preflight = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    for uri in [
        authorize.as_str(),
        "/oauth/authorize/sign-in",
        "/oauth/authorize/decision",
        "/sign-in",
        "/sign-out",
        "/connections",
        "/connections/revoke",
        "/oauth/token",
    ] {
        let answer = send(&server, "OPTIONS", uri, &preflight).await;
        assert_eq!(answer.status(), 405, "{uri}");
        let mut answers = vec![answer];
        for method in ["GET", "POST"] {
            answers.push(send(&server, method, uri, &[("origin", "https://evil.example")]).await);
            answers.push(send(&server, method, uri, &[("origin", "null")]).await);
        }
        for answer in answers {
            let shared = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(shared, None, "{uri}");
        }
    }
}

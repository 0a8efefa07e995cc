//! MD-06: which pages may read what.

use super::asserting::send;
use keyfob_authority::Decision;
use keyfob_authority::model::AppPolicy;
use keyfob_authority::register::{NewApp, RegisterRefusal};
use keyfob_testkit::{Answer, REDIRECT_URI, TestServer};

const PAGE: &str = "https://app.example.com";
/// What a browser asks before a POST of a form with a header that no form has.
const PREFLIGHT: [(&str, &str); 2] =
    [("access-control-request-method", "POST"), ("access-control-request-headers", "content-type")];

fn in_browser(origin: &str) -> AppPolicy {
    AppPolicy { public: true, origins: vec![origin.to_owned()], ..AppPolicy::default() }
}

fn allowed(answer: &Answer) -> Option<&str> {
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    answer.header("access-control-allow-origin")
}

async fn preflight(server: &TestServer, path: &str, origin: &str) -> Answer {
    send(server, "OPTIONS", path, &[&[("origin", origin)][..], &PREFLIGHT].concat()).await
}

#[tokio::test]
async fn md_06_metadata_and_keys_are_for_every_page() {
    let server = TestServer::start().await;
    for path in ["/.well-known/oauth-authorization-server", "/oauth/jwks", "/.well-known/oauth-protected-resource"] {
        for origin in ["https://anybody.example", "null"] {
            let read = send(&server, "GET", path, &[("origin", origin)]).await;
            assert_eq!((read.status(), allowed(&read)), (200, Some("*")), "{path}");
            let asked = preflight(&server, path, origin).await;
            assert_eq!((asked.status(), allowed(&asked)), (204, Some("*")), "{path}");
            assert_eq!(asked.header("access-control-allow-methods"), Some("GET"));
        }
    }
}

#[tokio::test]
async fn md_06_token_and_revocation_are_for_pages_of_registered_origins() {
    let server = TestServer::start().await;
    let app = server.app("Pocket Lantern", in_browser(PAGE)).await;
    for path in ["/oauth/token", "/oauth/revoke"] {
        let asked = preflight(&server, path, PAGE).await;
        assert_eq!((asked.status(), allowed(&asked)), (204, Some(PAGE)), "{path}");
        assert_eq!(asked.header("access-control-allow-methods"), Some("POST"));
        assert_eq!(asked.header("access-control-allow-headers"), Some("content-type"));
        assert_eq!(asked.header("vary"), Some("origin"));
        // Errors are readable as well: the page has to know what went wrong.
        let refused = send(&server, "POST", path, &[("origin", PAGE)]).await;
        assert_eq!((refused.status(), allowed(&refused)), (400, Some(PAGE)), "{path}");
        assert_eq!(refused.header("access-control-expose-headers"), Some("x-request-id, retry-after"));
        for other in
            ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null", "", "*"]
        {
            let asked = preflight(&server, path, other).await;
            assert_eq!((asked.status(), allowed(&asked)), (405, None), "{path} {other}");
            assert!(!asked.headers.keys().any(|name| name.as_str().starts_with("access-control")), "{other}");
            let sent = send(&server, "POST", path, &[("origin", other)]).await;
            assert_eq!((sent.status(), allowed(&sent)), (400, None), "{path} {other}");
        }
    }
    // Everything else stays with its own pages.
    for path in ["/oauth/introspect", "/oauth/authorize", "/connections", "/v1/identity", "/v1/oauthApps"] {
        assert_eq!(allowed(&preflight(&server, path, PAGE).await), None, "{path}");
        assert_eq!(allowed(&send(&server, "GET", path, &[("origin", PAGE)]).await), None, "{path}");
    }
    // Taken back at once.
    server.authority().set_app_enabled(app.app.id, false, server.clock_now()).await.expect("no fault");
    assert_eq!(allowed(&preflight(&server, "/oauth/token", PAGE).await), None);
}

#[tokio::test]
async fn md_06_only_public_apps_register_origins_and_only_real_ones() {
    let server = TestServer::start().await;
    let register = async |policy: AppPolicy| {
        let new = NewApp { name: "Pages".to_owned(), redirect_uris: vec![REDIRECT_URI.to_owned()], policy };
        server.authority().register_app(&server.system, new, server.clock_now()).await.expect("no fault")
    };
    let confidential = AppPolicy { public: false, ..in_browser(PAGE) };
    assert!(matches!(register(confidential).await, Decision::Refused(RegisterRefusal::Policy(_))));
    for bad in ["*", "null", "https://app.example.com/", "http://app.example.com", "https://*.example.com"] {
        let refused = register(in_browser(bad)).await;
        assert!(matches!(refused, Decision::Refused(RegisterRefusal::Origin(_))), "{bad}");
    }
    // Known to this node the moment it is registered, also when a page has asked before.
    assert_eq!(allowed(&preflight(&server, "/oauth/token", "http://127.0.0.1:5173").await), None);
    assert!(matches!(register(in_browser("http://127.0.0.1:5173")).await, Decision::Granted(_)));
    let asked = preflight(&server, "/oauth/token", "http://127.0.0.1:5173").await;
    assert_eq!(allowed(&asked), Some("http://127.0.0.1:5173"));
}

//! Scopes by path.

use super::proxied::Proxied;
use keyfob_gate::front::proxy::ScopedPaths;
use keyfob_protocol::scope::Scope;

fn rules() -> ScopedPaths {
    let rule = |prefix: &str, scope: &str| (prefix.to_owned(), Scope::parse(scope).unwrap());
    ScopedPaths::new([rule("/v1/notes", "notes"), rule("/v1/notes/all", "admin"), rule("/Admin/", "admin")]).unwrap()
}

#[tokio::test]
async fn br_06_a_path_needs_the_scopes_of_each_of_its_prefixes() {
    let proxied = Proxied::new(|config| config.scoped_paths = rules()).await;
    for (path, scope, status) in [
        ("/v1/people", "none", 200),
        ("/v1/people/", "none", 200),
        ("/", "none", 200),
        ("/v1/notes", "none", 403),
        ("/v1/notes?x=1", "none", 403),
        ("/v1/notes/7", "none", 403),
        ("/v1/notes/7", "notes", 200),
        ("/v1/notes/all", "notes", 403),
        ("/v1/notes/all", "admin", 403),
        ("/v1/notes/all", "admin notes", 200),
        ("/v1/NOTES", "none", 403),
        ("/v1/%6eotes", "none", 403),
        ("/v1/notes;x=1", "none", 403),
        ("/v1;x=1/notes", "none", 403),
        ("/v1/notesandmore", "none", 403),
        ("/admin", "notes", 403),
        ("/ADMIN/x", "notes", 403),
        ("/admin", "admin", 200),
    ] {
        assert_eq!(status_of(&proxied, path, scope).await, status, "{path} with {scope}");
    }
}

#[tokio::test]
async fn br_06_a_path_that_could_be_another_is_refused_where_scopes_depend_on_it() {
    let proxied = Proxied::new(|config| config.scoped_paths = rules()).await;
    let free = Proxied::new(|_| ()).await;
    for path in [
        "//v1/notes",
        "/v1//notes",
        "/v1/x/../notes",
        "/v1/./notes",
        "/v1/x/%2e%2e/notes",
        "/v1/x/.%2E/notes",
        "/v1/x/..;/notes",
        "/v1/;/notes",
        "/v1%2fnotes",
        "/v1%5cnotes",
        "/v1\\notes",
        "/v1/notes%00",
        "/v1/x/..",
    ] {
        assert_eq!(status_of(&proxied, path, "notes admin").await, 400, "{path}");
        assert_eq!(status_of(&free, path, "none").await, 200, "{path}, which nothing depends on");
    }
    assert_eq!(proxied.seen(), 0);
}

#[test]
fn a_prefix_that_would_never_match_is_refused() {
    for prefix in ["v1", "", "/v1/../x", "//v1", "/v1%2f", "/v1;x", "/v1?x", "/v1\\x", "/é"] {
        assert!(ScopedPaths::new([(prefix.to_owned(), Scope::empty())]).is_err(), "{prefix}");
    }
    assert!(ScopedPaths::new([("/".to_owned(), Scope::parse("all").unwrap())]).is_ok());
}

async fn status_of(proxied: &Proxied, path: &str, scope: &str) -> u16 {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {}\r\n\r\n",
        proxied.bearer_of(scope)
    );
    let answer = proxied.raw(&request).await;
    answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{path}: {answer}"))
}

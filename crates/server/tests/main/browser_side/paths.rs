//! Row SE-06: a route is its exact path. No variant that a proxy or a filter may read in another way reaches a handler.

use super::asserting::{assert_page, assert_reveals_nothing, send};
use http::Request;
use keyfob_testkit::{Answer, TestServer};

const ROUTES: [&str; 14] = [
    "/oauth/authorize",
    "/oauth/authorize/sign-in",
    "/oauth/authorize/decision",
    "/oauth/token",
    "/oauth/jwks",
    "/.well-known/oauth-authorization-server",
    "/sign-in",
    "/sign-out",
    "/connections",
    "/connections/revoke",
    "/healthz",
    "/readyz",
    "/v1/oauthApps",
    "/v1/identity",
];

fn variants(route: &str) -> Vec<String> {
    let slash = route.rfind('/').expect("a path");
    let (directory, last) = (&route[..slash], &route[slash + 1..]);
    let first = last.as_bytes()[0];
    let variants = vec![
        format!("{route}/"),
        format!("{route};x"),
        format!("{route};x=1"),
        format!("{route}/;x"),
        format!("{route}//"),
        format!("/{route}"),
        format!("{directory}//{last}"),
        format!("{directory}/./{last}"),
        format!("{directory}/x/../{last}"),
        format!("{directory}/%2e/{last}"),
        format!("{directory}%2f{last}"),
        format!("{directory}%2F{last}"),
        format!("{directory}%5c{last}"),
        format!("{directory};x/{last}"),
        format!("{directory}/%{first:02x}{}", &last[1..]),
        format!("{route}%00"),
        format!("{route}%20"),
        format!("{route}%3f"),
        format!("{route}.json"),
        format!("{route}/.."),
        format!("{route}."),
        route.to_uppercase(),
        format!("{directory}/{}{}", last[..1].to_uppercase(), &last[1..]),
    ];
    // What does not begin with a slash is no target that HTTP can carry.
    variants.into_iter().filter(|variant| variant.starts_with('/')).collect()
}

fn assert_nothing_here(answer: &Answer, uri: &str) {
    assert_eq!(answer.status(), 404, "{uri}: {}", answer.text());
    match answer.header("content-type") {
        Some("application/json") => assert!(answer.json()["errorMessage"].is_string(), "{uri}"),
        _ => assert_page(answer, 404),
    }
    assert_reveals_nothing(answer);
}

#[tokio::test]
async fn se_06_no_variant_of_a_route_is_the_route() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let headers = [
        ("authorization", app.basic()),
        ("x-system", server.system.name.clone()),
        ("x-system-key", server.system_key.clone()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
    ];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for route in ROUTES {
        for method in ["GET", "POST"] {
            assert_ne!(send(&server, method, route, &headers).await.status(), 404, "{method} {route}");
        }
        for variant in variants(route) {
            for method in ["GET", "POST", "OPTIONS"] {
                // An id in the path is anything but a slash: there the record itself has to be missing.
                if variant.starts_with("/v1/oauthApps/") && method != "GET" {
                    continue;
                }
                assert_nothing_here(&send(&server, method, &variant, &headers).await, &variant);
            }
        }
    }
}

#[tokio::test]
async fn se_06_an_app_has_one_path() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let headers = [("x-system", server.system.name.as_str()), ("x-system-key", server.system_key.as_str())];
    let id = app.app.id.to_string();
    let own = format!("/v1/oauthApps/{id}");
    assert_eq!(send(&server, "GET", &own, &headers).await.status(), 200);
    let encoded = format!("%3{id}");
    for other in [format!("+{id}"), format!("0{id}"), format!("{id};x"), format!("{id}%20"), format!("{id}."), encoded]
    {
        let uri = format!("/v1/oauthApps/{other}");
        assert_nothing_here(&send(&server, "GET", &uri, &headers).await, &uri);
    }
    for below in [format!("{own}/"), format!("{own}/x"), "/v1/oauthApps/revokeAccess/".to_owned()] {
        assert_nothing_here(&send(&server, "GET", &below, &headers).await, &below);
    }
    for other in ["/v1/oauthApps/revokeaccess", "/v1/oauthApps/revoke%41ccess", "/v1/oauthApps/revokeAccess;x"] {
        let answer = send(&server, "DELETE", other, &headers).await;
        assert!([404, 405].contains(&answer.status()), "{other}: {}", answer.status());
    }
}

#[tokio::test]
async fn se_06_assets_are_two_files() {
    let server = TestServer::start().await;
    let page = server.get("/connections").await.text();
    let sheets: Vec<_> = page.split("rel=\"stylesheet\" href=\"").skip(1).filter_map(|s| s.split('"').next()).collect();
    assert_eq!(sheets.len(), 2, "{page}");
    for sheet in sheets {
        let answer = server.get(sheet).await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some("text/css; charset=utf-8")));
        for variant in variants(sheet) {
            assert_eq!(server.get(&variant).await.status(), 404, "{variant}");
        }
    }
    for other in ["/assets/", "/assets/..%2fCargo.toml", "/assets/%2e%2e/x", "/assets/x.css"] {
        assert_eq!(server.get(other).await.status(), 404, "{other}");
    }
}

#[tokio::test]
async fn se_06_the_host_header_and_an_absolute_target_change_nothing() {
    let server = TestServer::start().await;
    for uri in ["http://evil.example/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server"]
    {
        let request = Request::get(uri)
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-proto", "http")
            .header("forwarded", "host=evil.example;proto=http")
            .header("x-original-url", "/healthz")
            .header("x-rewrite-url", "/healthz");
        let answer = server.send(request.body(String::new()).expect("a request")).await;
        assert_eq!(answer.at("issuer"), "https://auth.example.com");
        assert!(!answer.text().contains("evil.example"), "{}", answer.text());
    }
}

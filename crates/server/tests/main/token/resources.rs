//! RI-01, RI-02: for which APIs tokens are, from the authorize request to `aud`.

use super::{STATE, assert_refused, exchange_fields, identity};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_authority::model::{ResourceServer, ResourceServerId};
use keyfob_authority::secrets;
use keyfob_authority::store::Replacement;
use keyfob_testkit::{Answer, Browser, TestApp, TestServer};
use serde_json::{Value, json};

const OWN: &str = "https://auth.example.com";
const NOTES: &str = "https://notes.example.com/v1";
const PEOPLE: &str = "urn:example:people";

async fn add_api(server: &TestServer, name: &str, resource: Option<&str>) {
    let api = ResourceServer {
        id: ResourceServerId(0),
        name: name.to_owned(),
        secret_digest: secrets::digest("keyfobsecretOfAnApi"),
        enabled: true,
        resource: resource.map(str::to_owned),
        created_at: server.clock_now(),
    };
    server.authority().add_resource_server(api, server.clock_now()).await.expect("no fault");
}

/// A server that knows the two APIs beside its own.
async fn start() -> (TestServer, TestApp) {
    let server = TestServer::start().await;
    add_api(&server, "notes", Some(NOTES)).await;
    add_api(&server, "people", Some(PEOPLE)).await;
    add_api(&server, "gate", None).await;
    let app = server.rotating_app("Listing Lantern").await;
    (server, app)
}

fn url(app: &TestApp, resources: &[&str]) -> String {
    let mut fields = vec![("response_type", "code"), ("state", STATE)];
    fields.extend(resources.iter().map(|resource| ("resource", *resource)));
    app.authorize_url_with(&fields)
}

async fn code(server: &TestServer, app: &TestApp, resources: &[&str]) -> String {
    Browser::new(server).connect(&url(app, resources)).await.code()
}

async fn exchange(server: &TestServer, app: &TestApp, code: &str, resources: &[&str]) -> Answer {
    let more: Vec<_> = resources.iter().map(|resource| ("resource", *resource)).collect();
    app.post(server, &exchange_fields(app, code, &more)).await
}

async fn refresh(server: &TestServer, app: &TestApp, token: &str, resources: &[&str]) -> Answer {
    let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    fields.extend(resources.iter().map(|resource| ("resource", *resource)));
    app.post(server, &fields).await
}

/// The `aud` of the answer's access token.
fn aud(answer: &Answer) -> Value {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let token = answer.at("access_token");
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a JWT")).expect("base64url");
    serde_json::from_slice::<Value>(&payload).expect("JSON")["aud"].clone()
}

#[tokio::test]
async fn ri_01_a_resource_is_an_absolute_uri_without_fragment_and_registered() {
    let (server, app) = start().await;
    for bad in [
        &["notes.example.com/v1"][..],
        &["/v1"],
        &["https://notes.example.com/v1#x"],
        &["https://notes.example.com/v1#"],
        &["https://other.example.com"],
        &["https://notes.example.com/v1/"],
        &["https://NOTES.example.com/v1"],
        &[NOTES, "https://other.example.com"],
    ] {
        let landing = server.get(&url(&app, bad)).await.header("location").expect("a redirect").to_owned();
        assert!(landing.contains("error=invalid_target") && landing.contains(STATE), "{bad:?}: {landing}");
    }
    for (good, expected) in [
        (&[NOTES][..], json!(NOTES)),
        (&[PEOPLE], json!(PEOPLE)),
        (&[OWN], json!(OWN)),
        (&[NOTES, PEOPLE], json!([NOTES, PEOPLE])),
        (&[NOTES, NOTES], json!(NOTES)),
        (&[], json!(OWN)),
    ] {
        let answer = exchange(&server, &app, &code(&server, &app, good).await, &[]).await;
        assert_eq!(aud(&answer), expected, "{good:?}");
    }
}

#[tokio::test]
async fn ri_01_what_is_registered_is_known_at_once_and_what_is_disabled_no_more() {
    let (server, app) = start().await;
    let asks_for = url(&app, &["https://late.example.com"]);
    assert_eq!(server.get(&asks_for).await.status(), 303);
    add_api(&server, "late", Some("https://late.example.com")).await;
    let answer = exchange(&server, &app, &code(&server, &app, &["https://late.example.com", NOTES]).await, &[]).await;
    assert_eq!(aud(&answer), json!(["https://late.example.com", NOTES]));

    let read_at = server.store().settings_version().await.expect("no fault");
    let late = server.store().resource_servers().await.expect("no fault").into_iter().find(|api| api.name == "late");
    let row = ResourceServer { enabled: false, ..late.expect("added") };
    let replaced = server.authority().update_resource_server(Replacement { row, read_at }, "off", server.clock_now());
    replaced.await.expect("no fault");
    assert_eq!(server.get(&asks_for).await.status(), 303);
    // The grant goes on for the rest of what was consented to.
    let token = answer.at("refresh_token");
    assert_refused(&refresh(&server, &app, &token, &["https://late.example.com"]).await, "invalid_target");
    assert_eq!(aud(&refresh(&server, &app, &token, &[]).await), json!(NOTES));
}

#[tokio::test]
async fn ri_02_a_token_is_for_what_was_consented_to_or_less_by_code_and_by_refresh() {
    let (server, app) = start().await;
    let for_notes = code(&server, &app, &[NOTES]).await;
    for beyond in
        [&[PEOPLE][..], &[NOTES, PEOPLE], &[OWN], &["https://other.example.com"], &["notes"], &["https://a#b"]]
    {
        assert_refused(&exchange(&server, &app, &for_notes, beyond).await, "invalid_target");
    }
    // A refused target spends no code.
    let tokens = exchange(&server, &app, &for_notes, &[NOTES]).await;
    assert_eq!(aud(&tokens), json!(NOTES));
    assert_eq!(identity(&server, &tokens.at("access_token")).await, 401, "another API's token");
    let token = tokens.at("refresh_token");
    for beyond in [&[PEOPLE][..], &[NOTES, PEOPLE], &[OWN], &["https://other.example.com"], &["notes"]] {
        assert_refused(&refresh(&server, &app, &token, beyond).await, "invalid_target");
    }
    // Nor does it rotate a refresh token.
    let refreshed = refresh(&server, &app, &token, &[]).await;
    assert_eq!(aud(&refreshed), json!(NOTES));

    // Narrowed, and the grant is as wide as before.
    let both = exchange(&server, &app, &code(&server, &app, &[NOTES, OWN]).await, &[OWN]).await;
    assert_eq!(aud(&both), json!(OWN));
    assert_eq!(identity(&server, &both.at("access_token")).await, 200);
    let narrowed = refresh(&server, &app, &both.at("refresh_token"), &[NOTES]).await;
    assert_eq!(aud(&narrowed), json!(NOTES));
    let whole = refresh(&server, &app, &narrowed.at("refresh_token"), &[]).await;
    assert_eq!(aud(&whole), json!([OWN, NOTES]));
    assert_eq!(identity(&server, &whole.at("access_token")).await, 200);
}

#[tokio::test]
async fn ri_02_a_grant_without_resources_is_for_the_authoritys_own_api() {
    let (server, app) = start().await;
    let plain = Browser::new(&server).connect(&app.authorize_url()).await.code();
    for beyond in [NOTES, "https://other.example.com"] {
        assert_refused(&exchange(&server, &app, &plain, &[beyond]).await, "invalid_target");
    }
    let tokens = exchange(&server, &app, &plain, &[OWN]).await;
    assert_eq!(aud(&tokens), json!(OWN));
    assert_refused(&refresh(&server, &app, &tokens.at("refresh_token"), &[NOTES]).await, "invalid_target");
    assert_eq!(aud(&refresh(&server, &app, &tokens.at("refresh_token"), &[]).await), json!(OWN));
}

#[tokio::test]
async fn ri_02_the_consent_page_and_the_list_of_connections_name_the_apis() {
    let (server, app) = start().await;
    let mut browser = Browser::new(&server);
    let page = browser.consent(&url(&app, &[NOTES, PEOPLE])).await.text();
    assert!(page.contains(NOTES) && page.contains(PEOPLE), "{page}");
    let code = browser.connect(&url(&app, &[NOTES])).await.code();
    assert_eq!(exchange(&server, &app, &code, &[]).await.status(), 200);
    let page = browser.get("/connections").await.text();
    assert!(page.contains(NOTES) && !page.contains(PEOPLE), "{page}");
    let page = Browser::new(&server).consent(&url(&app, &[])).await.text();
    assert!(!page.contains(NOTES) && !page.contains(OWN), "{page}");
}

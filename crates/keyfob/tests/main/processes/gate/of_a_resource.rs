//! From the command line to a gate: an API that is registered with its resource, and an app that has tokens for itself.

use super::guarding::{call, start, until};
use crate::processes::partner::Partner;
use crate::processes::place::{ISSUER, Place, REDIRECT_URI, bare_command};
use crate::processes::visitor::{http_client, send};
use keyfob_protocol::form;
use serde_json::{Value, json};
use std::time::Duration;

const API: &str = "https://notes.example.com/v1";
const DOCUMENT: &str = "/.well-known/oauth-protected-resource/v1";
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tk_16_ri_02_md_05_a_token_of_an_app_itself_opens_the_gate_of_its_resource_until_the_app_is_disabled() {
    let place = Place::new();
    place.people();
    let add = ["app", "add", "--system", "Partner One", "--name", "Nightly Export", "--redirect-uri", REDIRECT_URI];
    let own = ["--scope", "notes", "--default-scope", "notes", "--client-credentials"];
    let app = Partner::of(&place.json(&[&add[..], &own].concat()));
    let registered = place.json(&["resource-server", "add", "--name", "api", "--resource", API]);
    assert_eq!(registered["resource"], API);
    let server = place.serve();
    let (base, http) = (server.base(), http_client());
    let words = ["gate", "--authority", &base, "--issuer", ISSUER, "--audience", API, "--name", "api"];
    let mut command = bare_command(&[&words[..], &["--listen", "127.0.0.1:0", "--log", "json"]].concat());
    command.current_dir(place.around()).env("KEYFOB_GATE_SECRET", registered["secret"].as_str().expect("a secret"));
    let gate = start(command);

    // What a client without a token finds.
    let refused = call(&gate.base(), "/check", None, &[]).await;
    let told = format!("Bearer realm=\"api\", resource_metadata=\"https://notes.example.com{DOCUMENT}\"");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, told.as_str()));
    let document: Value = serde_json::from_str(&call(&gate.base(), DOCUMENT, None, &[]).await.body).expect("JSON");
    assert_eq!((&document["resource"], &document["authorization_servers"]), (&json!(API), &json!([ISSUER])));

    let (id, secret) = (&app.client_id, &app.client_secret);
    let ask = async |resource: &[(&str, &str)]| {
        let pairs = [&[("grant_type", "client_credentials")], resource].concat();
        let answer = http
            .post(format!("{base}/oauth/token"))
            .basic_auth(id, Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form::encode(pairs));
        let answer = send(answer).await.expect("an answer");
        (answer.status, serde_json::from_str::<Value>(&answer.body).expect("JSON"))
    };
    assert_eq!(ask(&[("resource", "https://other.example.com")]).await.1["error"], "invalid_target");
    let token = |answer: (u16, Value)| answer.1["access_token"].as_str().expect("a token").to_owned();
    let (ours, general) = (token(ask(&[("resource", API)]).await), token(ask(&[]).await));
    let passed = until(&gate.base(), "/check?scope=notes", &ours, 204, 5 * SECOND).await;
    assert_eq!(passed.header("x-auth-client-id"), id.as_str());
    assert_eq!(passed.header("x-auth-user"), "");
    assert_eq!(call(&gate.base(), "/check", Some(&general), &[]).await.status, 401, "another audience");
    assert_eq!(call(&gate.base(), "/check?scope=people", Some(&ours), &[]).await.status, 403);

    place.json(&["app", "disable", id]);
    until(&gate.base(), "/check", &ours, 401, 2 * SECOND).await;
    gate.stop();
    server.stop();
}

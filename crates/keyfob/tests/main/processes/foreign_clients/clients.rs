//! The clients, side by side, against one `keyfob serve`.

use super::super::connections::sandbox::{FIXED, Sandbox};
use super::authority::{App, Kind, Prepared};
use super::installed::Installed;
use super::oauth2_crate::{self, Settings};
use super::person::Person;
use super::program::{self, Script};
use super::story::Story;
use super::table::{INTEROPERABILITY, Table};
use super::wire::Notes;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many clients live at a time: each is an interpreter, and machines have few cores.
const AT_ONCE: usize = 4;

/// A foreign client.
#[derive(Debug, Clone, Copy)]
struct Client {
    /// The library, where it is from, and what sets this run of it apart.
    name: &'static str,
    program: Program,
    app: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Program {
    /// In `clients/`, with its arguments.
    Script(&'static str),
    /// The `oauth2` crate, which needs no interpreter.
    Crate(Settings),
}

const fn script(name: &'static str, script: &'static str, app: Kind) -> Client {
    Client { name, program: Program::Script(script), app }
}

const fn oauth2_crate(name: &'static str, settings: Settings, app: Kind) -> Client {
    Client { name, program: Program::Crate(settings), app }
}

/// As people set them up for Follow Up Boss.
const FOR_FOLLOW_UP_BOSS: &[Client] = &[
    script("social-auth-core (PyPI)", "social_auth_core_flow.py", Kind::Confidential),
    script("requests-oauthlib (PyPI), GET", "requests_oauthlib_flow.py GET", Kind::Confidential),
    script("requests-oauthlib (PyPI), POST", "requests_oauthlib_flow.py POST", Kind::Rotating),
    script("simple-oauth2 (npm)", "simple-oauth2.mjs", Kind::Confidential),
    script("@n8n/client-oauth2 (npm), for Follow Up Boss", "n8n-client-oauth2.mjs", Kind::Confidential),
    oauth2_crate("oauth2 (crates.io), no PKCE", Settings { followupboss: true, pkce: false }, Kind::Confidential),
    oauth2_crate("oauth2 (crates.io), PKCE", Settings { followupboss: true, pkce: true }, Kind::Confidential),
];

/// As they are.
const FOR_OAUTH: &[Client] = &[
    script("openid-client (npm)", "openid-client.mjs", Kind::Rotating),
    script("oauth4webapi (npm)", "oauth4webapi.mjs", Kind::Confidential),
    script("passport-oauth2 (npm)", "passport-oauth2.mjs", Kind::Confidential),
    script("Authlib (PyPI)", "authlib_flow.py", Kind::Rotating),
    script("httpx-oauth (PyPI)", "httpx_oauth_flow.py", Kind::Confidential),
    oauth2_crate("oauth2 (crates.io), no PKCE", Settings { followupboss: false, pkce: false }, Kind::Confidential),
    oauth2_crate("oauth2 (crates.io), public, PKCE", Settings { followupboss: false, pkce: true }, Kind::Public),
];

#[tokio::test(flavor = "multi_thread")]
async fn op_07_foreign_clients_connect_call_refresh_and_hear_a_no_in_both_dialects() {
    let installed = Installed::find();
    let prepared = Prepared::with("").await;
    let clients = [FOR_FOLLOW_UP_BOSS, FOR_OAUTH].concat();
    let apps: Vec<App> = clients.iter().map(|client| prepared.app(client.name, client.app)).collect();
    let authority = prepared.serve();
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let lives = clients.iter().zip(&apps).map(|(client, app)| {
        let (client, app, installed, places, notes) =
            (*client, app.clone(), installed.clone(), places.clone(), authority.wire.notes());
        tokio::spawn(async move {
            let _place = places.acquire().await.expect("never closed");
            life(client, &app, &installed, notes).await
        })
    });
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for (client, life) in clients.iter().zip(lives.collect::<Vec<_>>()) {
        match life.await {
            Ok(Ok(row)) => rows.push(row),
            Ok(Err(why)) => wrong.push(format!("{}: {why}", client.name)),
            Err(panic) => wrong.push(format!("{}: {panic}", client.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for way in ["Basic, raw", "Basic, form-encoded", "secret in the body"] {
        assert!(rows.iter().any(|row| row[3].contains(way)), "nobody sent {way}");
    }
    let head = &["client", "version", "dialect", "settings", "result"];
    Table { document: INTEROPERABILITY, name: "clients", head, rows }.must_stand_in_the_document();
}

/// The sandbox wants the state at the token endpoint, as Follow Up Boss is said to.
#[tokio::test(flavor = "multi_thread")]
async fn sb_06_foreign_clients_of_follow_up_boss_pass_in_the_sandbox() {
    let (installed, sandbox) = (Installed::find(), Arc::new(Sandbox::start()));
    let app = App {
        issuer: sandbox.issuer().to_owned(),
        client_id: sandbox.app(FIXED, "clientId").to_owned(),
        client_secret: Some(sandbox.app(FIXED, "clientSecret").to_owned()),
    };
    let lives = FOR_FOLLOW_UP_BOSS.iter().map(|client| {
        let (app, installed, mut person) = (app.clone(), installed.clone(), Person::InSandbox(sandbox.clone()));
        (client, tokio::spawn(async move { run(*client, &app, &installed, &mut person).await }))
    });
    for (client, life) in lives.collect::<Vec<_>>() {
        if let Err(why) = life.await.unwrap_or_else(|panic| Err(panic.to_string())) {
            panic!("{}: {why}", client.name);
        }
    }
}

/// Its row, or what went wrong.
async fn life(client: Client, app: &App, installed: &Installed, notes: Arc<Notes>) -> Result<Vec<String>, String> {
    let mut person = Person::before(app, notes.clone());
    let lived = run(client, app, installed, &mut person).await;
    let story = notes.story(&app.client_id);
    let version = lived.map_err(|why| format!("{why}\nuntil then: {}", story.result()))?;
    whole(&story)?;
    let settings = story.settings(app.client_secret.as_deref());
    Ok(vec![client.name.to_owned(), version, story.dialect(), settings, story.result()])
}

/// The version of its library, or what went wrong.
async fn run(client: Client, app: &App, installed: &Installed, person: &mut Person) -> Result<String, String> {
    match client.program {
        Program::Script(line) => {
            let script = Script { line, app, access_token: None };
            program::run(installed, script, person).await.map(|finished| finished.version)
        }
        Program::Crate(settings) => Ok(oauth2_crate::live(settings, app, person).await),
    }
}

/// Whether nothing is missing of the life of a client: a script that forgot a step would pass for one that works.
fn whole(story: &Story) -> Result<(), String> {
    let result = story.result();
    let mut rest = result.as_str();
    for part in ["tokens, called, ", "invalid", "refreshed, called, ", "denied"] {
        let (_, after) = rest.split_once(part).ok_or(format!("no {part:?} in its place: {result}"))?;
        rest = after;
    }
    Ok(())
}

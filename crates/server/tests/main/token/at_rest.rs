//! ST-01: nothing at rest can be presented. All flows run on a file; then the file, its log and a backup are searched.

use super::{VERIFIER, connected, exchange_fields, pkce_code};
use keyfob_authority::Decision;
use keyfob_protocol::base62;
use keyfob_store_sqlite::{Options, SqliteStore};
use keyfob_testkit::{Browser, TestApp, TestServer, TestServerOptions};
use std::path::Path;
use std::sync::Arc;

/// Everything that was issued or typed and must not be found.
#[derive(Default)]
struct Issued(Vec<(&'static str, Vec<u8>)>);

impl Issued {
    fn add(&mut self, what: &'static str, value: &str) {
        assert!(value.len() >= 7, "{what} is long enough to be searched for");
        self.0.push((what, value.as_bytes().to_vec()));
    }

    /// A code or refresh token, and the bytes of its tag.
    fn add_derived(&mut self, what: &'static str, token: &str) {
        self.add(what, token);
        let body = token.split_once('_').expect("a prefix").1;
        let bytes: [u8; 62] = base62::decode(&body.as_bytes()[..body.len() - 6]).expect("one of ours");
        self.0.push((what, bytes[30..].to_vec()));
    }
}

fn found(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// The database, its log and whatever else lies beside it.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        entries.map(|path| (path.display().to_string(), std::fs::read(&path).expect("readable"))).collect();
    files.sort();
    files
}

/// One connection of an app, with all that it sees.
async fn whole_flow(server: &TestServer, app: &TestApp, issued: &mut Issued) {
    let mut browser = Browser::new(server);
    let state = format!("canary-state-{}", app.app.id);
    let url = app.authorize_url_with(&[
        ("response_type", "auth_code"),
        ("state", &state),
        ("code_challenge", super::CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let consent = browser.consent(&url).await;
    let hidden = consent.hidden("/oauth/authorize/decision");
    issued.add("interaction", &hidden["interaction"]);
    issued.add("csrf", &hidden["csrf"]);
    issued.add("state", &state);
    let code = browser.decide(&consent, "approve").await.landing().code();
    issued.add_derived("code", &code);
    for cookie in browser.cookies.values() {
        issued.add("cookie", cookie);
    }
    let fields = [("code_verifier", VERIFIER), ("state", state.as_str())];
    let mut tokens = connected(&app.post(server, &exchange_fields(app, &code, &fields)).await);
    for _ in 0..3 {
        server.clock.advance(60);
        issued.add("access token", &tokens.access_token);
        issued.add("signature", tokens.access_token.rsplit('.').next().expect("a JWT"));
        issued.add_derived("refresh token", &tokens.refresh_token);
        tokens = connected(&app.refresh(server, &tokens.refresh_token).await);
    }
    // Used again, refused, and ended.
    assert_eq!(app.post(server, &exchange_fields(app, &code, &[("code_verifier", "x")])).await.status(), 400);
    let denied = browser.consent(&url).await;
    browser.decide(&denied, "deny").await;
    let page = browser.get("/connections").await;
    browser.submit(&page, "/connections/revoke", &[]).await;
    assert_eq!(app.refresh(server, &tokens.refresh_token).await.status(), 400, "revoked");
    // And one that stays alive.
    issued.add_derived("code", &pkce_code(server, app).await);
}

#[tokio::test]
async fn st_01_no_issued_value_is_found_in_the_database_its_log_or_a_backup() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keyfob.db");
    let store = Arc::new(SqliteStore::open(&file, &Options::default()).expect("a store"));
    let options = TestServerOptions { store: Some(store.clone()), ..TestServerOptions::default() };
    let server = TestServer::start_with(options).await;
    let mut issued = Issued::default();
    let apps = [
        server.confidential_app("Fixed").await,
        server.rotating_app("Rotating").await,
        server.public_app("Public").await,
    ];
    for app in &apps {
        whole_flow(&server, app, &mut issued).await;
        if let Some(secret) = &app.secret {
            issued.add("client secret", secret.expose());
        }
    }
    let now = server.doorway.now();
    let added = server.authority().add_secret(apps[0].app.id, "second", None, now).await.expect("no fault");
    let Decision::Granted((_, second)) = added else { panic!("{added:?}") };
    issued.add("client secret", second.expose());
    issued.add("system key", &server.system_key);
    issued.add("password", &server.owner.password);
    issued.add("verifier", VERIFIER);

    let backups = tempfile::tempdir().expect("a directory");
    store.backup_to(backups.path().join("backup.db")).await.expect("a backup");
    let mut searched = files(directory.path());
    assert!(searched.iter().any(|(name, bytes)| name.ends_with("-wal") && !bytes.is_empty()), "there is a log");
    searched.extend(files(backups.path()));
    let public = apps[0].client_id().as_bytes();
    assert!(searched.iter().filter(|(_, bytes)| found(bytes, public)).count() >= 2, "the search finds what is there");
    for (name, bytes) in &searched {
        for (what, value) in &issued.0 {
            assert!(!found(bytes, value), "a {what} lies in {name}: {}", String::from_utf8_lossy(value));
        }
    }
}

//! `keyfob vault` as a process: its file, its keys, a kill in the middle of a consent, an import, a reseal.

mod full_disk;
mod store;

use super::connections::sandbox::Sandbox;
use super::place::{Told, bare_command, told};
use super::serving::Serving;
use super::visitor::{Answer, http_client, send};
use aws_lc_rs::digest;
use keyfob_testkit::PostgresCluster;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const KEY: &str = "keyfobvk_a0key0of0these0tests0alone0000000";

/// A directory with a configuration and its secrets, beside a sandbox.
struct Vault {
    sandbox: Sandbox,
    directory: TempDir,
    http: reqwest::Client,
}

impl Vault {
    /// Over this store: a file's name or a URL.
    fn on(store: &str) -> Vault {
        let (sandbox, directory) = (Sandbox::start(), tempfile::tempdir().expect("a directory"));
        let vault = Vault { sandbox, directory, http: http_client() };
        vault.secret("app.secret", vault.sandbox.app(0, "clientSecret"), 0o600);
        vault.secret("system.key", vault.sandbox.system("key"), 0o600);
        vault.configure(&format!("store = {store:?}"));
        vault
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn secret(&self, name: &str, text: &str, mode: u32) {
        std::fs::write(self.path(name), text).expect("a file");
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).expect("its mode");
    }

    /// Writes the file, with these lines at its top.
    fn configure(&self, top: &str) {
        let (issuer, system) = (self.sandbox.issuer(), self.sandbox.system("name"));
        let client_id = self.sandbox.app(0, "clientId");
        let redirect_uri = super::connections::sandbox::REDIRECT_URI;
        let digest = digest::digest(&digest::SHA256, KEY.as_bytes());
        let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(
            "public_url = \"http://127.0.0.1:4400\"\nlisten = \"127.0.0.1:0\"\nlog = \"json\"\n{top}\n\
             [apps.fub]\nauthority = \"followupboss\"\nsandbox = {issuer:?}\nclient_id = {client_id:?}\n\
             client_secret_file = \"app.secret\"\nsystem = {system:?}\nsystem_key_file = \"system.key\"\n\
             redirect_uri = {redirect_uri:?}\n\
             [callers.backend]\nkey_sha256 = {digest:?}\nrights = [\"connect\", \"read\", \"manage\", \"token\"]\n\
             proxy = [\"GET /v1/*\"]\n"
        );
        std::fs::write(self.path("vault.toml"), text).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare_command(&[&["vault"], arguments].concat());
        command.current_dir(self.directory.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Told {
        told(self.command(arguments), "")
    }

    #[track_caller]
    fn does(&self, arguments: &[&str]) -> Value {
        let told = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(told.code, Some(0), "{arguments:?}: {told:?}");
        serde_json::from_str(&told.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {told:?}"))
    }

    /// Refused with exit code 3 and these words, by the check and by the service.
    #[track_caller]
    fn refuses(&self, words: &[&str]) {
        let checked = self.run(&["check"]);
        let (code, said) = Serving::refused(self.command(&[]));
        assert_eq!((checked.code, code), (Some(3), Some(3)), "{checked:?} {said}");
        for word in words {
            assert!(checked.stderr.contains(word) && said.contains(word), "{word:?} is missing: {checked:?} {said}");
        }
    }

    fn serve(&self) -> Serving {
        Serving::start(self.command(&[]))
    }

    async fn get(&self, serving: &Serving, path: &str) -> Answer {
        self.get_at(&serving.base(), path).await
    }

    async fn get_at(&self, base: &str, path: &str) -> Answer {
        send(self.http.get(format!("{base}{path}")).bearer_auth(KEY)).await.expect("an answer")
    }

    /// Makes a link and opens it: where the browser is sent, and its cookie.
    async fn begun(&self, serving: &Serving, id: &str) -> (String, String) {
        let asked = self.http.post(format!("{}/connections/start", serving.base())).bearer_auth(KEY);
        let started = send(asked.body(json!({ "app": "fub", "id": id }).to_string())).await.expect("an answer");
        let link = started.field("url").unwrap_or_else(|| panic!("no link: {}", started.body));
        self.followed(serving, link.strip_prefix("http://127.0.0.1:4400").expect("at the public URL")).await
    }

    /// Opens a link: where the browser is sent, and its cookie.
    async fn followed(&self, serving: &Serving, path: &str) -> (String, String) {
        let opened = send(self.http.get(format!("{}{path}", serving.base()))).await.expect("an answer");
        let cookie = opened.header("set-cookie").split(';').next().expect("a cookie").to_owned();
        (opened.header("location").to_owned(), cookie)
    }

    /// The user approves and comes back: where the browser ends.
    async fn back(&self, serving: &Serving, authorize: &str, cookie: &str) -> String {
        let redirect = self.sandbox.approved(authorize).await;
        let query = redirect.split_once('?').expect("an answer").1;
        let request = self.http.get(format!("{}/callback?{query}", serving.base())).header("cookie", cookie);
        send(request).await.expect("an answer").header("location").to_owned()
    }

    async fn connect(&self, serving: &Serving, id: &str) {
        let (authorize, cookie) = self.begun(serving, id).await;
        assert_eq!(self.back(serving, &authorize, &cookie).await, "/end/connected");
    }

    #[track_caller]
    fn works(answer: &Answer) {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[test]
fn a_vault_that_cannot_be_right_is_refused_and_says_what_to_do() {
    let vault = Vault::on("vault.db");
    let checked = vault.does(&["check"]);
    assert_eq!((&checked["apps"][0]["name"], &checked["callers"]), (&json!("fub"), &json!(["backend"])));
    // What the authority has to know, and that it is not where this vault takes users back.
    assert_eq!(checked["apps"][0]["redirectUri"], super::connections::sandbox::REDIRECT_URI);
    assert!(
        checked["notes"][0].as_str().is_some_and(|note| note.contains("http://127.0.0.1:4400/callback")),
        "{checked}"
    );
    for file in ["vault.db", "vault.master-key"] {
        assert!(!vault.path(file).exists(), "a check made {file}");
    }
    vault.serve().stop();
    for file in ["vault.db", "vault.master-key"] {
        assert_eq!(std::fs::metadata(vault.path(file)).expect("made").permissions().mode() & 0o777, 0o600, "{file}");
    }
    for (file, mode) in [("app.secret", 0o644), ("system.key", 0o640), ("vault.master-key", 0o604)] {
        let text = std::fs::read_to_string(vault.path(file)).expect("a secret");
        vault.secret(file, &text, mode);
        vault.refuses(&["chmod 600", file]);
        vault.secret(file, &text, 0o600);
    }
    let right = std::fs::read_to_string(vault.path("vault.master-key")).expect("a key");
    vault.secret("vault.master-key", "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=", 0o600);
    vault.refuses(&["not the master key of this vault"]);
    std::fs::remove_file(vault.path("vault.master-key")).expect("there");
    vault.refuses(&["vault.master-key", "put the file back"]);
    assert!(!vault.path("vault.master-key").exists(), "it is not replaced");
    vault.secret("vault.master-key", &right, 0o600);
    let twice = std::fs::read_to_string(vault.path("vault.toml")).expect("a file");
    let again = twice.split_once("[callers.backend]").expect("a caller").1;
    std::fs::write(vault.path("vault.toml"), format!("{twice}[callers.other]{again}")).expect("a file");
    vault.refuses(&["callers.backend", "callers.other", "same key_sha256"]);
    vault.configure("stor = \"vault.db\"");
    vault.refuses(&["stor"]);
    vault.configure("store = \"vault.db\"");
    vault.does(&["check"]);
}

#[test]
fn a_file_that_is_wrong_in_many_places_is_told_them_all_at_once() {
    let vault = Vault::on("vault.db");
    vault.secret("hook.secret", "abc", 0o600);
    std::fs::write(
        vault.path("vault.toml"),
        "public_url = \"http://127.0.0.1:4400/path\"\nstore = \"vault.db\"\n\
         metrics = \"127.0.0.1:9101\"\n\
         [apps.a]\nauthority = \"followupboss\"\nclient_id = \"your client id\"\nclient_secret_file = \"none.secret\"\n\
         after = \"app.example.com/connected\"\nreturn_prefixes = [\"/back/\"]\nscope = [\"people\"]\n\
         [apps.b]\nauthority = \"keyfob\"\nclient_id = \"b\"\npublic = true\n\
         [apps.c]\nauthority = \"https://id.example.com\"\nclient_id = \"c\"\npublic = true\n\
         [callers.backend]\nkey_sha256 = \"0000000000000000000000000000000000000000000000000000000000000000\"\napps = [\"b\", \"z\"]\n\
         [webhooks.w]\nurl = \"http://hooks.example.com/\"\nsecret_file = \"hook.secret\"\n",
    )
    .expect("a file");
    vault.refuses(&[
        "public_url http://127.0.0.1:4400/path: it must have neither",
        "configuration vault.toml: line 3: unknown field `metrics`",
        "configuration vault.toml: line 10: invalid type: sequence, expected a string",
        "apps.a.after app.example.com/connected: relative URL without a base; it is a whole address, like https://",
        "apps.a.return_prefixes /back/: relative URL without a base",
        "apps.a.client_id is empty or still the sample's",
        "apps.a.client_secret_file none.secret is not there (looked for from /",
        "); put the secret alone into it",
        "apps.b: authority = ",
        "needs issuer = ",
        "apps.c: an issuer does not say where its API is, and the token goes nowhere else: api = ",
        "callers.backend.key_sha256 is the sample's; make a key and its digest: keyfob vault key",
        "callers.backend.apps: there is no app z",
        "webhooks.w: the secret has fewer than 16 bytes",
    ]);
    assert!(!vault.run(&["check"]).stderr.contains("--api"), "flags of another command");
    // The sample as it is needs editing.
    let sample = vault.run(&["sample"]).stdout;
    std::fs::write(vault.path("vault.toml"), sample).expect("a file");
    vault.refuses(&["apps.fub.client_id", "fub.secret", "callers.backend.key_sha256"]);
}

#[test]
fn a_check_finds_an_authority_or_a_store_that_is_not_there() {
    let vault = Vault::on("nowhere/vault.db");
    let told = vault.run(&["check"]);
    assert_eq!(told.code, Some(3), "{told:?}");
    assert!(told.stderr.contains("store nowhere/vault.db: there is no directory nowhere"), "{told:?}");
    let (issuer, nobody) = (vault.sandbox.issuer().to_owned(), "http://127.0.0.1:9");
    vault.configure("store = \"vault.db\"");
    let text = std::fs::read_to_string(vault.path("vault.toml")).expect("a file");
    for (sandbox, code, words) in [
        (nobody.to_owned(), 6, "apps.fub: the authority does not answer at http://127.0.0.1:9/oauth/token"),
        (format!("{issuer}/oauth/authorize"), 3, "apps.fub: there is no token endpoint at "),
    ] {
        let elsewhere = text.replace(&format!("sandbox = {issuer:?}"), &format!("sandbox = {sandbox:?}"));
        std::fs::write(vault.path("vault.toml"), elsewhere).expect("a file");
        let told = vault.run(&["check"]);
        assert_eq!(told.code, Some(code), "{sandbox}: {told:?}");
        assert!(told.stderr.contains(words), "{sandbox}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_tells_of_rules_and_connections_that_nothing_fits() {
    let vault = Vault::on("vault.db");
    let serving = vault.serve();
    vault.connect(&serving, "u1").await;
    serving.stop();
    let text = std::fs::read_to_string(vault.path("vault.toml")).expect("a file");
    std::fs::write(
        vault.path("vault.toml"),
        text.replace("\"GET /v1/*\"", "\"GET /v1/*\", \"POST /people\", \"GET /v1/people*\""),
    )
    .expect("a file");
    let notes = vault.does(&["check"])["notes"].to_string();
    let idle = r#"callers.backend.proxy: \"POST /people\" allows no call: the API of fub begins with /v1/"#;
    assert!(notes.contains(idle), "{notes}");
    let wide = r#"callers.backend.proxy: \"GET /v1/people*\" allows every path that begins so, GET /v1/peopleX too; for this one and what is below it: \"GET /v1/people\", \"GET /v1/people/*\""#;
    assert!(notes.contains(wide) && notes.matches("begins so").count() == 1, "{notes}");
    std::fs::write(vault.path("vault.toml"), text.replace("[apps.fub]", "[apps.boss]")).expect("a file");
    let notes = vault.does(&["check"])["notes"].to_string();
    assert!(notes.contains("the store has connections of an app fub that the configuration does not name"), "{notes}");
    std::fs::write(vault.path("vault.toml"), text).expect("a file");
    let notes = vault.does(&["check"])["notes"].to_string();
    assert!(!notes.contains("does not name"), "{notes}");
}

/// A key made or handed out beforehand is no store.
#[test]
fn a_check_makes_no_store_for_a_key_that_is_there() {
    let vault = Vault::on("vault.db");
    let key = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";
    let checked = |vault: &Vault, in_environment: bool| {
        let mut command = vault.command(&["check"]);
        if in_environment {
            command.env("KEYFOB_VAULT_MASTER_KEY", key);
        }
        let told = told(command, "");
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.stdout.contains("nothing there yet"), "{told:?}");
    };
    let database = PostgresCluster::shared().database();
    for store in ["vault.db", &database.url()] {
        vault.configure(&format!("store = {store:?}"));
        checked(&vault, true);
        checked(&vault, false);
        vault.secret("vault.master-key", key, 0o600);
        checked(&vault, false);
        std::fs::remove_file(vault.path("vault.master-key")).expect("there");
    }
    assert!(!vault.path("vault.db").exists(), "a file was made");
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(database.sql(tables), "0", "tables were made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_events_is_answered_when_the_vault_stops() {
    let vault = Vault::on("vault.db");
    let mut serving = vault.serve();
    let base = serving.base();
    let waiting = vault.get_at(&base, "/events?wait=30");
    tokio::pin!(waiting);
    let on_the_way = tokio::time::timeout(Duration::from_millis(500), &mut waiting).await;
    assert!(on_the_way.is_err(), "nothing has happened");
    serving.terminate();
    let answer = tokio::time::timeout(Duration::from_secs(8), waiting).await.expect("before it is cut off");
    Vault::works(&answer);
    assert!(answer.body.contains("\"events\":[]"), "{}", answer.body);
    assert!(serving.ended().success());
}

/// What a vault lives through, on whichever store.
async fn lives(vault: &Vault) {
    let serving = vault.serve();
    vault.connect(&serving, "u1").await;
    let (authorize, cookie) = vault.begun(&serving, "u2").await;
    let access = vault.get(&serving, "/connections/fub/u1/token").await.field("access_token").expect("a token");
    // No goodbye, in the middle of a consent.
    serving.kill();
    let serving = vault.serve();
    assert_eq!(vault.back(&serving, &authorize, &cookie).await, "/end/connected");
    for id in ["u1", "u2"] {
        Vault::works(&vault.get(&serving, &format!("/proxy/fub/{id}/v1/identity")).await);
    }
    let events: Value = serde_json::from_str(&vault.get(&serving, "/events").await.body).expect("JSON");
    let told: Vec<_> = events["events"].as_array().expect("events").iter().map(|event| event["id"].as_str()).collect();
    assert_eq!(told, [Some("u1"), Some("u2")]);

    // The rows are put under another key while the service runs.
    assert_eq!(vault.does(&["reseal", "data"])["resealed"], 2);
    vault.sandbox.advance("61m").await;
    for id in ["u1", "u2"] {
        Vault::works(&vault.get(&serving, &format!("/proxy/fub/{id}/v1/identity")).await);
    }
    let secret = vault.sandbox.app(0, "clientSecret").to_owned();
    let (said, key) = (serving.said(), KEY.to_owned());
    for secret in [&secret, &access, &cookie, &key] {
        assert!(!said.contains(secret.as_str()), "a secret is in the log");
    }
    serving.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_that_is_killed_in_the_middle_of_a_consent_goes_on_with_it() {
    lives(&Vault::on("vault.db")).await;
}

/// Whatever became of the code, nobody has its tokens: the person is not left on a page that never changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_came_back_as_the_vault_was_killed_can_try_again() {
    let vault = Vault::on("vault.db");
    let serving = vault.serve();
    let (authorize, cookie) = vault.begun(&serving, "u1").await;
    let back = vault.sandbox.approved(&authorize).await;
    let query = back.split_once('?').expect("an answer").1;
    let callback =
        |serving: &Serving| vault.http.get(format!("{}/callback?{query}", serving.base())).header("cookie", &cookie);
    vault.sandbox.has_fault(json!({ "fault": "delay", "at": "token", "milliseconds": 20_000 })).await;
    let redeeming = tokio::spawn(send(callback(&serving)));
    vault.sandbox.fires("delay", 1).await;
    serving.kill();
    assert!(redeeming.await.expect("no panic").is_err(), "it was killed before it could answer");
    let serving = vault.serve();
    let again = send(callback(&serving)).await.expect("an answer");
    let end = again.header("location");
    assert!(end.starts_with("/end/pending/"), "{end}");
    let page = vault.get(&serving, end).await;
    let link =
        page.body.split("href=\"").find_map(|rest| rest.split('"').next().filter(|href| href.starts_with("/connect/")));
    let link = link.unwrap_or_else(|| panic!("no link: {}", page.body));
    let (authorize, cookie) = vault.followed(&serving, link).await;
    assert_eq!(vault.back(&serving, &authorize, &cookie).await, "/end/connected");
    Vault::works(&vault.get(&serving, "/proxy/fub/u1/v1/identity").await);
    serving.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_on_postgresql_that_is_killed_goes_on_too() {
    let database = PostgresCluster::shared().database();
    let vault = Vault::on(&database.url());
    lives(&vault).await;
    // And a row that the database has lost is told, and mended by a new consent.
    database.sql("UPDATE connections SET sealed = '\\x00' WHERE id = 'fub/u1'");
    let serving = vault.serve();
    let shown = vault.get(&serving, "/connections/fub/u1").await;
    assert_eq!(shown.field("state").as_deref(), Some("unreadable"), "{}", shown.body);
    assert_eq!(vault.get(&serving, "/proxy/fub/u1/v1/identity").await.status, 409);
    Vault::works(&vault.get(&serving, "/proxy/fub/u2/v1/identity").await);
    vault.connect(&serving, "u1").await;
    Vault::works(&vault.get(&serving, "/proxy/fub/u1/v1/identity").await);
    serving.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_imported_and_the_master_key_replaced() {
    let old = Vault::on("vault.db");
    let serving = old.serve();
    old.connect(&serving, "u1").await;
    serving.stop();
    old.does(&["reseal", "master", "--new", "new.master-key"]);
    assert_eq!(old.run(&["check"]).code, Some(3), "under the old key");
    old.configure("store = \"vault.db\"\nmaster_key_file = \"new.master-key\"");
    old.does(&["check"]);
    let serving = old.serve();
    Vault::works(&old.get(&serving, "/proxy/fub/u1/v1/identity").await);
    let token = old.get(&serving, "/connections/fub/u1/token").await.field("access_token").expect("a token");
    let export = json!([
        { "id": "moved", "access_token": token, "refresh_token": "unknown-here" },
        { "id": "", "access_token": "x", "refresh_token": "y" },
    ]);
    std::fs::write(old.path("users.json"), export.to_string()).expect("a file");
    let dry = old.run(&["import", "users.json", "--app", "fub", "--dry-run", "--json"]);
    assert_eq!(old.get(&serving, "/connections/fub/moved").await.status, 404, "{dry:?}");
    let done = old.run(&["import", "users.json", "--app", "fub", "--json"]);
    assert_eq!(done.code, Some(3), "one line was left out: {done:?}");
    let report: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(report["lines"][0]["outcome"], "imported", "{report}");
    assert_eq!(report["lines"][1]["outcome"], "unreadable", "{report}");
    Vault::works(&old.get(&serving, "/proxy/fub/moved/v1/identity").await);
    assert!(!done.stdout.contains(&token) && !done.stderr.contains(&token), "a token is shown");
    let nowhere = old.run(&["import", "users.json", "--app", "none"]);
    assert!(nowhere.code != Some(0) && nowhere.stderr.contains("there are: fub"), "{nowhere:?}");
    serving.stop();
}

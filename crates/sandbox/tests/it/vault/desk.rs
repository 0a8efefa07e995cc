//! A partner with a vault: the service on a loopback socket over an SQLite file, a sandbox as authority, and a clock for both.

use crate::integration::{Partner, query};
use crate::running::{Got, Running, send, surroundings};
use aws_lc_rs::digest;
use keyfob_client::{App, Method, Provider, Secret, Surroundings, System};
use keyfob_pages::Brand;
use keyfob_sandbox::seed::{SEEDED_UNTIL, SeededEntropy};
use keyfob_server::listen::{ListenOptions, serve};
use keyfob_vault::callers::{Caller, ProxyRule, Right};
use keyfob_vault::delivery::{Webhook, deliver};
use keyfob_vault::service::{Service, ServiceSettings, router};
use keyfob_vault::store::{MasterKey, SqliteTokenStore};
use keyfob_vault::{AppSettings, Vault};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const MASTER: &str = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";
/// The caller that may do everything.
pub(super) const BACKEND: &str = "backend";
/// Signs webhooks.
pub(super) const HOOK_SECRET: &str = "a secret of the receiver's";

/// What a test wants otherwise than usual.
#[derive(Default)]
pub(super) struct Wanted {
    /// Further callers.
    pub(super) callers: Vec<Caller>,
    /// Where the API is, if not in the sandbox.
    pub(super) api: Option<String>,
    /// Whether nothing is known of the API's shape, as where an app is named by its issuer.
    pub(super) shapeless: bool,
    /// Where events go.
    pub(super) webhook: Option<String>,
    pub(super) after: Option<&'static str>,
    pub(super) return_prefixes: Vec<&'static str>,
}

/// Apps `fub` (fixed refresh tokens) and `other` (rotating ones). Its tasks end with it.
pub(super) struct Desk {
    pub(super) running: Running,
    pub(super) clock: Arc<Partner>,
    pub(super) base: String,
    wanted: Wanted,
    directory: TempDir,
    tasks: Vec<JoinHandle<()>>,
    service: Option<Arc<Service>>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// A caller by the end of its key.
pub(super) fn caller(name: &str, rights: &[Right], apps: Option<&[&str]>, proxy: &[&str]) -> Caller {
    let key = key_of(name);
    Caller {
        name: name.to_owned(),
        key_sha256: digest::digest(&digest::SHA256, key.as_bytes()).as_ref().try_into().expect("32 bytes"),
        rights: rights.iter().copied().collect(),
        apps: apps.map(|apps| apps.iter().map(|app| (*app).to_owned()).collect()),
        proxy: proxy.iter().map(|rule| ProxyRule::parse(rule).expect("a rule")).collect(),
    }
}

/// The key of a caller of this name.
pub(super) fn key_of(name: &str) -> String {
    format!("keyfobvk_{name:0<34}")
}

pub(super) fn bearer(key: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {key}"))
}

impl Desk {
    pub(super) async fn new() -> Desk {
        Desk::with(Wanted::default()).await
    }

    pub(super) async fn with(wanted: Wanted) -> Desk {
        Desk::at(Running::start().await, wanted).await
    }

    pub(super) async fn at(running: Running, wanted: Wanted) -> Desk {
        let clock = Arc::new(Partner(AtomicI64::new(SEEDED_UNTIL.0)));
        let directory = tempfile::tempdir().expect("a directory");
        let mut desk =
            Desk { running, clock, base: String::new(), wanted, directory, tasks: Vec::new(), service: None };
        desk.start().await;
        desk
    }

    /// From the next start on.
    pub(super) fn wants_callers(&mut self, callers: Vec<Caller>) {
        self.wanted.callers = callers;
    }

    /// Lets everything of the vault end at once, and starts it again over the same file, elsewhere.
    pub(super) async fn restart(&mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // Aborted, and so an error.
            let _ = task.await;
        }
        self.start().await;
    }

    async fn start(&mut self) {
        static STARTED: AtomicU64 = AtomicU64::new(100);
        let entropy = Arc::new(SeededEntropy::new(STARTED.fetch_add(1, Ordering::SeqCst), "vault"));
        let outside = Surroundings { entropy: entropy.clone(), ..surroundings(self.clock.clone()) };
        let master = MasterKey::parse(MASTER).expect("a key");
        let store = SqliteTokenStore::open(&self.file(), master, self.clock.clone(), entropy).expect("a store");
        let apps = vec![self.app("fub", 0), self.app("other", 1)];
        let vault = Arc::new(Vault::new(apps, Arc::new(store), outside));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        self.base = format!("http://{}", listener.local_addr().expect("bound"));
        let all = [Right::Connect, Right::Read, Right::Manage, Right::Token];
        let backend = caller(BACKEND, &all, None, &["* /v1/*"]);
        let settings = ServiceSettings {
            public_url: self.base.parse().expect("a URL"),
            brand: Brand::default(),
            callers: [backend].into_iter().chain(self.wanted.callers.iter().cloned()).collect(),
            session_key: Secret::new([7; 32]),
        };
        let service = Arc::new(Service::new(vault, settings));
        self.service = Some(service.clone());
        if let Some(url) = &self.wanted.webhook {
            let webhook = Webhook::new("receiver", url, Secret::from(HOOK_SECRET)).expect("loopback");
            self.tasks.push(tokio::spawn(deliver(service.clone(), webhook)));
        }
        let serving = serve(listener, router(service), ListenOptions::default(), std::future::pending());
        self.tasks.push(tokio::spawn(serving));
    }

    fn app(&self, name: &str, number: usize) -> AppSettings {
        let announced = &self.running.announcement;
        let system = System::new(&announced.system.name, Secret::from(announced.system.key.as_str()));
        let provider = Provider::keyfob(self.running.origin()).expect("loopback");
        let provider = provider.speaking(keyfob_client::Dialect::FollowUpBoss).with_system(system.expect("usable"));
        let provider = match &self.wanted.api {
            Some(api) => provider.with_api_base(api).expect("loopback"),
            None => provider,
        };
        let provider = match self.wanted.shapeless {
            true => provider.with_api_shape(keyfob_client::ApiShape::Unknown),
            false => provider,
        };
        let app = &announced.apps[number];
        AppSettings {
            name: name.to_owned(),
            title: name.to_owned(),
            provider,
            app: App {
                client_id: app.client_id.clone(),
                client_secret: app.client_secret.as_deref().map(Secret::from),
                redirect_uri: app.redirect_uris[0].clone(),
            },
            scope: None,
            after: self.wanted.after.map(|url| url.parse().expect("a URL")),
            return_prefixes: self.wanted.return_prefixes.iter().map(|url| url.parse().expect("a URL")).collect(),
        }
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        self.service.as_ref().expect("invariant: it was started")
    }

    /// What is counted under this name, labels included.
    pub(super) fn counted(&self, name: &str) -> String {
        let metrics = self.service().metrics();
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {metrics}")).to_owned()
    }

    pub(super) fn file(&self) -> PathBuf {
        self.directory.path().join("vault.db")
    }

    /// What somebody does to the file behind the vault's back.
    pub(super) fn sql(&self, statements: &str) {
        let connection = rusqlite::Connection::open(self.file()).expect("the file");
        connection.busy_timeout(std::time::Duration::from_secs(10)).expect("a timeout");
        connection.execute_batch(statements).expect("statements");
    }

    /// A number from the file.
    pub(super) fn count(&self, query: &str) -> i64 {
        let connection = rusqlite::Connection::open(self.file()).expect("the file");
        connection.query_row(query, [], |row| row.get(0)).expect("a number")
    }

    /// A row under another name.
    pub(super) fn renamed(&self, from: &str, to: &str) {
        let connection = rusqlite::Connection::open(self.file()).expect("the file");
        let changed = connection.execute("UPDATE connections SET id = ?2 WHERE id = ?1", [from, to]);
        assert_eq!(changed.expect("a write"), 1);
    }

    /// Time passes at both ends.
    pub(super) async fn passes(&self, minutes: i64) {
        self.running.advance(&format!("{minutes}m")).await;
        self.clock.0.fetch_add(minutes * 60, Ordering::SeqCst);
    }

    /// A call with the key of the backend.
    pub(super) async fn ask(&self, method: Method, path: &str, body: &str) -> Got {
        self.ask_as(BACKEND, method, path, body).await
    }

    /// The same, as this caller.
    pub(super) async fn ask_as(&self, name: &str, method: Method, path: &str, body: &str) -> Got {
        let (name, value) = bearer(&key_of(name));
        send(method, &format!("{}{path}", self.base), &[(name, &value)], body).await
    }

    pub(super) async fn get(&self, path: &str) -> Got {
        self.ask(Method::Get, path, "").await
    }

    /// What a browser with this cookie gets.
    pub(super) async fn browse(&self, path: &str, cookie: &str) -> Got {
        let headers: &[(&str, &str)] = if cookie.is_empty() { &[] } else { &[("Cookie", cookie)] };
        send(Method::Get, &format!("{}{path}", self.base), headers, "").await
    }

    /// The path of a link for this user.
    pub(super) async fn link(&self, id: &str) -> String {
        let got = self.ask(Method::Post, "/connections/start", &json!({ "app": "fub", "id": id }).to_string()).await;
        assert_eq!(got.status, 200, "{}", got.text);
        self.path_of(got.json()["url"].as_str().expect("a link"))
    }

    /// An address of the vault's without its origin.
    pub(super) fn path_of(&self, url: &str) -> String {
        url.strip_prefix(&self.base).unwrap_or_else(|| panic!("{url} is not the vault's")).to_owned()
    }

    /// Opens a link: where the browser is sent, and its cookie.
    pub(super) async fn open(&self, link: &str) -> (String, String) {
        let got = self.browse(link, "").await;
        assert_eq!(got.status, 303, "{}", got.text);
        let cookie = got.header("set-cookie").expect("a cookie").split(';').next().expect("a pair").to_owned();
        (got.header("location").expect("an address").to_owned(), cookie)
    }

    /// The user at the authority: the path of the callback.
    pub(super) async fn decided(&self, authorize: &str, user: usize, decision: &str) -> String {
        let user = &self.running.announcement.users[user].email;
        let got =
            self.running.control("authorize", json!({ "url": authorize, "user": user, "decision": decision })).await;
        assert_eq!(got.status, 200, "{}", got.text);
        format!("/callback?{}", query(got.json()["redirect"].as_str().expect("a redirect")))
    }

    /// A whole trip: where the browser ends.
    pub(super) async fn trip(&self, id: &str, user: usize, decision: &str) -> String {
        let (authorize, cookie) = self.open(&self.link(id).await).await;
        let callback = self.decided(&authorize, user, decision).await;
        let got = self.browse(&callback, &cookie).await;
        assert_eq!(got.status, 303, "{}", got.text);
        got.header("location").expect("an address").to_owned()
    }

    pub(super) async fn connect(&self, id: &str) {
        assert_eq!(self.trip(id, 0, "approve").await, "/end/connected");
    }

    /// The grant ends at the authority, without the vault's knowing.
    pub(super) async fn taken_back(&self, id: &str) {
        let token = self.get(&format!("/connections/fub/{id}/token")).await.json();
        let bearer = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
        let system = &self.running.announcement.system;
        let headers = [("Authorization", bearer.as_str()), ("X-System", &system.name), ("X-System-Key", &system.key)];
        let url = format!("{}/v1/oauthApps/revokeAccess", self.running.origin());
        let got = send(Method::Delete, &url, &headers, "").await;
        assert_eq!(got.status, 200, "{}", got.text);
    }

    pub(super) async fn state(&self, id: &str) -> String {
        let got = self.get(&format!("/connections/fub/{id}")).await;
        got.json()["state"].as_str().unwrap_or_else(|| panic!("no state: {}", got.text)).to_owned()
    }

    /// The events from the beginning, as `from>to` of a connection.
    pub(super) async fn told(&self, id: &str) -> Vec<String> {
        let got = self.get("/events?limit=1000").await.json();
        let events = got["events"].as_array().expect("events").iter();
        events.filter(|event| event["id"] == id).map(change).collect()
    }
}

/// An event in one word.
pub(super) fn change(event: &Value) -> String {
    format!("{}>{}", event["from"].as_str().unwrap_or("nothing"), event["to"].as_str().expect("a state"))
}

/// The status and the stable code of a refusal, which carries its mark.
#[track_caller]
pub(super) fn refusal(got: &Got) -> (u16, String) {
    let code = got.json()["error"].as_str().unwrap_or_else(|| panic!("no code: {}", got.text)).to_owned();
    assert_eq!(got.header("keyfob-vault-error"), Some(code.as_str()), "{}", got.text);
    (got.status, code)
}

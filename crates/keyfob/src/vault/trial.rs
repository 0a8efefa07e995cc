//! `keyfob vault --sandbox URL`: a vault to try, beside a running sandbox. Registers an app of its own there and keeps nothing.

use super::settings::{MasterKeyPlace, StoreSetting, VaultSettings};
use crate::composition::entropy::SystemEntropy;
use crate::composition::log::LogFormat;
use crate::exit::Exit;
use crate::output;
use crate::partner::opened::driven;
use keyfob_client::{App, Dialect, Header, HttpRequest, HttpResponse, Method, Provider, Secret, System, safe_url};
use keyfob_pages::Brand;
use keyfob_vault::AppSettings;
use keyfob_vault::callers::{self, Caller, ProxyRule, Right};
use keyfob_vault::store::MasterKey;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::net::TcpListener;
use url::Url;

/// What the app is called.
const APP: &str = "sandbox";

/// A vault that is gone at the end.
pub(super) struct Trial {
    pub(super) settings: VaultSettings,
    directory: PathBuf,
    key: Secret<String>,
}

impl Trial {
    /// Beside this sandbox, with a listener at this address: the sandbox must be told the port that it got.
    pub(super) async fn at(sandbox: &str, listen: SocketAddr) -> anyhow::Result<(Trial, TcpListener)> {
        if !listen.ip().is_loopback() {
            return Err(Exit::Refused.because("a vault on trial serves plain HTTP, so it listens on loopback only"));
        }
        let listener = super::bind("--listen", listen).await?;
        let listen = listener.local_addr()?;
        let base = safe_url::parse(sandbox).map_err(|error| Exit::Refused.because(error.to_string()))?;
        if !safe_url::is_loopback(&base) {
            return Err(Exit::Refused.because(
                "a sandbox is on this machine; for anything else write a configuration: keyfob vault sample > vault.toml",
            ));
        }
        let sandbox = sandbox.trim_end_matches('/');
        let public_url: Url = format!("http://{listen}/").parse().expect("invariant: a socket address makes a URL");
        let redirect_uri = format!("{public_url}callback");
        let credentials: Value = ask(sandbox, Method::Get, "/sandbox/credentials", Vec::new(), None).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (name, key) = (text(&credentials["system"]["name"]), text(&credentials["system"]["key"]));
        let headers =
            vec![Header::plain("X-System", name.as_str()), Header::secret("X-System-Key", Secret::from(key.as_str()))];
        let wanted = json!({ "name": "Vault on trial", "redirectUris": [redirect_uri] });
        let app = ask(sandbox, Method::Post, "/v1/oauthApps", headers, Some(wanted)).await?;
        let app = App {
            client_id: text(&app["clientId"]),
            client_secret: Some(Secret::new(text(&app["clientSecret"]))),
            redirect_uri,
        };
        let refused = |error: String| Exit::Refused.because(error);
        let system = System::new(&name, Secret::from(key.as_str())).map_err(|error| refused(error.to_string()))?;
        let provider = Provider::keyfob(sandbox).map_err(|error| refused(error.to_string()))?;
        let provider = provider.speaking(Dialect::FollowUpBoss).with_system(system);
        let (key, digest) = callers::fresh_key(&SystemEntropy::new())?;
        let directory = std::env::temp_dir().join(format!("keyfob-vault-{}", std::process::id()));
        crate::composition::authority::private_directory(&directory)?;
        let caller = Caller {
            name: "trial".to_owned(),
            key_sha256: super::settings::hex(&digest).expect("invariant: a digest of ours"),
            rights: [Right::Connect, Right::Read, Right::Manage, Right::Token].into(),
            apps: None,
            proxy: vec![ProxyRule::parse("* /*").expect("invariant: a constant rule")],
        };
        let settings = VaultSettings {
            public_url,
            listen,
            metrics_listen: None,
            tls: None,
            store: StoreSetting::File(directory.join("vault.db")),
            store_must_exist: false,
            new_store: false,
            master_key: MasterKeyPlace::Memory(MasterKey::generate(&SystemEntropy::new())?),
            log: LogFormat::Text,
            brand: Brand::default(),
            apps: vec![AppSettings {
                name: APP.to_owned(),
                title: "Vault on trial".to_owned(),
                provider,
                app,
                scope: None,
                after: None,
                return_prefixes: Vec::new(),
            }],
            callers: vec![caller],
            webhooks: Vec::new(),
        };
        Ok((Trial { settings, directory, key }, listener))
    }

    /// Says how to begin.
    pub(super) fn announce(&self, json: bool) -> anyhow::Result<()> {
        let (url, key) = (self.settings.public_url.as_str().trim_end_matches('/'), self.key.expose());
        output::data(json, &json!({ "url": url, "app": APP, "callerKey": key }), || {
            format!(
                "vault       {url}   (a page of connections; sign in with the key)\ncaller key  {key}\n\nTry:\n  \
                 curl -s {url}/connections/start -H 'Authorization: Bearer {key}' -d '{{\"app\":\"{APP}\",\"id\":\"user-1\"}}'\n  \
                 open the url of the answer in a browser and approve, then\n  \
                 curl -s {url}/proxy/{APP}/user-1/v1/people -H 'Authorization: Bearer {key}'"
            )
        })
    }

    /// Removes what was kept.
    pub(super) fn clear(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            output::say(&format!("keyfob: {} cannot be removed: {error}", self.directory.display()));
        }
    }
}

async fn ask(
    sandbox: &str,
    method: Method,
    path: &str,
    mut headers: Vec<Header>,
    body: Option<Value>,
) -> anyhow::Result<Value> {
    if body.is_some() {
        headers.push(Header::plain("Content-Type", "application/json"));
    }
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let request =
        HttpRequest { method, url: Secret::new(format!("{sandbox}{path}")), headers, body: Secret::new(body) };
    let no_sandbox = |why: String| {
        Exit::Unavailable
            .because(format!("{sandbox} does not answer like a sandbox ({why}); start one: keyfob sandbox"))
    };
    let answer: HttpResponse =
        driven(true)?.transport.send(&request).await.map_err(|error| no_sandbox(error.to_string()))?;
    if !answer.is_success() {
        return Err(no_sandbox(format!("{path}: status {}", answer.status)));
    }
    answer.json().map_err(|_| no_sandbox(format!("{path}: no JSON")))
}

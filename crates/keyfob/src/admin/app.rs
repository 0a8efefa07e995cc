//! `keyfob app …`

use super::{changed, done, missing, not_named};
use crate::composition::authority::Opened;
use crate::exit::Exit;
use crate::output::{self, table};
use clap::{Args, Subcommand};
use keyfob_authority::Decision;
use keyfob_authority::model::{App, AppId, AppPolicy, LegacyGet, RefreshPolicy};
use keyfob_authority::register::{NewApp, RegisterRefusal};
use keyfob_protocol::redirect_uri::RedirectUriRules;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::time::DAY;
use keyfob_protocol::{Secret, Timestamp};
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Register an app and print its secret, once.
    Add {
        /// The system's number or name.
        #[arg(long)]
        system: String,
        /// What the consent page calls it.
        #[arg(long)]
        name: String,
        /// Where answers may go; repeatable.
        #[arg(long = "redirect-uri", required = true)]
        redirect_uris: Vec<String>,
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// List apps.
    List {
        /// Of this system (number or name) only.
        #[arg(long)]
        system: Option<String>,
    },
    /// Show one app with its policy and secrets (never the secrets' values).
    Show {
        /// Number or client id.
        app: String,
    },
    /// Change an app. Redirect URIs given here replace all earlier ones.
    Update {
        /// Number or client id.
        app: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long = "redirect-uri")]
        redirect_uris: Vec<String>,
        #[command(flatten)]
        policy: PolicyArgs,
    },
    /// How apps use the endpoints, and what to do about old ways. A running node adds what it saw once a minute.
    Report {
        /// Number or client id; all apps if left out.
        app: Option<String>,
        /// Of the last so many days, today included.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=400))]
        days: i64,
    },
    /// Let it start, redeem and refresh again.
    Enable { app: String },
    /// It can no longer start, redeem or refresh, and its tokens are refused within a second.
    Disable { app: String },
    /// Remove an app with its secrets; its grants no longer work.
    Remove { app: String },
    /// Several secrets may live at once, so that they can be changed without a gap.
    #[command(subcommand)]
    Secret(SecretCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Add a secret and print it, once.
    Add {
        /// Number or client id.
        app: String,
        #[arg(long)]
        name: String,
        /// Days until it stops working by itself.
        #[arg(long, value_name = "DAYS")]
        expires_in: Option<i64>,
    },
    /// Make a secret stop working.
    Retire {
        /// Number or client id.
        app: String,
        /// The secret's number, as `keyfob app show` lists it.
        #[arg(value_parser = secret_number)]
        secret: i64,
        /// Hours until then. Default: now.
        #[arg(long, value_name = "HOURS", default_value_t = 0)]
        in_hours: i64,
    },
}

/// What may happen with the app. What is not given stays as it is, or at its default.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// A client without a secret: PKCE required, refresh tokens rotate. Only at registration.
    #[arg(long)]
    public: bool,
    /// An app on its user's machine (RFC 8252): public, and at any port of a loopback address that it registered, as http://127.0.0.1/callback;
    /// private-use schemes as well. Only at registration.
    #[arg(long)]
    native: bool,
    /// Refresh tokens rotate.
    #[arg(long)]
    rotating: bool,
    /// An origin whose pages may call the token and revocation endpoints, like <https://app.example.com>; repeatable. Replaces all earlier ones.
    /// For public apps that run in a browser.
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<String>,
    /// It may have tokens for itself, without a user (grant_type=client_credentials).
    #[arg(long)]
    client_credentials: bool,
    /// The scopes that it may ask for, separated by spaces. An app without any gets the user's whole role.
    #[arg(long = "scope", value_name = "SCOPES")]
    allowed_scope: Option<String>,
    /// The scopes that it gets without asking; among those of --scope.
    #[arg(long, value_name = "SCOPES")]
    default_scope: Option<String>,
    /// The legacy GET: `allow`, `warn` (it works, and answers say that it is deprecated), or the last day on which it works, as 2027-06-30 (UTC).
    #[arg(long, value_name = "allow|warn|DATE", value_parser = legacy_get)]
    legacy_get: Option<LegacyGet>,
    /// Fields of the policy as JSON: {"stateAtToken":"present","reuse":"end"}. See `keyfob app show APP --json`.
    #[arg(long, value_name = "JSON")]
    policy: Option<String>,
}

impl PolicyArgs {
    fn over(&self, policy: AppPolicy) -> anyhow::Result<AppPolicy> {
        let mut fields = serde_json::to_value(&policy)?;
        if let Some(given) = &self.policy {
            let refuse = |why: String| Exit::Refused.because(format!("--policy: {why}"));
            let given: Value = serde_json::from_str(given).map_err(|error| refuse(error.to_string()))?;
            let (Some(fields), Value::Object(given)) = (fields.as_object_mut(), given) else {
                return Err(refuse("it must be a JSON object".to_owned()));
            };
            fields.extend(given);
        }
        let policy: AppPolicy =
            serde_json::from_value(fields).map_err(|error| Exit::Refused.because(format!("--policy: {error}")))?;
        Ok(AppPolicy {
            public: policy.public || self.public || self.native,
            redirect_uris: if self.native { RedirectUriRules::Native } else { policy.redirect_uris },
            origins: if self.origins.is_empty() { policy.origins } else { self.origins.clone() },
            legacy_get: self.legacy_get.unwrap_or(policy.legacy_get),
            client_credentials: policy.client_credentials || self.client_credentials,
            allowed_scope: scope("--scope", self.allowed_scope.as_deref())?.unwrap_or(policy.allowed_scope),
            default_scope: scope("--default-scope", self.default_scope.as_deref())?.unwrap_or(policy.default_scope),
            refresh: if self.rotating { RefreshPolicy::Rotating } else { policy.refresh },
            ..policy
        })
    }
}

fn secret_number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "say the secret's number, as `keyfob app show APP` lists it".to_owned())
}

/// 9999-12-30.
const LAST_DAY: i64 = 253_402_128_000;

fn legacy_get(text: &str) -> Result<LegacyGet, String> {
    match text {
        "allow" => Ok(LegacyGet::Allow),
        "warn" => Ok(LegacyGet::Warn),
        day => match Timestamp::from_utc(&format!("{day}T00:00:00Z")) {
            // It ends when the day after begins, which answers must be able to say (RFC 8594).
            Some(begins) if (0..=LAST_DAY).contains(&begins.0) => Ok(LegacyGet::OffAfter(begins.plus(DAY))),
            Some(_) => Err("the last day on which it works can be 1970-01-01 to 9999-12-30".to_owned()),
            None if day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => {
                Err("there is no such day; write it as 2027-06-30".to_owned())
            }
            None => Err("say allow, warn, or the last day on which it works, as 2027-06-30".to_owned()),
        },
    }
}

fn scope(flag: &str, text: Option<&str>) -> anyhow::Result<Option<Scope>> {
    text.map(Scope::parse).transpose().map_err(|error| Exit::Refused.because(format!("{flag}: {error}")))
}

pub(crate) async fn run(command: Command, opened: &Opened, json: bool) -> anyhow::Result<()> {
    let (authority, now) = (&opened.authority, opened.now());
    match command {
        Command::Add { system, name, redirect_uris, policy } => {
            let system = super::system::find(opened, &system).await?;
            let new = NewApp { name, redirect_uris, policy: policy.over(AppPolicy::default())? };
            let registered = granted(authority.register_app(&system, new, now).await?)?;
            say_what_it_gets(opened, &registered.app);
            with_secret(&registered.app, registered.client_secret.as_ref(), json)
        }
        Command::List { system } => {
            let system = match system {
                Some(system) => Some(super::system::find(opened, &system).await?.id),
                None => None,
            };
            let apps = opened.store.apps(system).await?;
            let documents = apps.iter().map(document).collect::<anyhow::Result<Vec<_>>>()?;
            output::data(json, &documents, || {
                table(&["ID", "STATUS", "SYSTEM", "NAME", "CLIENT ID"], apps.iter().map(row))
            })
        }
        Command::Show { app } => show(&find(opened, &app).await?, json),
        Command::Update { app, name, redirect_uris, policy } => {
            let read_at = opened.store.settings_version().await?;
            let app = find(opened, &app).await?;
            let kept = || app.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect();
            let new = NewApp {
                name: name.unwrap_or_else(|| app.name.clone()),
                redirect_uris: if redirect_uris.is_empty() { kept() } else { redirect_uris },
                policy: policy.over(app.policy.clone())?,
            };
            let app = granted(authority.update_app(app.id, new, read_at, now).await?)?;
            say_what_it_gets(opened, &app);
            if let LegacyGet::OffAfter(date) = app.policy.legacy_get {
                let ends = if date <= now { "has ended" } else { "ends" };
                output::say(&format!("note: the legacy GET of {} {ends} at {}", app.name, date.to_utc()));
            }
            show(&app, json)
        }
        Command::Report { app, days } => super::app_report::run(app.as_deref(), days, opened, json).await,
        Command::Enable { app } => set_enabled(opened, &app, true, json).await,
        Command::Disable { app } => set_enabled(opened, &app, false, json).await,
        Command::Remove { app } => {
            let app = find(opened, &app).await?;
            done(authority.remove_app(app.id, now).await?, "app", "")?;
            changed(json, "app", app.id.0, "removed")
        }
        Command::Secret(SecretCommand::Add { app, name, expires_in }) => {
            let app = find(opened, &app).await?;
            let expires_at = expires_in.map(|days| now.plus(days * 86_400));
            let (id, secret) = granted(authority.add_secret(app.id, &name, expires_at, now).await?)?;
            let document = json!({ "id": id, "name": name, "clientId": app.client_id, "clientSecret": secret.expose(), "expiresAt": expires_at });
            output::data(json, &document, || {
                format!("secret {id} ({name}): {}\nIt is shown this once.", secret.expose())
            })
        }
        Command::Secret(SecretCommand::Retire { app, secret, in_hours }) => {
            let app = find(opened, &app).await?;
            let at = now.plus(in_hours * 3600);
            done(authority.retire_secret(app.id, secret, at, now).await?, "secret", "")?;
            changed(json, "secret", secret, &format!("stops working at {}", at.to_utc()))
        }
    }
}

/// Declared scopes bind only apps that are held to some (decision D18), which nobody guesses.
fn say_what_it_gets(opened: &Opened, app: &App) {
    let declared = &opened.authority.settings().scopes;
    if declared.is_empty() {
        return;
    }
    if app.policy.allowed_scope.is_empty() {
        output::say(&format!(
            "note: {} is held to no scope, so a user who connects it gives it their whole role, whatever scopes are declared. \
             `keyfob app update {} --scope \"…\"` holds it to some.",
            app.name, app.client_id
        ));
    }
    for token in app.policy.allowed_scope.tokens().filter(|token| declared.iter().all(|scope| scope.name != *token)) {
        output::say(&format!("note: the scope {token} is not declared; the consent page has no words for it."));
    }
}

/// By number or client id.
pub(super) async fn find(opened: &Opened, named: &str) -> anyhow::Result<App> {
    let by_number = match named.parse() {
        Ok(id) => opened.store.app(AppId(id)).await?,
        Err(_) => None,
    };
    match by_number {
        Some(app) => Ok(app),
        None => {
            let by_client_id = opened.store.app_by_client_id(named).await?;
            by_client_id.ok_or_else(|| not_named("app", named, "number or client id"))
        }
    }
}

async fn set_enabled(opened: &Opened, named: &str, enabled: bool, json: bool) -> anyhow::Result<()> {
    let app = find(opened, named).await?;
    done(opened.authority.set_app_enabled(app.id, enabled, opened.now()).await?, "app", "")?;
    changed(json, "app", app.id.0, if enabled { "enabled" } else { "disabled" })
}

fn granted<T>(decision: Decision<T, RegisterRefusal>) -> anyhow::Result<T> {
    match decision {
        Decision::Granted(granted) => Ok(granted),
        Decision::Refused(RegisterRefusal::Missing) => Err(missing("app")),
        Decision::Refused(refusal) => Err(Exit::Refused.because(refusal.to_string())),
    }
}

fn with_secret(app: &App, secret: Option<&Secret<String>>, json: bool) -> anyhow::Result<()> {
    let mut document = document(app)?;
    document["clientSecret"] = json!(secret.map(|secret| secret.expose()));
    output::data(json, &document, || match secret {
        Some(secret) => format!(
            "app {}: {}\nclient id:     {}\nclient secret: {}\nThe secret is shown this once.",
            app.id,
            app.name,
            app.client_id,
            secret.expose()
        ),
        None => format!(
            "app {}: {}\nclient id:     {}\npublic: it has no secret and must use PKCE",
            app.id, app.name, app.client_id
        ),
    })
}

/// The app, without what it does not follow: nobody should look for a secret's rules where there is no secret.
fn document(app: &App) -> anyhow::Result<Value> {
    let mut document = serde_json::to_value(app)?;
    if let Some(policy) = document["policy"].as_object_mut().filter(|_| app.policy.public) {
        AppPolicy::NOT_OF_PUBLIC_APPS.iter().for_each(|field| drop(policy.shift_remove(*field)));
    }
    Ok(document)
}

fn show(app: &App, json: bool) -> anyhow::Result<()> {
    let document = document(app)?;
    output::data(json, &document, || {
        let mut lines = vec![
            format!("app {}: {} ({})", app.id, app.name, if app.enabled { "enabled" } else { "disabled" }),
            format!("system:    {}", app.system_name),
            format!("client id: {}", app.client_id),
        ];
        lines.extend(app.redirect_uris.iter().map(|uri| format!("redirect:  {}", uri.as_str())));
        let day = |at: Option<Timestamp>| at.map_or("never".to_owned(), Timestamp::to_utc);
        lines.extend(app.secrets.iter().map(|secret| {
            format!(
                "secret {}:  {}, stops working: {}, last used: {}",
                secret.id,
                secret.name,
                day(secret.expires_at),
                day(secret.last_used_at)
            )
        }));
        lines.push(format!("policy:    {}", document["policy"]));
        lines.join("\n")
    })
}

fn row(app: &App) -> Vec<String> {
    let status = if app.enabled { "enabled" } else { "disabled" };
    vec![app.id.to_string(), status.to_owned(), app.system_name.clone(), app.name.clone(), app.client_id.clone()]
}

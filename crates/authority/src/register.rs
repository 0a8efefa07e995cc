//! Systems and their apps: registration, listing, redirect URIs, secrets (matrix RG-01 to RG-03, RG-07).

use crate::authority::{Authority, Decision, Fault};
use crate::changes;
use crate::model::{App, AppId, AppPolicy, AppSecret, LedgerEntry, LedgerKind, LegacyGet, System};
use crate::secrets;
use crate::store::{Administered, Administration, Replacement};
use aws_lc_rs::constant_time;
use keyfob_protocol::origin;
use keyfob_protocol::redirect_uri::{RedirectUriError, RegisteredRedirectUri};
use keyfob_protocol::{Secret, Timestamp, entropy};
use thiserror::Error;

/// Longest name of an app, in characters.
pub const MAX_NAME: usize = 120;
/// Most redirect URIs of an app.
pub const MAX_REDIRECT_URIS: usize = 50;

/// What somebody wants registered.
#[derive(Clone, Debug)]
pub struct NewApp {
    /// What the consent page calls it.
    pub name: String,
    /// Presented, not checked.
    pub redirect_uris: Vec<String>,
    /// What may happen.
    pub policy: AppPolicy,
}

/// A registered app and the one sight of its secret. A public app has none.
#[derive(Debug)]
pub struct RegisteredApp {
    /// As stored.
    pub app: App,
    /// Shown once, never readable again.
    pub client_secret: Option<Secret<String>>,
}

/// Why an app cannot be registered or changed like that.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RegisterRefusal {
    /// The name is empty, too long or has control characters.
    #[error("name must have 1 to {MAX_NAME} characters and no control characters")]
    Name,
    /// There are none, or too many.
    #[error("redirectUris must be a list of 1 to {MAX_REDIRECT_URIS} redirect URIs")]
    RedirectUriCount,
    /// One cannot be registered.
    #[error("redirectUris: {uri:?} cannot be registered: {error}")]
    RedirectUri {
        /// As presented.
        uri: String,
        /// Why.
        error: RedirectUriError,
    },
    /// One is there twice.
    #[error("redirectUris: {0:?} is listed more than once")]
    Repeated(String),
    /// An origin cannot be one.
    #[error("origins: {0:?} is not the origin of a page, like https://app.example.com, as a browser spells it")]
    Origin(String),
    /// The policy contradicts itself.
    #[error("policy: {0}")]
    Policy(&'static str),
    /// There is no such app, or it is another system's.
    #[error("there is no such app")]
    Missing,
    /// Something was administered since the app was read: read and decide again.
    #[error("something was changed meanwhile; try again")]
    Outdated,
}

impl Authority {
    /// The system that these headers prove, if it is enabled. An unknown name costs the same digest.
    pub async fn authenticate_system(&self, name: &str, key: &str) -> Result<Option<System>, Fault> {
        let presented = secrets::digest(key);
        let system = self.store.system_by_name(name).await?;
        let proven = |system: &System| constant_time::verify_slices_are_equal(&presented, &system.key_digest).is_ok();
        Ok(system.filter(proven).filter(|system| system.enabled))
    }

    /// Registers an app with one secret, or none for a public one.
    pub async fn register_app(
        &self,
        system: &System,
        new: NewApp,
        now: Timestamp,
    ) -> Result<Decision<RegisteredApp, RegisterRefusal>, Fault> {
        let client_id = secrets::client_id(&entropy::random(&*self.entropy)?);
        let secret = secrets::client_secret(&entropy::random(&*self.entropy)?);
        self.register_app_as(system, new, client_id, secret, now).await
    }

    /// Registers an app under a client id and secret of the caller's making: for seeded data and imports.
    pub async fn register_app_as(
        &self,
        system: &System,
        new: NewApp,
        client_id: String,
        secret: Secret<String>,
        now: Timestamp,
    ) -> Result<Decision<RegisteredApp, RegisterRefusal>, Fault> {
        let (name, redirect_uris) = match checked(&new) {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Decision::Refused(refusal)),
        };
        let secrets = match new.policy.public {
            true => Vec::new(),
            false => vec![fresh_secret("first", &secret, now)],
        };
        let mut app = App {
            id: AppId(0),
            system: system.id,
            system_name: system.name.clone(),
            name,
            client_id,
            enabled: true,
            redirect_uris,
            policy: new.policy.replacing(&AppPolicy::default(), now),
            secrets,
            // Nothing was revoked yet.
            tokens_after: Timestamp(0),
            created_at: now,
            updated_at: now,
        };
        let entry = LedgerEntry { system: Some(system.id), ..LedgerEntry::new(now, LedgerKind::AppChanged) };
        let entry = entry.with_detail(format!("added {}", app.client_id));
        match self.store.administer(Administration::AddApp(app.clone()), vec![entry], Vec::new()).await? {
            Administered::Done(id) => {
                self.forget_registered();
                app.id = AppId(id);
                if let Some(stored) = self.store.app(app.id).await? {
                    // The numbers of its secrets were the store's to choose.
                    app.secrets = stored.secrets;
                }
                let client_secret = (!app.policy.public).then_some(secret);
                Ok(Decision::Granted(RegisteredApp { app, client_secret }))
            }
            Administered::Conflict | Administered::Missing | Administered::Outdated => {
                Ok(Decision::Refused(RegisterRefusal::Policy("the client id is taken or the system is gone")))
            }
        }
    }

    /// Replaces an app's name, redirect URIs and policy, which were made from what was read under the settings version `read_at`. Its
    /// system's business is checked by the caller.
    pub async fn update_app(
        &self,
        id: AppId,
        new: NewApp,
        read_at: i64,
        now: Timestamp,
    ) -> Result<Decision<App, RegisterRefusal>, Fault> {
        let (name, redirect_uris) = match checked(&new) {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Decision::Refused(refusal)),
        };
        let Some(app) = self.store.app(id).await? else { return Ok(Decision::Refused(RegisterRefusal::Missing)) };
        if app.policy.public != new.policy.public {
            let why = "an app cannot change between public and confidential; register another one";
            return Ok(Decision::Refused(RegisterRefusal::Policy(why)));
        }
        let policy = new.policy.replacing(&app.policy, now);
        let was = app.clone();
        let app = App { name, redirect_uris, policy, updated_at: now, ..app };
        let entry = LedgerEntry { app: Some(id), ..LedgerEntry::new(now, LedgerKind::AppChanged) };
        let entry = entry.with_detail(changes::of_app(&was, &app));
        let change = Administration::UpdateApp(Replacement { row: app.clone(), read_at });
        Ok(match self.administer(change, vec![entry], Vec::new()).await? {
            Administered::Done(_) => Decision::Granted(app),
            Administered::Outdated => Decision::Refused(RegisterRefusal::Outdated),
            Administered::Conflict | Administered::Missing => Decision::Refused(RegisterRefusal::Missing),
        })
    }

    /// Adds a secret to an app; the earlier ones keep working (matrix CA-09).
    pub async fn add_secret(
        &self,
        id: AppId,
        name: &str,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Decision<(i64, Secret<String>), RegisterRefusal>, Fault> {
        let Some(app) = self.store.app(id).await? else { return Ok(Decision::Refused(RegisterRefusal::Missing)) };
        if app.policy.public {
            return Ok(Decision::Refused(RegisterRefusal::Policy("a public app has no secret")));
        }
        let secret = secrets::client_secret(&entropy::random(&*self.entropy)?);
        let row = AppSecret { expires_at, ..fresh_secret(name, &secret, now) };
        let entry = LedgerEntry { app: Some(id), ..LedgerEntry::new(now, LedgerKind::SecretAdded) }.with_detail(name);
        match self.administer(Administration::AddSecret(id, row), vec![entry], Vec::new()).await? {
            Administered::Done(number) => Ok(Decision::Granted((number, secret))),
            Administered::Conflict | Administered::Missing | Administered::Outdated => {
                Ok(Decision::Refused(RegisterRefusal::Missing))
            }
        }
    }
}

fn fresh_secret(name: &str, secret: &Secret<String>, now: Timestamp) -> AppSecret {
    AppSecret {
        id: 0,
        name: name.to_owned(),
        digest: secrets::digest(secret.expose()),
        created_at: now,
        expires_at: None,
        last_used_at: None,
    }
}

/// The last second of the year 9999: what a `Sunset` can say.
const LAST_SECOND: i64 = 253_402_300_799;

fn checked(new: &NewApp) -> Result<(String, Vec<RegisteredRedirectUri>), RegisterRefusal> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(RegisterRefusal::Name);
    }
    if !(0..=600).contains(&new.policy.replay_window) {
        return Err(RegisterRefusal::Policy("replayWindow must be 0 to 600 seconds"));
    }
    if let LegacyGet::OffAfter(date) = new.policy.legacy_get
        && !(0..=LAST_SECOND).contains(&date.0)
    {
        return Err(RegisterRefusal::Policy("legacyGet: off_after is in seconds since 1970, before the year 10000"));
    }
    if new.policy.client_credentials && new.policy.public {
        return Err(RegisterRefusal::Policy("clientCredentials is for apps with a secret (RFC 6749 section 4.4)"));
    }
    if !new.policy.origins.is_empty() && !new.policy.public {
        return Err(RegisterRefusal::Policy("origins are for public apps: a page in a browser keeps no secret"));
    }
    if let Some(origin) = new.policy.origins.iter().find(|origin| !origin::is_origin(origin)) {
        return Err(RegisterRefusal::Origin(origin.clone()));
    }
    if !new.policy.default_scope.within(&new.policy.allowed_scope) {
        return Err(RegisterRefusal::Policy("defaultScope must be within allowedScope"));
    }
    if !(1..=MAX_REDIRECT_URIS).contains(&new.redirect_uris.len()) {
        return Err(RegisterRefusal::RedirectUriCount);
    }
    let mut uris: Vec<RegisteredRedirectUri> = Vec::with_capacity(new.redirect_uris.len());
    for uri in &new.redirect_uris {
        let registered = RegisteredRedirectUri::register(uri, new.policy.redirect_uris)
            .map_err(|error| RegisterRefusal::RedirectUri { uri: uri.clone(), error })?;
        if uris.contains(&registered) {
            return Err(RegisterRefusal::Repeated(uri.clone()));
        }
        uris.push(registered);
    }
    Ok((name.to_owned(), uris))
}

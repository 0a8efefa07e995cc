//! The seed in the authority's store: written once, completed at every start, put back by a reset.
//!
//! Everything is looked up before it is added, so that a start that was interrupted half-way is finished by the next one.

use std::sync::Arc;

use keyfob_authority::model::{
    Account, AccountId, AccountStatus, App, AppPolicy, EndReason, RefreshPolicy, Role, StateAtToken, System, SystemId,
    User, UserId, UserStatus,
};
use keyfob_authority::passwords::Passwords;
use keyfob_authority::register::{NewApp, RegisterRefusal};
use keyfob_authority::store::{Administered, GrantFilter, Store};
use keyfob_authority::{Authority, Decision, Fault, secrets};
use keyfob_protocol::redirect_uri::RedirectUriRules;
use keyfob_protocol::{Entropy, Secret, Timestamp};
use tokio::task::JoinSet;

use super::SandboxError;
use crate::seed::{self, RefreshTokens, Seed};

/// Where a program on this machine takes its answer, as `keyfob connect` does: at any port (RFC 8252 section 7.3).
const ANY_PORT: &str = "http://127.0.0.1/callback";
/// Grants ended in one go.
const PAGE: u32 = 500;

/// Where answers of the seeded apps may go.
#[derive(Clone, Debug)]
pub(crate) struct RedirectUris {
    demo: String,
    given: Vec<String>,
}

impl RedirectUris {
    pub(crate) fn new(demo: &str, given: Vec<String>) -> RedirectUris {
        RedirectUris { demo: demo.to_owned(), given }
    }

    /// The demo's callback for this app: one each, so that an answer cannot be taken for another's (RFC 9700 section 4.4.2).
    pub(crate) fn demo(&self, app: &seed::App) -> String {
        format!("{}{}", self.demo, callback_path(app))
    }

    /// All of an app, without repetition.
    pub(crate) fn of(&self, app: &seed::App) -> Vec<String> {
        let mut uris = vec![self.demo(app)];
        for uri in &self.given {
            if !uris.contains(uri) {
                uris.push(uri.clone());
            }
        }
        if rules(app, &uris) == RedirectUriRules::Native && !uris.iter().any(|uri| uri == ANY_PORT) {
            uris.push(ANY_PORT.to_owned());
        }
        uris
    }

    /// What an app of kept data should have: what it had, without the demo of an earlier port, and today's.
    fn completed(&self, app: &seed::App, stored: &App) -> Vec<String> {
        let mut uris = self.of(app);
        for uri in stored.redirect_uris.iter().map(|uri| uri.as_str()) {
            let of_a_demo = uri.starts_with("http://") && uri.ends_with(&callback_path(app));
            if !of_a_demo && !uris.iter().any(|known| known == uri) {
                uris.push(uri.to_owned());
            }
        }
        uris
    }
}

fn callback_path(app: &seed::App) -> String {
    format!("/demo/callback/{}", app.key)
}

/// The secret of a seeded app; none for a public one.
pub(crate) fn client_secret(seed: &Seed, app: &seed::App) -> Option<Secret<String>> {
    app.secret_label.as_deref().map(|label| secrets::client_secret(&seed.bytes(label)))
}

/// Writes the seed.
#[derive(Clone)]
pub(crate) struct Seeding {
    pub(crate) authority: Arc<Authority>,
    pub(crate) seed: Arc<Seed>,
    pub(crate) redirect_uris: RedirectUris,
}

impl Seeding {
    /// Adds what is missing.
    pub(super) async fn complete(
        &self,
        passwords: Arc<Passwords>,
        entropy: Arc<dyn Entropy>,
        now: Timestamp,
    ) -> Result<(), SandboxError> {
        for account in &self.seed.accounts {
            if self.store().account(AccountId(account.id)).await.map_err(Fault::from)?.is_none() {
                added(self.authority.add_account(account_row(account, now), now).await?, &account.name)?;
            }
        }
        self.complete_users(passwords, entropy, now).await?;
        for system in &self.seed.systems {
            if self.store().system_by_name(&system.name).await.map_err(Fault::from)?.is_none() {
                added(self.authority.add_system(system_row(system, now), now).await?, &system.name)?;
            }
        }
        for app in &self.seed.apps {
            self.complete_app(app, now).await?;
        }
        Ok(())
    }

    /// As freshly seeded, but for the clock: grants end, sessions close, apps of others go, the seeded ones are what they were.
    /// Ledger entries stay; nothing reads them here.
    pub(crate) async fn restore(&self, now: Timestamp) -> Result<(), SandboxError> {
        self.end_all_grants(now).await?;
        self.close_all_sessions(now).await?;
        for app in self.store().apps(None).await.map_err(Fault::from)? {
            match self.seed.apps.iter().find(|seeded| seeded.client_id == app.client_id) {
                None => drop(self.authority.remove_app(app.id, now).await?),
                Some(seeded) => {
                    self.change_app(&app, seeded, self.redirect_uris.of(seeded), now).await?;
                    if !app.enabled {
                        self.authority.set_app_enabled(app.id, true, now).await?;
                    }
                }
            }
        }
        for user in &self.seed.users {
            self.authority.set_user_enabled(UserId(user.id), true, now).await?;
        }
        for account in &self.seed.accounts {
            self.authority.set_account_enabled(AccountId(account.id), true, now).await?;
        }
        Ok(())
    }

    /// Gives the seeded apps the policies that `of` makes of their own. Names and redirect URIs stay.
    pub(crate) async fn set_policies(
        &self,
        of: impl Fn(&seed::App, AppPolicy) -> AppPolicy,
        now: Timestamp,
    ) -> Result<(), SandboxError> {
        for app in &self.seed.apps {
            let stored = self.store().app_by_client_id(&app.client_id).await.map_err(Fault::from)?;
            let Some(stored) = stored else { continue };
            let redirect_uris: Vec<String> = stored.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect();
            let policy = of(app, policy(app, &redirect_uris));
            if stored.policy == policy {
                continue;
            }
            let new = NewApp { name: stored.name.clone(), redirect_uris, policy };
            let read_at = self.store().settings_version().await.map_err(Fault::from)?;
            accepted(self.authority.update_app(stored.id, new, read_at, now).await?)?;
        }
        Ok(())
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.authority.store()
    }

    async fn complete_users(
        &self,
        passwords: Arc<Passwords>,
        entropy: Arc<dyn Entropy>,
        now: Timestamp,
    ) -> Result<(), SandboxError> {
        // A hash takes tens of milliseconds; two run at a time.
        let mut hashing = JoinSet::new();
        for user in &self.seed.users {
            match self.store().user(UserId(user.id)).await.map_err(Fault::from)? {
                Some(stored) if stored.email == user.email.to_lowercase() => {}
                Some(_) => return Err(SandboxError::Seed("the data was made with another --seed".to_owned())),
                None => {
                    let (passwords, entropy, user) = (passwords.clone(), entropy.clone(), user.clone());
                    hashing.spawn(async move { (passwords.hash(user.password.clone(), &*entropy).await, user) });
                }
            }
        }
        while let Some(hashed) = hashing.join_next().await {
            let (hash, user) = hashed.map_err(|error| SandboxError::Seed(error.to_string()))?;
            added(self.authority.add_user(user_row(&user, hash?, now), now).await?, &user.email)?;
        }
        Ok(())
    }

    async fn complete_app(&self, app: &seed::App, now: Timestamp) -> Result<(), SandboxError> {
        let Some(stored) = self.store().app_by_client_id(&app.client_id).await.map_err(Fault::from)? else {
            return self.add_app(app, now).await;
        };
        let redirect_uris = self.redirect_uris.completed(app, &stored);
        let unchanged =
            redirect_uris.iter().map(String::as_str).eq(stored.redirect_uris.iter().map(|uri| uri.as_str()));
        // A switch of the faults may have been set when the sandbox was stopped.
        let unchanged = unchanged && stored.policy == policy(app, &redirect_uris);
        if unchanged { Ok(()) } else { self.change_app(&stored, app, redirect_uris, now).await }
    }

    async fn add_app(&self, app: &seed::App, now: Timestamp) -> Result<(), SandboxError> {
        let owner = &self.seed.systems[0].name;
        let owner = self.store().system_by_name(owner).await.map_err(Fault::from)?;
        let owner = owner.ok_or_else(|| SandboxError::Seed("the system was removed meanwhile".to_owned()))?;
        let new = new_app(app, self.redirect_uris.of(app));
        // A public app gets none; what is handed in for it is dropped.
        let secret = client_secret(&self.seed, app).unwrap_or_else(|| Secret::new(String::new()));
        let added = self.authority.register_app_as(&owner, new, app.client_id.clone(), secret, now).await?;
        accepted(added).map(drop)
    }

    async fn change_app(
        &self,
        stored: &App,
        seeded: &seed::App,
        redirect_uris: Vec<String>,
        now: Timestamp,
    ) -> Result<(), SandboxError> {
        // Nobody else administers a sandbox while it starts or is reset.
        let read_at = self.store().settings_version().await.map_err(Fault::from)?;
        let changed = self.authority.update_app(stored.id, new_app(seeded, redirect_uris), read_at, now).await?;
        accepted(changed).map(drop)
    }

    async fn end_all_grants(&self, now: Timestamp) -> Result<(), SandboxError> {
        let live = GrantFilter { live: true, ..GrantFilter::default() };
        loop {
            let grants = self.store().grants(live, PAGE).await.map_err(Fault::from)?;
            if grants.is_empty() {
                return Ok(());
            }
            for grant in grants {
                self.authority.end_grant(grant.id, EndReason::RevokedByAdmin, now).await?;
            }
        }
    }

    /// The store has no list of sessions; its sweeper takes those that were last seen before a time.
    async fn close_all_sessions(&self, now: Timestamp) -> Result<(), SandboxError> {
        let never = Timestamp(0);
        let all = now.plus(1);
        while self.store().sweep_rest(all, never, never, PAGE).await.map_err(Fault::from)? > 0 {}
        Ok(())
    }
}

fn added(administered: Administered, what: &str) -> Result<(), SandboxError> {
    match administered {
        Administered::Done(_) => Ok(()),
        Administered::Conflict | Administered::Missing | Administered::Outdated => {
            Err(SandboxError::Seed(format!("{what} clashes with something in the data directory")))
        }
    }
}

fn accepted<T>(decision: Decision<T, RegisterRefusal>) -> Result<T, SandboxError> {
    match decision {
        Decision::Granted(granted) => Ok(granted),
        Decision::Refused(refusal) => Err(SandboxError::RedirectUri(refusal.to_string())),
    }
}

fn new_app(app: &seed::App, redirect_uris: Vec<String>) -> NewApp {
    let policy = policy(app, &redirect_uris);
    NewApp { name: app.name.to_owned(), redirect_uris, policy }
}

/// The authority lets a public app be native, or use `http://localhost`, and not both: whoever asked for the latter meant it.
fn rules(app: &seed::App, redirect_uris: &[String]) -> RedirectUriRules {
    match app.is_public() && !redirect_uris.iter().any(|uri| uri.starts_with("http://localhost")) {
        true => RedirectUriRules::Native,
        false => RedirectUriRules::Development,
    }
}

fn policy(app: &seed::App, redirect_uris: &[String]) -> AppPolicy {
    AppPolicy {
        public: app.is_public(),
        refresh: match app.refresh {
            RefreshTokens::Fixed => RefreshPolicy::Fixed,
            RefreshTokens::Rotating => RefreshPolicy::Rotating,
        },
        state_at_token: match app.state_at_token {
            seed::StateAtToken::Present => StateAtToken::Present,
            seed::StateAtToken::NotAsked => StateAtToken::Ignored,
        },
        redirect_uris: rules(app, redirect_uris),
        ..AppPolicy::default()
    }
}

/// An expired subscription is no matter of the authority: tokens stay good, and the API answers 403.
fn account_row(account: &seed::Account, now: Timestamp) -> Account {
    Account {
        id: AccountId(account.id),
        name: account.name.clone(),
        domain: account.domain.clone(),
        status: AccountStatus::Active,
        tokens_after: Timestamp(0),
        created_at: now,
        external: None,
        followed_at: None,
    }
}

fn user_row(user: &seed::User, password_hash: String, now: Timestamp) -> User {
    User {
        id: UserId(user.id),
        account: AccountId(user.account),
        email: user.email.to_lowercase(),
        name: user.name(),
        role: match user.role {
            seed::Role::Lender => Role::Lender,
            seed::Role::Agent => Role::Agent,
            seed::Role::Admin => Role::Admin,
            seed::Role::Owner => Role::Owner,
        },
        status: UserStatus::Active,
        password_hash: Some(password_hash),
        tokens_after: Timestamp(0),
        created_at: now,
        external: None,
        followed_at: None,
    }
}

fn system_row(system: &seed::System, now: Timestamp) -> System {
    System {
        id: SystemId(0),
        name: system.name.clone(),
        key_digest: secrets::digest(system.key.expose()),
        enabled: true,
        created_at: now,
    }
}

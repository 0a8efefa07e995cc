//! Changes of accounts, users, systems and apps, with what they mean for tokens that are out.

use crate::authority::{Authority, Fault};
use crate::changes;
use crate::model::{
    Account, AccountId, AccountStatus, App, AppId, LedgerEntry, LedgerKind, System, SystemId, User, UserId, UserStatus,
};
use crate::store::{Administered, Administration, NewRevocation, Replacement};
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::RevokedKind;

/// For so many seconds after a change somebody may still issue on what was read before it: a node hears of it within one (matrix BR-09),
/// but the change takes effect when it is committed, and a write may wait for ten.
pub(crate) const STILL_ISSUED: i64 = 10;
/// In the ledger.
const LINKED: &str = "linked to the platform";

impl Authority {
    /// One administration; its revocations act on the gate of this process at once.
    pub async fn administer(
        &self,
        change: Administration,
        ledger: Vec<LedgerEntry>,
        revocations: Vec<NewRevocation>,
    ) -> Result<Administered, Fault> {
        let done = self.store.administer(change, ledger, revocations.clone()).await?;
        self.forget_registered();
        if let Administered::Done(_) = done {
            self.tell_gate(&revocations);
        }
        Ok(done)
    }

    /// Enables or disables an app. Disabling refuses the access tokens that it was issued before.
    pub async fn set_app_enabled(&self, id: AppId, enabled: bool, now: Timestamp) -> Result<Administered, Fault> {
        loop {
            let read_at = self.store.settings_version().await?;
            let Some(app) = self.store.app(id).await? else { return Ok(Administered::Missing) };
            let (tokens_after, revocations) = match enabled {
                true => (app.tokens_after, Vec::new()),
                false => self.revoked(RevokedKind::App, id.0, app.tokens_after, now),
            };
            let row = App { enabled, updated_at: now, tokens_after, ..app };
            let entry = app_entry(id, now).with_detail(able(enabled));
            let change = Administration::UpdateApp(Replacement { row, read_at });
            match self.administer(change, vec![entry], revocations).await? {
                Administered::Outdated => {}
                done => return Ok(done),
            }
        }
    }

    /// Removes an app; its tokens die with it.
    pub async fn remove_app(&self, id: AppId, now: Timestamp) -> Result<Administered, Fault> {
        let Some(app) = self.store.app(id).await? else { return Ok(Administered::Missing) };
        let (_, revocations) = self.revoked(RevokedKind::App, id.0, app.tokens_after, now);
        let entry = app_entry(id, now).with_detail("removed");
        self.administer(Administration::RemoveApp(id), vec![entry], revocations).await
    }

    /// Makes a secret stop working at `at`.
    pub async fn retire_secret(
        &self,
        app: AppId,
        secret: i64,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Administered, Fault> {
        let entry = LedgerEntry { app: Some(app), ..LedgerEntry::new(now, LedgerKind::SecretRetired) };
        let entry = entry.with_detail(format!("secret {secret} at {}", at.to_utc()));
        self.administer(Administration::ExpireSecret { app, secret, at }, vec![entry], Vec::new()).await
    }

    /// Enables or disables a user. Disabling refuses the access tokens that were issued for them before, and ends their sessions.
    pub async fn set_user_enabled(&self, id: UserId, enabled: bool, now: Timestamp) -> Result<Administered, Fault> {
        loop {
            let read_at = self.store.settings_version().await?;
            let Some(user) = self.store.user(id).await? else { return Ok(Administered::Missing) };
            let (row, revocations) = self.user_enabled(user, enabled, now);
            let entry = user_entry(&row, now).with_detail(able(enabled));
            let replacement = Replacement { row, read_at };
            let change = match enabled {
                true => Administration::UpdateUser(replacement),
                false => Administration::UpdateUserEndingSessions(replacement),
            };
            match self.administer(change, vec![entry], revocations).await? {
                Administered::Outdated => {}
                done => return Ok(done),
            }
        }
    }

    /// The user enabled or disabled, with what that revokes.
    pub(crate) fn user_enabled(&self, user: User, enabled: bool, now: Timestamp) -> (User, Vec<NewRevocation>) {
        let (status, (tokens_after, revocations)) = match enabled {
            true => (UserStatus::Active, (user.tokens_after, Vec::new())),
            false => (UserStatus::Disabled, self.revoked(RevokedKind::User, user.id.0, user.tokens_after, now)),
        };
        (User { status, tokens_after, ..user }, revocations)
    }

    /// Adds a user.
    pub async fn add_user(&self, user: User, now: Timestamp) -> Result<Administered, Fault> {
        // The number is the store's to choose; the address is unique.
        let entry = LedgerEntry { user: None, ..user_entry(&user, now) }.with_detail(format!("added {}", user.email));
        self.administer(Administration::AddUser(user), vec![entry], Vec::new()).await
    }

    /// Replaces what is known of a user, their password included.
    pub async fn update_user(&self, user: Replacement<User>, now: Timestamp) -> Result<Administered, Fault> {
        // If it was changed since it was read, so that this is not what it was, nothing is written.
        let Some(was) = self.store.user(user.row.id).await? else { return Ok(Administered::Missing) };
        let entry = user_entry(&user.row, now).with_detail(changes::of_user(&was, &user.row));
        self.administer(Administration::UpdateUser(user), vec![entry], Vec::new()).await
    }

    /// Joins a user to the one whom the platform knows. Whoever signed in as them before is signed out.
    pub async fn link_user(&self, user: Replacement<User>, now: Timestamp) -> Result<Administered, Fault> {
        let entry = user_entry(&user.row, now).with_detail(LINKED);
        self.administer(Administration::UpdateUserEndingSessions(user), vec![entry], Vec::new()).await
    }

    /// Removes a user; their grants no longer work and their tokens are refused.
    pub async fn remove_user(&self, id: UserId, now: Timestamp) -> Result<Administered, Fault> {
        let Some(user) = self.store.user(id).await? else { return Ok(Administered::Missing) };
        let (_, revocations) = self.revoked(RevokedKind::User, id.0, user.tokens_after, now);
        let entry = LedgerEntry { user: Some(id), ..LedgerEntry::new(now, LedgerKind::UserChanged) };
        self.administer(Administration::RemoveUser(id), vec![entry.with_detail("removed")], revocations).await
    }

    /// Adds an account.
    pub async fn add_account(&self, account: Account, now: Timestamp) -> Result<Administered, Fault> {
        let entry = LedgerEntry { account: None, ..account_entry(account.id, now) };
        let entry = entry.with_detail(format!("added {}", account.domain));
        self.administer(Administration::AddAccount(account), vec![entry], Vec::new()).await
    }

    /// Replaces an account's name and domain.
    pub async fn update_account(&self, account: Replacement<Account>, now: Timestamp) -> Result<Administered, Fault> {
        // As above.
        let Some(was) = self.store.account(account.row.id).await? else { return Ok(Administered::Missing) };
        let entry = account_entry(was.id, now).with_detail(changes::of_account(&was, &account.row));
        self.administer(Administration::UpdateAccount(account), vec![entry], Vec::new()).await
    }

    /// Joins an account to the one that the platform knows. Whoever signed in to it before is signed out.
    pub async fn link_account(&self, account: Replacement<Account>, now: Timestamp) -> Result<Administered, Fault> {
        let entry = account_entry(account.row.id, now).with_detail(LINKED);
        self.administer(Administration::UpdateAccountEndingSessions(account), vec![entry], Vec::new()).await
    }

    /// The account, enabled or suspended, and what is taken back with that.
    pub(crate) fn account_enabled(
        &self,
        account: Account,
        enabled: bool,
        now: Timestamp,
    ) -> (Account, Vec<NewRevocation>) {
        let (status, (tokens_after, revocations)) = match enabled {
            true => (AccountStatus::Active, (account.tokens_after, Vec::new())),
            false => {
                let revoked = self.revoked(RevokedKind::Account, account.id.0, account.tokens_after, now);
                (AccountStatus::Suspended, revoked)
            }
        };
        (Account { status, tokens_after, ..account }, revocations)
    }

    /// Opens or suspends an account. Suspending refuses the access tokens that were issued for its users before, and ends their sessions.
    pub async fn set_account_enabled(
        &self,
        id: AccountId,
        enabled: bool,
        now: Timestamp,
    ) -> Result<Administered, Fault> {
        loop {
            let read_at = self.store.settings_version().await?;
            let Some(account) = self.store.account(id).await? else { return Ok(Administered::Missing) };
            let (row, revocations) = self.account_enabled(account, enabled, now);
            let entry = account_entry(id, now).with_detail(able(enabled));
            let replacement = Replacement { row, read_at };
            let change = match enabled {
                true => Administration::UpdateAccount(replacement),
                false => Administration::UpdateAccountEndingSessions(replacement),
            };
            match self.administer(change, vec![entry], revocations).await? {
                Administered::Outdated => {}
                done => return Ok(done),
            }
        }
    }

    /// Removes an account without users.
    pub async fn remove_account(&self, id: AccountId, now: Timestamp) -> Result<Administered, Fault> {
        let entry = account_entry(id, now).with_detail("removed");
        self.administer(Administration::RemoveAccount(id), vec![entry], Vec::new()).await
    }

    /// Adds a system.
    pub async fn add_system(&self, system: System, now: Timestamp) -> Result<Administered, Fault> {
        let entry = LedgerEntry { system: None, ..system_entry(system.id, now) };
        let entry = entry.with_detail(format!("added {}", system.name));
        self.administer(Administration::AddSystem(system), vec![entry], Vec::new()).await
    }

    /// Replaces a system.
    pub async fn update_system(
        &self,
        system: Replacement<System>,
        what: &str,
        now: Timestamp,
    ) -> Result<Administered, Fault> {
        let entry = system_entry(system.row.id, now).with_detail(what);
        self.administer(Administration::UpdateSystem(system), vec![entry], Vec::new()).await
    }

    /// Removes a system without apps.
    pub async fn remove_system(&self, id: SystemId, now: Timestamp) -> Result<Administered, Fault> {
        let entry = system_entry(id, now).with_detail("removed");
        self.administer(Administration::RemoveSystem(id), vec![entry], Vec::new()).await
    }

    /// The revocation of all tokens of an app, user or account whose last one was `earlier`, and its `not_before`. Later than every one
    /// before it, also within a second: what was issued in between says that it came after the earlier one, and no more. A little ahead
    /// of `now`, and no harm in it: who issues after the change knows of it and says so.
    pub(crate) fn revoked(
        &self,
        kind: RevokedKind,
        id: i64,
        earlier: Timestamp,
        now: Timestamp,
    ) -> (Timestamp, Vec<NewRevocation>) {
        let not_before = now.plus(STILL_ISSUED).max(earlier.plus(1));
        let until = self.revocation_until(now);
        (not_before, vec![NewRevocation { kind, id: id.to_string(), not_before, until }])
    }
}

pub(crate) fn able(enabled: bool) -> &'static str {
    if enabled { "enabled" } else { "disabled" }
}

fn app_entry(id: AppId, now: Timestamp) -> LedgerEntry {
    LedgerEntry { app: Some(id), ..LedgerEntry::new(now, LedgerKind::AppChanged) }
}

pub(crate) fn user_entry(user: &User, now: Timestamp) -> LedgerEntry {
    LedgerEntry { user: Some(user.id), account: Some(user.account), ..LedgerEntry::new(now, LedgerKind::UserChanged) }
}

pub(crate) fn account_entry(id: AccountId, now: Timestamp) -> LedgerEntry {
    LedgerEntry { account: Some(id), ..LedgerEntry::new(now, LedgerKind::AccountChanged) }
}

fn system_entry(id: SystemId, now: Timestamp) -> LedgerEntry {
    LedgerEntry { system: Some(id), ..LedgerEntry::new(now, LedgerKind::SystemChanged) }
}

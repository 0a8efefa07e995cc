//! Proving who a user is. Local passwords are one way; a platform's own login is another, and an OpenID provider a third. There is one at a time:
//! the ids of a platform's users and of a provider's are kept in the same place.

use crate::authority::{Decision, Fault};
use crate::hand_off::Platform;
use crate::hand_off::openid::OpenId;
use crate::model::{AccountStatus, LedgerEntry, LedgerKind, User, UserStatus};
use crate::passwords::{PasswordCheck, Passwords};
use crate::store::{Administration, Replacement, Store};
use async_trait::async_trait;
use keyfob_protocol::{Entropy, Secret, Timestamp};
use std::sync::Arc;

/// What a person typed. Presented, not verified.
#[derive(Debug)]
pub struct PresentedLogin {
    /// As typed; compared in lower case without surrounding white space.
    pub email: String,
    /// As typed.
    pub password: Secret<String>,
}

/// Why somebody is not signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInRefusal {
    /// Unknown user or wrong password: one answer (matrix IN-01).
    NotRecognised,
    /// Right password, but the user is disabled or the account suspended (matrix IN-08).
    Inactive,
}

/// Where people sign in, as an operator sets it.
#[derive(Clone, Debug, Default)]
pub enum SignInPlace {
    /// Here, with a password.
    #[default]
    Here,
    /// At the platform's own login.
    Platform(Arc<Platform>),
    /// At an OpenID provider.
    OpenId(Arc<OpenId>),
}

/// How people sign in: the doorway asks this and knows no more.
pub enum SignInWay {
    /// On a page of ours, with a password.
    Passwords(Arc<dyn SignIn>),
    /// At the platform, which says who came.
    Platform(Arc<Platform>),
    /// At an OpenID provider, which does.
    OpenId(Arc<OpenId>),
}

/// A way to check what a person typed.
#[async_trait]
pub trait SignIn: Send + Sync {
    /// The user, proven.
    async fn sign_in(&self, login: PresentedLogin, now: Timestamp) -> Result<Decision<User, SignInRefusal>, Fault>;
}

/// Passwords kept in the store.
pub struct LocalPasswords {
    store: Arc<dyn Store>,
    passwords: Arc<Passwords>,
    entropy: Arc<dyn Entropy>,
}

impl LocalPasswords {
    /// Checks against the users of this store.
    pub fn new(store: Arc<dyn Store>, passwords: Arc<Passwords>, entropy: Arc<dyn Entropy>) -> LocalPasswords {
        LocalPasswords { store, passwords, entropy }
    }

    /// Keeps the hash that today's settings give this password, unless the user has another password by now.
    async fn upgrade(&self, signed_in: &User, hash: String, now: Timestamp) -> Result<(), Fault> {
        let read_at = self.store.settings_version().await?;
        let user = self.store.user(signed_in.id).await?;
        let Some(user) = user.filter(|user| user.password_hash == signed_in.password_hash) else { return Ok(()) };
        let entry = LedgerEntry { user: Some(user.id), ..LedgerEntry::new(now, LedgerKind::UserChanged) };
        let change =
            Administration::UpdateUser(Replacement { row: User { password_hash: Some(hash), ..user }, read_at });
        // Where something was administered meanwhile, the next sign-in tries again.
        self.store.administer(change, vec![entry.with_detail("password hash upgraded")], Vec::new()).await?;
        Ok(())
    }
}

#[async_trait]
impl SignIn for LocalPasswords {
    async fn sign_in(&self, login: PresentedLogin, now: Timestamp) -> Result<Decision<User, SignInRefusal>, Fault> {
        let user = self.store.user_by_email(&login.email.trim().to_lowercase()).await?;
        let stored = user.as_ref().and_then(|user| user.password_hash.clone());
        let check = self.passwords.check(stored, login.password, &*self.entropy).await?;
        let (Some(user), PasswordCheck::Right { upgrade }) = (user, check) else {
            return Ok(Decision::Refused(SignInRefusal::NotRecognised));
        };
        let account = self.store.account(user.account).await?;
        let active = account.is_some_and(|account| account.status == AccountStatus::Active);
        if user.status != UserStatus::Active || !active {
            return Ok(Decision::Refused(SignInRefusal::Inactive));
        }
        if let Some(hash) = upgrade {
            self.upgrade(&user, hash, now).await?;
        }
        Ok(Decision::Granted(user))
    }
}

//! The authority: what the use cases share. Each use case is a file of its own beside this one.

use crate::access_tokens::AccessTokens;
use crate::app_cache::AppCache;
use crate::hand_off::openid::ProviderProblem;
use crate::keys::Keyring;
use crate::registered::Kept;
use crate::sign_in::SignInPlace;
use crate::store::{GrantWrite, NewRevocation, Store, StoreError, Written};
use crate::usage::Usage;
use arc_swap::ArcSwap;
use keyfob_protocol::access_token::JwkSet;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::time::{DAY, HOUR, MINUTE};
use keyfob_protocol::{Entropy, EntropyFailed, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use thiserror::Error;

/// A considered answer. A refusal commits what was decided with it; only a [`Fault`] rolls back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision<T, R> {
    /// Yes.
    Granted(T),
    /// A considered no.
    Refused(R),
}

/// Our own failure. Nothing was changed.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyFailed),
    /// One grant was written by others faster than it could be read, again and again.
    #[error("a grant stayed contended")]
    Contended,
    /// People sign in at an OpenID provider, and it cannot be used.
    #[error("the OpenID provider cannot be used: {0}")]
    Provider(#[from] ProviderProblem),
}

impl Fault {
    /// Whether a retry may help: row T-21 tells 503 from 500 by it.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Fault::Store(StoreError::Unavailable(_)) | Fault::Contended | Fault::Provider(_))
    }

    /// A stable word for logs and counters. A provider that is down is not a failure of ours.
    pub fn reason(&self) -> &'static str {
        match self {
            Fault::Provider(_) => "provider_down",
            _ => "fault",
        }
    }
}

/// What an operator sets for the whole authority.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `iss` of everything: one https URL (or loopback http) without query or fragment.
    pub issuer: String,
    /// Who accepts its access tokens (decision D17).
    pub audience: String,
    /// Seconds a code lives: 60 to 900 (decision D2).
    pub code_lifetime: i64,
    /// Seconds an access token lives.
    pub access_token_lifetime: i64,
    /// Seconds from opening the consent page to the decision.
    pub interaction_lifetime: i64,
    /// Seconds after which a session that was not seen ends.
    pub session_idle: i64,
    /// Seconds after which a session ends whatever happens.
    pub session_absolute: i64,
    /// Seconds after which a signing key is followed by another (matrix KM-02); `None`: only by command.
    pub signing_key_lifetime: Option<i64>,
    /// Scopes that exist here (decision D18); empty: a grant is the user's whole role.
    pub scopes: Vec<DeclaredScope>,
    /// Where people sign in.
    pub sign_in: SignInPlace,
}

/// A scope and what the consent page says about it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredScope {
    /// The scope token.
    pub name: String,
    /// A few words.
    pub title: String,
    /// One sentence.
    pub sentence: String,
}

impl Settings {
    /// The defaults for an issuer.
    pub fn new(issuer: impl Into<String>) -> Settings {
        let issuer = issuer.into();
        Settings {
            audience: issuer.clone(),
            issuer,
            code_lifetime: 15 * MINUTE,
            access_token_lifetime: HOUR,
            interaction_lifetime: 15 * MINUTE,
            session_idle: 12 * HOUR,
            session_absolute: 7 * DAY,
            signing_key_lifetime: Some(90 * DAY),
            scopes: Vec::new(),
            sign_in: SignInPlace::Here,
        }
    }

    /// Seconds that a signing key stays published when another signs: until its last token has ended. The minute is for nodes whose clocks
    /// are behind.
    pub fn key_linger(&self) -> i64 {
        self.access_token_lifetime + MINUTE
    }
}

/// Told of every revocation at the moment it is durable, so that the gate of this process acts at once.
pub trait RevocationSink: Send + Sync {
    /// These are revoked.
    fn revoked(&self, revocations: &[NewRevocation]);
}

/// Keeps nothing: for an authority without a gate in its process.
pub struct NoGate;

impl RevocationSink for NoGate {
    fn revoked(&self, _: &[NewRevocation]) {}
}

/// The law with its store and keys.
pub struct Authority {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keys: ArcSwap<Keyring>,
    pub(crate) settings: Settings,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) apps: AppCache,
    pub(crate) resources: Kept<Resources>,
    pub(crate) origins: Kept<BTreeSet<String>>,
    pub(crate) access_tokens: AccessTokens,
    pub(crate) usage: Usage,
    sink: Arc<dyn RevocationSink>,
}

impl Authority {
    /// Puts the parts together.
    pub fn new(
        store: Arc<dyn Store>,
        keys: Keyring,
        settings: Settings,
        entropy: Arc<dyn Entropy>,
        sink: Arc<dyn RevocationSink>,
    ) -> Authority {
        let access_tokens = AccessTokens::new(&settings);
        Authority {
            store,
            keys: ArcSwap::from_pointee(keys),
            settings,
            entropy,
            apps: AppCache::default(),
            resources: Kept::default(),
            origins: Kept::default(),
            access_tokens,
            usage: Usage::default(),
            sink,
        }
    }

    /// The store, for what has no law: lists and look-ups.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What the operator set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The public keys of access tokens that live at `now`, and of those to come.
    pub fn jwks(&self, now: Timestamp) -> JwkSet {
        self.keys.load().jwks(now, self.settings.key_linger())
    }

    /// The keys in use.
    pub fn keys(&self) -> Arc<Keyring> {
        self.keys.load_full()
    }

    /// Forgets what is cached of what is registered, and takes these keys: called when the settings version has moved.
    pub fn reload(&self, keys: Option<Keyring>) {
        if let Some(keys) = keys {
            self.keys.store(Arc::new(keys));
        }
        self.forget_registered();
    }

    /// Forgets what is cached of apps and resource servers.
    pub(crate) fn forget_registered(&self) {
        self.apps.clear();
        self.resources.clear();
        self.origins.clear();
    }

    /// Writes, and tells the gate of this process once it is durable.
    pub(crate) async fn write_grant(&self, write: GrantWrite) -> Result<Written, Fault> {
        let revocations = write.revocations.clone();
        let written = self.store.write_grant(write).await?;
        if written == Written::Won && !revocations.is_empty() {
            self.sink.revoked(&revocations);
        }
        Ok(written)
    }

    /// Tells the gate of this process.
    pub(crate) fn tell_gate(&self, revocations: &[NewRevocation]) {
        if !revocations.is_empty() {
            self.sink.revoked(revocations);
        }
    }

    /// A number that names one write.
    pub(crate) fn nonce(&self) -> Result<u64, EntropyFailed> {
        keyfob_protocol::entropy::random(&*self.entropy).map(u64::from_be_bytes)
    }

    /// The revocation of a grant's access tokens.
    pub(crate) fn grant_revocation(
        &self,
        grant: keyfob_protocol::token_name::GrantId,
        now: Timestamp,
    ) -> NewRevocation {
        NewRevocation {
            kind: keyfob_protocol::revocation::RevokedKind::Grant,
            id: grant.to_text(),
            not_before: now,
            until: self.revocation_until(now),
        }
    }

    /// When the last access token that can exist at `now` has expired. The minute is for nodes whose clocks run ahead,
    /// and for what is issued on old news a moment later.
    pub(crate) fn revocation_until(&self, now: Timestamp) -> Timestamp {
        now.plus(self.settings.key_linger())
    }
}

/// How often a lost race is decided again before it is our fault. Each lost race means that somebody else's write won.
pub(crate) const ATTEMPTS: usize = 1000;

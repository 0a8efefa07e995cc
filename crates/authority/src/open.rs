//! Opening a store: whose it is, whether this master key fits, and its keys.

use crate::authority::Fault;
use crate::keys::{KeyError, Keyring, MasterKey, MasterKeys};
use crate::moving::Mark;
use crate::store::{Store, StoreIdentity, Written};
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_protocol::time::MINUTE;
use keyfob_protocol::{Entropy, Timestamp};
use std::sync::Arc;
use thiserror::Error;

/// How far a stored time may lie ahead of the clock (seconds).
pub const CLOCK_TOLERANCE: i64 = 5 * MINUTE;

/// Why a store is not opened. Each says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Ours.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Another authority's.
    #[error(
        "this data belongs to the issuer {stored}, not {configured}; set issuer to {stored} or use another data directory"
    )]
    OtherIssuer {
        /// Of the store.
        stored: String,
        /// Of the configuration.
        configured: String,
    },
    /// Half a store: `keyfob migrate` did not end.
    #[error(
        "this data is the target of a move of {0} that was not finished; run the same `keyfob migrate` again, or use the source"
    )]
    Unfinished(String),
    /// The rows are elsewhere by now.
    #[error("this data was moved to {0}; use that")]
    Moved(String),
    /// The master key does not fit.
    #[error(
        "the master key is not the one that this data is under; restore the right key file or, where the key was exchanged on another node, \
         copy the new one here; nothing was changed"
    )]
    OtherMasterKey,
    /// A sandbox's data, for a real authority or the other way round.
    #[error("{}", if *.0 { "this data was made by `keyfob sandbox`; its passwords and secrets are public, so `keyfob serve` refuses it" }
        else { "this data belongs to a real authority; `keyfob sandbox` refuses it" })]
    Sandbox(bool),
    /// A store that had an owner has none any more.
    #[error("this data no longer says whose it is")]
    Nobodys,
    /// A key does not open or is missing.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Who opens the store.
pub struct Opener {
    /// The master key; two while the keys are put under another one.
    pub master: Arc<dyn MasterKeys>,
    /// The configured issuer.
    pub issuer: String,
    /// Whether a sandbox opens it.
    pub sandbox: bool,
    /// What new signing keys are for.
    pub algorithm: SigningAlgorithm,
}

impl Opener {
    /// Opens a store, or makes a new one ours. Whichever node is first makes the keys.
    pub async fn open(&self, store: &dyn Store, now: Timestamp, entropy: &dyn Entropy) -> Result<Keyring, OpenError> {
        let identity = match store.identity().await.map_err(Fault::from)? {
            Some(identity) => identity,
            None => self.claim(store, now, entropy).await?,
        };
        self.open_as(&identity, store).await
    }

    /// The master key of a store with this identity, if it is ours to open.
    pub fn fits(&self, identity: &StoreIdentity) -> Result<MasterKey, OpenError> {
        match Mark::parse(&identity.issuer) {
            Mark::Unfinished(issuer) => return Err(OpenError::Unfinished(issuer)),
            Mark::Moved(place) => return Err(OpenError::Moved(place)),
            Mark::Issuer(stored) if stored != self.issuer => {
                return Err(OpenError::OtherIssuer { stored, configured: self.issuer.clone() });
            }
            Mark::Issuer(_) => {}
        }
        if identity.sandbox != self.sandbox {
            return Err(OpenError::Sandbox(identity.sandbox));
        }
        let mut candidates = self.master.candidates().into_iter();
        candidates.find(|master| identity.key_check == master.check(&self.issuer)).ok_or(OpenError::OtherMasterKey)
    }

    /// The store's keys as they are now. Where they are put under another master key at this moment they may not open; then they do a
    /// moment later.
    pub async fn keys(&self, store: &dyn Store) -> Result<Keyring, OpenError> {
        let identity = store.identity().await.map_err(Fault::from)?.ok_or(OpenError::Nobodys)?;
        self.open_as(&identity, store).await
    }

    async fn open_as(&self, identity: &StoreIdentity, store: &dyn Store) -> Result<Keyring, OpenError> {
        let master = self.fits(identity)?;
        let keys = store.keys().await.map_err(Fault::from)?;
        Ok(Keyring::open(&master, &self.issuer, &keys)?)
    }

    async fn claim(
        &self,
        store: &dyn Store,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<StoreIdentity, OpenError> {
        let master = self.master.candidates().into_iter().next().ok_or(OpenError::OtherMasterKey)?;
        let keys = Keyring::generate(&master, &self.issuer, self.algorithm, now, entropy).map_err(Fault::from)?;
        let key_check = master.check(&self.issuer);
        let identity = StoreIdentity { issuer: self.issuer.clone(), key_check, sandbox: self.sandbox };
        match store.claim(identity.clone(), keys).await.map_err(Fault::from)? {
            Written::Won => Ok(identity),
            Written::Lost => {
                let stored = store.identity().await.map_err(Fault::from)?;
                Ok(stored.expect("invariant: a lost claim means that somebody's stands"))
            }
        }
    }
}

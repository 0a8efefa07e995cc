//! Opening a store: whose it is, whether this master key fits, and its keys.

use crate::authority::Fault;
use crate::keys::{KeyError, Keyring, MasterKey};
use crate::moving::Mark;
use crate::store::{Store, StoreIdentity, Written};
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_protocol::time::MINUTE;
use keyfob_protocol::{Entropy, Timestamp};
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
        "the master key is not the one that this data was made with; restore the right key file, nothing was changed"
    )]
    OtherMasterKey,
    /// A sandbox's data, for a real authority or the other way round.
    #[error("{}", if *.0 { "this data was made by `keyfob sandbox`; its passwords and secrets are public, so `keyfob serve` refuses it" }
        else { "this data belongs to a real authority; `keyfob sandbox` refuses it" })]
    Sandbox(bool),
    /// A key does not open or is missing.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Who opens the store.
pub struct Opener {
    /// The master key.
    pub master: MasterKey,
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
        self.fits(&identity)?;
        self.keys(store).await
    }

    /// Whether a store with this identity is ours to open.
    pub fn fits(&self, identity: &StoreIdentity) -> Result<(), OpenError> {
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
        if identity.key_check != self.master.check(&self.issuer) {
            return Err(OpenError::OtherMasterKey);
        }
        Ok(())
    }

    /// The store's keys as they are now.
    pub async fn keys(&self, store: &dyn Store) -> Result<Keyring, OpenError> {
        let keys = store.keys().await.map_err(Fault::from)?;
        Ok(Keyring::open(&self.master, &self.issuer, &keys)?)
    }

    /// The same after others may have written to the store; not if it is no longer ours, for it was moved away meanwhile.
    pub async fn keys_of_ours(&self, store: &dyn Store) -> Result<Keyring, OpenError> {
        if let Some(identity) = store.identity().await.map_err(Fault::from)? {
            self.fits(&identity)?;
        }
        self.keys(store).await
    }

    async fn claim(
        &self,
        store: &dyn Store,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<StoreIdentity, OpenError> {
        let keys = Keyring::generate(&self.master, &self.issuer, self.algorithm, now, entropy).map_err(Fault::from)?;
        let key_check = self.master.check(&self.issuer);
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

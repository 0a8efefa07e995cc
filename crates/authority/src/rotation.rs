//! Keys as they change: a signing key follows another (matrix KM-02), one is taken out of use, all are put under another master key.
//!
//! These need the master key, so they belong to whoever opens the store. Every node follows by the settings version.

use crate::authority::Fault;
use crate::keys::{KeyError, KeyPurpose, KeyStage, MasterKey, SigningKey};
use crate::model::{LedgerEntry, LedgerKind};
use crate::open::{OpenError, Opener};
use crate::store::{Administered, Administration, Replacement, Resealed, SealedKey, Store};
use keyfob_protocol::time::{DAY, HOUR};
use keyfob_protocol::{Entropy, EntropyFailed, Timestamp};

/// Seconds from the publication of a key to its first signature, unless an administrator asks for another time. Copies of the key set are
/// kept for five minutes by what the authority says of it, and for longer by those who do not listen.
pub const PUBLISHED_AHEAD: i64 = HOUR;

/// Least seconds of that: nodes, and gates that follow the feed, know of a key within two.
pub const LEAST_PUBLISHED_AHEAD: i64 = 10;

/// What came of taking a key out of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRetirement {
    /// Its tokens are refused from now on.
    Retired,
    /// It signs at the moment: another one has to begin first.
    StillSigning,
    /// No signing key of this number is in use.
    Missing,
}

impl Opener {
    /// Adds a signing key that begins to sign at `starts_at`, and gives its number.
    ///
    /// # Errors
    /// [`OpenError`] where the store is not ours.
    pub async fn add_signing_key(
        &self,
        store: &dyn Store,
        starts_at: Timestamp,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<u32, OpenError> {
        loop {
            let id = next_id(&store.keys().await.map_err(Fault::from)?);
            if self.add_key_as(id, store, starts_at, now, entropy).await? {
                return Ok(id);
            }
        }
    }

    /// Adds a signing key where the last one will soon have signed for `lifetime` seconds, and gives its number. Of several nodes that find
    /// it due one adds it.
    ///
    /// # Errors
    /// [`OpenError`] where the store is not ours.
    pub async fn rotate_if_due(
        &self,
        store: &dyn Store,
        lifetime: i64,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Option<u32>, OpenError> {
        let keys = store.keys().await.map_err(Fault::from)?;
        let signing = keys.iter().filter(|key| matches!(KeyPurpose::parse(&key.purpose), Some(KeyPurpose::Signing(_))));
        let last = signing.map(|key| key.starts_at).max();
        // Less than the time ahead would add keys without end.
        let due = |last: Timestamp| last.plus(lifetime.max(DAY) - PUBLISHED_AHEAD) <= now;
        if !last.is_some_and(due) {
            return Ok(None);
        }
        let id = next_id(&keys);
        let added = self.add_key_as(id, store, now.plus(PUBLISHED_AHEAD), now, entropy).await?;
        Ok(added.then_some(id))
    }

    /// Takes a signing key out of use at once: for one that may be known to others. Tokens that it signed are refused, and clients refresh.
    ///
    /// # Errors
    /// [`OpenError`] where the store is not ours.
    pub async fn retire_signing_key(
        &self,
        store: &dyn Store,
        id: u32,
        now: Timestamp,
    ) -> Result<KeyRetirement, OpenError> {
        let keyring = self.keys(store).await?;
        if keyring.signing_key(now).id == id {
            return Ok(KeyRetirement::StillSigning);
        }
        if !keyring.signing_keys(now, 0).any(|(key, stage)| key.id == id && stage != KeyStage::Retired) {
            return Ok(KeyRetirement::Missing);
        }
        let entry = LedgerEntry::new(now, LedgerKind::KeyRetired).with_detail(format!("key {id}"));
        let retire = Administration::RetireKey { id, at: now };
        match store.administer(retire, vec![entry], Vec::new()).await.map_err(Fault::from)? {
            Administered::Done(_) => Ok(KeyRetirement::Retired),
            _ => Ok(KeyRetirement::Missing),
        }
    }

    /// Puts every key of the store under `next`, in one transaction. Keys and tokens stay the same; from here on the store opens with `next`
    /// alone. Nothing is done where it is under `next` already; gives how many were put.
    ///
    /// # Errors
    /// [`OpenError`] where the store is not ours.
    pub async fn reseal(
        &self,
        store: &dyn Store,
        next: &MasterKey,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<usize, OpenError> {
        let key_check = next.check(&self.issuer);
        loop {
            let read_at = store.settings_version().await.map_err(Fault::from)?;
            let identity = store.identity().await.map_err(Fault::from)?.ok_or(OpenError::Nobodys)?;
            if identity.key_check == key_check {
                return Ok(0);
            }
            let master = self.fits(&identity)?;
            let sealed = store.keys().await.map_err(Fault::from)?;
            let keys = self.resealed(&master, next, &sealed, entropy)?;
            let count = keys.len();
            let entry = LedgerEntry::new(now, LedgerKind::KeysResealed).with_detail(format!("{count} keys"));
            let reseal = Administration::Reseal(Replacement { row: Resealed { key_check, keys }, read_at });
            match store.administer(reseal, vec![entry], Vec::new()).await.map_err(Fault::from)? {
                Administered::Done(_) => return Ok(count),
                // Something was administered meanwhile, such as another key.
                _ => continue,
            }
        }
    }

    fn resealed(
        &self,
        master: &MasterKey,
        next: &MasterKey,
        keys: &[SealedKey],
        entropy: &dyn Entropy,
    ) -> Result<Vec<SealedKey>, OpenError> {
        let reseal = |key: &SealedKey| {
            let purpose = KeyPurpose::parse(&key.purpose).ok_or(KeyError::Malformed(key.id))?;
            let opened = master.open(key, &self.issuer);
            let material = opened.ok_or_else(|| KeyError::DoesNotOpen { id: key.id, purpose: key.purpose.clone() })?;
            let again = next.seal(key.id, purpose, &self.issuer, material.expose(), key.created_at, entropy);
            Ok(SealedKey { sealed: again.map_err(Fault::from)?.sealed, ..key.clone() })
        };
        keys.iter().map(reseal).collect()
    }

    /// Adds a signing key under this number, which one caller can take.
    async fn add_key_as(
        &self,
        id: u32,
        store: &dyn Store,
        starts_at: Timestamp,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<bool, OpenError> {
        let read_at = store.settings_version().await.map_err(Fault::from)?;
        let identity = store.identity().await.map_err(Fault::from)?.ok_or(OpenError::Nobodys)?;
        let master = self.fits(&identity)?;
        let key = self.fresh_signing_key(&master, id, starts_at, now, entropy).map_err(Fault::from)?;
        let detail = format!("key {id} ({}) signs from {}", key.purpose, starts_at.to_utc());
        let entry = LedgerEntry::new(now, LedgerKind::KeyAdded).with_detail(detail);
        let add = Administration::AddKey(Replacement { row: key, read_at });
        match store.administer(add, vec![entry], Vec::new()).await.map_err(Fault::from)? {
            Administered::Done(_) => Ok(true),
            _ => Ok(false),
        }
    }

    fn fresh_signing_key(
        &self,
        master: &MasterKey,
        id: u32,
        starts_at: Timestamp,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<SealedKey, EntropyFailed> {
        let material = SigningKey::generate(self.algorithm, entropy)?;
        let purpose = KeyPurpose::Signing(self.algorithm);
        let key = master.seal(id, purpose, &self.issuer, material.expose(), now, entropy)?;
        Ok(SealedKey { starts_at, ..key })
    }
}

fn next_id(keys: &[SealedKey]) -> u32 {
    keys.iter().map(|key| key.id).max().unwrap_or_default() + 1
}

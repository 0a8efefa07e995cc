//! Lease and open refresh of a connection, in a file beside it.

use keyfob_client::{Intent, Timestamp, TokenDigest};
use serde::{Deserialize, Serialize};

/// What the journal's file holds. Nothing of it is secret.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Journal {
    /// The number of the latest lease.
    pub(crate) fence: u64,
    /// The lease, while somebody has it.
    #[serde(default)]
    pub(crate) lease: Option<Lease>,
    /// A refresh that somebody began and nobody finished.
    #[serde(default, with = "intent")]
    pub(crate) open: Option<Intent>,
}

/// A lease that was given.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lease {
    /// When it ends without a sign of life.
    pub(crate) until: Timestamp,
    /// Whether its holder holds the lock, too. Where an earlier holder still had that, time alone counts.
    pub(crate) by_lock: bool,
}

/// An [`Intent`] as JSON.
mod intent {
    use super::{Intent, Timestamp, TokenDigest};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Open {
        generation: u64,
        digest: TokenDigest,
        begun_at: Timestamp,
    }

    pub(super) fn serialize<S: Serializer>(intent: &Option<Intent>, to: S) -> Result<S::Ok, S::Error> {
        let open = intent.as_ref().map(|intent| Open {
            generation: intent.generation,
            digest: intent.digest,
            begun_at: intent.begun_at,
        });
        open.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Intent>, D::Error> {
        let open = Option::<Open>::deserialize(from)?;
        Ok(open.map(|Open { generation, digest, begun_at }| Intent { generation, digest, begun_at }))
    }
}

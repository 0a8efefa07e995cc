//! The name of a vault among all vaults, made with it and kept in its store: a number of an event means something within one vault only.
//!
//! It is no secret and proves nothing.

use keyfob_protocol::{Entropy, EntropyFailed, base62, entropy};

/// 128 bits: no two vaults share one.
pub(super) fn fresh(source: &dyn Entropy) -> Result<String, EntropyFailed> {
    Ok(base62::encode(&entropy::random::<16>(source)?))
}

//! The gate: Bearer tokens in front of an API, verified locally and revocable without a query per call.
//!
//! [`Gate`] turns a request's headers into a [`Caller`] or a [`Challenge`]; [`GateLayer`] does so for a tower service.
//! It knows the authority's public keys and what has been taken back since ([`RevocationSet`]); who feeds it both is not
//! its business, and it refuses to serve before it has been fed. Nothing here can issue a token.
//!
//! With the feature `follow`, [`follow`] feeds a gate from an authority in another process. With `front`, [`front`] is the gate on its
//! own, for APIs that are not written in Rust: a forward-auth endpoint and a reverse proxy.

mod cache;
pub mod caller;
#[cfg(feature = "follow")]
mod causes;
pub mod challenge;
#[cfg(feature = "follow")]
pub mod follow;
#[cfg(feature = "front")]
pub mod front;
pub mod gate;
pub mod keys;
pub mod layer;
pub mod protected_resource;
pub mod revoked;
pub mod verify;

pub use caller::{Caller, Holder};
pub use challenge::Challenge;
pub use gate::{Gate, GateConfig, MAX_STALE, WithoutNews};
pub use keys::{KeySetProblem, VerificationKeys};
pub use layer::GateLayer;
pub use protected_resource::ProtectedResource;
pub use revoked::{RevocationSet, UnreadableRevocation};
pub use verify::{Expectations, InvalidReason, TokenProblem};

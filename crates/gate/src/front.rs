//! The gate on its own, in front of an API in any language: as an endpoint that a web server asks ([`forward_auth`]) or as a reverse
//! proxy ([`proxy`]). Both check with one [`Checkpoint`] and name the caller with one table of headers ([`identity`]).
//!
//! Nothing here listens: routers come out, and whoever composes the process serves them.

pub mod admin;
pub mod checkpoint;
pub mod forward_auth;
pub mod identity;
pub mod metrics;
pub mod proxy;

pub use checkpoint::Checkpoint;
pub use forward_auth::ForwardAuth;
pub use metrics::GateMetrics;
pub use proxy::{Proxy, ProxyConfig};

//! The doorway of the authority: HTTP in, the law's decisions out.
//!
//! A [`Node`] to put together from its parts, a router to nest ([`router::router`]) over its [`Doorway`], and the listeners that serve
//! it. Handlers translate; they decide nothing. No query of the authorize or token endpoint, no header that authenticates and no body is
//! ever logged.

mod around;
pub mod clock_health;
mod cookies;
mod cors;
pub mod doorway;
pub mod feed;
pub mod follow;
mod html;
mod limits;
pub mod listen;
pub mod metrics;
pub mod node;
mod pending_cookie;
mod refusal_pages;
mod request_id;
mod restraint;
pub mod router;
mod routes;

pub use clock_health::ClockHealth;
pub use doorway::{Doorway, Options};
pub use html::browser_headers;
pub use keyfob_gate::{MAX_STALE, WithoutNews};
pub use node::{Node, NodeParts};
pub use request_id::RequestId;

//! The doorway of the authority: HTTP in, the law's decisions out.
//!
//! A router to nest ([`router::router`]) over a [`Doorway`], the listeners that serve it, and the tasks that keep a node in step with
//! its store. Handlers translate; they decide nothing. No query of the authorize or token endpoint, no header that authenticates and
//! no body is ever logged.

mod around;
pub mod clock_health;
mod cookies;
pub mod doorway;
pub mod follow;
mod html;
mod limits;
pub mod listen;
pub mod metrics;
mod refusal_pages;
mod request_id;
pub mod router;
mod routes;

pub use clock_health::ClockHealth;
pub use doorway::{Doorway, Options};
pub use html::browser_headers;
pub use request_id::RequestId;

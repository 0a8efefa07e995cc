//! The partner's side of delegated access: connect a user's account, call the API, keep the connection alive.
//!
//! Every step is one request and one response as plain data, and nothing below [`Driver`] touches a socket, a clock or a random
//! generator. The types carry the order: [`Attempt::begin`] → [`PendingAttempt::accept`] → [`ReadyExchange`] → [`Connection`].
//! What comes back on the redirect URI and from the network is hostile until such a type says otherwise.
#![doc = include_str!("../README.md")]

mod api_request;
mod attempt;
mod attempt_store;
mod backoff;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod connection;
mod connections;
pub mod discovery;
mod driver;
mod events;
mod exchange;
pub mod explain;
#[doc(hidden)]
pub mod fail_points;
pub mod governor;
pub mod http;
mod identify;
mod identity;
mod memory_store;
#[cfg(feature = "middleware")]
pub mod middleware;
mod provider;
mod rate_hold;
pub mod record;
pub mod refresh;
mod refreshing;
pub mod revocation;
pub mod safe_url;
mod seen;
mod store;
mod stored;
mod tending;
mod token_failure;
mod token_request;
mod tokens;
mod transport;

pub use api_request::{ApiBody, ApiRequest};
pub use attempt::{
    ATTEMPT_LIFETIME, Attempt, AttemptKey, AuthorizeOptions, BrowserSession, CallbackOutcome, FirstVisit,
    MalformedAttempt, PendingAttempt, Prompt,
};
pub use attempt_store::AttemptStore;
pub use backoff::PATIENCE;
pub use connection::{Connection, ConnectionError, ConnectionState};
pub use connections::{ConnectError, Connections};
pub use discovery::{DiscoveryError, Metadata, discover};
pub use driver::{Driver, DriverError};
pub use events::{Event, EventSink, NoEvents};
pub use exchange::{ExchangeFailed, ReadyExchange, SentExchange};
pub use http::{Header, HeaderValue, HttpRequest, HttpResponse, Method};
pub use identity::{Identity, IdentityAccount, IdentityUser, redact_me};
pub use memory_store::MemoryTokenStore;
pub use provider::{
    ApiShape, App, CallbackIssuer, ClientAuthentication, Pkce, Provider, System, UnansweredExchange, UnusableSystem,
};
pub use rate_hold::SHORT_HOLD;
pub use revocation::Revoked;
pub use safe_url::UnsafeUrl;
pub use store::{Fence, Intent, IntentFate, LeaseAnswer, Leased, Listed, Saved, StoreUnavailable, TokenStore, listed};
pub use stored::{LostReply, ReauthRequired, Standing, State, Status, StoredConnection, Trouble, TroubleKind};
pub use tending::{KEEP_ALIVE, Tended};
pub use token_failure::{Evidence, TokenFailure, TokenStep, TransientCause, read_reply};
pub use tokens::{REFRESH_AHEAD, TokenDigest, TokenSet};
pub use transport::{Observed, Observer, Pause, SendFailure, Surroundings, TokioPause, Transport};

/// What is used from the protocol crate, so that an integration depends on this crate alone.
pub use keyfob_protocol::{
    Clock, Dialect, Entropy, EntropyFailed, Secret, Timestamp, callback::CallbackError, token_request::ReplyShape,
};

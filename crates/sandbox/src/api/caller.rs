//! Who is calling, once it is known.

use std::sync::Arc;

use keyfob_gate::Caller;

/// The verified caller, as a request extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiCaller {
    /// The user.
    pub user: i64,
    /// The user's account.
    pub account: i64,
    /// How they proved it.
    pub via: Via,
}

/// How a caller proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// `Basic apiKey:`.
    ApiKey,
    /// A Bearer token that the gate let pass.
    Token(Arc<Caller>),
}

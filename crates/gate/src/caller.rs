//! Who is calling: what the gate proved about a request. The gate puts it into the request's extensions.

use keyfob_protocol::scope::Scope;
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_name::GrantId;

/// The verified holder of an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The user that the app acts for.
    pub user: i64,
    /// That user's account.
    pub account: i64,
    /// The app, by number.
    pub app: i64,
    /// The app, by client id.
    pub client_id: String,
    /// The grant behind the token.
    pub grant: GrantId,
    /// The token's own id.
    pub jti: String,
    /// The granted scope; `None` where the grant is the user's whole role.
    pub scope: Option<Scope>,
    /// When the token ends.
    pub expires_at: Timestamp,
}

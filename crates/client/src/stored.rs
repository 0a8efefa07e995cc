//! One connection as it is kept, and the states it can be in.
//!
//! The generation counts token sets. Trouble that leaves the tokens good (an outage, a locked account) stands beside
//! them and changes no generation, so that noting it can never make a refresh lose its write.

use crate::identity::Identity;
use crate::token_failure::Evidence;
use crate::tokens::{TokenDigest, TokenSet};
use keyfob_protocol::Timestamp;
use std::fmt;

/// One connection as kept.
#[derive(Clone, Debug)]
pub struct StoredConnection {
    /// Starts at 1 and grows by one whenever the standing is replaced.
    pub generation: u64,
    /// Its standing.
    pub standing: Standing,
    /// Since when the standing is of this kind.
    pub since: Timestamp,
    /// What is wrong at present although the tokens are good. `None` unless the standing is live.
    pub trouble: Option<Trouble>,
    /// Whose account it is, where the provider says so. A reconnect as somebody else is refused.
    pub identity: Option<Identity>,
}

/// Whether a connection can be used.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It has tokens.
    Live(TokenSet),
    /// The authority no longer takes its refresh token. Only the user can mend it, by connecting again.
    ReauthRequired(ReauthRequired),
    /// A refresh was sent, its answer never arrived, and the authority takes the old token no more: single use at its strictest.
    /// Nobody revoked anything; all the same only the user can mend it.
    LostReply(LostReply),
    /// The user said no and was never connected before.
    Denied,
}

/// Since when and why the user has to connect again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReauthRequired {
    /// When it was found out.
    pub since: Timestamp,
    /// What the authority said.
    pub evidence: Evidence,
    /// The refresh token that it was said about.
    pub refused: Option<TokenDigest>,
}

/// A refresh whose answer was lost for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostReply {
    /// When it was found out.
    pub since: Timestamp,
    /// When the refresh was begun whose answer is missing.
    pub begun_at: Timestamp,
    /// What the authority said to the same token later.
    pub evidence: Evidence,
    /// That token.
    pub refused: Option<TokenDigest>,
}

/// What is wrong with a connection that the authority has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Its kind.
    pub kind: TroubleKind,
    /// Since when.
    pub since: Timestamp,
    /// What was seen. Holds no secret.
    pub reason: String,
}

/// Kinds of [`Trouble`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TroubleKind {
    /// The last refresh failed in passing.
    Degraded,
    /// It was put in from elsewhere, and nobody has seen its tokens work.
    Unverified,
    /// The access token has ended and there is no refresh token: the user has to connect again.
    Unrenewable,
    /// The API refuses everything with 403 although the token is good: the account has expired or is locked.
    AccountLocked,
}

/// The state of a connection in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Good.
    Connected,
    /// Tokens that may be good: the last refresh failed in passing, or nobody has tried them yet.
    Degraded,
    /// The user has to connect again.
    ReauthRequired,
    /// The user has to connect again, because an answer was lost and not because anybody wanted it.
    LostReply,
    /// The account is locked; the tokens are good and are kept alive.
    AccountLocked,
    /// The user said no.
    Denied,
}

impl State {
    /// The word of the documents: `connected`, `degraded`, `reauth_required`, `lost_reply`, `account_locked`, `denied`.
    pub fn name(self) -> &'static str {
        match self {
            State::Connected => "connected",
            State::Degraded => "degraded",
            State::ReauthRequired => "reauth_required",
            State::LostReply => "lost_reply",
            State::AccountLocked => "account_locked",
            State::Denied => "denied",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A state with reason and since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Why, for a person; empty where there is nothing to say. Holds no secret.
    pub reason: String,
}

impl StoredConnection {
    /// A connection with tokens and no trouble.
    pub fn live(generation: u64, tokens: TokenSet, since: Timestamp, identity: Option<Identity>) -> StoredConnection {
        StoredConnection { generation, standing: Standing::Live(tokens), since, trouble: None, identity }
    }

    /// The state, with reason and since.
    pub fn status(&self) -> Status {
        let (state, since, reason) = match (&self.standing, &self.trouble) {
            (Standing::Live(_), None) => (State::Connected, self.since, String::new()),
            (
                Standing::Live(_),
                Some(Trouble { kind: TroubleKind::Degraded | TroubleKind::Unverified, since, reason }),
            ) => (State::Degraded, *since, reason.clone()),
            (Standing::Live(_), Some(Trouble { kind: TroubleKind::Unrenewable, since, reason })) => {
                (State::ReauthRequired, *since, reason.clone())
            }
            (Standing::Live(_), Some(Trouble { kind: TroubleKind::AccountLocked, since, reason })) => {
                (State::AccountLocked, *since, reason.clone())
            }
            (Standing::ReauthRequired(why), _) => (State::ReauthRequired, why.since, why.evidence.to_string()),
            (Standing::LostReply(why), _) => {
                let reason =
                    format!("the answer to a refresh of {} was lost ({})", why.begun_at.to_utc(), why.evidence);
                (State::LostReply, why.since, reason)
            }
            (Standing::Denied, _) => (State::Denied, self.since, String::new()),
        };
        Status { state, since, reason }
    }

    /// The tokens, if it has any.
    pub fn tokens(&self) -> Option<&TokenSet> {
        match &self.standing {
            Standing::Live(tokens) => Some(tokens),
            _ => None,
        }
    }

    /// Whether this is what a node wrote that was told "no" about this refresh token. Whoever holds its successor knows better.
    pub(crate) fn gave_up_on(&self, token: TokenDigest) -> bool {
        match &self.standing {
            Standing::ReauthRequired(ReauthRequired { refused, .. })
            | Standing::LostReply(LostReply { refused, .. }) => *refused == Some(token),
            Standing::Live(_) | Standing::Denied => false,
        }
    }
}

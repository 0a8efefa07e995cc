//! How a connection stands, as its file says it.

use keyfob_client::{
    Evidence, LostReply, ReauthRequired, Secret, Standing, StoredConnection, Timestamp, TokenDigest, TokenSet, Trouble,
    TroubleKind,
};
use keyfob_protocol::token_reply::{ReceivedError, ReplyError};
use serde::{Deserialize, Serialize};

/// How a connection stands.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum KeptStanding {
    /// It has tokens.
    Connected {
        #[serde(with = "in_clear")]
        access_token: Option<Secret<String>>,
        #[serde(with = "in_clear", default)]
        refresh_token: Option<Secret<String>>,
        expires_at: Option<Timestamp>,
        obtained_at: Timestamp,
        scope: Option<String>,
    },
    /// The authority no longer takes its refresh token.
    ReauthRequired {
        /// When that was found out.
        since: Timestamp,
        /// What it said.
        #[serde(flatten)]
        evidence: KeptEvidence,
        #[serde(default)]
        refused: Option<TokenDigest>,
    },
    /// The answer to a refresh was lost, and the authority gives none again.
    LostReply {
        /// When that was found out.
        since: Timestamp,
        /// When the refresh was begun.
        begun_at: Timestamp,
        /// What the authority said to the same token later.
        #[serde(flatten)]
        evidence: KeptEvidence,
        #[serde(default)]
        refused: Option<TokenDigest>,
    },
    /// The user said no and was never connected.
    Denied {
        /// When.
        since: Timestamp,
    },
    /// Given back from here; all that was secret is gone.
    Revoked {
        /// When.
        since: Timestamp,
    },
}

/// What an authority said.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptEvidence {
    pub(crate) status: u16,
    pub(crate) error: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply: Option<KeptReply>,
}

/// What was wrong with the body of an answer.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptReply {
    NotJson,
    NoAccessToken,
    TokenType,
}

/// What is wrong with a connection that has good tokens.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct KeptTrouble {
    kind: KeptTroubleKind,
    since: Timestamp,
    reason: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptTroubleKind {
    Degraded,
    Unverified,
    Unrenewable,
    AccountLocked,
}

impl KeptStanding {
    pub(crate) fn of(row: &StoredConnection) -> KeptStanding {
        match &row.standing {
            Standing::Live(tokens) => KeptStanding::Connected {
                access_token: Some(tokens.access_token.clone()),
                refresh_token: tokens.refresh_token.clone(),
                expires_at: tokens.expires_at,
                obtained_at: tokens.obtained_at,
                scope: tokens.scope.clone(),
            },
            Standing::ReauthRequired(ReauthRequired { since, evidence, refused }) => {
                KeptStanding::ReauthRequired { since: *since, evidence: KeptEvidence::of(evidence), refused: *refused }
            }
            Standing::LostReply(LostReply { since, begun_at, evidence, refused }) => KeptStanding::LostReply {
                since: *since,
                begun_at: *begun_at,
                evidence: KeptEvidence::of(evidence),
                refused: *refused,
            },
            Standing::Denied => KeptStanding::Denied { since: row.since },
        }
    }

    pub(crate) fn to_library(&self) -> Option<Standing> {
        match self {
            KeptStanding::Connected { access_token, refresh_token, expires_at, obtained_at, scope } => {
                Some(Standing::Live(TokenSet {
                    access_token: access_token.clone()?,
                    refresh_token: refresh_token.clone(),
                    expires_at: *expires_at,
                    obtained_at: *obtained_at,
                    scope: scope.clone(),
                }))
            }
            KeptStanding::ReauthRequired { since, evidence, refused } => {
                let evidence = evidence.to_library();
                Some(Standing::ReauthRequired(ReauthRequired { since: *since, evidence, refused: *refused }))
            }
            KeptStanding::LostReply { since, begun_at, evidence, refused } => {
                let (since, begun_at, evidence) = (*since, *begun_at, evidence.to_library());
                Some(Standing::LostReply(LostReply { since, begun_at, evidence, refused: *refused }))
            }
            KeptStanding::Denied { .. } => Some(Standing::Denied),
            KeptStanding::Revoked { .. } => None,
        }
    }
}

impl KeptEvidence {
    fn of(evidence: &Evidence) -> KeptEvidence {
        let error = evidence.error.as_ref();
        KeptEvidence {
            status: evidence.status,
            error: error.map(|error| error.code.clone()),
            description: error.and_then(|error| error.description.clone()),
            details: error.map(|error| error.details.clone()).unwrap_or_default(),
            reply: evidence.reply.map(|reply| match reply {
                ReplyError::NotJson => KeptReply::NotJson,
                ReplyError::NoAccessToken => KeptReply::NoAccessToken,
                ReplyError::TokenType => KeptReply::TokenType,
            }),
        }
    }

    fn to_library(&self) -> Evidence {
        let error = self.error.as_ref().map(|code| ReceivedError {
            code: code.clone(),
            description: self.description.clone(),
            details: self.details.clone(),
        });
        let reply = self.reply.map(|reply| match reply {
            KeptReply::NotJson => ReplyError::NotJson,
            KeptReply::NoAccessToken => ReplyError::NoAccessToken,
            KeptReply::TokenType => ReplyError::TokenType,
        });
        Evidence { status: self.status, error, reply }
    }
}

impl KeptTrouble {
    pub(crate) fn of(trouble: &Trouble) -> KeptTrouble {
        let kind = match trouble.kind {
            TroubleKind::Degraded => KeptTroubleKind::Degraded,
            TroubleKind::Unverified => KeptTroubleKind::Unverified,
            TroubleKind::Unrenewable => KeptTroubleKind::Unrenewable,
            TroubleKind::AccountLocked => KeptTroubleKind::AccountLocked,
        };
        KeptTrouble { kind, since: trouble.since, reason: trouble.reason.clone() }
    }

    pub(crate) fn to_library(&self) -> Trouble {
        let kind = match self.kind {
            KeptTroubleKind::Degraded => TroubleKind::Degraded,
            KeptTroubleKind::Unverified => TroubleKind::Unverified,
            KeptTroubleKind::Unrenewable => TroubleKind::Unrenewable,
            KeptTroubleKind::AccountLocked => TroubleKind::AccountLocked,
        };
        Trouble { kind, since: self.since, reason: self.reason.clone() }
    }
}

/// A secret as the file holds it, which nobody but its owner can read.
pub(crate) mod in_clear {
    use keyfob_client::Secret;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(secret: &Option<Secret<String>>, to: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(|secret| secret.expose()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret<String>>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.map(Secret::new))
    }
}

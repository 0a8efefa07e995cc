//! A connection as bytes, and sealed.
//!
//! Everything but the name and the generation is sealed, also what the authority said: a careless one repeats tokens in its
//! errors. The seal is bound to name and generation, so that no row can be put in another's place or be rolled back unnoticed
//! by somebody who can write the file but has no key.

use super::seal::{SealingKey, framed};
use keyfob_client::{
    Evidence, Identity, LostReply, ReauthRequired, Secret, Standing, StoredConnection, Timestamp, TokenDigest,
    TokenSet, Trouble, TroubleKind,
};
use keyfob_protocol::token_reply::{ReceivedError, ReplyError};
use keyfob_protocol::{Entropy, EntropyFailed};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Kept {
    standing: KeptStanding,
    since: Timestamp,
    trouble: Option<KeptTrouble>,
    identity: Option<Identity>,
}

#[derive(Serialize, Deserialize)]
enum KeptStanding {
    Live {
        access_token: String,
        refresh_token: Option<String>,
        expires_at: Option<Timestamp>,
        obtained_at: Timestamp,
        scope: Option<String>,
    },
    ReauthRequired {
        since: Timestamp,
        evidence: KeptEvidence,
        refused: Option<TokenDigest>,
    },
    LostReply {
        since: Timestamp,
        begun_at: Timestamp,
        evidence: KeptEvidence,
        refused: Option<TokenDigest>,
    },
    Denied,
}

#[derive(Serialize, Deserialize)]
struct KeptEvidence {
    status: u16,
    error: Option<(String, Option<String>, Vec<String>)>,
    reply: Option<KeptReply>,
}

#[derive(Serialize, Deserialize)]
enum KeptReply {
    NotJson,
    NoAccessToken,
    TokenType,
}

#[derive(Serialize, Deserialize)]
struct KeptTrouble {
    kind: KeptKind,
    since: Timestamp,
    reason: String,
}

#[derive(Serialize, Deserialize)]
enum KeptKind {
    Degraded,
    Unverified,
    Unrenewable,
    AccountLocked,
}

/// Seals a row for its place.
pub(super) fn seal(
    id: &str,
    row: &StoredConnection,
    number: u32,
    key: &SealingKey,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, EntropyFailed> {
    let plain = serde_json::to_vec(&keep(row)).expect("invariant: plain data has a JSON form");
    let plain = Secret::new(plain);
    key.seal(plain.expose(), &associated(id, row.generation, number), entropy)
}

/// Opens what stands at this place; `None` if it was damaged, moved or rolled back.
pub(super) fn open(
    id: &str,
    generation: u64,
    number: u32,
    sealed: &[u8],
    key: &SealingKey,
) -> Option<StoredConnection> {
    let plain = key.open(sealed, &associated(id, generation, number))?;
    Some(read(generation, serde_json::from_slice(plain.expose()).ok()?))
}

/// What is said of a row that cannot be opened.
pub(super) fn damaged(id: &str) -> String {
    format!("the row of connection {id:?} is damaged or was put there by somebody else; it was left as it is")
}

fn associated(id: &str, generation: u64, number: u32) -> Vec<u8> {
    framed("keyfob vault connection", &[id.as_bytes(), &generation.to_be_bytes(), &number.to_be_bytes()])
}

fn keep(row: &StoredConnection) -> Kept {
    let standing = match &row.standing {
        Standing::Live(tokens) => KeptStanding::Live {
            access_token: tokens.access_token.expose().clone(),
            refresh_token: tokens.refresh_token.as_ref().map(|token| token.expose().clone()),
            expires_at: tokens.expires_at,
            obtained_at: tokens.obtained_at,
            scope: tokens.scope.clone(),
        },
        Standing::ReauthRequired(why) => KeptStanding::ReauthRequired {
            since: why.since,
            evidence: keep_evidence(&why.evidence),
            refused: why.refused,
        },
        Standing::LostReply(why) => KeptStanding::LostReply {
            since: why.since,
            begun_at: why.begun_at,
            evidence: keep_evidence(&why.evidence),
            refused: why.refused,
        },
        Standing::Denied => KeptStanding::Denied,
    };
    let trouble = row.trouble.as_ref().map(|trouble| KeptTrouble {
        kind: match trouble.kind {
            TroubleKind::Degraded => KeptKind::Degraded,
            TroubleKind::Unverified => KeptKind::Unverified,
            TroubleKind::Unrenewable => KeptKind::Unrenewable,
            TroubleKind::AccountLocked => KeptKind::AccountLocked,
        },
        since: trouble.since,
        reason: trouble.reason.clone(),
    });
    Kept { standing, since: row.since, trouble, identity: row.identity.clone() }
}

fn keep_evidence(evidence: &Evidence) -> KeptEvidence {
    KeptEvidence {
        status: evidence.status,
        error: evidence
            .error
            .as_ref()
            .map(|error| (error.code.clone(), error.description.clone(), error.details.clone())),
        reply: evidence.reply.map(|reply| match reply {
            ReplyError::NotJson => KeptReply::NotJson,
            ReplyError::NoAccessToken => KeptReply::NoAccessToken,
            ReplyError::TokenType => KeptReply::TokenType,
        }),
    }
}

fn read(generation: u64, kept: Kept) -> StoredConnection {
    let standing = match kept.standing {
        KeptStanding::Live { access_token, refresh_token, expires_at, obtained_at, scope } => {
            Standing::Live(TokenSet {
                access_token: Secret::new(access_token),
                refresh_token: refresh_token.map(Secret::new),
                expires_at,
                obtained_at,
                scope,
            })
        }
        KeptStanding::ReauthRequired { since, evidence, refused } => {
            let evidence = read_evidence(evidence);
            Standing::ReauthRequired(ReauthRequired { since, evidence, refused })
        }
        KeptStanding::LostReply { since, begun_at, evidence, refused } => {
            let evidence = read_evidence(evidence);
            Standing::LostReply(LostReply { since, begun_at, evidence, refused })
        }
        KeptStanding::Denied => Standing::Denied,
    };
    let trouble = kept.trouble.map(|trouble| Trouble {
        kind: match trouble.kind {
            KeptKind::Degraded => TroubleKind::Degraded,
            KeptKind::Unverified => TroubleKind::Unverified,
            KeptKind::Unrenewable => TroubleKind::Unrenewable,
            KeptKind::AccountLocked => TroubleKind::AccountLocked,
        },
        since: trouble.since,
        reason: trouble.reason,
    });
    StoredConnection { generation, standing, since: kept.since, trouble, identity: kept.identity }
}

fn read_evidence(kept: KeptEvidence) -> Evidence {
    Evidence {
        status: kept.status,
        error: kept.error.map(|(code, description, details)| ReceivedError { code, description, details }),
        reply: kept.reply.map(|reply| match reply {
            KeptReply::NotJson => ReplyError::NotJson,
            KeptReply::NoAccessToken => ReplyError::NoAccessToken,
            KeptReply::TokenType => ReplyError::TokenType,
        }),
    }
}

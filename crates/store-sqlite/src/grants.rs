//! Grants: one row each. All that is decided here is whether a conditional write won.

use std::sync::LazyLock;

use keyfob_authority::model::{
    ActiveGrant, AppId, ApprovedGrant, CodeBinding, EndReason, Grant, GrantState, GrantVersion, RedeemedCode, Stage,
    UserId,
};
use keyfob_authority::store::{GrantChange, GrantFilter, GrantWrite, HeldGrant, Written};
use keyfob_protocol::pkce::CodeChallenge;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Dialect, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, named_params, params};

use crate::columns::{named, senseless};
use crate::holders::Holders;
use crate::{ledger, revocations, settings};

static HELD: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS}, (SELECT settings_version FROM store) FROM grants g WHERE g.id = ?"));
/// The settings version's place behind [`COLUMNS`].
const VERSION: usize = 23;

pub(crate) fn held(connection: &Connection, holders: &Holders, id: GrantId) -> Result<Option<HeldGrant>> {
    let read =
        connection.prepare_cached(&HELD)?.query_row([id.0], |row| Ok((read(row)?, row.get(VERSION)?))).optional()?;
    let Some((grant, version)) = read else { return Ok(None) };
    let holder = holders.holder(connection, grant.user, version)?;
    Ok(Some(HeldGrant { grant, holder }))
}

pub(crate) fn list(connection: &Connection, filter: GrantFilter, limit: u32) -> Result<Vec<Grant>> {
    let place = match (filter.user, filter.app) {
        (Some(_), Some(_)) => "user_id = :user AND +app = :app",
        (Some(_), None) => "user_id = :user AND :app IS NULL",
        (None, Some(_)) => "app = :app AND :user IS NULL",
        (None, None) => ":user IS NULL AND :app IS NULL",
    };
    let ended = if filter.live { Stage::Ended as i64 } else { i64::MAX };
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM grants g WHERE {place} AND stage < :ended ORDER BY id DESC LIMIT :limit"))?
        .query_map(
            named_params! {
                ":user": filter.user.map(|user| user.0), ":app": filter.app.map(|app| app.0), ":ended": ended, ":limit": limit,
            },
            read,
        )?
        .collect()
}

/// The write and what it records, or nothing at all.
pub(crate) fn write(connection: &Connection, write: &GrantWrite) -> Result<Written> {
    let (id, won, ends) = match &write.what {
        GrantChange::Insert(grant) => {
            (grant.id, insert(connection, grant, write.nonce)?, matches!(grant.state, GrantState::Ended { .. }))
        }
        GrantChange::Update { id, expected, next } => {
            (*id, update(connection, *id, *expected, next, write.nonce)?, matches!(next, GrantState::Ended { .. }))
        }
    };
    if !won {
        return recognise(connection, id, write.nonce);
    }
    if ends {
        settings::count_ending(connection)?;
    }
    ledger::append(connection, &write.ledger)?;
    revocations::append(connection, &write.revocations)?;
    Ok(Written::Won)
}

/// A lost write may be a retry of one that won, whose answer was lost; then its records stand already.
fn recognise(connection: &Connection, id: GrantId, nonce: u64) -> Result<Written> {
    let stored: Option<i64> = connection
        .prepare_cached("SELECT nonce FROM grants WHERE id = ?")?
        .query_row([id.0], |row| row.get(0))
        .optional()?;
    Ok(if stored == Some(nonce.cast_signed()) { Written::Won } else { Written::Lost })
}

fn insert(connection: &Connection, grant: &Grant, nonce: u64) -> Result<bool> {
    let state = StateColumns::of(&grant.state);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO grants (id, stage, generation, branch, parent_branch, rotated_at, last_used_at, nonce, app, user_id, \
             root_key, salt, dialect, scope, created_at, code_expires_at, code_challenge, code_binding, request_digest, \
             redirect_uri, state_digest, end_reason, ended_at, resources) \
             VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            grant.id.0,
            state.stage,
            state.generation,
            state.branch,
            state.parent_branch,
            state.rotated_at,
            state.last_used_at,
            nonce.cast_signed(),
            grant.app.0,
            grant.user.0,
            grant.root_key,
            grant.salt,
            grant.dialect.name(),
            grant.scope.to_string(),
            grant.created_at.0,
            state.code_expires_at,
            state.code_challenge,
            state.code_binding,
            state.request_digest,
            state.redirect_uri,
            state.state_digest,
            state.end_reason,
            state.ended_at,
            grant.resources.to_string(),
        ])?;
    Ok(inserted == 1)
}

fn update(connection: &Connection, id: GrantId, expected: GrantVersion, next: &GrantState, nonce: u64) -> Result<bool> {
    let state = StateColumns::of(next);
    let updated = connection
        .prepare_cached(
            "UPDATE grants SET stage = ?5, generation = ?6, branch = ?7, parent_branch = ?8, rotated_at = ?9, \
             last_used_at = ?10, nonce = ?11, code_expires_at = ?12, code_challenge = ?13, code_binding = ?14, \
             request_digest = ?15, redirect_uri = ?16, state_digest = ?17, end_reason = ?18, ended_at = ?19 \
             WHERE id = ?1 AND stage = ?2 AND generation = ?3 AND branch = ?4",
        )?
        .execute(params![
            id.0,
            expected.stage as i64,
            expected.generation,
            expected.branch,
            state.stage,
            state.generation,
            state.branch,
            state.parent_branch,
            state.rotated_at,
            state.last_used_at,
            nonce.cast_signed(),
            state.code_expires_at,
            state.code_challenge,
            state.code_binding,
            state.request_digest,
            state.redirect_uri,
            state.state_digest,
            state.end_reason,
            state.ended_at,
        ])?;
    Ok(updated == 1)
}

/// A lifecycle as columns: those of other stages are empty.
#[derive(Default)]
struct StateColumns<'g> {
    stage: i64,
    generation: u32,
    branch: u32,
    parent_branch: u32,
    rotated_at: Option<i64>,
    last_used_at: Option<i64>,
    code_expires_at: Option<i64>,
    code_challenge: Option<[u8; 32]>,
    code_binding: Option<&'static str>,
    request_digest: Option<[u8; 16]>,
    redirect_uri: Option<&'g str>,
    state_digest: Option<[u8; 16]>,
    end_reason: Option<&'static str>,
    ended_at: Option<i64>,
}

impl StateColumns<'_> {
    fn of(state: &GrantState) -> StateColumns<'_> {
        let version = state.version();
        let columns = StateColumns {
            stage: version.stage as i64,
            generation: version.generation,
            branch: version.branch,
            ..StateColumns::default()
        };
        match state {
            GrantState::Approved(approved) => StateColumns {
                code_expires_at: Some(approved.code_expires_at.0),
                code_challenge: approved.code_challenge.map(|challenge| challenge.0),
                redirect_uri: Some(&approved.redirect_uri),
                state_digest: approved.state_digest,
                ..columns
            },
            GrantState::Active(active) => {
                let code = active.code.as_ref();
                StateColumns {
                    parent_branch: active.parent_branch,
                    rotated_at: Some(active.rotated_at.0),
                    last_used_at: Some(active.last_used_at.0),
                    code_expires_at: code.map(|code| code.expires_at.0),
                    code_challenge: code.and_then(|code| match code.binding {
                        CodeBinding::Pkce(challenge) => Some(challenge.0),
                        CodeBinding::State | CodeBinding::Unbound => None,
                    }),
                    code_binding: code.map(|code| match code.binding {
                        CodeBinding::Pkce(_) => "pkce",
                        CodeBinding::State => "state",
                        CodeBinding::Unbound => "none",
                    }),
                    request_digest: code.map(|code| code.request_digest),
                    ..columns
                }
            }
            GrantState::Ended { reason, at } => {
                StateColumns { end_reason: Some(reason.name()), ended_at: Some(at.0), ..columns }
            }
        }
    }
}

/// The columns in the order in which [`read`] takes them. By place, because looking a column up by its name
/// costs more than reading it.
const COLUMNS: &str = "g.id, g.app, g.user_id, g.root_key, g.salt, g.dialect, g.scope, g.created_at, g.stage, g.generation, \
     g.branch, g.parent_branch, g.rotated_at, g.last_used_at, g.code_expires_at, g.code_challenge, g.code_binding, \
     g.request_digest, g.redirect_uri, g.state_digest, g.end_reason, g.ended_at, g.resources";

fn read(row: &Row<'_>) -> Result<Grant> {
    Ok(Grant {
        id: GrantId(row.get(0)?),
        app: AppId(row.get(1)?),
        user: UserId(row.get(2)?),
        root_key: row.get(3)?,
        salt: row.get(4)?,
        dialect: named(row, 5, [Dialect::FollowUpBoss, Dialect::OAuth], Dialect::name)?,
        scope: Scope::parse(row.get_ref(6)?.as_str()?).map_err(|error| senseless("grants.scope", error))?,
        resources: Resources::from_text(row.get_ref(22)?.as_str()?)
            .map_err(|error| senseless("grants.resources", error))?,
        created_at: Timestamp(row.get(7)?),
        state: read_state(row)?,
    })
}

fn read_state(row: &Row<'_>) -> Result<GrantState> {
    let stage: i64 = row.get(8)?;
    if stage == Stage::Active as i64 {
        Ok(GrantState::Active(ActiveGrant {
            generation: row.get(9)?,
            branch: row.get(10)?,
            parent_branch: row.get(11)?,
            rotated_at: Timestamp(row.get(12)?),
            last_used_at: Timestamp(row.get(13)?),
            code: row.get::<_, Option<i64>>(14)?.map(|time| read_redeemed(row, Timestamp(time))).transpose()?,
        }))
    } else if stage == Stage::Approved as i64 {
        Ok(GrantState::Approved(ApprovedGrant {
            code_expires_at: Timestamp(row.get(14)?),
            redirect_uri: row.get(18)?,
            state_digest: row.get(19)?,
            code_challenge: row.get::<_, Option<_>>(15)?.map(CodeChallenge),
        }))
    } else if stage == Stage::Ended as i64 {
        Ok(GrantState::Ended { reason: named(row, 20, EndReason::ALL, EndReason::name)?, at: Timestamp(row.get(21)?) })
    } else {
        Err(senseless("grants.stage", stage))
    }
}

fn read_redeemed(row: &Row<'_>, expires_at: Timestamp) -> Result<RedeemedCode> {
    let binding = match (row.get_ref(16)?.as_str()?, row.get::<_, Option<_>>(15)?) {
        ("pkce", Some(challenge)) => CodeBinding::Pkce(CodeChallenge(challenge)),
        ("state", None) => CodeBinding::State,
        ("none", None) => CodeBinding::Unbound,
        (other, _) => return Err(senseless("grants.code_binding", other)),
    };
    Ok(RedeemedCode { expires_at, binding, request_digest: row.get(17)? })
}

//! A grant's row, both ways.

use keyfob_authority::model::{
    AccountId, ActiveGrant, AppId, ApprovedGrant, CodeBinding, EndReason, Grant, GrantState, Holder, RedeemedCode,
    Stage, UserId,
};
use keyfob_protocol::pkce::CodeChallenge;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Dialect, Timestamp};
use tokio_postgres::Row;

use crate::columns::{at, bytes, named, narrow, senseless};
use crate::engine::Fault;
use crate::people;

/// Lifecycles, column by column: those of other stages are empty.
#[derive(Default)]
pub(super) struct StateColumns<'g> {
    pub(super) stage: Vec<i64>,
    pub(super) generation: Vec<i64>,
    pub(super) branch: Vec<i64>,
    pub(super) parent_branch: Vec<i64>,
    pub(super) rotated_at: Vec<Option<i64>>,
    pub(super) last_used_at: Vec<Option<i64>>,
    pub(super) code_expires_at: Vec<Option<i64>>,
    pub(super) code_challenge: Vec<Option<&'g [u8]>>,
    pub(super) code_binding: Vec<Option<&'static str>>,
    pub(super) request_digest: Vec<Option<&'g [u8]>>,
    pub(super) redirect_uri: Vec<Option<&'g str>>,
    pub(super) state_digest: Vec<Option<&'g [u8]>>,
    pub(super) end_reason: Vec<Option<&'static str>>,
    pub(super) ended_at: Vec<Option<i64>>,
}

/// The columns that not every stage has.
#[derive(Default)]
struct Stages<'g> {
    parent_branch: u32,
    rotated_at: Option<i64>,
    last_used_at: Option<i64>,
    code_expires_at: Option<i64>,
    code_challenge: Option<&'g [u8]>,
    code_binding: Option<&'static str>,
    request_digest: Option<&'g [u8]>,
    redirect_uri: Option<&'g str>,
    state_digest: Option<&'g [u8]>,
    end_reason: Option<&'static str>,
    ended_at: Option<i64>,
}

impl<'g> StateColumns<'g> {
    pub(super) fn push(&mut self, state: &'g GrantState) {
        let version = state.version();
        let stages = Stages::of(state);
        self.stage.push(version.stage as i64);
        self.generation.push(version.generation.into());
        self.branch.push(version.branch.into());
        self.parent_branch.push(stages.parent_branch.into());
        self.rotated_at.push(stages.rotated_at);
        self.last_used_at.push(stages.last_used_at);
        self.code_expires_at.push(stages.code_expires_at);
        self.code_challenge.push(stages.code_challenge);
        self.code_binding.push(stages.code_binding);
        self.request_digest.push(stages.request_digest);
        self.redirect_uri.push(stages.redirect_uri);
        self.state_digest.push(stages.state_digest);
        self.end_reason.push(stages.end_reason);
        self.ended_at.push(stages.ended_at);
    }
}

impl Stages<'_> {
    fn of(state: &GrantState) -> Stages<'_> {
        match state {
            GrantState::Approved(approved) => Stages {
                code_expires_at: Some(approved.code_expires_at.0),
                code_challenge: approved.code_challenge.as_ref().map(|challenge| challenge.0.as_slice()),
                redirect_uri: Some(&approved.redirect_uri),
                state_digest: approved.state_digest.as_ref().map(<[u8; 16]>::as_slice),
                ..Stages::default()
            },
            GrantState::Active(active) => {
                let code = active.code.as_ref();
                Stages {
                    parent_branch: active.parent_branch,
                    rotated_at: Some(active.rotated_at.0),
                    last_used_at: Some(active.last_used_at.0),
                    code_expires_at: code.map(|code| code.expires_at.0),
                    code_challenge: code.and_then(|code| match &code.binding {
                        CodeBinding::Pkce(challenge) => Some(challenge.0.as_slice()),
                        CodeBinding::State | CodeBinding::Unbound => None,
                    }),
                    code_binding: code.map(|code| match code.binding {
                        CodeBinding::Pkce(_) => "pkce",
                        CodeBinding::State => "state",
                        CodeBinding::Unbound => "none",
                    }),
                    request_digest: code.map(|code| code.request_digest.as_slice()),
                    ..Stages::default()
                }
            }
            GrantState::Ended { reason, at } => {
                Stages { end_reason: Some(reason.name()), ended_at: Some(at.0), ..Stages::default() }
            }
        }
    }
}

const HOLDER: usize = 23;

pub(super) fn read(row: &Row) -> Result<Grant, Fault> {
    let scope: &str = at(row, 6)?;
    let resources: &str = at(row, 22)?;
    Ok(Grant {
        id: GrantId(bytes("grants.id", at(row, 0)?)?),
        app: AppId(at(row, 1)?),
        user: UserId(at(row, 2)?),
        root_key: narrow("grants.root_key", at(row, 3)?)?,
        salt: bytes("grants.salt", at(row, 4)?)?,
        dialect: named("grants.dialect", at(row, 5)?, [Dialect::FollowUpBoss, Dialect::OAuth], Dialect::name)?,
        scope: Scope::parse(scope).map_err(|error| senseless("grants.scope", error))?,
        resources: Resources::from_text(resources).map_err(|error| senseless("grants.resources", error))?,
        created_at: Timestamp(at(row, 7)?),
        state: read_state(row)?,
    })
}

fn read_state(row: &Row) -> Result<GrantState, Fault> {
    let stage: i64 = at(row, 8)?;
    if stage == Stage::Active as i64 {
        let code: Option<i64> = at(row, 14)?;
        Ok(GrantState::Active(ActiveGrant {
            generation: narrow("grants.generation", at(row, 9)?)?,
            branch: narrow("grants.branch", at(row, 10)?)?,
            parent_branch: narrow("grants.parent_branch", at(row, 11)?)?,
            rotated_at: Timestamp(at(row, 12)?),
            last_used_at: Timestamp(at(row, 13)?),
            code: code.map(|time| read_redeemed(row, Timestamp(time))).transpose()?,
        }))
    } else if stage == Stage::Approved as i64 {
        let state_digest: Option<&[u8]> = at(row, 19)?;
        Ok(GrantState::Approved(ApprovedGrant {
            code_expires_at: Timestamp(at(row, 14)?),
            redirect_uri: at(row, 18)?,
            state_digest: state_digest.map(|digest| bytes("grants.state_digest", digest)).transpose()?,
            code_challenge: read_challenge(row)?,
        }))
    } else if stage == Stage::Ended as i64 {
        let reason = named("grants.end_reason", at(row, 20)?, EndReason::ALL, EndReason::name)?;
        Ok(GrantState::Ended { reason, at: Timestamp(at(row, 21)?) })
    } else {
        Err(senseless("grants.stage", stage))
    }
}

fn read_challenge(row: &Row) -> Result<Option<CodeChallenge>, Fault> {
    let challenge: Option<&[u8]> = at(row, 15)?;
    challenge.map(|challenge| bytes("grants.code_challenge", challenge).map(CodeChallenge)).transpose()
}

fn read_redeemed(row: &Row, expires_at: Timestamp) -> Result<RedeemedCode, Fault> {
    let binding = match (at::<&str>(row, 16)?, read_challenge(row)?) {
        ("pkce", Some(challenge)) => CodeBinding::Pkce(challenge),
        ("state", None) => CodeBinding::State,
        ("none", None) => CodeBinding::Unbound,
        (other, _) => return Err(senseless("grants.code_binding", other)),
    };
    Ok(RedeemedCode { expires_at, binding, request_digest: bytes("grants.request_digest", at(row, 17)?)? })
}

pub(super) fn read_holder(row: &Row) -> Result<Holder, Fault> {
    let user = at::<Option<&str>>(row, HOLDER)?.map(people::user_status).transpose()?;
    let account = match at::<Option<i64>>(row, HOLDER + 2)? {
        None => None,
        Some(id) => Some((AccountId(id), people::account_status(at(row, HOLDER + 3)?)?)),
    };
    let tokens_after = |place| at::<Option<i64>>(row, place).map(|at| Timestamp(at.unwrap_or(0)));
    Ok(Holder {
        user,
        account,
        user_tokens_after: tokens_after(HOLDER + 1)?,
        account_tokens_after: tokens_after(HOLDER + 4)?,
    })
}

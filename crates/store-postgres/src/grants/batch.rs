//! Many conditional writes in one statement, which is one transaction.
//!
//! Two statements. Rotations that record nothing, which is nearly all there is, are one `UPDATE` from arrays. A batch with an insert, an
//! entry, a revocation or an ending is one statement of several parts that write what its winners record. Either returns the grants that
//! were written, with the nonces that now stand in their rows: only the bearer of a nonce has won. A grant may stand in a batch several
//! times. Who did not win asks once more whose nonce stands in the row, since this may be the second try of a write that was committed.

use std::collections::HashSet;

use keyfob_authority::model::{Grant, GrantState};
use keyfob_authority::store::{GrantChange, GrantWrite, Written};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::row::StateColumns;
use crate::columns::at;
use crate::engine::{Fault, Session, Work};
use crate::{ledger, revocations};

/// Whose nonce stands in the row. A row of our own is written once more as it is: its commit may have been cut short while it waited for
/// the standby, and the answer must wait for what the first one did not.
const RECOGNISE: &str = "UPDATE grants SET nonce = grants.nonce FROM unnest($1::bytea[], $2::bigint[]) AS w(id, nonce) \
                         WHERE grants.id = w.id AND grants.nonce = w.nonce RETURNING grants.id, grants.nonce";

/// The lanes' work.
pub(crate) struct GrantWrites;

impl Work for GrantWrites {
    type Job = GrantWrite;
    type Answer = Written;
    type Name = ([u8; 16], u64);

    fn name(job: &GrantWrite) -> Option<Self::Name> {
        Some(name(job))
    }

    async fn run(session: &Session, jobs: &[GrantWrite]) -> Result<Vec<Written>, Fault> {
        let mut order: Vec<&GrantWrite> = jobs.iter().collect();
        // All batches lock rows in one order, so that those of two nodes do not wait for each other in a circle.
        order.sort_by_key(|job| id(job));
        let mut won = write(session, &order).await?;
        let asked: Vec<&&GrantWrite> = order.iter().filter(|job| !won.contains(&name(job))).collect();
        if !asked.is_empty() {
            let ids: Vec<&[u8]> = asked.iter().map(|job| id_bytes(job).as_slice()).collect();
            let nonces: Vec<i64> = asked.iter().map(|job| job.nonce.cast_signed()).collect();
            let rows = session.query(RECOGNISE, &[&ids, &nonces]).await?;
            won.extend(rows.iter().map(read_name).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(jobs.iter().map(|job| if won.contains(&name(job)) { Written::Won } else { Written::Lost }).collect())
    }
}

fn name(job: &GrantWrite) -> ([u8; 16], u64) {
    (id(job), job.nonce)
}

fn id_bytes(job: &GrantWrite) -> &[u8; 16] {
    match &job.what {
        GrantChange::Insert(grant) => &grant.id.0,
        GrantChange::Update { id, .. } => &id.0,
    }
}

fn id(job: &GrantWrite) -> [u8; 16] {
    *id_bytes(job)
}

fn read_name(row: &Row) -> Result<([u8; 16], u64), Fault> {
    Ok((crate::columns::bytes("grants.id", at(row, 0)?)?, at::<i64>(row, 1)?.cast_unsigned()))
}

/// Writes, and says which rows are whose.
async fn write(session: &Session, jobs: &[&GrantWrite]) -> Result<HashSet<([u8; 16], u64)>, Fault> {
    let mut updates = Updates::default();
    let mut inserts = Inserts::default();
    let mut records = Records::default();
    for job in jobs {
        let ends = match &job.what {
            GrantChange::Insert(grant) => {
                inserts.push(job, grant);
                matches!(grant.state, GrantState::Ended { .. })
            }
            GrantChange::Update { next, .. } => {
                updates.push(job, next);
                matches!(next, GrantState::Ended { .. })
            }
        };
        records.push(job, ends);
    }
    let rows = if inserts.id.is_empty() && records.is_empty() {
        session.query(UPDATE, &updates.values()).await?
    } else {
        let values = [updates.values(), inserts.values(), records.values()].concat();
        session.query(WRITE, &values).await?
    };
    rows.iter().map(read_name).collect()
}

type Bound<'v> = Vec<&'v (dyn ToSql + Sync)>;

#[derive(Default)]
struct Updates<'g> {
    id: Vec<&'g [u8]>,
    was_stage: Vec<i64>,
    was_generation: Vec<i64>,
    was_branch: Vec<i64>,
    nonce: Vec<i64>,
    next: StateColumns<'g>,
}

impl<'g> Updates<'g> {
    fn push(&mut self, job: &'g GrantWrite, next: &'g GrantState) {
        if let GrantChange::Update { id, expected, .. } = &job.what {
            self.id.push(&id.0);
            self.was_stage.push(expected.stage as i64);
            self.was_generation.push(expected.generation.into());
            self.was_branch.push(expected.branch.into());
            self.nonce.push(job.nonce.cast_signed());
            self.next.push(next);
        }
    }

    /// `$1` to `$19`.
    fn values(&self) -> Bound<'_> {
        let mut values: Bound<'_> =
            vec![&self.id, &self.was_stage, &self.was_generation, &self.was_branch, &self.nonce];
        values.extend(state_values(&self.next));
        values
    }
}

#[derive(Default)]
struct Inserts<'g> {
    id: Vec<&'g [u8]>,
    nonce: Vec<i64>,
    app: Vec<i64>,
    user: Vec<i64>,
    root_key: Vec<i64>,
    salt: Vec<&'g [u8]>,
    dialect: Vec<&'static str>,
    scope: Vec<String>,
    created_at: Vec<i64>,
    resources: Vec<String>,
    state: StateColumns<'g>,
}

impl<'g> Inserts<'g> {
    fn push(&mut self, job: &GrantWrite, grant: &'g Grant) {
        self.id.push(&grant.id.0);
        self.nonce.push(job.nonce.cast_signed());
        self.app.push(grant.app.0);
        self.user.push(grant.user.0);
        self.root_key.push(grant.root_key.into());
        self.salt.push(&grant.salt);
        self.dialect.push(grant.dialect.name());
        self.scope.push(grant.scope.to_string());
        self.created_at.push(grant.created_at.0);
        self.resources.push(grant.resources.to_string());
        self.state.push(&grant.state);
    }

    /// `$20` to `$43`.
    fn values(&self) -> Bound<'_> {
        let mut values: Bound<'_> = vec![
            &self.id,
            &self.nonce,
            &self.app,
            &self.user,
            &self.root_key,
            &self.salt,
            &self.dialect,
            &self.scope,
            &self.created_at,
            &self.resources,
        ];
        values.extend(state_values(&self.state));
        values
    }
}

fn state_values<'v>(state: &'v StateColumns<'_>) -> [&'v (dyn ToSql + Sync); 14] {
    [
        &state.stage,
        &state.generation,
        &state.branch,
        &state.parent_branch,
        &state.rotated_at,
        &state.last_used_at,
        &state.code_expires_at,
        &state.code_challenge,
        &state.code_binding,
        &state.request_digest,
        &state.redirect_uri,
        &state.state_digest,
        &state.end_reason,
        &state.ended_at,
    ]
}

/// What is written only for winners, each with the name of its write.
#[derive(Default)]
struct Records<'g> {
    /// Of writes that end a grant or revoke something: they take the store's row.
    counted_id: Vec<&'g [u8]>,
    counted_nonce: Vec<i64>,
    counted_endings: Vec<i64>,
    entry_id: Vec<&'g [u8]>,
    entry_nonce: Vec<i64>,
    entry: ledger::Columns<'g>,
    revocation_id: Vec<&'g [u8]>,
    revocation_nonce: Vec<i64>,
    revoked_kind: Vec<&'static str>,
    revoked_id: Vec<&'g str>,
    not_before: Vec<i64>,
    until: Vec<i64>,
}

impl<'g> Records<'g> {
    fn push(&mut self, job: &'g GrantWrite, ends: bool) {
        let (id, nonce) = (id_bytes(job), job.nonce.cast_signed());
        if ends || !job.revocations.is_empty() {
            self.counted_id.push(id);
            self.counted_nonce.push(nonce);
            self.counted_endings.push(ends.into());
        }
        for entry in &job.ledger {
            self.entry_id.push(id);
            self.entry_nonce.push(nonce);
            self.entry.push(entry);
        }
        for revocation in &job.revocations {
            self.revocation_id.push(id);
            self.revocation_nonce.push(nonce);
            self.revoked_kind.push(revocations::name(revocation.kind));
            self.revoked_id.push(&revocation.id);
            self.not_before.push(revocation.not_before.0);
            self.until.push(revocation.until.0);
        }
    }

    fn is_empty(&self) -> bool {
        self.counted_id.is_empty() && self.entry_id.is_empty()
    }

    /// `$44` to `$64`.
    fn values(&self) -> Bound<'_> {
        vec![
            &self.counted_id,
            &self.counted_nonce,
            &self.counted_endings,
            &self.entry_id,
            &self.entry_nonce,
            &self.entry.at,
            &self.entry.kind,
            &self.entry.grant,
            &self.entry.app,
            &self.entry.user,
            &self.entry.account,
            &self.entry.system,
            &self.entry.detail,
            &self.entry.once,
            &self.revocation_id,
            &self.revocation_nonce,
            &self.revoked_kind,
            &self.revoked_id,
            &self.not_before,
            &self.until,
            &self.entry.request,
        ]
    }
}

macro_rules! update {
    () => {
        "UPDATE grants AS g SET nonce = w.nonce, stage = w.stage, generation = w.generation, branch = w.branch, \
         parent_branch = w.parent_branch, rotated_at = w.rotated_at, last_used_at = w.last_used_at, \
         code_expires_at = w.code_expires_at, code_challenge = w.code_challenge, code_binding = w.code_binding, \
         request_digest = w.request_digest, redirect_uri = w.redirect_uri, state_digest = w.state_digest, \
         end_reason = w.end_reason, ended_at = w.ended_at \
         FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], \
         $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bytea[], $14::text[], $15::bytea[], \
         $16::text[], $17::bytea[], $18::text[], $19::bigint[]) \
         AS w(id, was_stage, was_generation, was_branch, nonce, stage, generation, branch, parent_branch, rotated_at, \
         last_used_at, code_expires_at, code_challenge, code_binding, request_digest, redirect_uri, state_digest, end_reason, \
         ended_at) \
         WHERE g.id = w.id AND g.stage = w.was_stage AND g.generation = w.was_generation AND g.branch = w.was_branch \
         RETURNING g.id, g.nonce"
    };
}

const UPDATE: &str = update!();

/// The store's row is taken before a revocation draws its number, and stays locked until the commit (see [`crate::revocations`]).
/// `IN (…) IS TRUE` keeps PostgreSQL from joining, so that the winners are looked up in a hash table whatever the planner expects.
const WRITE: &str = concat!(
    "WITH changed AS (",
    update!(),
    "), made AS (INSERT INTO grants (id, nonce, app, user_id, root_key, salt, dialect, scope, created_at, resources, stage, generation, branch, \
     parent_branch, rotated_at, last_used_at, code_expires_at, code_challenge, code_binding, request_digest, redirect_uri, \
     state_digest, end_reason, ended_at) \
     SELECT * FROM unnest($20::bytea[], $21::bigint[], $22::bigint[], $23::bigint[], $24::bigint[], $25::bytea[], $26::text[], \
     $27::text[], $28::bigint[], $29::text[], $30::bigint[], $31::bigint[], $32::bigint[], $33::bigint[], $34::bigint[], $35::bigint[], \
     $36::bigint[], $37::bytea[], $38::text[], $39::bytea[], $40::text[], $41::bytea[], $42::text[], $43::bigint[]) \
     ON CONFLICT (id) DO NOTHING RETURNING id, nonce), \
     won AS (SELECT id, nonce FROM changed UNION ALL SELECT id, nonce FROM made), \
     due AS (SELECT sum(c.endings)::bigint AS endings, count(*) AS writes \
     FROM unnest($44::bytea[], $45::bigint[], $46::bigint[]) AS c(id, nonce, endings) \
     WHERE ((c.id, c.nonce) IN (SELECT id, nonce FROM won)) IS TRUE), \
     counted AS (UPDATE store SET tick = tick + due.endings FROM due WHERE due.writes > 0 RETURNING one), \
     noted AS (INSERT INTO ledger (at, kind, grant_id, app, user_id, account, system, detail, once, request_id) \
     SELECT l.at, l.kind, l.grant_id, l.app, l.user_id, l.account, l.system, l.detail, l.once, l.request_id \
     FROM unnest($47::bytea[], $48::bigint[], $49::bigint[], $50::text[], $51::bytea[], $52::bigint[], $53::bigint[], \
     $54::bigint[], $55::bigint[], $56::text[], $57::text[], $64::text[]) WITH ORDINALITY \
     AS l(id, nonce, at, kind, grant_id, app, user_id, account, system, detail, once, request_id, n) \
     WHERE ((l.id, l.nonce) IN (SELECT id, nonce FROM won)) IS TRUE \
     ORDER BY l.n ON CONFLICT (once) WHERE once IS NOT NULL DO NOTHING), \
     revoked AS (INSERT INTO revocations (kind, id, not_before, until_time) \
     SELECT r.kind, r.revoked, r.not_before, r.until_time FROM counted, \
     unnest($58::bytea[], $59::bigint[], $60::text[], $61::text[], $62::bigint[], $63::bigint[]) WITH ORDINALITY \
     AS r(id, nonce, kind, revoked, not_before, until_time, n) \
     WHERE ((r.id, r.nonce) IN (SELECT id, nonce FROM won)) IS TRUE ORDER BY r.n) \
     SELECT id, nonce FROM won"
);

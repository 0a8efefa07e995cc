//! Many writes in one transaction, each decided under the lock of its connection.
//!
//! The locks are taken in the order of names, so that the batches of two nodes do not wait for each other in a circle, and what stands
//! there is read by a later statement, so that it is what the last holder of the lock left. Three round trips, however many writes:
//! lock and read, write, commit.
//!
//! If the answer of the commit is lost, the lane does the same batch again: a write that finds its own nonce has won already, and touches
//! its row once more, since its commit may have been cut short while it waited for a standby. If somebody else has written meanwhile, it
//! is decided anew: a save or a finish then finds another generation and is a conflict, upon which its caller reads and sees its own tokens or newer
//! ones; a lease that was taken and is not recognised runs out.

use super::effects::Batch;
use super::keys::{self, Sealer};
use super::{Inside, number};
use crate::store::change::{Answer, Change, Decision, Found, Lease};
use keyfob_client::{Intent, StoreUnavailable, Timestamp, TokenDigest};
use keyfob_postgres::{Fault, Session, Values, Work};
use std::collections::HashMap;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Makes the row that is locked. Never a conflict with another's: it stays as it is then.
const BEGIN: &str = "INSERT INTO leases (id, fence, nonce) SELECT id, 0, ''::bytea FROM unnest($1::text[]) AS w(id) \
                     ON CONFLICT (id) DO NOTHING";
const LOCK: &str =
    "SELECT id, fence, leased_until, nonce FROM leases WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE";
/// With the key, so that no key is missing that was retired after the row was read.
const READ: &str = "SELECT w.id, c.generation, c.data_key, c.sealed, k.sealed, c.state, i.generation, i.digest, i.begun_at \
                    FROM unnest($1::text[]) AS w(id) LEFT JOIN connections c ON c.id = w.id \
                    LEFT JOIN data_keys k ON k.number = c.data_key LEFT JOIN intents i ON i.id = w.id";
/// A write that waits for its turn.
pub(super) struct Job {
    pub(super) inside: Arc<Inside>,
    pub(super) id: String,
    /// Different for every write.
    pub(super) nonce: [u8; 16],
    pub(super) change: Change,
}

/// The lanes' work.
pub(super) struct Writes;

impl Work for Writes {
    type Job = Job;
    type Answer = Result<Answer, StoreUnavailable>;
    type Name = String;

    /// One write per connection and batch, so that each finds what the one before it left.
    fn name(job: &Job) -> Option<String> {
        Some(job.id.clone())
    }

    async fn run(session: &Session, jobs: &[Job]) -> Result<Vec<Self::Answer>, Fault> {
        let outcome = write(session, jobs).await;
        match &outcome {
            Ok(_) => session.run("COMMIT").await?,
            // A connection that does not even roll back is of no use: the server rolls back what its client leaves.
            Err(_) => {
                if session.run("ROLLBACK").await.is_err() {
                    session.discard();
                }
            }
        }
        outcome
    }
}

/// What the batch needs to know of one connection.
struct Standing {
    found: Found,
    state: Option<String>,
    nonce: Option<Vec<u8>>,
}

async fn write(session: &Session, jobs: &[Job]) -> Result<Vec<Result<Answer, StoreUnavailable>>, Fault> {
    let Some(inside) = jobs.first().map(|job| &job.inside) else { return Ok(Vec::new()) };
    let (mut standing, sealer) = lock_and_read(session, inside, jobs).await?;
    let mut told = Vec::with_capacity(jobs.len());
    let mut effects = Batch::default();
    for job in jobs {
        let Standing { found, state, nonce } = standing.remove(&job.id).unwrap_or_else(Standing::nothing);
        let decision: Decision = match nonce.as_deref() == Some(&job.nonce) {
            true => job.change.again(found),
            false => job.change.decide(found),
        };
        told.push(match decision {
            Ok((answer, None)) => Ok(answer),
            Ok((answer, Some(effect))) => {
                effects.add(job, effect, state, sealer.as_ref())?;
                Ok(answer)
            }
            Err(unavailable) => Err(unavailable),
        });
    }
    effects.write(session).await?;
    jobs.iter().for_each(|job| job.change.before_commit());
    Ok(told)
}

async fn lock_and_read(
    session: &Session,
    inside: &Inside,
    jobs: &[Job],
) -> Result<(HashMap<String, Standing>, Option<Sealer>), Fault> {
    let mut ids: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    ids.sort_unstable();
    let mut new: Vec<&str> = jobs.iter().filter(|job| job.change.begins()).map(|job| job.id.as_str()).collect();
    new.sort_unstable();
    let (named, begun): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([&ids], [&new]);
    let mut statements: Vec<(&'static str, &Values<'_>)> = vec![("BEGIN", &[])];
    if !new.is_empty() {
        statements.push((BEGIN, &begun));
    }
    let lock = statements.len();
    statements.extend([(LOCK, &named as &Values<'_>), (READ, &named)]);
    if jobs.iter().any(|job| job.change.seals()) {
        statements.push((keys::CURRENT, &[]));
    }
    let answers = session.pipeline(&statements).await?;
    let sealer = answers.get(lock + 2).map(|rows| keys::sealer(rows, inside)).transpose()?;
    let (leases, rows) = (&answers[lock], &answers[lock + 1]);
    let inner: HashMap<&str, bool> = jobs.iter().map(|job| (job.id.as_str(), job.change.looks_inside())).collect();
    let mut standing = HashMap::with_capacity(jobs.len());
    for row in rows {
        let id: String = row.try_get(0)?;
        let looks_inside = inner.get(id.as_str()).copied().unwrap_or_default();
        let found = read(inside, &id, row, looks_inside)?;
        standing.insert(id, found);
    }
    for row in leases {
        let id: &str = row.try_get(0)?;
        if let Some(found) = standing.get_mut(id) {
            let until: Option<i64> = row.try_get(2)?;
            let fence = number::<_, i64>("leases.fence", row.try_get(1)?)?;
            found.found.lease = Lease { fence, until: until.map(Timestamp) };
            found.nonce = Some(row.try_get(3)?);
        }
    }
    Ok((standing, sealer))
}

fn read(inside: &Inside, id: &str, row: &Row, looks_inside: bool) -> Result<Standing, Fault> {
    let generation: Option<i64> = row.try_get(1)?;
    let generation = generation.map(|generation| number("connections.generation", generation)).transpose()?;
    let opened = match generation.filter(|_| looks_inside) {
        Some(_) => Some(inside.open_row(id, row, 1)?),
        None => None,
    };
    let intended: Option<i64> = row.try_get(6)?;
    let open = intended
        .map(|generation| {
            let digest: Vec<u8> = row.try_get(7)?;
            let digest = digest
                .try_into()
                .map_err(|_| Fault::Senseless { column: "intents.digest", value: "another length".to_owned() })?;
            let generation = number("intents.generation", generation)?;
            Ok::<_, Fault>(Intent { generation, digest: TokenDigest(digest), begun_at: Timestamp(row.try_get(8)?) })
        })
        .transpose()?;
    let found = Found { lease: Lease::default(), generation, row: opened, open };
    Ok(Standing { found, state: row.try_get(5)?, nonce: None })
}

impl Standing {
    fn nothing() -> Standing {
        Standing { found: Found::default(), state: None, nonce: None }
    }
}

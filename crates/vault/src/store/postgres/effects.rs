//! What a batch writes, gathered column by column, one statement for each table.

use super::batch::Job;
use super::keys::Sealer;
use crate::store::change::{Effects, IntentEffect, RowEffect};
use crate::store::contract::REMOVED;
use crate::store::row;
use keyfob_client::{Intent, StoredConnection};
use keyfob_postgres::{Fault, Session, Values};

const LEASES: &str = "UPDATE leases SET fence = w.fence, leased_until = w.leased_until, nonce = w.nonce \
                      FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bytea[]) AS w(id, fence, leased_until, nonce) \
                      WHERE leases.id = w.id";
const ROWS: &str = "INSERT INTO connections (id, generation, state, since, data_key, sealed) \
                    SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[]) \
                    ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, state = excluded.state, \
                    since = excluded.since, data_key = excluded.data_key, sealed = excluded.sealed";
const GONE: &str = "DELETE FROM connections WHERE id = ANY($1::text[])";
const OPENED: &str = "INSERT INTO intents (id, generation, digest, begun_at) \
                      SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::bigint[]) \
                      ON CONFLICT (id) DO UPDATE SET generation = excluded.generation, digest = excluded.digest, \
                      begun_at = excluded.begun_at";
const CLOSED: &str = "DELETE FROM intents WHERE id = ANY($1::text[])";
const EVENTS: &str = "WITH counted AS (UPDATE event_numbers SET last = last + cardinality($1::text[]) RETURNING last) \
                      INSERT INTO events (number, id, generation, from_state, to_state, since) \
                      SELECT counted.last - cardinality($1::text[]) + w.place, w.id, w.generation, w.from_state, w.to_state, w.since \
                      FROM counted, unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) \
                      WITH ORDINALITY AS w(id, generation, from_state, to_state, since, place)";

/// Everything that the writes of a batch decided.
#[derive(Default)]
pub(super) struct Batch {
    leases: Leases,
    rows: Rows,
    gone: Vec<String>,
    opened: Opened,
    closed: Vec<String>,
    events: Events,
}

#[derive(Default)]
struct Leases {
    id: Vec<String>,
    fence: Vec<i64>,
    leased_until: Vec<Option<i64>>,
    nonce: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Rows {
    id: Vec<String>,
    generation: Vec<i64>,
    state: Vec<&'static str>,
    since: Vec<i64>,
    data_key: Vec<i64>,
    sealed: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Opened {
    id: Vec<String>,
    generation: Vec<i64>,
    digest: Vec<Vec<u8>>,
    begun_at: Vec<i64>,
}

#[derive(Default)]
struct Events {
    id: Vec<String>,
    generation: Vec<i64>,
    from_state: Vec<Option<String>>,
    to_state: Vec<&'static str>,
    since: Vec<i64>,
}

impl Batch {
    /// Adds what one write decided. `before` is the name of the state that stands there.
    pub(super) fn add(
        &mut self,
        job: &Job,
        effects: Effects,
        before: Option<String>,
        sealer: Option<&Sealer>,
    ) -> Result<(), Fault> {
        self.leases.id.push(job.id.clone());
        self.leases.fence.push(effects.lease.fence.cast_signed());
        self.leases.leased_until.push(effects.lease.until.map(|until| until.0));
        self.leases.nonce.push(job.nonce.to_vec());
        match effects.row {
            RowEffect::Stays => {}
            RowEffect::Goes { generation } => {
                self.gone.push(job.id.clone());
                self.events.id.push(job.id.clone());
                self.events.generation.push(generation.cast_signed());
                self.events.from_state.push(before);
                self.events.to_state.push(REMOVED);
                self.events.since.push(job.inside.clock.now().0);
            }
            RowEffect::Becomes(next) => self.put(job, &next, before, sealer)?,
        }
        match effects.intent {
            IntentEffect::Stays => {}
            IntentEffect::Closes => self.closed.push(job.id.clone()),
            IntentEffect::Opens(intent) => self.open(job, &intent),
        }
        Ok(())
    }

    /// A row under the key of now, and the event if its state is another.
    fn put(
        &mut self,
        job: &Job,
        next: &StoredConnection,
        before: Option<String>,
        sealer: Option<&Sealer>,
    ) -> Result<(), Fault> {
        let sealer = sealer.ok_or_else(|| Fault::Statement("no key was read for a row".to_owned()))?;
        let sealed = row::seal(&job.id, next, sealer.number, &sealer.key, job.inside.entropy.as_ref())
            .map_err(|error| Fault::Statement(error.to_string()))?;
        let (status, generation) = (next.status(), next.generation.cast_signed());
        let state = status.state.name();
        self.rows.id.push(job.id.clone());
        self.rows.generation.push(generation);
        self.rows.state.push(state);
        self.rows.since.push(status.since.0);
        self.rows.data_key.push(sealer.number.into());
        self.rows.sealed.push(sealed);
        if before.as_deref() != Some(state) {
            self.events.id.push(job.id.clone());
            self.events.generation.push(generation);
            self.events.from_state.push(before);
            self.events.to_state.push(state);
            self.events.since.push(status.since.0);
        }
        Ok(())
    }

    fn open(&mut self, job: &Job, intent: &Intent) {
        self.opened.id.push(job.id.clone());
        self.opened.generation.push(intent.generation.cast_signed());
        self.opened.digest.push(intent.digest.0.to_vec());
        self.opened.begun_at.push(intent.begun_at.0);
    }

    /// Writes all of it, in one round trip.
    pub(super) async fn write(&self, session: &Session) -> Result<(), Fault> {
        let (leases, rows, opened, events) = (&self.leases, &self.rows, &self.opened, &self.events);
        let statements: [(bool, &'static str, &Values<'_>); 6] = [
            (leases.id.is_empty(), LEASES, &[&leases.id, &leases.fence, &leases.leased_until, &leases.nonce]),
            (
                rows.id.is_empty(),
                ROWS,
                &[&rows.id, &rows.generation, &rows.state, &rows.since, &rows.data_key, &rows.sealed],
            ),
            (self.gone.is_empty(), GONE, &[&self.gone]),
            (opened.id.is_empty(), OPENED, &[&opened.id, &opened.generation, &opened.digest, &opened.begun_at]),
            (self.closed.is_empty(), CLOSED, &[&self.closed]),
            // Last, since whoever has counted keeps everybody else's events waiting until the commit.
            (
                events.id.is_empty(),
                EVENTS,
                &[&events.id, &events.generation, &events.from_state, &events.to_state, &events.since],
            ),
        ];
        let wanted: Vec<_> =
            statements.into_iter().filter(|(is_empty, ..)| !is_empty).map(|(_, sql, values)| (sql, values)).collect();
        session.pipeline(&wanted).await?;
        Ok(())
    }
}

//! One live connection: its statements are prepared once, and many tasks send theirs without waiting for each other's answers.
//!
//! A statement of ours is one round trip and, unless it stands in a transaction, one transaction. Every wait is bounded: the server gives
//! a statement up after [`LONGEST`], and we give the server up soon after.

use futures_util::FutureExt as _;
use futures_util::future::{MaybeDone, maybe_done};
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::fault::Fault;

/// Seconds that a statement, a transaction that waits for its client, and a transaction of several statements may take. The revocation feed
/// counts on writing transactions being over by then.
pub const LONGEST: u64 = 10;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reads, and single writes.
    General,
    /// Batches of conditional writes.
    Batches,
    /// Hears what other nodes say, and says it.
    News,
}

/// Values bound to a statement.
pub type Values<'v> = [&'v (dyn ToSql + Sync)];

/// One connection.
pub struct Session {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
    is_discarded: AtomicBool,
    discarded: Notify,
}

impl Session {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, statements: Mutex::default(), is_discarded: AtomicBool::new(false), discarded: Notify::new() }
    }

    /// Sets the bounds of this connection.
    pub(crate) async fn set_up(&self, purpose: Purpose) -> Result<(), Fault> {
        self.run(&format!(
            "SET statement_timeout = '{LONGEST}s'; SET idle_in_transaction_session_timeout = '{LONGEST}s'; \
             SET default_transaction_isolation = 'read committed'"
        ))
        .await?;
        // For transactions of several statements; since PostgreSQL 17.
        self.prefer(&format!("SET transaction_timeout = '{LONGEST}s'")).await?;
        // An answered write is durable, whatever the server does for others.
        self.prefer(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        )
        .await?;
        if purpose == Purpose::Batches {
            // A batch looks its rows up by their keys, in the order given. A planner that never saw the table grow would read it whole,
            // and lock rows in another order than its neighbours.
            self.prefer(
                "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; \
                 SET plan_cache_mode = force_generic_plan",
            )
            .await?;
        }
        if purpose == Purpose::News {
            // Engines without it have nodes that look by themselves.
            self.prefer("LISTEN keyfob").await?;
        }
        Ok(())
    }

    /// Something that makes us faster or safer where the server knows it; compatible engines do not know all of it.
    async fn prefer(&self, sql: &str) -> Result<(), Fault> {
        match self.run(sql).await {
            Err(Fault::Statement(why)) => {
                tracing::debug!(why, "the database does not take a setting");
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Runs statements without values.
    pub async fn run(&self, sql: &str) -> Result<(), Fault> {
        self.bounded(async { Ok(self.client.batch_execute(sql).await?) }).await
    }

    /// Runs a statement and gives its rows.
    pub async fn query(&self, sql: &'static str, values: &Values<'_>) -> Result<Vec<Row>, Fault> {
        self.bounded(async {
            let statement = self.statement(sql).await?;
            Ok(self.client.query(&statement, values).await?)
        })
        .await
    }

    /// Runs a statement that gives one row or none.
    pub async fn query_opt(&self, sql: &'static str, values: &Values<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.query(sql, values).await?.pop())
    }

    /// Runs a statement and says how many rows it touched.
    pub async fn execute(&self, sql: &'static str, values: &Values<'_>) -> Result<u64, Fault> {
        self.bounded(async {
            let statement = self.statement(sql).await?;
            Ok(self.client.execute(&statement, values).await?)
        })
        .await
    }

    /// Sends statements together, in one round trip, and gives the rows of each. The server takes them in this order; where they stand in a
    /// transaction, those behind one that fails do nothing.
    pub async fn pipeline<'v>(&self, statements: &[(&'static str, &'v Values<'v>)]) -> Result<Vec<Vec<Row>>, Fault> {
        self.bounded(async {
            // All are prepared before the first is sent: one that had to be prepared first would be overtaken.
            let mut prepared = Vec::with_capacity(statements.len());
            for (sql, _) in statements {
                prepared.push(self.statement(sql).await?);
            }
            let sent =
                prepared.iter().zip(statements).map(|(statement, (_, values))| self.client.query(statement, values));
            Ok(in_order(sent).await?)
        })
        .await
    }

    /// Ends this connection; the link makes another. From here on nobody is given it, so that what it left open at the server joins nothing.
    pub fn discard(&self) {
        self.is_discarded.store(true, Ordering::Release);
        self.discarded.notify_one();
    }

    /// Whether somebody has discarded it.
    pub(crate) fn is_discarded(&self) -> bool {
        self.is_discarded.load(Ordering::Acquire)
    }

    /// Until somebody discards it.
    pub(crate) async fn discarded(&self) {
        self.discarded.notified().await;
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Fault> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }

    async fn bounded<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let outcome = match tokio::time::timeout(Duration::from_secs(LONGEST + 2), work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::Lost(format!("no answer within {} s", LONGEST + 2))),
        };
        if outcome.as_ref().is_err_and(Fault::spoils_connection) {
            self.discard();
        }
        outcome
    }
}

/// Polls all futures in their order at first, so that what they send on being polled is sent in that order.
async fn in_order<T, E>(futures: impl Iterator<Item = impl Future<Output = Result<T, E>>>) -> Result<Vec<T>, E> {
    let mut waiting: Vec<_> = futures.map(|future| maybe_done(Box::pin(future))).collect();
    poll_fn(|context| {
        waiting.iter_mut().for_each(|future| {
            let _ = future.poll_unpin(context);
        });
        match waiting.iter().all(|future| matches!(future, MaybeDone::Done(_))) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
    waiting.iter_mut().filter_map(|future| Pin::new(future).take_output()).collect()
}

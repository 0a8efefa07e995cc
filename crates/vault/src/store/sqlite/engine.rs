//! One thread that writes. Whatever waits becomes one transaction with one sync, and everybody is answered after it.
//!
//! A refresh makes three durable writes; with a commit of its own for each, a thousand connections that fall due together would wait
//! for three thousand syncs in a row.

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use std::sync::{Mutex, mpsc};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Why a write or a read did not happen. Nothing of it was stored. Holds no value that was bound to a statement.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Fault(pub(super) String);

/// The most writes in one transaction.
const BATCH: usize = 256;

type Answer = Box<dyn FnOnce(Result<(), Fault>) + Send>;

/// Runs in a transaction and says whether its changes are to be kept, and whom to tell; or is told why it cannot run.
type Job = Box<dyn FnOnce(Result<&Connection, Fault>) -> Option<(bool, Answer)> + Send>;

/// The writer, and a connection for reads.
pub(super) struct Engine {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    reader: Mutex<Connection>,
}

impl Engine {
    /// Starts the writer on one connection and keeps the other for reads.
    pub(super) fn start(writer: Connection, reader: Connection) -> std::io::Result<Engine> {
        let (jobs, waiting) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("vault-writer".to_owned()).spawn(move || work(writer, &waiting))?;
        Ok(Engine { jobs: Some(jobs), thread: Some(thread), reader: Mutex::new(reader) })
    }

    /// Writes and waits for the commit. Runs to its end even if nobody waits any more.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| match connection.and_then(change) {
            Ok(value) => {
                let tell: Answer = Box::new(move |committed| drop(answer.send(committed.map(|()| value))));
                Some((true, tell))
            }
            Err(fault) => {
                let tell: Answer = Box::new(move |_| drop(answer.send(Err(fault))));
                Some((false, tell))
            }
        });
        let closed = || Fault("the store is closed".to_owned());
        self.jobs.as_ref().ok_or_else(closed)?.send(job).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Reads the last commit, on the caller's thread: a point read takes less time than handing it over.
    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let reader = self.reader.lock().expect("invariant: nothing panics while the lock is held");
        query(&reader)
    }
}

impl Drop for Engine {
    /// Lets the writer finish what waits.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn work(mut connection: Connection, waiting: &mpsc::Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(job) = waiting.try_recv()
        {
            batch.push(job);
        }
        commit(&mut connection, batch);
    }
}

fn commit(connection: &mut Connection, batch: Vec<Job>) {
    let mut transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            let fault = Fault::from(error);
            for job in batch {
                if let Some((_, answer)) = job(Err(fault.clone())) {
                    answer(Err(fault.clone()));
                }
            }
            return;
        }
    };
    let mut answers = Vec::with_capacity(batch.len());
    let mut broken = None;
    for job in batch {
        // Each write stands or falls alone, except where the disk fails under all of them.
        let outcome = match &broken {
            Some(fault) => job(Err(Fault::clone(fault))),
            None => match transaction.savepoint() {
                Ok(mut savepoint) => {
                    let outcome = job(Ok(&savepoint));
                    let kept = outcome.as_ref().is_some_and(|(keep, _)| *keep);
                    let ended = match kept {
                        true => savepoint.commit(),
                        false => savepoint.rollback().and_then(|()| savepoint.finish()),
                    };
                    broken = ended.err().map(Fault::from);
                    outcome
                }
                Err(error) => {
                    let fault = Fault::from(error);
                    broken = Some(fault.clone());
                    job(Err(fault))
                }
            },
        };
        answers.extend(outcome.map(|(_, answer)| answer));
    }
    let committed = match broken {
        Some(fault) => Err(fault),
        None => transaction.commit().map_err(Fault::from),
    };
    for answer in answers {
        answer(committed.clone());
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Fault(match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "no space is left for the vault's database".to_owned(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another process keeps the vault's database locked".to_owned()
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "the vault's database is read-only".to_owned(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                format!("the vault's database is damaged: {error}")
            }
            _ => format!("the vault's database failed: {error}"),
        })
    }
}

//! Group commit, failing neighbours, overload, a full disk, and what the log does.

use std::sync::Arc;
use std::sync::mpsc;

use keyfob_store_sqlite::Options;
use keyfob_store_sqlite::engine::{Engine, Fault};
use rusqlite::Connection;
use tokio::task::JoinSet;

use super::place::Place;

fn add(connection: &Connection, name: &str) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO counters VALUES (?, 1)", [name])
}

fn count(engine: &Engine) -> i64 {
    engine.read(|connection| connection.query_row("SELECT count(*) FROM counters", [], |row| row.get(0))).unwrap()
}

/// Holds the writer inside a job until told to go on, so that what is pushed meanwhile stands in one batch.
async fn hold(engine: &Arc<Engine>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), Fault>>) {
    let (release, held) = mpsc::channel::<()>();
    let (entered, entry) = tokio::sync::oneshot::channel();
    let mut entered = Some(entered);
    let engine = Arc::clone(engine);
    let job = tokio::spawn(async move {
        engine
            .write(move |_| {
                if let Some(entered) = entered.take() {
                    entered.send(()).unwrap();
                }
                let _ = held.recv();
                Ok(())
            })
            .await
    });
    entry.await.unwrap();
    (release, job)
}

async fn until_waiting(engine: &Engine, jobs: usize) {
    while engine.waiting() < jobs {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_job_spoils_only_itself() {
    let place = Place::new();
    let engine = Arc::new(place.engine(&Options::default()));
    let (release, held) = hold(&engine).await;
    let mut jobs = JoinSet::new();
    for number in 0..20 {
        let engine = Arc::clone(&engine);
        jobs.spawn(async move {
            // Ten pairs want the same name; the second of each pair breaks the constraint.
            (number, engine.write(move |connection| add(connection, &format!("n{}", number / 2))).await)
        });
    }
    let panicking = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move {
            engine.write(|connection| -> rusqlite::Result<()> { panic!("{}", add(connection, "panicked")?) }).await
        })
    };
    until_waiting(&engine, 21).await;
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    let outcomes = jobs.join_all().await;
    assert_eq!(outcomes.iter().filter(|(_, outcome)| outcome == &Ok(1)).count(), 10);
    assert_eq!(outcomes.iter().filter(|(_, outcome)| matches!(outcome, Err(Fault::Statement(_)))).count(), 10);
    assert_eq!(panicking.await.unwrap(), Err(Fault::Panicked));
    assert_eq!(count(&engine), 10);
    // The writer lives.
    assert_eq!(engine.write(|connection| add(connection, "later")).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_at_once() {
    let place = Place::new();
    let mut options = Options::default();
    options.queue = 3;
    let engine = Arc::new(place.engine(&options));
    let (release, held) = hold(&engine).await;
    let mut jobs = JoinSet::new();
    for number in 0..3 {
        let engine = Arc::clone(&engine);
        jobs.spawn(async move { engine.write(move |connection| add(connection, &number.to_string())).await });
    }
    until_waiting(&engine, 3).await;
    assert_eq!(engine.write(|connection| add(connection, "too many")).await, Err(Fault::Overloaded));
    release.send(()).unwrap();
    held.await.unwrap().unwrap();
    assert!(jobs.join_all().await.into_iter().all(|outcome| outcome == Ok(1)));
    assert_eq!(count(&engine), 3);
}

#[tokio::test]
async fn a_full_disk_is_a_clear_fault_and_heals_without_a_restart() {
    let place = Place::new();
    let engine = place.engine(&Options::default());
    engine.write(|connection| connection.pragma_update(None, "max_page_count", 3)).await.unwrap();
    let large = |name: &'static str| {
        move |connection: &Connection| {
            connection.execute("INSERT INTO counters VALUES (? || hex(zeroblob(40000)), 1)", [name])
        }
    };
    for _ in 0..3 {
        assert_eq!(engine.write(large("a")).await, Err(Fault::Full));
    }
    assert_eq!(engine.write(|connection| add(connection, "small")).await, Ok(1));
    assert_eq!(count(&engine), 1);
    engine.write(|connection| connection.pragma_update(None, "max_page_count", 1_000_000)).await.unwrap();
    assert_eq!(engine.write(large("a")).await, Ok(1));
    assert_eq!(count(&engine), 2);
}

#[tokio::test]
async fn a_read_only_file_is_a_clear_fault_and_reading_goes_on() {
    let place = Place::new();
    let engine = place.engine(&Options::default());
    // What SQLite says when the file may not be written; permissions do not bind a test that runs as root.
    engine.write(|connection| connection.pragma_update(None, "query_only", true)).await.unwrap();
    assert_eq!(engine.write(|connection| add(connection, "a")).await, Err(Fault::ReadOnly));
    assert!(Fault::ReadOnly.is_unavailable());
    assert_eq!(count(&engine), 0, "reading goes on");
}

#[tokio::test]
async fn closing_answers_what_waits_and_refuses_the_rest() {
    let place = Place::new();
    let engine = Arc::new(place.engine(&Options::default()));
    let waiting = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { engine.write(|connection| add(connection, "before")).await })
    };
    assert_eq!(waiting.await.unwrap(), Ok(1));
    let closing = Arc::clone(&engine);
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    assert_eq!(engine.write(|connection| add(connection, "after")).await, Err(Fault::Closed));
    drop(engine);
    assert_eq!(count(&place.engine(&Options::default())), 1);
}

#[tokio::test]
async fn a_lock_of_another_connection_is_waited_for() {
    let place = Place::new();
    let engine = Arc::new(place.engine(&Options::default()));
    let other = Connection::open(place.file("engine.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; INSERT INTO counters VALUES ('theirs', 1)").unwrap();
    let ours = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { engine.write(|connection| add(connection, "ours")).await })
    };
    tokio::task::yield_now().await;
    assert!(!ours.is_finished());
    assert_eq!(count(&engine), 0, "reads do not wait");
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(ours.await.unwrap(), Ok(1));
    assert_eq!(count(&engine), 2);
}

#[tokio::test]
async fn a_lock_that_is_never_released_is_a_fault_for_all_who_wait() {
    let place = Place::new();
    let mut options = Options::default();
    options.patience = std::time::Duration::from_millis(20);
    let engine = place.engine(&options);
    let other = Connection::open(place.file("engine.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (one, two) =
        tokio::join!(engine.write(|connection| add(connection, "a")), engine.write(|connection| add(connection, "b")));
    assert_eq!((one, two), (Err(Fault::Locked), Err(Fault::Locked)));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(engine.write(|connection| add(connection, "a")).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_used_again_instead_of_growing() {
    let place = Place::new();
    let mut options = Options::default();
    options.checkpoint_start = 1 << 20;
    options.checkpoint_step = 64 << 10;
    options.checkpoint_rest = 256 << 10;
    options.checkpoint_slow = 4 << 20;
    options.checkpoint_cap = 16 << 20;
    let engine = Arc::new(place.engine(&options));
    let log = place.file("engine.db-wal");
    let mut longest = 0;
    // 128 MiB of log if it were never used again.
    for round in 0..64 {
        let mut jobs = JoinSet::new();
        for job in 0..64 {
            let engine = Arc::clone(&engine);
            jobs.spawn(async move {
                engine
                    .write(move |connection| {
                        connection.execute(
                            "INSERT INTO counters VALUES (? || hex(zeroblob(8000)), 1)",
                            [format!("{round}-{job}")],
                        )
                    })
                    .await
            });
        }
        assert!(jobs.join_all().await.into_iter().all(|outcome| outcome == Ok(1)));
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    assert_eq!(count(&engine), 64 * 64);
    // Used again and again it stays near the cap; how near depends on how late a busy machine lets the checkpointer run.
    assert!(longest < 64 << 20, "the log grew to {longest} bytes");
}

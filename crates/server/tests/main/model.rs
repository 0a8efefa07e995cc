//! OP-03: random lives of grants against a small reference model, through the public door, on both stores.
//!
//! The model ([`reference`]) says what must work and what must not; where the law has a choice (an old refresh token of a rotating grant) it
//! says neither and learns from the answer. A run is a list of steps ([`step`]) that proptest shrinks when one of them breaks a promise.

mod reference;
mod step;
mod world;

use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use world::{Kind, World};

/// Lives that are tried, and steps of each: seconds in a normal run, minutes with `KEYFOB_LONG`.
fn lives(normal: u32, long: u32) -> u32 {
    if std::env::var_os("KEYFOB_LONG").is_some() { long } else { normal }
}

fn run(kind: Kind, lives: u32) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let config = Config {
        cases: lives,
        max_shrink_iters: 2_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..Config::default()
    };
    let steps = proptest::collection::vec(step::any_step(), 1..60);
    let done = std::sync::atomic::AtomicUsize::new(0);
    let result = TestRunner::new(config).run(&steps, |steps| {
        done.fetch_add(steps.len(), std::sync::atomic::Ordering::Relaxed);
        runtime.block_on(async {
            let mut world = World::start(kind).await;
            for (number, step) in steps.iter().enumerate() {
                world.take(step).await.map_err(|why| TestCaseError::fail(format!("step {number}, {step:?}: {why}")))?;
            }
            world.all_that_must_live_does().await.map_err(|why| TestCaseError::fail(format!("at the end: {why}")))
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // A strategy that makes no steps would keep every promise.
    assert!(done.into_inner() > lives as usize * 10);
}

#[test]
fn op_03_random_lives_of_grants_keep_every_promise() {
    run(Kind::Sqlite, lives(48, 5_000));
}

#[test]
fn op_03_random_lives_of_grants_keep_every_promise_on_postgres() {
    run(Kind::Postgres, lives(12, 1_000));
}

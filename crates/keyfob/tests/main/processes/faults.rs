//! ST-04, OP-02, BR-09, BR-11, RF-08, TK-07: three nodes on one PostgreSQL with a synchronous standby, under load, while they and it fail.
//!
//! Nodes are killed, paused and cut off, connections ended, the database restarted, crashed and replaced by its standby. Meanwhile honest
//! clients redeem, refresh, call and end, and one checker holds every answer they get against what they were told before and, at
//! the end, against what is true. `./faults MINUTES` runs it for as long as one likes and prints the tally.

mod app;
mod connection;
mod disasters;
mod nodes;
mod operator;
mod probe;
mod tally;
mod verdict;
mod weather;
mod worker;
mod world;

use super::crashes::Chance;
use super::visitor::Visitor;
use app::{App, Kind};
use connection::Connection;
use disasters::Length;
use nodes::Nodes;
use operator::Operator;
use probe::Probe;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use weather::Fault;
use worker::Worker;
use world::World;

const WORKERS: u64 = 16;

/// Minutes of `KEYFOB_FAULT_MINUTES`, else ten in a long run.
fn length() -> Length {
    let minutes = std::env::var("KEYFOB_FAULT_MINUTES").ok().map(|minutes| minutes.parse().expect("minutes"));
    match minutes.or(std::env::var_os("KEYFOB_LONG").map(|_| 10)) {
        Some(minutes) => Length::Long(Duration::from_secs(60 * minutes)),
        None => Length::Short,
    }
}

/// Of `KEYFOB_FAULT_SEED`, else the time: a run is repeated up to its timing.
fn seed() -> u64 {
    let given = std::env::var("KEYFOB_FAULT_SEED").ok().map(|seed| seed.parse().expect("a number"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    given.unwrap_or(now.as_secs())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn st_04_op_02_br_09_every_answer_holds_whatever_fails() {
    let seed = seed();
    println!("seed {seed} (KEYFOB_FAULT_SEED)");
    let mut chance = Chance(seed);
    let (nodes, people) = Nodes::start().await;
    let kinds = [("A", Kind::Fixed), ("B", Kind::Rotating), ("C", Kind::Public), ("Switched", Kind::Fixed)];
    let apps = kinds.map(|(name, kind)| App::add(&nodes.operator, name, kind));
    let world = Arc::new(World::new(nodes, people, apps.into()));

    let mut visitor = Visitor::new(&world.http);
    visitor.consent_page(&world.base(0), &world.apps[0].partner, "first").await.expect("signed in");
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (world, chance, visitor) = (Arc::clone(&world), Chance(chance.next()), visitor.clone());
        workers.spawn(Worker { world, chance, visitor, live: Vec::new(), done: Vec::new() }.work());
    }
    let operator = Operator { world: Arc::clone(&world), chance: Chance(chance.next()), visitor: visitor.clone() };
    let operator = tokio::spawn(operator.work());
    let probe = Probe { world: Arc::clone(&world), chance: Chance(chance.next()), visitor };
    let probe = tokio::spawn(probe.work());
    tokio::time::sleep(Duration::from_secs(2)).await;

    disasters::strike(&world.nodes, &world.weather, &world.tally, &mut chance, length()).await;
    verdict::settle(&world).await;
    world.stop();
    operator.await.expect("no panic");
    probe.await.expect("no panic");
    let workers: Vec<Worker> = workers.join_all().await;
    let mut checks = JoinSet::new();
    for Worker { live, done, mut chance, .. } in workers {
        let world = Arc::clone(&world);
        checks.spawn(async move {
            let mut all: Vec<Connection> = live.into_iter().chain(done).collect();
            for connection in &mut all {
                verdict::hold(&world, connection, &mut chance).await;
            }
            all
        });
    }
    let connections: Vec<Connection> = checks.join_all().await.into_iter().flatten().collect();
    verdict::audit(&world, &connections);

    println!("{} connections\n{}", connections.len(), world.tally);
    if world.tally.violations() > 0 {
        world.nodes.nodes.iter().enumerate().for_each(|(number, node)| eprintln!("node {number}:\n{}\n", node.said()));
    }
    assert_eq!(world.tally.violations(), 0, "see the tally above");
    must_have_met_everything(&world);
}

/// A run in which nothing was ever in flight, or nothing failed, would prove nothing.
fn must_have_met_everything(world: &World) {
    for fault in Fault::ALL {
        assert!(world.tally.times(fault) > 0, "{fault:?}");
    }
    for operation in ["redeem", "refresh", "call", "revoke by app", "revoke by user", "refresh enabled"] {
        assert!(world.tally.done(operation, "granted") > 0, "{operation}");
    }
    for (operation, outcome) in [
        ("redeem", "refused 400"),
        ("refresh", "503"),
        ("refresh", "no answer"),
        ("call when ended", "refused 401"),
        ("call disabled", "refused 401"),
        ("refresh ended", "refused 400"),
    ] {
        assert!(world.tally.done(operation, outcome) > 0, "{operation}: {outcome}");
    }
}

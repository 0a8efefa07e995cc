//! What is done to the nodes and their database, and for how long.

use super::nodes::{NODES, Nodes};
use super::tally::Tally;
use super::weather::{Fault, Weather};
use crate::processes::crashes::Chance;
use keyfob_testkit::Cut;
use rustix::process::Signal;
use std::time::{Duration, Instant};
use tokio::task::block_in_place;
use tokio::time::sleep;

/// How long faults last, and the pauses between them.
#[derive(Clone, Copy)]
pub(super) enum Length {
    /// Each fault once.
    Short,
    /// One after the other until this much time is over.
    Long(Duration),
}

pub(super) async fn strike(nodes: &Nodes, weather: &Weather, tally: &Tally, chance: &mut Chance, length: Length) {
    let started = Instant::now();
    loop {
        let mut faults = Fault::ALL;
        for at in (1..faults.len()).rev() {
            faults.swap(at, usize::try_from(chance.below(at as u64 + 1)).expect("small"));
        }
        for fault in faults {
            let calm = match length {
                Length::Short => 1_200,
                Length::Long(_) => 300 + chance.below(5_000),
            };
            sleep(Duration::from_millis(calm)).await;
            inject(nodes, weather, tally, chance, fault, length).await;
            if matches!(length, Length::Long(whole) if started.elapsed() >= whole) {
                return;
            }
        }
        if matches!(length, Length::Short) {
            return;
        }
    }
}

async fn inject(nodes: &Nodes, weather: &Weather, tally: &Tally, chance: &mut Chance, fault: Fault, length: Length) {
    let hit = usize::try_from(chance.below(NODES as u64)).expect("small");
    let node = &nodes.nodes[hit];
    let alone = matches!(fault, Fault::KillNode | Fault::PauseNode | Fault::CutNodeReset | Fault::CutNodeSilent);
    let lasts = lasting(fault, length, chance);
    eprintln!("{fault:?} for {lasts:?}{}", if alone { format!(" at node {hit}") } else { String::new() });
    tally.injected(fault);
    let spell = weather.begins(fault, alone.then_some(hit));
    match fault {
        Fault::KillNode => {
            block_in_place(|| node.kill());
            sleep(lasts).await;
            block_in_place(|| node.start());
        }
        Fault::PauseNode => {
            node.signal(Signal::STOP);
            sleep(lasts).await;
            node.signal(Signal::CONT);
        }
        Fault::CutNodeReset | Fault::CutNodeSilent => {
            node.wire.cut(if fault == Fault::CutNodeReset { Cut::Reset } else { Cut::Silent });
            sleep(lasts).await;
            node.wire.mend();
        }
        Fault::KillBackends => {
            for _ in 0..5 {
                block_in_place(|| nodes.database.end_connections());
                sleep(lasts / 5).await;
            }
        }
        Fault::RestartDatabase | Fault::CrashDatabase => {
            block_in_place(|| match fault {
                Fault::RestartDatabase => nodes.cluster.stop(),
                _ => nodes.cluster.crash(),
            });
            sleep(lasts).await;
            block_in_place(|| nodes.cluster.start_again());
        }
        Fault::PromoteStandby => {
            block_in_place(|| nodes.cluster.promote_standby());
            sleep(lasts).await;
            block_in_place(|| nodes.cluster.make_standby());
        }
    }
    weather.ends(spell);
}

/// A stopped node is stopped for longer than the database waits for it (10 s); cut off, in a long run, for longer than a gate may go on.
fn lasting(fault: Fault, length: Length, chance: &mut Chance) -> Duration {
    let mut between = |least: u64, most: u64| Duration::from_millis(least + chance.below(most - least));
    match (fault, length) {
        (Fault::PauseNode, Length::Short) => between(10_500, 11_500),
        (Fault::PauseNode, Length::Long(_)) => between(10_500, 36_000),
        (Fault::CutNodeReset | Fault::CutNodeSilent, Length::Short) => between(3_000, 4_000),
        (Fault::CutNodeReset | Fault::CutNodeSilent, Length::Long(_)) => between(3_000, 36_000),
        (Fault::KillBackends, _) => between(300, 1_000),
        _ => between(200, 1_500),
    }
}

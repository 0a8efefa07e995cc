//! A worker: does for its own connections what partners and users do, in an order that depends on its seed.

use super::connection::{Connection, Stage};
use super::world::{World, any_node};
use crate::processes::crashes::Chance;
use crate::processes::visitor::Visitor;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Connections that a worker keeps alive.
const LIVE: usize = 20;
/// Between two things it does, at most (ms). The machine has two cores, and three nodes and two databases are on it.
const REST: u64 = 60;

pub(super) struct Worker {
    pub(super) world: Arc<World>,
    pub(super) chance: Chance,
    pub(super) visitor: Visitor,
    pub(super) live: Vec<Connection>,
    /// Ended, broken, or never known to live.
    pub(super) done: Vec<Connection>,
}

impl Worker {
    /// Works until the world is over; what it knows then.
    pub(super) async fn work(mut self) -> Worker {
        while !self.world.is_over() {
            self.step().await;
            sleep(Duration::from_millis(self.chance.below(REST))).await;
        }
        // Only what nobody asked about yet is left undecided.
        for connection in &mut self.live {
            if matches!(connection.stage, Stage::Approved) {
                connection.redeem(&self.world, &mut self.chance).await;
            }
        }
        self.tidy();
        self
    }

    async fn step(&mut self) {
        let (world, chance) = (&*self.world, &mut self.chance);
        let choice = chance.below(100);
        if self.live.is_empty() || (choice < 20 && self.live.len() < LIVE) {
            // The last app is the operator's.
            let app = usize::try_from(chance.below(world.apps.len() as u64 - 1)).expect("small");
            self.live.extend(Connection::start(world, chance, &mut self.visitor, app).await);
            return;
        }
        if choice >= 90 && !self.done.is_empty() {
            // The latest endings are the ones that may not have come through.
            let recent = self.done.len().min(4) as u64;
            let at = self.done.len() - 1 - usize::try_from(chance.below(recent)).expect("small");
            let ended = &mut self.done[at];
            if matches!(ended.stage, Stage::Ended { .. }) {
                match chance.below(4) {
                    0 => ended.refresh_when_ended(world, any_node(chance)).await,
                    _ => ended.call(world, any_node(chance)).await,
                }
            }
            return;
        }
        let at = usize::try_from(chance.below(self.live.len() as u64)).expect("small");
        let connection = &mut self.live[at];
        match (connection.stage, choice) {
            (Stage::Approved, _) => connection.redeem(world, chance).await,
            (_, ..62) => connection.refresh(world, chance, None).await,
            (_, ..87) => connection.call(world, any_node(chance)).await,
            _ => {
                connection.end(world, chance, &mut self.visitor).await;
                // At once at its own node, and at the others soon.
                if let Stage::Ended { by: Some(node), .. } = connection.stage {
                    connection.call(world, node).await;
                }
            }
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        let live = |connection: &mut Connection| matches!(connection.stage, Stage::Approved | Stage::Live);
        self.done.extend(self.live.extract_if(.., |connection| !live(connection)));
    }
}

//! Measures how long there is no service: refreshes all the time, and goes to the next node where one does not answer at once.

use super::connection::{Connection, Stage};
use super::nodes::NODES;
use super::world::World;
use crate::processes::crashes::Chance;
use crate::processes::visitor::Visitor;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// What a client with other nodes to ask waits for one.
const AT_ONCE: Duration = Duration::from_millis(400);
/// Between two refreshes.
const REST: Duration = Duration::from_millis(40);

pub(super) struct Probe {
    pub(super) world: Arc<World>,
    pub(super) chance: Chance,
    pub(super) visitor: Visitor,
}

impl Probe {
    pub(super) async fn work(mut self) {
        let world = Arc::clone(&self.world);
        let mut connection = loop {
            // The first app's refresh token stays the same, so that an answer nobody waited for changes nothing.
            if let Some(connection) = Connection::start(&world, &mut self.chance, &mut self.visitor, 0).await {
                break connection;
            }
        };
        connection.redeem(&world, &mut self.chance).await;
        if !matches!(connection.stage, Stage::Live) {
            return;
        }
        for node in (0..NODES).cycle() {
            if world.is_over() {
                return;
            }
            let base = world.base(node);
            let asked = world.apps[0].refresh(&world.http, &base, &connection.refresh);
            match timeout(AT_ONCE, asked).await {
                Ok(Ok(answer)) if answer.status == 200 => world.tally.refreshed(world.weather.latest()),
                Ok(Ok(answer)) if answer.status < 500 => {
                    world.tally.violated(format!("the probe is refused by node {node}: {}", answer.body));
                }
                _ => {}
            }
            sleep(REST).await;
        }
    }
}

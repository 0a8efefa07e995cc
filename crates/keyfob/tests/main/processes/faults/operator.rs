//! An operator disables and enables an app by the command line, beside the nodes, and looks whether every node knows.

use super::connection::{Connection, Stage};
use super::nodes::NODES;
use super::world::{Decided, World};
use crate::processes::crashes::Chance;
use crate::processes::visitor::{Visitor, send};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::block_in_place;
use tokio::time::sleep;

pub(super) struct Operator {
    pub(super) world: Arc<World>,
    pub(super) chance: Chance,
    pub(super) visitor: Visitor,
}

/// How often each node is looked at after a change, and how long between.
const LOOKS: (usize, Duration) = (8, Duration::from_millis(220));

impl Operator {
    pub(super) async fn work(mut self) {
        let app = self.world.apps.len() - 1;
        let mut connection = loop {
            if let Some(connection) = Connection::start(&self.world, &mut self.chance, &mut self.visitor, app).await {
                break connection;
            }
        };
        connection.redeem(&self.world, &mut self.chance).await;
        while matches!(connection.stage, Stage::Live) && !self.world.is_over() {
            let Some(disabled) = self.command("disable").await else { break };
            self.tokens_must_die(&connection, disabled).await;
            let Some(enabled) = self.command("enable").await else { break };
            self.app_must_live_again(&mut connection, enabled).await;
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Until it is done; when it was. A database that is down is told as such.
    async fn command(&self, word: &str) -> Option<Instant> {
        let client_id = &self.world.apps[self.world.apps.len() - 1].partner.client_id;
        for _ in 0..200 {
            let told = block_in_place(|| self.world.nodes.operator.run(&["app", word, client_id]));
            let outcome = told.code.map_or("killed".to_owned(), |code| format!("exit {code}"));
            self.world.tally.count(if word == "disable" { "app disable" } else { "app enable" }, outcome);
            match told.code {
                Some(0) => return Some(Instant::now()),
                Some(6) => sleep(Duration::from_millis(200)).await,
                _ => {
                    self.world.tally.violated(format!("keyfob app {word}: {told:?}"));
                    return None;
                }
            }
        }
        self.world.tally.violated(format!("keyfob app {word} never succeeds"));
        None
    }

    async fn tokens_must_die(&self, connection: &Connection, known: Instant) {
        let world = &*self.world;
        let access = connection.access.last().expect("it is live");
        for _ in 0..LOOKS.0 {
            for node in 0..NODES {
                let began = Instant::now();
                let url = format!("{}/v1/identity", world.base(node));
                let answer = send(world.http.get(url).bearer_auth(access)).await;
                let decided = world.judge("call disabled", connection.number, node, began, answer);
                let (after, bound) = (began - known, world.weather.bound(node, known, began));
                if matches!(decided, Some(Decided::Granted(_))) && after > bound {
                    let told = format!("node {node} takes a disabled app's token after {after:?}; {bound:?} allowed");
                    world.tally.violated(told);
                }
            }
            sleep(LOOKS.1).await;
        }
    }

    /// Refused only within the bound. Its old access tokens stay dead.
    async fn app_must_live_again(&self, connection: &mut Connection, known: Instant) {
        let world = &*self.world;
        let app = &world.apps[connection.app];
        for _ in 0..LOOKS.0 {
            for node in 0..NODES {
                let began = Instant::now();
                let answer = app.refresh(&world.http, &world.base(node), &connection.refresh).await;
                let (after, bound) = (began - known, world.weather.bound(node, known, began));
                match world.judge("refresh enabled", connection.number, node, began, answer) {
                    Some(Decided::Granted(answer)) => connection.access.extend(answer.field("access_token")),
                    Some(Decided::Refused(answer)) if after > bound => world
                        .tally
                        .violated(format!("node {node} refuses an enabled app after {after:?}: {}", answer.body)),
                    _ => {}
                }
            }
            sleep(LOOKS.1).await;
        }
        let newest = connection.access.pop();
        connection.access = newest.into_iter().collect();
    }
}

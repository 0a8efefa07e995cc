//! The end: everything is up again, and every answer that was given is held against what is true now.

use super::connection::{Connection, Stage};
use super::nodes::NODES;
use super::world::{Decided, World};
use crate::processes::crashes::Chance;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// After the last fault every node must be ready within this: it probes each five seconds, and what hangs is given up after twelve.
const SETTLED: Duration = Duration::from_secs(20);

/// What must have been entered once for each grant that it happened to.
const ONCE: [&str; 2] = ["redeemed", "grant_ended"];

/// What no honest client causes, and no store that kept every answered write.
const NEVER: [&str; 5] = ["code_reused", "code_burned", "refresh_reused", "contested", "store_behind"];

pub(super) async fn settle(world: &World) {
    let since = Instant::now();
    for (number, node) in world.nodes.nodes.iter().enumerate() {
        while !node.is_ready(&world.http).await {
            if since.elapsed() > SETTLED {
                world.tally.violated(format!("node {number} is not ready {SETTLED:?} after the last fault"));
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }
    println!("every node was ready {:.1} s after the last fault", since.elapsed().as_secs_f64());
    // Endings of the last moment have their second.
    sleep(Duration::from_millis(1_500)).await;
}

/// Every connection at every node.
pub(super) async fn hold(world: &World, connection: &mut Connection, chance: &mut Chance) {
    match connection.stage {
        Stage::Live => {
            for node in 0..NODES {
                connection.refresh(world, chance, Some(node)).await;
                for node in 0..NODES {
                    if matches!(connection.stage, Stage::Live) {
                        connection.call(world, node).await;
                    }
                }
            }
            if matches!(connection.stage, Stage::Live) {
                code_is_spent(world, connection).await;
            }
        }
        Stage::Ended { .. } => {
            for node in 0..NODES {
                connection.refresh_when_ended(world, node).await;
                connection.call(world, node).await;
            }
            code_is_spent(world, connection).await;
        }
        // Spent or not; after one more attempt it is.
        Stage::Unknown => {
            connection.present_code(world, &[0]).await;
            code_is_spent(world, connection).await;
        }
        Stage::Approved | Stage::Broken => {}
    }
}

async fn code_is_spent(world: &World, connection: &Connection) {
    for (node, decided) in connection.present_code(world, &[1]).await {
        if !matches!(decided, Some(Decided::Refused(_))) {
            world.tally.violated(format!("connection {}: node {node} redeems a spent code", connection.number));
        }
    }
}

/// The ledger tells the same as the clients.
pub(super) fn audit(world: &World, connections: &[Connection]) {
    let database = &world.nodes.database;
    for kind in ONCE {
        let twice = database.sql(&format!(
            "SELECT encode(grant_id, 'hex') FROM ledger WHERE kind = '{kind}' GROUP BY grant_id HAVING count(*) > 1"
        ));
        if !twice.is_empty() {
            world.tally.violated(format!("entered twice as {kind}: {twice}"));
        }
    }
    for kind in NEVER {
        let entries = database.sql(&format!("SELECT grant_id, detail FROM ledger WHERE kind = '{kind}'"));
        if !entries.is_empty() {
            world.tally.violated(format!("the ledger has {kind}: {entries}"));
        }
    }
    let ended = database.sql("SELECT encode(grant_id, 'hex') FROM ledger WHERE kind = 'grant_ended'");
    for connection in connections {
        let Some(grant) = connection.grant else { continue };
        let hex: String = grant.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let told = match (connection.stage, ended.contains(&hex)) {
            (Stage::Ended { .. }, false) => "its end is not in the ledger",
            (Stage::Live, true) => "it lives, and the ledger says that it ended",
            _ => continue,
        };
        world.tally.violated(format!("connection {}, grant {}: {told}", connection.number, grant.to_text()));
    }
}

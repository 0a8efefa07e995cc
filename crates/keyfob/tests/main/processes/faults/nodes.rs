//! Three nodes on one database that has a synchronous standby, each with a wire of its own to it.

use crate::processes::place::{People, Place};
use crate::processes::serving::Serving;
use crate::processes::visitor::{Lost, send};
use keyfob_testkit::{PostgresCluster, PostgresDatabase, PostgresWire};
use rustix::process::{Pid, Signal, kill_process};
use std::sync::{Arc, Mutex};

pub(super) const NODES: usize = 3;

pub(super) struct Nodes {
    pub(super) cluster: Arc<PostgresCluster>,
    pub(super) database: PostgresDatabase,
    /// Where the operator's commands run, beside the nodes.
    pub(super) operator: Place,
    pub(super) nodes: Vec<Node>,
}

pub(super) struct Node {
    place: Place,
    pub(super) wire: PostgresWire,
    /// `None` while it is down.
    serving: Mutex<Option<Serving>>,
    /// Where it listens, or did when it was last up.
    base: Mutex<String>,
}

impl Nodes {
    /// All of it, and people with apps. Blocks where a process is started.
    pub(super) async fn start() -> (Nodes, People) {
        let cluster = PostgresCluster::own();
        let database = cluster.database();
        cluster.make_standby();
        let operator = Place::on(&database.url_of_all());
        let people = operator.people();
        let mut nodes = Vec::new();
        for _ in 0..NODES {
            let wire = PostgresWire::to(&database).await;
            let place = Place::on(wire.url());
            std::fs::copy(operator.master_key_file(), place.master_key_file()).expect("a copy of the key");
            let node = Node { place, wire, serving: Mutex::default(), base: Mutex::default() };
            tokio::task::block_in_place(|| node.start());
            nodes.push(node);
        }
        (Nodes { cluster, database, operator, nodes }, people)
    }

    pub(super) fn base(&self, node: usize) -> String {
        self.nodes[node].base.lock().expect("no panic").clone()
    }
}

impl Node {
    /// Starts it, and waits until it is ready.
    pub(super) fn start(&self) {
        let mut command = self.place.command(&["serve"]);
        // A line for each answer would be more than a long run can hold in memory.
        command.env("RUST_LOG", "warn,keyfob::serve=info");
        let serving = Serving::start(command);
        *self.base.lock().expect("no panic") = serving.base();
        *self.serving.lock().expect("no panic") = Some(serving);
    }

    /// `kill -9`.
    pub(super) fn kill(&self) {
        let serving = self.serving.lock().expect("no panic").take();
        serving.expect("it is up").kill();
    }

    pub(super) fn signal(&self, signal: Signal) {
        let serving = self.serving.lock().expect("no panic");
        let id = serving.as_ref().expect("it is up").id();
        let id = Pid::from_raw(id.cast_signed()).expect("a process");
        kill_process(id, signal).expect("it runs");
    }

    pub(super) async fn is_ready(&self, http: &reqwest::Client) -> bool {
        let base = self.base.lock().expect("no panic").clone();
        let answer: Result<_, Lost> = send(http.get(format!("{base}/readyz"))).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// The last lines of its log.
    pub(super) fn said(&self) -> String {
        let said = self.serving.lock().expect("no panic").as_ref().map(Serving::said).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

//! What all clients share: the nodes, the weather, the tally, and the one place where an answer is judged.

use super::app::App;
use super::nodes::{NODES, Nodes};
use super::tally::Tally;
use super::weather::Weather;
use crate::processes::crashes::Chance;
use crate::processes::place::People;
use crate::processes::visitor::{Answer, Lost};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Longer than a node takes to give up whatever hangs: every answer that may come is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// A client that tries this long has been failed.
const GIVEN_UP: Duration = Duration::from_secs(90);

pub(super) struct World {
    pub(super) nodes: Nodes,
    pub(super) weather: Weather,
    pub(super) tally: Tally,
    pub(super) people: People,
    pub(super) apps: Vec<App>,
    pub(super) http: reqwest::Client,
    over: AtomicBool,
    connections: AtomicU64,
}

/// An answer that decides something.
pub(super) enum Decided {
    Granted(Answer),
    Refused(Answer),
}

impl World {
    pub(super) fn new(nodes: Nodes, people: People, apps: Vec<App>) -> World {
        let client =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(PATIENCE);
        World {
            nodes,
            weather: Weather::default(),
            tally: Tally::new(),
            people,
            apps,
            http: client.build().expect("a client"),
            over: AtomicBool::new(false),
            connections: AtomicU64::new(0),
        }
    }

    pub(super) fn stop(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn next_number(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn base(&self, node: usize) -> String {
        self.nodes.base(node)
    }

    /// Counts an answer. `None`: it decides nothing, ask again. Everything but success, a refusal and what the weather excuses is a
    /// violation.
    pub(super) fn judge(
        &self,
        operation: &'static str,
        whose: u64,
        node: usize,
        began: Instant,
        answer: Result<Answer, Lost>,
    ) -> Option<Decided> {
        let ended = Instant::now();
        let took = ended - began;
        let violated = |what: &str| {
            self.tally.violated(format!("connection {whose}: {operation} at node {node} after {took:?}: {what}"))
        };
        let Ok(answer) = answer else {
            self.tally.count(operation, "no answer");
            if !self.weather.may_lose(node, began, ended) {
                violated("no answer from a node that is up");
            }
            return None;
        };
        match answer.status {
            200..400 => {
                self.tally.count(operation, "granted");
                Some(Decided::Granted(answer))
            }
            503 => {
                self.tally.count(operation, "503");
                if answer.header("retry-after").is_empty() {
                    violated("503 without Retry-After");
                }
                if !self.weather.may_refuse_service(node, began, ended) {
                    violated(&format!("503 in fair weather: {}", answer.body));
                }
                None
            }
            400..500 => {
                self.tally.count(operation, format!("refused {}", answer.status));
                Some(Decided::Refused(answer))
            }
            status => {
                violated(&format!("{status}: {}", answer.body));
                None
            }
        }
    }
}

impl World {
    /// An authorize request that gets no page, or a consent that gets no code: from where the redirect URI is known to be the app's, a fault goes there, since a browser is
    /// not sent anywhere by a 503 (RFC 6749 section 4.1.2.1).
    pub(super) fn judge_callback(&self, whose: u64, node: usize, began: Instant, answer: &Answer) {
        let location = answer.header("location");
        if location.contains("temporarily_unavailable") && self.weather.may_refuse_service(node, began, Instant::now())
        {
            return self.tally.count("authorize", "sent back");
        }
        let Answer { status, body, .. } = answer;
        self.tally
            .violated(format!("connection {whose}: no page or code at node {node}: {status} {location:?} {body}"));
    }
}

/// Asking again until something is decided.
pub(super) struct Insistence {
    since: Instant,
}

impl Insistence {
    pub(super) fn new() -> Insistence {
        Insistence { since: Instant::now() }
    }

    /// Waits a little; `false` when a client has been failed for too long.
    pub(super) async fn goes_on(&self, world: &World, whose: u64, what: &str) -> bool {
        if self.since.elapsed() > GIVEN_UP {
            world.tally.violated(format!("connection {whose}: {what} was not decided within {GIVEN_UP:?}"));
            return false;
        }
        sleep(Duration::from_millis(150)).await;
        true
    }
}

pub(super) fn any_node(chance: &mut Chance) -> usize {
    usize::try_from(chance.below(NODES as u64)).expect("small")
}

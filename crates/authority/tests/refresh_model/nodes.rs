//! Property (a), two honest nodes of one client that share a storage and no lock.
//!
//! A node reads the shared token, asks, and stores the answer over whatever stands there. These steps, the server's read, its
//! compare-and-set and waits interleave freely, and any reply may be lost. As long as nodes meet on the same token and within the window,
//! nobody is refused. A node that lags one rotation behind may be refused and reads again, and the grant lives. `limits` shows what is too
//! far: two rotations behind, or answers stored after the window.

use super::row::{Row, Ruled, Wait};
use super::search::{Next, World, search};
use super::{Rule, Token, WINDOW, confidential, depth, fixed, public};
use keyfob_authority::law::refresh::{RefreshTerms, rule};
use keyfob_authority::model::ReusePolicy;

/// Under what two nodes live.
pub(super) struct Sharing {
    pub(super) rule: Rule,
    pub(super) terms: RefreshTerms,
    /// How often the shared token may have changed under a node at work when the other one begins again.
    pub(super) lag: u8,
    /// Whether a node at work finishes within the window of the last rotation.
    pub(super) within_window: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Idle,
    Asks { token: Token, lag: u8 },
    ServerHasRead { token: Token, lag: u8, row: Row },
    Answered { answer: Token, lag: u8 },
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct TwoNodes {
    shared: Token,
    row: Row,
    nodes: [Node; 2],
}

#[derive(Debug)]
#[expect(dead_code, reason = "read in the Debug text of a counterexample")]
pub(super) enum NodeStep {
    Wait(Wait),
    Pass20Seconds,
    Begins { node: usize, token: Token },
    ServerReads { node: usize },
    ServerDecides { node: usize, ruled: Ruled },
    Stores { node: usize, token: Token },
    LosesTheReply { node: usize },
}

impl TwoNodes {
    pub(super) fn new() -> TwoNodes {
        TwoNodes { shared: (1, 0), row: Row::FIRST, nodes: [Node::Idle; 2] }
    }

    fn with(&self, node: usize, state: Node) -> TwoNodes {
        let mut next = self.clone();
        next.nodes[node] = state;
        next
    }

    /// The other node is so little behind that this one may begin.
    fn may_begin(&self, node: usize, law: &Sharing) -> bool {
        match self.nodes[1 - node] {
            Node::Idle => true,
            Node::Asks { lag, .. } | Node::ServerHasRead { lag, .. } | Node::Answered { lag, .. } => lag <= law.lag,
        }
    }

    fn store(&self, node: usize, token: Token) -> TwoNodes {
        let mut next = self.with(node, Node::Idle);
        if token != self.shared {
            next.shared = token;
            match &mut next.nodes[1 - node] {
                Node::Idle => {}
                Node::Asks { lag, .. } | Node::ServerHasRead { lag, .. } | Node::Answered { lag, .. } => *lag += 1,
            }
        }
        next
    }

    fn wait(&self, law: &Sharing) -> Vec<(NodeStep, Next<Self>)> {
        let older = |seconds: i64| {
            let mut next = self.clone();
            next.row = next.row.later(seconds, law.terms);
            for node in &mut next.nodes {
                if let Node::ServerHasRead { row, .. } = node {
                    *row = row.later(seconds, law.terms);
                }
            }
            Next::State(next)
        };
        let resting = self.nodes == [Node::Idle; 2];
        let mut steps = Vec::new();
        if resting && !self.row.almost_idle {
            steps.push((NodeStep::Wait(Wait::Days89), older(89 * 86_400)));
        }
        if resting || !law.within_window {
            steps.push((NodeStep::Wait(Wait::Window), older(law.terms.replay_window)));
        }
        // A row that left its window before the nodes met does not get older by waiting.
        if self.row.age + 20 < law.terms.replay_window {
            steps.push((NodeStep::Pass20Seconds, older(20)));
        }
        steps
    }

    fn decide(&self, node: usize, token: Token, lag: u8, read: Row, law: &Sharing) -> Next<Self> {
        let unchanged = read.current() == self.row.current();
        match read.present(law.rule, law.terms, token) {
            Ruled::Same => Next::State(self.with(node, Node::Answered { answer: read.current(), lag })),
            Ruled::Become(..) | Ruled::Ended if !unchanged => Next::State(self.with(node, Node::Asks { token, lag })),
            Ruled::Become(row, _) => {
                let next = self.with(node, Node::Answered { answer: row.current(), lag });
                Next::State(TwoNodes { row, ..next })
            }
            Ruled::Refused if law.lag > 0 && read.in_window(law.terms) => Next::State(self.with(node, Node::Idle)),
            ruled => Next::Violation(format!("node {node} with {token:?}: {ruled:?} by the row {read:?}")),
        }
    }
}

impl World for TwoNodes {
    type Law = Sharing;
    type Step = NodeStep;

    fn steps(&self, law: &Sharing) -> Vec<(NodeStep, Next<Self>)> {
        let mut steps = self.wait(law);
        for node in 0..2 {
            match self.nodes[node] {
                Node::Idle if !self.may_begin(node, law) => {}
                Node::Idle => {
                    let begun = self.with(node, Node::Asks { token: self.shared, lag: 0 });
                    steps.push((NodeStep::Begins { node, token: self.shared }, Next::State(begun)));
                }
                Node::Asks { token, lag } => {
                    let read = self.with(node, Node::ServerHasRead { token, lag, row: self.row });
                    steps.push((NodeStep::ServerReads { node }, Next::State(read)));
                }
                Node::ServerHasRead { token, lag, row } => {
                    let ruled = row.present(law.rule, law.terms, token);
                    steps.push((NodeStep::ServerDecides { node, ruled }, self.decide(node, token, lag, row, law)));
                }
                Node::Answered { answer, .. } => {
                    let stored = self.store(node, answer);
                    steps.push((NodeStep::Stores { node, token: answer }, Next::State(stored)));
                    steps.push((NodeStep::LosesTheReply { node }, Next::State(self.with(node, Node::Idle))));
                }
            }
        }
        steps
    }
}

#[test]
fn rf_08_two_nodes_without_a_lock_that_meet_within_the_window_are_both_answered() {
    let policies = [public(WINDOW), confidential(ReusePolicy::Heal, WINDOW), confidential(ReusePolicy::End, WINDOW)];
    for terms in policies.into_iter().chain([fixed(false)]) {
        let law = Sharing { rule, terms, lag: 0, within_window: true };
        search(&law, TwoNodes::new(), depth(24, 40)).holds(&format!("two nodes, {terms:?}"));
    }
}

#[test]
fn rf_08_a_node_that_lags_one_rotation_behind_never_ends_the_grant() {
    for terms in [public(WINDOW), confidential(ReusePolicy::End, WINDOW)] {
        let law = Sharing { rule, terms, lag: 1, within_window: true };
        search(&law, TwoNodes::new(), depth(24, 40)).holds(&format!("a lagging node, {terms:?}"));
    }
}

#[test]
fn rf_08_two_hundred_nodes_get_one_successor_in_one_generation_step() {
    for terms in [public(WINDOW), public(600), confidential(ReusePolicy::Heal, WINDOW)] {
        let mut row = Row::FIRST;
        let mut answers = std::collections::BTreeSet::new();
        for _ in 0..200 {
            // All have read the first row; every write but the first comes too late and is decided again.
            match Row::FIRST.present(rule, terms, (1, 0)) {
                Ruled::Become(next, _) if row == Row::FIRST => row = next,
                Ruled::Become(..) => assert_eq!(row.present(rule, terms, (1, 0)), Ruled::Same),
                other => panic!("{other:?}"),
            }
            answers.insert(row.current());
        }
        assert_eq!(answers.into_iter().collect::<Vec<Token>>(), [(2, 0)]);
    }
}

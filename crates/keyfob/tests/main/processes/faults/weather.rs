//! What is wrong when, and so what a client has to bear with.

use keyfob_server::MAX_STALE;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What is done to the nodes and their database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    KillNode,
    PauseNode,
    CutNodeReset,
    CutNodeSilent,
    KillBackends,
    RestartDatabase,
    CrashDatabase,
    PromoteStandby,
}

impl Fault {
    pub(super) const ALL: [Fault; 8] = [
        Fault::KillNode,
        Fault::PauseNode,
        Fault::CutNodeReset,
        Fault::CutNodeSilent,
        Fault::KillBackends,
        Fault::RestartDatabase,
        Fault::CrashDatabase,
        Fault::PromoteStandby,
    ];

    /// Whether a client may get no answer at all.
    fn silences(self) -> bool {
        matches!(self, Fault::KillNode | Fault::PauseNode)
    }
}

/// A revocation acts within this on every node while it can follow (BR-09).
const PROMPT: Duration = Duration::from_secs(1);
/// After its end a fault still has this long before a node must be in step again: it connects anew within a second and looks four times in one.
const IN_STEP: Duration = Duration::from_secs(3);
/// After its end a fault may be felt this long in answers: what was sent before it ended is given up after twelve seconds.
const FELT: Duration = Duration::from_secs(15);

struct Spell {
    fault: Fault,
    /// `None`: it concerns all.
    node: Option<usize>,
    from: Instant,
    until: Option<Instant>,
}

/// All faults of a run.
#[derive(Default)]
pub(super) struct Weather {
    spells: Mutex<Vec<Spell>>,
}

impl Weather {
    /// A fault begins; call it before anything happens.
    pub(super) fn begins(&self, fault: Fault, node: Option<usize>) -> usize {
        let mut spells = self.spells.lock().expect("no panic");
        spells.push(Spell { fault, node, from: Instant::now(), until: None });
        spells.len() - 1
    }

    /// It is over; call it after everything is mended.
    pub(super) fn ends(&self, spell: usize) {
        self.spells.lock().expect("no panic")[spell].until = Some(Instant::now());
    }

    pub(super) fn latest(&self) -> Option<Fault> {
        self.spells.lock().expect("no panic").last().map(|spell| spell.fault)
    }

    fn any(&self, node: usize, from: Instant, to: Instant, after: Duration, which: impl Fn(Fault) -> bool) -> bool {
        self.spells.lock().expect("no panic").iter().any(|spell| {
            which(spell.fault)
                && spell.node.is_none_or(|hit| hit == node)
                && spell.from <= to
                && spell.until.is_none_or(|until| until + after >= from)
        })
    }

    /// Whether a request to this node may end without an answer.
    pub(super) fn may_lose(&self, node: usize, from: Instant, to: Instant) -> bool {
        self.any(node, from, to, Duration::ZERO, Fault::silences)
    }

    /// Whether it may be answered with 503.
    pub(super) fn may_refuse_service(&self, node: usize, from: Instant, to: Instant) -> bool {
        self.any(node, from, to, FELT, |_| true)
    }

    /// How long after `known` this node may still not act upon it, asked now. Cut off or stopped, a node goes on with what it knows for as long
    /// as a gate may, and a second for each of the two roundings.
    pub(super) fn bound(&self, node: usize, known: Instant, asked: Instant) -> Duration {
        match self.any(node, known, asked, IN_STEP, |_| true) {
            true => Duration::from_secs(MAX_STALE.unsigned_abs() + 2),
            false => PROMPT,
        }
    }
}

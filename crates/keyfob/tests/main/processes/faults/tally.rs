//! What was done, what came of it, and what must not have happened.

use super::weather::Fault;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Violations that are told in full.
const TOLD: usize = 40;

pub(super) struct Tally {
    started: Instant,
    kept: Mutex<Kept>,
}

struct Kept {
    /// By operation and outcome.
    operations: BTreeMap<(&'static str, String), u64>,
    /// How often, and the longest time without a refresh that succeeded anywhere.
    faults: BTreeMap<Fault, (u64, Duration)>,
    last_success: Instant,
    /// How long a revocation was not acted upon by another node: the latest acceptance after its answer.
    latest_acceptance: BTreeMap<&'static str, Duration>,
    violations: Vec<String>,
}

impl Tally {
    pub(super) fn new() -> Tally {
        let now = Instant::now();
        let kept = Kept {
            operations: BTreeMap::new(),
            faults: BTreeMap::new(),
            last_success: now,
            latest_acceptance: BTreeMap::new(),
            violations: Vec::new(),
        };
        Tally { started: now, kept: Mutex::new(kept) }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().expect("no panic")
    }

    pub(super) fn count(&self, operation: &'static str, outcome: impl Into<String>) {
        *self.kept().operations.entry((operation, outcome.into())).or_default() += 1;
    }

    /// A refresh succeeded while `fault` was the latest.
    pub(super) fn refreshed(&self, fault: Option<Fault>) {
        let mut kept = self.kept();
        let gap = kept.last_success.elapsed();
        kept.last_success = Instant::now();
        if let Some((_, longest)) = fault.and_then(|fault| kept.faults.get_mut(&fault)) {
            *longest = gap.max(*longest);
        }
    }

    pub(super) fn injected(&self, fault: Fault) {
        self.kept().faults.entry(fault).or_default().0 += 1;
    }

    /// An ended token was still taken by a request that began this long after the answer.
    pub(super) fn accepted_late(&self, when: &'static str, after: Duration) {
        let mut kept = self.kept();
        let latest = kept.latest_acceptance.entry(when).or_default();
        *latest = after.max(*latest);
    }

    /// What must not happen: which grant, which node, when.
    pub(super) fn violated(&self, what: impl fmt::Display) {
        let at = self.started.elapsed();
        self.kept().violations.push(format!("at {:.3} s: {what}", at.as_secs_f64()));
    }

    pub(super) fn done(&self, operation: &'static str, outcome: &str) -> u64 {
        self.kept().operations.get(&(operation, outcome.to_owned())).copied().unwrap_or_default()
    }

    pub(super) fn times(&self, fault: Fault) -> u64 {
        self.kept().faults.get(&fault).map_or(0, |(times, _)| *times)
    }

    pub(super) fn violations(&self) -> usize {
        self.kept().violations.len()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept();
        writeln!(f, "operation      outcome              times")?;
        for ((operation, outcome), times) in &kept.operations {
            writeln!(f, "{operation:14} {outcome:20} {times:5}")?;
        }
        writeln!(f, "\nfault              times  longest time without a refresh anywhere")?;
        for (fault, (times, longest)) in &kept.faults {
            writeln!(f, "{:18} {times:5}  {:.2} s", format!("{fault:?}"), longest.as_secs_f64())?;
        }
        for (when, latest) in &kept.latest_acceptance {
            writeln!(f, "an ended token was last accepted {:.2} s after its end ({when})", latest.as_secs_f64())?;
        }
        writeln!(f, "\nviolations: {}", kept.violations.len())?;
        for violation in kept.violations.iter().take(TOLD) {
            writeln!(f, "  {violation}")?;
        }
        Ok(())
    }
}

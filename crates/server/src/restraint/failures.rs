//! Failures by key, each with a delay that doubles.

use aws_lc_rs::digest;
use keyfob_protocol::Timestamp;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Keys that are remembered at most, about 6 MB. Beyond it the least go: whoever can bring that many addresses is not stopped by a counter.
const MOST: usize = 100_000;

/// How failures of one kind are met.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// So many cost nothing.
    pub(crate) free: u32,
    /// Seconds that a delay never exceeds. 0: they are counted, and nobody waits for them.
    pub(crate) longest: i64,
    /// Seconds after the last failure until all is forgotten.
    pub(crate) forget: i64,
}

/// What failures are counted by: a digest, so that names of any length take the same room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 16]);

#[derive(Debug)]
struct Kept {
    failures: u32,
    last: Timestamp,
    /// No try before.
    until: Timestamp,
    forget_at: Timestamp,
}

/// Counts failures.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    kept: Mutex<HashMap<Key, Kept>>,
    /// Whether anything is kept: most nodes have nobody to hold back, and asking costs them nothing.
    any: AtomicBool,
}

impl Key {
    /// The key of `parts` among those of this `kind`.
    pub(crate) fn of(kind: &str, parts: &[&str]) -> Key {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [kind].iter().chain(parts) {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 16];
        key.copy_from_slice(&context.finish().as_ref()[..16]);
        Key(key)
    }
}

impl Failures {
    /// Whether anything was ever counted.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Seconds until the next try; `None` if it may be now.
    pub(crate) fn wait(&self, key: &Key, now: Timestamp) -> Option<u32> {
        wait_of(self.kept().get(key)?, now)
    }

    /// Whether more failed than cost nothing.
    pub(crate) fn exceed(&self, key: &Key, rule: Rule, now: Timestamp) -> bool {
        self.kept().get(key).is_some_and(|of_key| of_key.failures > rule.free && of_key.forget_at > now)
    }

    /// Counts a failure.
    pub(crate) fn count(&self, key: &Key, rule: Rule, now: Timestamp) {
        let mut kept = self.kept();
        self.any.store(true, Ordering::Relaxed);
        count_in(&mut kept, key, rule, now);
    }

    /// Counts a failure for each key, if a try is allowed by all of them; one step, so that of many at once only so many pass.
    ///
    /// # Errors
    /// Seconds to wait; nothing is counted.
    pub(crate) fn count_all<'k>(
        &self,
        keys: impl Iterator<Item = &'k (Key, Rule)> + Clone,
        now: Timestamp,
    ) -> Result<(), u32> {
        let mut kept = self.kept();
        self.any.store(true, Ordering::Relaxed);
        let wait = keys.clone().filter_map(|(key, _)| wait_of(kept.get(key)?, now)).max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        keys.for_each(|(key, rule)| count_in(&mut kept, key, *rule, now));
        Ok(())
    }

    /// Forgets everything about a key.
    pub(crate) fn forget(&self, key: &Key) {
        self.kept().remove(key);
    }

    /// What was counted last was no failure.
    pub(crate) fn take_back(&self, key: &Key) {
        let mut kept = self.kept();
        if let Some(of_key) = kept.get_mut(key) {
            of_key.failures = of_key.failures.saturating_sub(1);
            of_key.until = of_key.last;
            if of_key.failures == 0 {
                // Or tries that were never made would fill the memory, and push out those that were.
                kept.remove(key);
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Key, Kept>> {
        self.kept.lock().expect("invariant: nothing panics while the lock is held")
    }
}

fn wait_of(kept: &Kept, now: Timestamp) -> Option<u32> {
    u32::try_from(kept.until.since(now)).ok().filter(|seconds| *seconds > 0)
}

fn count_in(kept: &mut HashMap<Key, Kept>, key: &Key, rule: Rule, now: Timestamp) {
    if kept.len() >= MOST && !kept.contains_key(key) {
        make_room(kept, now);
    }
    let of_key = kept.entry(*key).or_insert(Kept { failures: 0, last: now, until: now, forget_at: now });
    if of_key.forget_at <= now {
        of_key.failures = 0;
    }
    of_key.failures = of_key.failures.saturating_add(1);
    of_key.last = now;
    of_key.forget_at = now.plus(rule.forget);
    if let Some(over) = of_key.failures.checked_sub(rule.free).filter(|over| *over > 0) {
        let delay = 1_i64.checked_shl(over).filter(|delay| *delay > 0).unwrap_or(i64::MAX).min(rule.longest);
        of_key.until = now.plus(delay);
    }
}

/// First what is forgotten anyway; then the half that failed least, longest ago: many names that are tried once push out nobody who is guessed at.
fn make_room(kept: &mut HashMap<Key, Kept>, now: Timestamp) {
    kept.retain(|_, of_key| of_key.forget_at > now);
    if kept.len() < MOST {
        return;
    }
    let weight = |of_key: &Kept| (of_key.failures, of_key.last);
    let mut weights: Vec<(u32, Timestamp)> = kept.values().map(weight).collect();
    let middle = weights.len() / 2;
    let (_, median, _) = weights.select_nth_unstable(middle);
    let median = *median;
    kept.retain(|_, of_key| weight(of_key) > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { free: 3, longest: 60, forget: 600 };
    const NOW: Timestamp = Timestamp(1_800_000_000);

    #[test]
    fn rl_01_delays_double_end_by_themselves_and_never_exceed_their_bound() {
        let (failures, key) = (Failures::default(), Key::of("k", &["a"]));
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..12 {
            failures.count(&key, RULE, now);
            let wait = failures.wait(&key, now).unwrap_or(0);
            waits.push(wait);
            now = now.plus(i64::from(wait));
            assert_eq!(failures.wait(&key, now), None, "it ends by itself");
        }
        assert_eq!(waits, [0, 0, 0, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        failures.count(&key, RULE, now.plus(600));
        assert_eq!(failures.wait(&key, now.plus(600)), None, "forgotten");
        assert_ne!(Key::of("k", &["ab", "c"]), Key::of("k", &["a", "bc"]));
    }

    #[test]
    fn rl_01_of_many_tries_at_once_only_the_free_ones_pass() {
        let (failures, key) = (Failures::default(), Key::of("k", &["a"]));
        let passed = (0..1000).filter(|_| failures.count_all([(key, RULE)].iter(), NOW).is_ok()).count();
        assert_eq!(passed, 4, "the free ones and the one that begins the delay");
        failures.forget(&key);
        assert_eq!(failures.wait(&key, NOW), None);
    }

    #[test]
    fn rl_01_no_flood_of_names_makes_a_guesser_forgotten() {
        let (failures, guessed_at) = (Failures::default(), Key::of("k", &["owner"]));
        (0..4).for_each(|_| failures.count(&guessed_at, RULE, NOW));
        let flood = |name: usize| Key::of("k", &[&name.to_string()]);
        // Tries that were not made, since the node had too much to do.
        for name in 0..2 * MOST {
            failures.count_all([(flood(name), RULE)].iter(), NOW).expect("no wait");
            failures.take_back(&flood(name));
        }
        assert_eq!(failures.kept().len(), 1);
        // And such as were.
        (0..3 * MOST).for_each(|name| failures.count(&flood(name), RULE, NOW));
        assert!(failures.exceed(&guessed_at, RULE, NOW) && failures.wait(&guessed_at, NOW) == Some(2));
    }

    #[test]
    fn rl_03_memory_is_bounded_and_the_latest_failures_are_kept() {
        let failures = Failures::default();
        for number in 0..=MOST {
            failures.count(&Key::of("k", &[&number.to_string()]), RULE, NOW.plus(number as i64 / 1000));
        }
        let kept = failures.kept().len();
        assert!(kept <= MOST / 2 + 1001, "{kept}");
        assert!(failures.kept().contains_key(&Key::of("k", &[&MOST.to_string()])));
    }
}

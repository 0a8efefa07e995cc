//! Choices drawn from a seeded stream.

use std::collections::BTreeSet;

use keyfob_protocol::entropy::random;

use super::SeededEntropy;

/// A source of choices.
pub(super) struct Draw(SeededEntropy);

impl Draw {
    pub(super) fn new(seed: u64, label: &str) -> Draw {
        Draw(SeededEntropy::new(seed, label))
    }

    /// A number from 0 up to, not including, `end`. The bias of the remainder is below 2^-40 for every `end` used here.
    pub(super) fn below(&self, end: usize) -> usize {
        let bytes: [u8; 8] = random(&self.0).expect("invariant: seeded entropy never fails");
        (u64::from_be_bytes(bytes) % end as u64) as usize
    }

    pub(super) fn between(&self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    pub(super) fn pick<'l, T>(&self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }

    pub(super) fn percent(&self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// `count` different items, in the order of the list.
    pub(super) fn some<T: Clone>(&self, list: &[T], count: usize) -> Vec<T> {
        let mut left = list.to_vec();
        while left.len() > count {
            left.remove(self.below(left.len()));
        }
        left
    }
}

/// Draws until the draw is new.
pub(super) fn unseen<T: Ord + Clone>(seen: &mut BTreeSet<T>, draw: impl Fn() -> T) -> T {
    loop {
        let drawn = draw();
        if seen.insert(drawn.clone()) {
            return drawn;
        }
    }
}

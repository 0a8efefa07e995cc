//! Breadth first through every state that a world can reach in a number of steps. The first counterexample is a shortest one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Debug;
use std::hash::Hash;
use std::rc::Rc;

/// Where one step leads.
pub(super) enum Next<W> {
    State(W),
    /// The property is broken, and how.
    Violation(String),
}

/// A state that knows its steps. States are equal only if nothing that can follow tells them apart.
pub(super) trait World: Eq + Hash {
    /// What holds in every state: the rule, the policy, who may do what.
    type Law;
    type Step: Debug;
    fn steps(&self, law: &Self::Law) -> Vec<(Self::Step, Next<Self>)>
    where
        Self: Sized;
}

/// What a search did.
#[derive(Debug)]
pub(super) struct Searched {
    /// Different states seen.
    pub(super) states: usize,
    /// The steps to the first violation, and what it is.
    pub(super) counterexample: Option<Vec<String>>,
}

struct Reached<S> {
    from: Option<(usize, S)>,
}

pub(super) fn search<W: World>(law: &W::Law, start: W, depth: usize) -> Searched {
    let start = Rc::new(start);
    let mut seen = HashMap::from([(Rc::clone(&start), 0_usize)]);
    let mut reached = vec![Reached { from: None }];
    let mut frontier = vec![(0_usize, start)];
    for _ in 0..depth {
        let mut following = Vec::new();
        for (index, state) in frontier {
            for (step, next) in state.steps(law) {
                match next {
                    Next::Violation(what) => {
                        let mut path = vec![what, format!("{step:?}")];
                        let mut at = index;
                        while let Some((from, step)) = &reached[at].from {
                            path.push(format!("{step:?}"));
                            at = *from;
                        }
                        path.reverse();
                        return Searched { states: seen.len(), counterexample: Some(path) };
                    }
                    Next::State(state) => {
                        let state = Rc::new(state);
                        if let Entry::Vacant(vacant) = seen.entry(Rc::clone(&state)) {
                            vacant.insert(reached.len());
                            following.push((reached.len(), state));
                            reached.push(Reached { from: Some((index, step)) });
                        }
                    }
                }
            }
        }
        frontier = following;
    }
    Searched { states: seen.len(), counterexample: None }
}

impl Searched {
    /// The property holds within the bound.
    #[expect(clippy::print_stdout, reason = "how much was searched, for who runs the test with --nocapture")]
    #[track_caller]
    pub(super) fn holds(self, what: &str) {
        if let Some(path) = self.counterexample {
            panic!("{what}: broken by\n  {}", path.join("\n  "));
        }
        println!("{what}: {} states", self.states);
    }

    /// The property is broken, by the steps that are returned.
    #[track_caller]
    pub(super) fn breaks(self, what: &str) -> Vec<String> {
        self.counterexample.unwrap_or_else(|| panic!("{what}: no counterexample in {} states", self.states))
    }
}

//! Thousands of random lives, shrunk to the shortest difference between the rule and the reference.

use super::life::{Event, play};
use super::{Rule, WINDOW, confidential, depth, fixed, public};
use keyfob_authority::law::refresh::{RefreshTerms, rule};
use keyfob_authority::model::ReusePolicy;
use keyfob_protocol::time::{DAY, HOUR};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

fn policies() -> Vec<RefreshTerms> {
    let mut policies = vec![fixed(false), fixed(true)];
    for window in [0, WINDOW, 600] {
        policies.push(public(window));
        policies.extend([ReusePolicy::Heal, ReusePolicy::End, ReusePolicy::Refuse].map(|to| confidential(to, window)));
    }
    policies
}

fn wait() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => select(vec![1, 2, 43, 44, 45, 46, 60, 599, 600, 601]),
        2 => select(vec![HOUR - 1, HOUR, HOUR + 1, DAY]),
        1 => 1..(30 * DAY),
        1 => select(vec![89 * DAY, 90 * DAY - 46, 90 * DAY - 1, 90 * DAY, 90 * DAY + 1]),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let any_token = any::<prop::sample::Index>;
    prop_oneof![
        6 => any::<bool>().prop_map(|reply_lost| Event::Refresh { reply_lost }),
        4 => any_token().prop_map(Event::Present),
        2 => vec(any_token(), 2..=4).prop_map(Event::Race),
        2 => (2..=3_usize).prop_map(|nodes| Event::RaceWithNewest { nodes }),
        8 => wait().prop_map(Event::Wait),
        1 => Just(Event::BackUpClient),
        1 => any_token().prop_map(Event::RestoreClient),
        1 => Just(Event::RestartClient),
        1 => any_token().prop_map(Event::SetStoreBack),
    ]
}

/// Compares on `lives` random lives of up to 60 events: the first difference, shrunk as far as asked, if there is one.
pub(super) fn difference(rule: Rule, lives: usize, max_shrink_iters: u32) -> Option<String> {
    let config = Config { cases: lives as u32, failure_persistence: None, max_shrink_iters, ..Config::default() };
    let strategy = (select(policies()), vec(event(), 1..60));
    let compared = TestRunner::new_with_rng(config, seeded())
        .run(&strategy, |(terms, events)| play(rule, terms, &events).map_err(TestCaseError::fail));
    match compared {
        Ok(()) => None,
        Err(TestError::Fail(why, (terms, events))) => Some(format!("{why}\nunder {terms:?}\n{events:#?}")),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// The same lives at every run; KEYFOB_LONG plays more of them.
fn seeded() -> proptest::test_runner::TestRng {
    proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha)
}

#[test]
fn rf_05_the_rule_answers_as_the_table_on_thousands_of_random_lives() {
    if let Some(difference) = difference(rule, depth(12_000, 600_000), 100_000) {
        panic!("{difference}");
    }
}

#[test]
fn rf_07_lost_replies_again_and_again_are_answered_as_the_table() {
    let lost = [Event::Refresh { reply_lost: true }, Event::Wait(WINDOW)];
    let received = [Event::Refresh { reply_lost: false }, Event::Wait(WINDOW)];
    for lost_a_generation in [1, 8, 9, 40] {
        let generation = [vec![lost.clone(); lost_a_generation].concat(), received.to_vec()].concat();
        let life = vec![generation; 5].concat();
        for terms in policies() {
            assert_eq!(play(rule, terms, &life), Ok(()), "{lost_a_generation} lost, {terms:?}");
        }
    }
}

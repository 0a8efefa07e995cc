//! Ten years of hourly use, with a network, a store and a process that fail at random, by a clock that is moved.

use crate::scripted::*;
use async_trait::async_trait;
use keyfob_client::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const HOURS: u64 = 10 * 365 * 24;

/// A small generator (SplitMix64), so that a failed run can be repeated by its seed.
struct Dice(AtomicU64);

impl Dice {
    /// True once in `n` throws.
    fn one_in(&self, n: u64) -> bool {
        let state = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)).is_multiple_of(n)
    }
}

/// How an authority treats a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rotation {
    Off,
    WithReplay,
    Strict,
}

/// Authority and API in one, with faults.
struct Weather {
    rotation: Rotation,
    dice: Arc<Dice>,
    grant: Mutex<Grant>,
}

struct Grant {
    current: u64,
    ended: bool,
    /// Answers with new tokens that did not arrive.
    lost: u64,
}

impl Weather {
    fn refresh(&self, presented: u64) -> Answer {
        let mut grant = self.grant.lock().unwrap();
        if self.dice.one_in(40) {
            return [not_sent(), reply(503, "{}"), reply(429, "{}")][(presented % 3) as usize].clone();
        }
        let replayed = self.rotation == Rotation::WithReplay && presented + 1 == grant.current;
        if grant.ended || (presented != grant.current && !replayed) {
            grant.ended = true;
            return oauth_error(400, "invalid_grant");
        }
        if self.rotation != Rotation::Off && !replayed {
            grant.current += 1;
        }
        let current = grant.current;
        if self.dice.one_in(30) {
            grant.lost += 1;
            return [unanswered(), reply(502, "<html>"), reply(200, "{\"access_to")][(presented % 3) as usize].clone();
        }
        tokens(&format!("a{current}"), &format!("r{current}"))
    }
}

#[async_trait]
impl Transport for Weather {
    async fn send(&self, request: &HttpRequest) -> Answer {
        let body = String::from_utf8(request.body.expose().clone()).unwrap();
        match body.split('&').find_map(|pair| pair.strip_prefix("refresh_token=r")) {
            Some(presented) => self.refresh(presented.parse().unwrap()),
            None if self.dice.one_in(50) => unanswered(),
            None => reply(200, "{}"),
        }
    }
}

/// What ten years brought.
#[derive(Debug, Default)]
struct Tally {
    calls: u64,
    failed_in_passing: u64,
    crashes: u64,
    lost_replies: u64,
}

/// Whether the store has the refresh token that the authority gave last.
async fn is_current(world: &World, weather: &Weather) -> bool {
    let row = world.store.memory.load("u").await.unwrap().unwrap();
    let kept = row.tokens().and_then(|tokens| tokens.refresh_token.as_ref());
    let current = format!("r{}", weather.grant.lock().unwrap().current);
    kept.is_some_and(|kept| *kept.expose() == current)
}

async fn decade(rotation: Rotation, seed: u64) -> Tally {
    let dice = Arc::new(Dice(AtomicU64::new(seed)));
    let grant = Mutex::new(Grant { current: 1, ended: false, lost: 0 });
    let weather = Arc::new(Weather { rotation, dice: dice.clone(), grant });
    let mut world = World::new();
    let restarted = |world: &World| world.with_network(weather.clone());
    let mut connections = restarted(&world);
    connections.adopt("u", token_set("a1", "r1")).await.unwrap();
    let mut tally = Tally::default();
    // Crashes that took the only copy of the newest tokens.
    let mut lost_in_memory = 0;
    for _ in 0..HOURS {
        world.clock.advance(3600);
        // Disks fill up, and databases are restarted.
        world.store.read_only.store(dice.one_in(60), Ordering::SeqCst);
        world.store.down.store(dice.one_in(200), Ordering::SeqCst);
        // Behind the intent, where it hurts.
        world.store.fails_to_finish.store(dice.one_in(60), Ordering::SeqCst);
        tally.calls += 1;
        let outcome = connections.open("u").get("/v1/people").await;
        match outcome {
            Ok(_) if is_current(&world, &weather).await => {
                (weather.grant.lock().unwrap().lost, lost_in_memory) = (0, 0);
            }
            Ok(_) => {}
            Err(ConnectionError::LostReply(_)) => {
                let fresh = {
                    let mut grant = weather.grant.lock().unwrap();
                    assert_eq!(
                        rotation,
                        Rotation::Strict,
                        "seed {seed}: only a strict authority loses replies for good"
                    );
                    assert!(grant.lost + lost_in_memory > 0, "seed {seed}: no reply was lost");
                    *grant = Grant { current: grant.current + 10, ended: false, lost: 0 };
                    token_set("a", &format!("r{}", grant.current))
                };
                lost_in_memory = 0;
                tally.lost_replies += 1;
                world.store.is_well();
                connections.adopt("u", fresh).await.unwrap();
            }
            Err(
                ConnectionError::RefreshFailed { .. }
                | ConnectionError::Store(_)
                | ConnectionError::NoAnswer(_)
                | ConnectionError::RefreshElsewhere { .. },
            ) => tally.failed_in_passing += 1,
            Err(error) => panic!("seed {seed}: {rotation:?}: the connection was lost: {error}"),
        }
        if dice.one_in(100) {
            // The process dies with whatever only its memory holds.
            tally.crashes += 1;
            lost_in_memory += u64::from(!is_current(&world, &weather).await);
            connections = restarted(&world);
        }
    }
    // At the end the sun shines.
    world.store.is_well();
    world = World::beside(&world);
    world.clock.advance(7200);
    let row = world.store.load("u").await.unwrap().unwrap();
    assert!(row.tokens().is_some(), "seed {seed}: {rotation:?}: {:?}", row.status());
    tally
}

#[tokio::test]
async fn in_ten_years_no_connection_is_lost_that_the_authority_had_not_ended() {
    let seeds = if std::env::var_os("KEYFOB_LONG").is_some() { 50 } else { 1 };
    for seed in 1..=seeds {
        for rotation in [Rotation::Off, Rotation::WithReplay, Rotation::Strict] {
            let tally = decade(rotation, seed).await;
            println!("ten years, rotation {rotation:?}, seed {seed}: {tally:?}");
            assert!(tally.crashes > 500 && tally.failed_in_passing > 500, "the weather was bad: {tally:?}");
            assert_eq!(tally.lost_replies > 0, rotation == Rotation::Strict, "{tally:?}");
        }
    }
}

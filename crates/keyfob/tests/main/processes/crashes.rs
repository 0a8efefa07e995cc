//! ST-04, OP-02: `kill -9` at random points of a load, and every answer given before is held against what is true after.
//!
//! Four workers connect, redeem, refresh and revoke, each with grants of its own, until the server dies under them; the next server
//! starts on the same data. What a worker was told must hold; what it was not told may have happened or not, but not by half. The
//! page cache survives `kill -9`, so this proves the order of writes and answers; the loss of power is the file system's part.

mod grant_life;
mod rows;
mod worker;

use super::place::Place;
use super::serving::Serving;
use super::visitor::{Visitor, http_client};
use grant_life::GrantLife;
use rows::Rows;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use worker::Worker;

const WORKERS: u64 = 4;
/// Grants that a worker takes into the next run; the rest are only looked at again now and then.
const KEPT: usize = 3;
/// Ended grants that are looked at again at random.
const REMEMBERED: usize = 200;

/// Choices that depend on a seed only (SplitMix64), so that a run can be repeated up to its timing.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// Names the run whose choices failed, also when a worker did.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it failed in run {}, which is its seed", self.0);
        }
    }
}

fn runs() -> u64 {
    if std::env::var_os("KEYFOB_LONG").is_some() { 10_000 } else { 200 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn st_04_op_02_kill_9_at_random_points_loses_and_revives_nothing() {
    let place = Place::new();
    let people = std::sync::Arc::new(place.people());
    let http = http_client();
    let mut visitor = Visitor::new(&http);
    let first = place.serve();
    visitor.consent_page(&first.base(), &people.fixed, "first").await.expect("signed in");
    first.stop();

    let started = Instant::now();
    let mut grants: Vec<Vec<GrantLife>> = (0..WORKERS).map(|_| Vec::new()).collect();
    let mut ended: Vec<GrantLife> = Vec::new();
    let mut seen = Seen::default();
    let mut found: Vec<GrantLife> = Vec::new();
    for run in 0..=runs() {
        let _seed = Seed(run);
        let mut chance = Chance(run);
        if run % 10 == 9 {
            // Also while it starts: before it is ready, or just then.
            let starting = Serving::start_unready(place.command(&["serve"]));
            tokio::time::sleep(Duration::from_micros(chance.below(60_000))).await;
            starting.kill();
        }
        let serving = place.serve();
        let base = serving.base();
        let ready = http.get(format!("{base}/readyz")).send().await.expect("an answer").status().as_u16();
        assert_eq!(ready, 200, "run {run}: {}", serving.said());
        for mut life in found.drain(..) {
            seen.count(&life);
            life.must_still_hold(&http, &base, &people, &format!("run {run}")).await;
            let own = &mut grants[chance.below(WORKERS) as usize];
            match life.is_over() {
                true => ended.push(life),
                false if own.len() < KEPT => own.push(life),
                false => {}
            }
        }
        for _ in 0..3.min(ended.len()) {
            let at = chance.below(ended.len() as u64) as usize;
            ended[at].must_still_hold(&http, &base, &people, &format!("run {run}, again")).await;
        }
        while ended.len() > REMEMBERED {
            ended.swap_remove(chance.below(ended.len() as u64) as usize);
        }
        Rows::open(&place.database()).must_be_whole(run % 10 == 0, &format!("run {run}"));
        if run == runs() {
            for life in &mut ended {
                life.must_still_hold(&http, &base, &people, "at the end").await;
            }
            serving.stop();
            break;
        }

        let mut workers = JoinSet::new();
        for (number, own) in grants.iter_mut().enumerate() {
            let worker = Worker {
                chance: Chance(run << 8 | number as u64),
                people: people.clone(),
                visitor: visitor.clone(),
                base: base.clone(),
                grants: std::mem::take(own),
            };
            workers.spawn(worker.until_lost());
        }
        tokio::time::sleep(Duration::from_micros(2_000 + chance.below(80_000))).await;
        serving.kill();
        found = workers.join_all().await.into_iter().flatten().collect();
    }
    println!("{} kills in {:?}: {seen:?}", runs() + runs() / 10, started.elapsed());
    seen.must_have_met_everything();
}

/// What the load met: a test of crashes in which nothing was ever in flight would prove nothing.
#[derive(Debug, Default)]
struct Seen {
    grants: u64,
    redemptions_answered: u64,
    redemptions_in_flight: u64,
    refreshes_answered: u64,
    refreshes_in_flight: u64,
    revocations_answered: u64,
    revocations_in_flight: u64,
}

impl Seen {
    fn count(&mut self, life: &GrantLife) {
        let what = life.what_happened();
        self.grants += 1;
        self.redemptions_answered += u64::from(what.redeemed);
        self.redemptions_in_flight += u64::from(what.redeeming);
        self.refreshes_answered += what.refreshes;
        self.refreshes_in_flight += u64::from(what.refreshing);
        self.revocations_answered += u64::from(what.revoked);
        self.revocations_in_flight += u64::from(what.revoking);
    }

    fn must_have_met_everything(&self) {
        let met = [
            self.redemptions_answered,
            self.redemptions_in_flight,
            self.refreshes_answered,
            self.refreshes_in_flight,
            self.revocations_answered,
            self.revocations_in_flight,
        ];
        assert!(met.iter().all(|count| *count > 0), "{self:?}");
    }
}

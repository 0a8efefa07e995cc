//! A refresh that is killed at every write and every wait, and started again.

use crate::authority::{Authority, Fault, Rotation};
use crate::child::{Ended, Family, Task, connections, ended, wait_until_ready};
use crate::place::{Database, Directory, START, Shared, TestClock, token_set};
use keyfob_client::Timestamp;
use keyfob_client::fail_points::FAIL_POINTS;
use std::collections::BTreeMap;
use std::time::Duration;

const ROTATIONS: [Rotation; 3] = [Rotation::Off, Rotation::WithReplay, Rotation::Strict];

/// The vaults that are crashed, and of how many runs each gets one: a database takes longer to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    async fn vault(self) -> Shared {
        match self {
            Kind::Sqlite => Shared::File(Directory::new()),
            Kind::Postgres => Shared::Database(Database::new().await),
        }
    }

    /// How often something is done, in `./test` and in `./test --long`.
    fn rounds(self, short: u32, long: u32) -> u32 {
        let rounds = if std::env::var_os("KEYFOB_LONG").is_some() { long } else { short };
        match self {
            Kind::Sqlite => rounds,
            Kind::Postgres => rounds.div_ceil(4),
        }
    }
}

/// A vault with one connection whose access token has ended, and its authority.
struct Scene {
    /// Removed with the scene.
    _vault: Shared,
    authority: Authority,
    family: Family,
    now: Timestamp,
}

impl Scene {
    async fn new(kind: Kind, rotation: Rotation) -> Scene {
        let (vault, authority) = (kind.vault().await, Authority::start(rotation));
        let family = Family { vault: vault.whereabouts(), origin: authority.origin.clone() };
        let scene = Scene { _vault: vault, authority, family, now: START.plus(4000) };
        scene.adopt("r1").await;
        scene
    }

    /// The user connects (again); the access token of the consent has ended already.
    async fn adopt(&self, refresh_token: &str) {
        let (clock, tokens) = (TestClock::at(self.now), token_set("old", refresh_token));
        let store = self.family.vault.store(clock.clone()).await;
        connections(store, &self.authority.origin, clock).adopt("u", tokens).await.unwrap();
    }

    /// The refresh token in the store.
    async fn kept(&self) -> String {
        let row = self.family.vault.store(TestClock::at(self.now)).await.load("u").await.unwrap().unwrap();
        row.tokens().map(|tokens| tokens.refresh_token.as_ref().unwrap().expose().clone()).unwrap_or_default()
    }

    /// Starts again after a crash, when the dead process's lease has run out: the connection works, or says `lost_reply` where and only
    /// where the authority is strict and its last tokens were never kept.
    async fn starts_again(&mut self, rotation: Rotation, what: &str) -> Ended {
        self.authority.settle();
        self.now = self.now.plus(31);
        let lost = rotation == Rotation::Strict && self.kept().await != self.authority.current();
        let after = self.family.call(self.now, None);
        assert_eq!(after, if lost { Ended::LostReply } else { Ended::Works }, "{rotation:?}, {what}");
        // It stays so: an hour later it refreshes as if nothing had been, or still waits for its user.
        self.now = self.now.plus(4000);
        assert_eq!(self.family.call(self.now, None), after, "{rotation:?}, {what}, an hour later");
        after
    }
}

#[expect(clippy::print_stdout, reason = "the tally is what whoever runs this wants to read")]
fn tally(kind: Kind, name: &str, counts: &BTreeMap<(&str, &str), u32>) {
    for ((rotation, ended), count) in counts {
        println!("{kind:?}, {name}: rotation {rotation}, {count} runs: {ended}");
    }
}

/// A line of the tally.
fn words(rotation: Rotation, ended: Ended) -> (&'static str, &'static str) {
    let rotation = match rotation {
        Rotation::Off => "off",
        Rotation::WithReplay => "with replay",
        Rotation::Strict => "strict single use",
    };
    let ended = match ended {
        Ended::Works => "works",
        Ended::LostReply => "lost_reply, as it was",
        Ended::Killed => "killed",
    };
    (rotation, ended)
}

/// Every named point, with every rotation, also where an earlier answer was lost.
async fn a_refresh_survives_a_crash_at_every_fail_point(kind: Kind) {
    let mut counts = BTreeMap::new();
    for _ in 0..kind.rounds(4, 40) {
        for rotation in ROTATIONS {
            for point in FAIL_POINTS {
                let mut scene = Scene::new(kind, rotation).await;
                assert_eq!(scene.family.call(scene.now, Some(point)), Ended::Killed, "{point} is not on the way");
                let after = scene.starts_again(rotation, point).await;
                *counts.entry(words(rotation, after)).or_insert(0) += 1;
            }
        }
    }
    tally(kind, "fail points", &counts);
    assert!(counts.contains_key(&words(Rotation::Strict, Ended::LostReply)), "the strict authority loses replies");
}

/// The crash comes while an earlier crash is being mended.
async fn a_refresh_survives_a_second_crash_on_the_way_back(kind: Kind) {
    let mut counts = BTreeMap::new();
    for rotation in [Rotation::WithReplay, Rotation::Strict] {
        for first in ["refresh.before_send", "refresh.answered", "store.before_commit.finish"] {
            for second in FAIL_POINTS {
                let mut scene = Scene::new(kind, rotation).await;
                assert_eq!(scene.family.call(scene.now, Some(first)), Ended::Killed);
                scene.authority.settle();
                scene.now = scene.now.plus(31);
                // With an intent open none is written again, so two of the points are not on the way.
                scene.family.call(scene.now, Some(second));
                let after = scene.starts_again(rotation, &format!("{first}, then {second}")).await;
                *counts.entry(words(rotation, after)).or_insert(0) += 1;
            }
        }
    }
    tally(kind, "second crash", &counts);
}

/// The network fails in every way, and then the process dies.
async fn a_refresh_survives_a_lost_answer_and_a_crash(kind: Kind) {
    let mut counts = BTreeMap::new();
    for rotation in ROTATIONS {
        for fault in [Fault::ReplyLost, Fault::GatewayPage, Fault::Unavailable] {
            for point in ["refresh.answered", "store.before_commit.finish", "refresh.finished"] {
                let mut scene = Scene::new(kind, rotation).await;
                scene.authority.fault(fault);
                assert_eq!(scene.family.call(scene.now, Some(point)), Ended::Killed, "{fault:?}, {point}");
                let after = scene.starts_again(rotation, &format!("{fault:?}, {point}")).await;
                *counts.entry(words(rotation, after)).or_insert(0) += 1;
            }
        }
    }
    tally(kind, "lost answers", &counts);
}

/// `kill -9` at any moment, life after life, on one connection.
async fn a_connection_survives_kill_9_at_any_moment(kind: Kind) {
    let mut counts = BTreeMap::new();
    for rotation in ROTATIONS {
        let mut scene = Scene::new(kind, rotation).await;
        for life in 0..kind.rounds(60, 1000) {
            let mut child = scene.family.spawn(Task::RefreshForEver, scene.now, None);
            wait_until_ready(&mut child);
            // Spread over some refreshes: a prime step, so that no phase of one is left out.
            std::thread::sleep(Duration::from_micros(u64::from(life * 7919 % 30_000)));
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            let died = ended(output.status, || {
                let said = String::from_utf8_lossy(&output.stdout);
                format!("{rotation:?}, life {life}: {said} {}", scene.authority.last_refreshes())
            });
            assert_eq!(died, Ended::Killed, "it would have gone on for ever");
            let after = scene.starts_again(rotation, "kill -9").await;
            *counts.entry(words(rotation, after)).or_insert(0) += 1;
            if after == Ended::LostReply {
                scene.adopt(&scene.authority.consent()).await;
            }
        }
    }
    tally(kind, "kill -9", &counts);
}

/// One redemption, however many want it.
async fn two_hundred_tasks_in_four_processes_redeem_once(kind: Kind) {
    for rotation in ROTATIONS {
        let scene = Scene::new(kind, rotation).await;
        scene.authority.slow_down(Duration::from_millis(300));
        let mut children: Vec<_> = (0..4).map(|_| scene.family.spawn(Task::Crowd, scene.now, None)).collect();
        children.iter_mut().for_each(wait_until_ready);
        // All four are up; they begin when their standard input ends.
        children.iter_mut().for_each(|child| drop(child.stdin.take()));
        for child in children {
            let output = child.wait_with_output().unwrap();
            let after = ended(output.status, || String::from_utf8_lossy(&output.stdout).into_owned());
            assert_eq!(after, Ended::Works);
        }
        assert_eq!((scene.authority.redemptions(), scene.authority.refresh_requests()), (1, 1), "{rotation:?}");
    }
}

macro_rules! on_both_stores {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Kind::Sqlite).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::Kind::Postgres).await;
            })*
        }
    };
}

on_both_stores! {
    a_refresh_survives_a_crash_at_every_fail_point
    a_refresh_survives_a_second_crash_on_the_way_back
    a_refresh_survives_a_lost_answer_and_a_crash
    a_connection_survives_kill_9_at_any_moment
    two_hundred_tasks_in_four_processes_redeem_once
}

//! A refresh that is killed at every write and every wait, and started again.

use crate::authority::{Authority, Fault, Rotation};
use crate::child::{Ended, Family, Task, connections, ended, wait_until_ready};
use crate::place::{Database, Directory, START, Shared, TestClock, token_set};
use keyfob_client::Timestamp;
use keyfob_client::fail_points::{FAIL_POINTS, FURTHER_FAIL_POINTS};
use std::collections::BTreeMap;
use std::time::Duration;

const ROTATIONS: [Rotation; 4] = [Rotation::Off, Rotation::WithReplay, Rotation::Single, Rotation::Strict];

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

    /// Where the rotation decides little, a database meets the two that are hardest on a client.
    fn rotations(self) -> &'static [Rotation] {
        match self {
            Kind::Sqlite => &ROTATIONS,
            Kind::Postgres => &ROTATIONS[2..],
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

    /// A process that refreshes for ever, until it is killed.
    fn life(&self, lasting: Duration) -> Ended {
        let mut child = self.family.spawn(Task::RefreshForEver, self.now, None);
        wait_until_ready(&mut child);
        std::thread::sleep(lasting);
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let said = || String::from_utf8_lossy(&output.stdout).into_owned() + &self.authority.last_refreshes();
        ended(output.status, said)
    }

    /// Starts again after a crash, when the dead process's lease has run out: the connection works, or says `lost_reply` where and only
    /// where the authority takes each token once and its last ones were never kept.
    async fn starts_again(&mut self, rotation: Rotation, what: &str) -> Ended {
        self.authority.settle();
        self.now = self.now.plus(31);
        let once = matches!(rotation, Rotation::Single | Rotation::Strict);
        let lost = once && self.kept().await != self.authority.current();
        let expected = if lost { Ended::LostReply } else { Ended::Works };
        self.goes_on(expected, &format!("{rotation:?}, {what}"))
    }

    /// A call ends like this, and an hour later another does.
    fn goes_on(&mut self, expected: Ended, what: &str) -> Ended {
        let after = self.family.call(self.now, None);
        assert_eq!(after, expected, "{what}");
        // It stays so: an hour later it refreshes as if nothing had been, or still waits for its user.
        self.now = self.now.plus(4000);
        assert_eq!(self.family.call(self.now, None), after, "{what}, an hour later");
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
        Rotation::Single => "single use",
        Rotation::Strict => "strict single use",
    };
    let ended = match ended {
        Ended::Works => "works",
        Ended::LostReply => "lost_reply, as it was",
        Ended::ReauthRequired => "reauth_required, as it was",
        Ended::Killed => "killed",
    };
    (rotation, ended)
}

/// Every named point, with every rotation, also where an earlier answer was lost.
async fn a_refresh_survives_a_crash_at_every_fail_point(kind: Kind) {
    let mut counts = BTreeMap::new();
    for _ in 0..kind.rounds(3, 40) {
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
        for life in 0..kind.rounds(45, 1000) {
            // Spread over some refreshes: a prime step, so that no phase of one is left out.
            let died = scene.life(Duration::from_micros(u64::from(life * 7919 % 30_000)));
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

/// The same while the authority fails: an error before a success, an outage that a refresh gives up on, or a grant that its user has taken back.
async fn a_connection_survives_kill_9_while_the_authority_fails(kind: Kind) {
    let mut counts = BTreeMap::new();
    for rotation in ROTATIONS {
        let mut scene = Scene::new(kind, rotation).await;
        for life in 0..kind.rounds(12, 300) {
            let taken_back = life % 3 == 2;
            match life % 3 {
                0 => scene.authority.fault(Fault::ServerError),
                1 => (0..3).for_each(|_| scene.authority.fault(Fault::Unavailable)),
                _ => scene.authority.end(),
            }
            let died = scene.life(Duration::from_micros(u64::from(life * 7919 % 15_000)));
            scene.authority.settle();
            scene.authority.heal();
            let after = match taken_back {
                false => {
                    assert_eq!(died, Ended::Killed, "it would have gone on for ever");
                    scene.starts_again(rotation, "kill -9, with faults").await
                }
                true => {
                    // The access token of the last refresh has ended as well.
                    scene.now = scene.now.plus(4000);
                    let after = scene.family.call(scene.now, None);
                    // Once a refresh is journaled, nobody can tell a grant that was taken back from an answer that was lost.
                    let honest = [Ended::ReauthRequired, Ended::LostReply].contains(&after);
                    assert!(honest && [Ended::Killed, after].contains(&died), "{rotation:?}: {died:?}, {after:?}");
                    scene.goes_on(after, "taken back")
                }
            };
            *counts.entry(words(rotation, after)).or_insert(0) += 1;
            if after != Ended::Works {
                scene.adopt(&scene.authority.consent()).await;
            }
        }
    }
    tally(kind, "kill -9 with faults", &counts);
}

/// What a refresh meets that goes wrong.
const FAILURES: [(&str, &[Fault], &[&str]); 2] = [
    (
        "an error before a success",
        &[Fault::ServerError],
        &["refresh.answered", "refresh.before_finish", "store.before_commit.finish", "refresh.finished"],
    ),
    (
        "an outage",
        &[Fault::Unavailable, Fault::Unavailable, Fault::Unavailable],
        &["refresh.answered", "store.before_commit.release", "refresh.released", "store.before_commit.note"],
    ),
];

/// Every write and wait of a refresh that fails.
async fn a_refresh_that_fails_survives_a_crash_at_every_point(kind: Kind) {
    let mut counts = BTreeMap::new();
    for rotation in kind.rotations().iter().copied() {
        for (failure, faults, points) in FAILURES {
            for point in points {
                let mut scene = Scene::new(kind, rotation).await;
                faults.iter().for_each(|fault| scene.authority.fault(*fault));
                assert_eq!(scene.family.call(scene.now, Some(point)), Ended::Killed, "{failure}, {point}");
                let after = scene.starts_again(rotation, &format!("{failure}, {point}")).await;
                *counts.entry(words(rotation, after)).or_insert(0) += 1;
            }
        }
    }
    tally(kind, "failures", &counts);
}

/// Where a refresh ends after its journal was written and before its outcome was.
const JOURNALED: [&str; 6] = [
    "refresh.intent_open",
    "refresh.before_send",
    "refresh.answered",
    "refresh.before_no",
    "refresh.before_finish",
    "store.before_commit.finish",
];

/// The user has taken the grant back. Where the refresh was journaled when the process died, nobody can tell that from an answer that was lost; the
/// user has to connect again either way.
async fn a_grant_that_was_taken_back_is_told_after_a_crash_at_every_point(kind: Kind) {
    let mut counts = BTreeMap::new();
    for rotation in kind.rotations().iter().copied() {
        for point in FAIL_POINTS.into_iter().chain(["refresh.before_no"]) {
            let mut scene = Scene::new(kind, rotation).await;
            scene.authority.end();
            assert_eq!(scene.family.call(scene.now, Some(point)), Ended::Killed, "{point}");
            scene.now = scene.now.plus(31);
            let journaled = JOURNALED.contains(&point);
            let expected = if journaled { Ended::LostReply } else { Ended::ReauthRequired };
            let after = scene.goes_on(expected, &format!("{rotation:?}, taken back, {point}"));
            *counts.entry(words(rotation, after)).or_insert(0) += 1;
        }
    }
    tally(kind, "taken back", &counts);
}

/// A sign of life of the lease, while the authority takes its time; and a consent that replaces what is there.
async fn a_long_refresh_and_a_new_consent_survive_a_crash_in_their_writes(kind: Kind) {
    let mut counts = BTreeMap::new();
    let mut long = Vec::new();
    for rotation in kind.rotations().iter().copied() {
        let scene = Scene::new(kind, rotation).await;
        // Longer than a heartbeat.
        scene.authority.slow_down(Duration::from_secs(11));
        let child = scene.family.spawn(Task::Call, scene.now, Some("store.before_commit.prolong"));
        long.push((rotation, scene, child));
    }
    for rotation in kind.rotations().iter().copied() {
        let mut scene = Scene::new(kind, rotation).await;
        let point = "store.before_commit.save";
        assert_eq!(scene.family.run(Task::Adopt, scene.now, Some(point)), Ended::Killed);
        let after = scene.starts_again(rotation, point).await;
        *counts.entry(words(rotation, after)).or_insert(0) += 1;
    }
    for (rotation, mut scene, child) in long {
        let output = child.wait_with_output().unwrap();
        let died = ended(output.status, || String::from_utf8_lossy(&output.stdout).into_owned());
        assert_eq!(died, Ended::Killed, "it showed no life");
        scene.authority.slow_down(Duration::ZERO);
        let after = scene.starts_again(rotation, "store.before_commit.prolong").await;
        *counts.entry(words(rotation, after)).or_insert(0) += 1;
    }
    tally(kind, "long refreshes and consents", &counts);
}

/// So that a point that somebody adds is not forgotten here.
#[test]
fn every_further_fail_point_is_one_of_a_test() {
    let failures = FAILURES.iter().flat_map(|(.., points)| points.iter().copied());
    let elsewhere = ["refresh.before_no", "store.before_commit.prolong", "store.before_commit.save"];
    let met: Vec<&str> = failures.chain(elsewhere).collect();
    assert_eq!(FURTHER_FAIL_POINTS.iter().find(|point| !met.contains(point)), None);
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
    a_connection_survives_kill_9_while_the_authority_fails
    a_refresh_that_fails_survives_a_crash_at_every_point
    a_grant_that_was_taken_back_is_told_after_a_crash_at_every_point
    a_long_refresh_and_a_new_consent_survive_a_crash_in_their_writes
    two_hundred_tasks_in_four_processes_redeem_once
}

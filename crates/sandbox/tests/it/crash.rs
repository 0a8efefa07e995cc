//! Keyfob itself under a vault that is killed: whatever the moment, the connection goes on.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use crate::integration::Integration;
use crate::running::{Running, surroundings};
use keyfob_client::fail_points::FAIL_POINTS;
use keyfob_client::{App, Clock, Connections, Provider, Secret, Timestamp};
use keyfob_sandbox::seed::{SEEDED_UNTIL, SeededEntropy};
use keyfob_vault::store::{MasterKey, SqliteTokenStore};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

const MASTER: &str = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";
const GIVEN: &str = "KEYFOB_TEST_CHILD";
/// The exit code of a child whose connection works.
const WORKS: i32 = 40;

/// The time of a child; a lease lasts by it.
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

fn vault(file: &Path, now: Timestamp) -> SqliteTokenStore {
    // The time makes each process' bytes its own.
    let entropy = Arc::new(SeededEntropy::new(now.0.unsigned_abs(), "vault"));
    SqliteTokenStore::open(file, MasterKey::parse(MASTER).unwrap(), Arc::new(At(now)), entropy).unwrap()
}

#[tokio::test]
#[ignore = "a process of its own, started and killed by other tests"]
async fn lives() {
    let given = std::env::var(GIVEN).expect("not started by a test");
    let [file, now, origin, client_id, client_secret, redirect_uri]: [String; 6] =
        serde_json::from_str(&given).unwrap();
    let now = Timestamp(now.parse().unwrap());
    let app = App { client_id, client_secret: Some(Secret::new(client_secret)), redirect_uri };
    let store = Arc::new(vault(Path::new(&file), now));
    let provider = Provider::keyfob(&origin).unwrap();
    let connections = Connections::new(provider, app, store, surroundings(Arc::new(At(now))));
    let connection = connections.open("c1");
    connection.refresh_now().await.unwrap();
    assert_eq!(connection.get("/v1/identity").await.unwrap().status, 200);
    std::process::exit(WORKS);
}

async fn survives(refresh: &str) {
    let running = Running::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("vault.db");
    let mut apps = running.announcement.apps.iter();
    let app = apps.find(|app| app.policy.refresh == refresh && app.client_secret.is_some()).unwrap();
    let mut now = SEEDED_UNTIL;
    Integration::on(&running, app, Arc::new(vault(&file, now)), |keyfob| keyfob).connect(&running).await;
    let child = async |now: Timestamp, point: Option<&str>| -> ExitStatus {
        let given = [
            file.to_str().unwrap(),
            &now.0.to_string(),
            running.origin(),
            &app.client_id,
            app.client_secret.as_deref().unwrap(),
            &app.redirect_uris[0],
        ];
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["crash::lives", "--exact", "--ignored"]).env(GIVEN, serde_json::to_string(&given).unwrap());
        command.env_remove("KEYFOB_FAIL_POINT").stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(point) = point {
            command.env("KEYFOB_FAIL_POINT", point);
        }
        // The sandbox answers on this runtime meanwhile.
        tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap()
    };
    for point in FAIL_POINTS {
        assert_eq!(child(now, Some(point)).await.code(), None, "{point} is not on the way");
        // The lease of the dead process runs out.
        now = now.plus(31);
        assert_eq!(child(now, None).await.code(), Some(WORKS), "after {point}");
        now = now.plus(1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cl_05_a_vault_that_is_killed_at_every_fail_point_keeps_fixed_refresh_tokens() {
    survives("fixed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cl_05_a_vault_that_is_killed_at_every_fail_point_keeps_rotated_refresh_tokens() {
    survives("rotating").await;
}

//! The process that gets killed: this test binary once more, as the user of one connection.

use crate::import::{import_one, importer};
use crate::place::{CountingEntropy, TestClock, Whereabouts, token_set};
use keyfob_client::{
    App, ConnectionError, Connections, Dialect, Driver, Pause, Provider, Secret, State, Surroundings, Timestamp,
    TokenStore,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

const TASK: &str = "KEYFOB_TEST_CHILD_TASK";
const VAULT: &str = "KEYFOB_TEST_CHILD_VAULT";
const ORIGIN: &str = "KEYFOB_TEST_CHILD_ORIGIN";
const NOW: &str = "KEYFOB_TEST_CHILD_NOW";
/// Exit codes, apart from those of a panic.
const WORKS: i32 = 40;
const LOST_REPLY: i32 = 41;
const OTHER: i32 = 42;
const REAUTH_REQUIRED: i32 = 43;

/// What a child does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// One call to the API, which refreshes first if the token has ended.
    Call,
    /// Refreshes without end, until it is killed.
    RefreshForEver,
    /// Fifty tasks that call at once, when a line comes on standard input.
    Crowd,
    /// An import of the connection, whose token has ended.
    Import,
    /// The user connects again, with a refresh token that is good.
    Adopt,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Works,
    LostReply,
    ReauthRequired,
    Killed,
}

/// What all children of a test share.
pub(crate) struct Family {
    pub(crate) vault: Whereabouts,
    pub(crate) origin: String,
}

impl Family {
    pub(crate) fn spawn(&self, task: Task, now: Timestamp, fail_point: Option<&str>) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child::lives", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(TASK, format!("{task:?}")).env(VAULT, &self.vault.0).env(ORIGIN, &self.origin);
        command.env(NOW, now.0.to_string()).env_remove("KEYFOB_FAIL_POINT");
        if let Some(name) = fail_point {
            command.env("KEYFOB_FAIL_POINT", name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// One call, to its end.
    pub(crate) fn call(&self, now: Timestamp, fail_point: Option<&str>) -> Ended {
        self.run(Task::Call, now, fail_point)
    }

    /// A task that ends, to its end.
    pub(crate) fn run(&self, task: Task, now: Timestamp, fail_point: Option<&str>) -> Ended {
        let output = self.spawn(task, now, fail_point).wait_with_output().unwrap();
        ended(output.status, || String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// What a status means; anything unexpected ends the test with what the child said.
pub(crate) fn ended(status: ExitStatus, said: impl FnOnce() -> String) -> Ended {
    match status.code() {
        Some(WORKS) => Ended::Works,
        Some(LOST_REPLY) => Ended::LostReply,
        Some(REAUTH_REQUIRED) => Ended::ReauthRequired,
        None => Ended::Killed,
        _ => panic!("a child ended with {status}: {}", said()),
    }
}

/// Waits until the child is about to begin.
pub(crate) fn wait_until_ready(child: &mut Child) {
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.as_mut().unwrap());
    while !line.contains("ready") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "the child ended before it began");
    }
}

/// Waits a twentieth: between tries nothing else happens here.
struct ShortPause;

#[async_trait::async_trait]
impl Pause for ShortPause {
    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration / 20).await;
    }
}

pub(crate) fn connections(store: Arc<dyn TokenStore>, origin: &str, clock: Arc<TestClock>) -> Connections {
    let at = |path: &str| format!("{origin}{path}");
    let provider = Provider::new(&at("/authorize"), &at("/token"), &at("/v1"), Dialect::OAuth).unwrap();
    let app = App {
        client_id: "app1".to_owned(),
        client_secret: Some(Secret::from("s3cret")),
        redirect_uri: "https://acme.example/cb".to_owned(),
    };
    let outside = Surroundings {
        transport: Arc::new(Driver::loopback_only().unwrap()),
        clock,
        entropy: Arc::new(CountingEntropy::default()),
        pause: Arc::new(ShortPause),
    };
    Connections::new(provider, app, store, outside)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a process of its own, started and killed by other tests"]
async fn lives() {
    let given = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: not started by a test"));
    let (task, vault, origin) = (given(TASK), Whereabouts(given(VAULT)), given(ORIGIN));
    let clock = TestClock::at(Timestamp(given(NOW).parse().unwrap()));
    let store = vault.store(clock.clone()).await;
    let connections = connections(store.clone(), &origin, clock.clone());
    println!("ready");
    std::io::stdout().flush().unwrap();
    if task == "Import" {
        let imported = import_one(importer(connections, store.clone(), clock)).await;
        println!("{imported:?}");
        let lost = store.load("u").await.unwrap().is_some_and(|row| row.status().state == State::LostReply);
        std::process::exit(if imported.is_ok() {
            WORKS
        } else if lost {
            LOST_REPLY
        } else {
            OTHER
        });
    }
    let outcome = match task.as_str() {
        "Call" => connections.open("u").get("/v1/people").await.map(|response| response.status),
        "Adopt" => {
            connections.adopt("u", token_set("old", "r1")).await.unwrap();
            Ok(200)
        }
        "RefreshForEver" => loop {
            match connections.open("u").refresh_now().await {
                Ok(()) => {}
                // In passing: the authority fails as it was told to.
                Err(ConnectionError::RefreshFailed { .. }) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => break Err(error),
            }
        },
        _ => {
            let _end_of_input = std::io::stdin().read(&mut [0; 1]).unwrap();
            let calls: Vec<_> = (0..50)
                .map(|_| {
                    let connection = connections.open("u");
                    tokio::spawn(async move { connection.get("/v1/people").await.map(|response| response.status) })
                })
                .collect();
            let mut last = Ok(200);
            for call in calls {
                last = call.await.unwrap();
                if !matches!(last, Ok(200)) {
                    break;
                }
            }
            last
        }
    };
    let code = match &outcome {
        Ok(200) => WORKS,
        Err(ConnectionError::LostReply(_)) => LOST_REPLY,
        Err(ConnectionError::ReauthRequired(_)) => REAUTH_REQUIRED,
        _ => OTHER,
    };
    println!("{outcome:?}");
    std::process::exit(code);
}

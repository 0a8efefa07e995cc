//! A `keyfob serve` process: started, watched by its log, killed or stopped.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// More than any start or stop takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. Killed when dropped.
pub(super) struct Serving {
    child: Child,
    log: Arc<Log>,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

/// The lines of its log, as JSON where they are.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<Value>, bool)>,
    news: Condvar,
}

impl Serving {
    /// Starts it and waits until it says that it is ready.
    pub(super) fn start(command: Command) -> Serving {
        let mut serving = Serving::start_unready(command);
        serving.address = serving.listens("ready");
        serving
    }

    /// Starts it and waits for nothing.
    pub(super) fn start_unready(mut command: Command) -> Serving {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let log = Arc::new(Log::default());
        let (stderr, heard) = (BufReader::new(child.stderr.take().expect("a pipe")), log.clone());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                heard.lines.lock().expect("no panic").0.push(line);
                heard.news.notify_all();
            }
            heard.lines.lock().expect("no panic").1 = true;
            heard.news.notify_all();
        });
        Serving { child, log, address: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }

    /// Starts what must not start: its exit code, and what it said.
    pub(super) fn refused(command: Command) -> (Option<i32>, String) {
        let mut serving = Serving::start_unready(command);
        let code = serving.ended().code();
        (code, serving.said_to_its_end())
    }

    /// The address that it names in this message.
    pub(super) fn listens(&self, message: &str) -> SocketAddr {
        let line = self.says(message);
        line["fields"]["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
    }

    /// Waits for a line of the log with this message, and returns it.
    pub(super) fn says(&self, message: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().expect("no panic");
        loop {
            let found = lines.0.iter().find(|line| line["fields"]["message"].as_str() == Some(message));
            if let Some(found) = found {
                return found.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!lines.1 && !left.is_zero(), "it never said {message:?}: {:#?}", lines.0);
            lines = self.log.news.wait_timeout(lines, left).expect("no panic").0;
        }
    }

    /// Everything that it said so far.
    pub(super) fn said(&self) -> String {
        let lines = self.log.lines.lock().expect("no panic");
        lines.0.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    }

    /// Everything that it says until it ends.
    pub(super) fn said_to_its_end(&self) -> String {
        let mut lines = self.log.lines.lock().expect("no panic");
        while !lines.1 {
            lines = self.log.news.wait_timeout(lines, PATIENCE).expect("no panic").0;
        }
        drop(lines);
        self.said()
    }

    /// Its base URL.
    pub(super) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    pub(super) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Asks it to stop, as systemd does.
    pub(super) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
    }

    /// Waits until it has ended by itself.
    pub(super) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops it gracefully.
    pub(super) fn stop(mut self) {
        self.terminate();
        let status = self.ended();
        assert!(status.success(), "{status}: {}", self.said());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

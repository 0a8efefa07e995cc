//! A server as a process of its own, ended when dropped.

use crate::compose::{ISSUER, MASTER_KEY};
use crate::works;
use anyhow::Context;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    /// From its start until it said that it is ready.
    pub(crate) ready_after: Duration,
    stop: Stop,
}

/// How a server is ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It serves until its standard input ends.
    EndOfInput,
    /// By its process; whatever it answered is durable.
    Kill,
}

impl Server {
    /// Starts this program with other arguments and waits for the port on its standard output.
    pub(crate) fn start(arguments: &[&str]) -> anyhow::Result<Server> {
        let started = Instant::now();
        let mut process = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| arguments.join(" "))?;
        let mut line = String::new();
        let output = process.stdout.take().context("its output is piped")?;
        BufReader::new(output).read_line(&mut line)?;
        let port = line.trim().parse().with_context(|| format!("{} did not start", arguments.join(" ")))?;
        Ok(Server { process, port, ready_after: started.elapsed(), stop: Stop::EndOfInput })
    }

    /// Starts `keyfob serve` on a free port and waits until it says that it is ready.
    pub(crate) fn keyfob(program: &Path, data: &Path) -> anyhow::Result<Server> {
        Server::node(program, data, &data.join(MASTER_KEY), None)
    }

    /// The same on another store than the one in the data directory.
    pub(crate) fn node(program: &Path, data: &Path, master_key: &Path, store: Option<&str>) -> anyhow::Result<Server> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let started = Instant::now();
        let process = keyfob_command(program, data, master_key)
            .arg("serve")
            .env("KEYFOB_LISTEN", format!("127.0.0.1:{port}"))
            .envs(store.map(|store| ("KEYFOB_STORE", store)))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let mut server = Server { process, port, ready_after: Duration::ZERO, stop: Stop::Kill };
        server.wait_until_ready(started)?;
        Ok(server)
    }

    /// Asks `/readyz` until it answers 200.
    pub(crate) fn wait_until_ready(&mut self, started: Instant) -> anyhow::Result<()> {
        let request = works::get("/readyz", "connection: close\r\n");
        while !self.ask(&request).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            anyhow::ensure!(started.elapsed() < Duration::from_secs(10), "it is not ready after 10 s");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.ready_after = started.elapsed();
        Ok(())
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// One request on a connection of its own, which the request asks to close.
    pub(crate) fn ask(&self, request: &[u8]) -> anyhow::Result<String> {
        ask(self.port, request)
    }
}

/// The same, by the port alone.
pub(crate) fn ask(port: u16, request: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(request)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The release binary on this data; what it is to do is still to be said.
pub(crate) fn keyfob_command(program: &Path, data: &Path, master_key: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("KEYFOB_DATA", data).env("KEYFOB_ISSUER", ISSUER).env("KEYFOB_MASTER_KEY_FILE", master_key);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its standard input asks it to stop; it has no requests in flight.
        drop(self.process.stdin.take());
        let asked = Instant::now();
        while self.stop == Stop::EndOfInput && asked.elapsed() < Duration::from_secs(15) {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

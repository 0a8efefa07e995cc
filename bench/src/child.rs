//! A server as a process of its own, ended when dropped.

use crate::works;
use anyhow::Context;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
    /// From its start until it said that it is ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts this program with other arguments and waits for the port on its standard output. With a path to ask for, waits until
    /// that answers 200.
    pub(crate) fn start(arguments: &[&str], ready: Option<&str>) -> anyhow::Result<Server> {
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
        let mut server = Server { process, port, ready_after: Duration::ZERO };
        if let Some(path) = ready {
            while !server.ask(&works::get(path, "connection: close\r\n"))?.starts_with("HTTP/1.1 200") {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// One request on a connection of its own, which the request asks to close.
    pub(crate) fn ask(&self, request: &[u8]) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(request)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its standard input asks it to stop; it has no requests in flight.
        drop(self.process.stdin.take());
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(15) {
            if matches!(self.process.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

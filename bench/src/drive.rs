//! The load generator: one thread, one poll, keep-alive connections that each have one request out at a time.
//!
//! Closed loop: a reply is followed by the next request. Open loop: requests are due at fixed times; one that finds every connection
//! busy waits, and its latency counts from when it was due, so a pause of the server shows in all that it delayed.

use crate::reply;
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// What connections ask for, and what is made of the answers.
pub(crate) trait Work {
    /// Puts the next request of this connection into `out`. `false`: there is nothing left to ask.
    fn request(&mut self, connection: usize, out: &mut Vec<u8>) -> bool;
    /// A 200.
    fn answered(&mut self, connection: usize, body: &[u8]);
}

/// How to drive.
#[derive(Clone, Copy)]
pub(crate) struct Load<'p> {
    /// The servers, which connections are dealt out to.
    pub(crate) ports: &'p [u16],
    pub(crate) connections: usize,
    /// Counted; a warm-up of [`WARM_UP`] goes before it.
    pub(crate) time: Duration,
    /// Requests a second; `None`: as many as the connections bear.
    pub(crate) rate: Option<u32>,
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) elapsed: Duration,
    /// Microseconds.
    pub(crate) latency: Histogram<u64>,
    /// The longest time in which not one reply came.
    pub(crate) longest_silence: Duration,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }
}

/// Not counted, at the beginning of every load.
pub(crate) const WARM_UP: Duration = Duration::from_millis(500);
/// Between two looks at the sockets in an open loop.
const NAP: Duration = Duration::from_micros(40);
/// A server that answers nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    filled: usize,
    /// When the request that is out was sent, or due.
    since: Option<Instant>,
}

struct Driver<'w> {
    poll: Poll,
    connections: Vec<Connection>,
    work: &'w mut dyn Work,
    request: Vec<u8>,
    outcome: Outcome,
    counting_from: Instant,
    last_reply: Instant,
    exhausted: bool,
}

/// Drives until the time is over, the work has run out, or the server fails.
pub(crate) fn drive(load: Load<'_>, work: &mut dyn Work) -> anyhow::Result<Outcome> {
    let mut driver = Driver::connect(load, work)?;
    match load.rate {
        None => driver.closed_loop(load.time)?,
        Some(rate) => driver.open_loop(load.time, rate)?,
    }
    let Driver { mut outcome, counting_from, last_reply, .. } = driver;
    outcome.elapsed = last_reply.saturating_duration_since(counting_from);
    Ok(outcome)
}

impl<'w> Driver<'w> {
    fn connect(load: Load<'_>, work: &'w mut dyn Work) -> anyhow::Result<Driver<'w>> {
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(load.connections);
        for number in 0..load.connections {
            let port = load.ports[number % load.ports.len()];
            let stream = std::net::TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
            connections.push(Connection { stream, input: vec![0; 8192], filled: 0, since: None });
        }
        let outcome = Outcome {
            answered: 0,
            failed: 0,
            first_failure: None,
            elapsed: Duration::ZERO,
            latency: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            longest_silence: Duration::ZERO,
        };
        let counting_from = Instant::now() + WARM_UP;
        let request = Vec::with_capacity(2048);
        Ok(Driver {
            poll,
            connections,
            work,
            request,
            outcome,
            counting_from,
            last_reply: counting_from,
            exhausted: false,
        })
    }

    fn closed_loop(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = self.counting_from + time;
        let mut events = Events::with_capacity(1024);
        let started = Instant::now();
        for number in 0..self.connections.len() {
            self.send(number, started)?;
        }
        loop {
            self.poll.poll(&mut events, Some(Duration::from_millis(100)))?;
            let now = Instant::now();
            for event in &events {
                let number = event.token().0;
                if self.receive(number, now)? && now < end {
                    self.send(number, now)?;
                }
            }
            let idle = self.connections.iter().all(|connection| connection.since.is_none());
            if (now >= end || self.exhausted) && idle {
                return Ok(());
            }
            anyhow::ensure!(
                now.saturating_duration_since(self.last_reply) < PATIENCE,
                "the server answers nothing any more"
            );
        }
    }

    fn open_loop(&mut self, time: Duration, rate: u32) -> anyhow::Result<()> {
        let start = Instant::now();
        let end = self.counting_from + time;
        let due = |number: u64| start + Duration::from_secs_f64(number as f64 / f64::from(rate));
        let mut idle: VecDeque<usize> = (0..self.connections.len()).collect();
        let mut next = 0;
        let mut events = Events::with_capacity(1024);
        loop {
            self.poll.poll(&mut events, Some(Duration::ZERO))?;
            let now = Instant::now();
            for event in &events {
                if self.receive(event.token().0, now)? {
                    idle.push_back(event.token().0);
                }
            }
            while due(next) <= now && due(next) < end && !self.exhausted {
                let Some(number) = idle.pop_front() else { break };
                self.send(number, due(next))?;
                next += 1;
            }
            if (due(next) >= end || self.exhausted) && idle.len() == self.connections.len() {
                return Ok(());
            }
            anyhow::ensure!(
                now.saturating_duration_since(self.last_reply) < PATIENCE,
                "the server answers nothing any more"
            );
            if events.is_empty() {
                std::thread::sleep(NAP);
            }
        }
    }

    fn send(&mut self, number: usize, since: Instant) -> anyhow::Result<()> {
        self.request.clear();
        if !self.work.request(number, &mut self.request) {
            self.exhausted = true;
            return Ok(());
        }
        let connection = &mut self.connections[number];
        // The one request on this connection; it always fits the socket's buffer.
        connection.stream.write_all(&self.request)?;
        connection.since = Some(since);
        Ok(())
    }

    /// Whether a reply was completed.
    fn receive(&mut self, number: usize, now: Instant) -> anyhow::Result<bool> {
        let connection = &mut self.connections[number];
        loop {
            let reply = match connection.stream.read(&mut connection.input[connection.filled..]) {
                Ok(0) => anyhow::bail!("the server closed a connection"),
                Ok(count) => {
                    connection.filled += count;
                    reply::read(&connection.input[..connection.filled])
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => None,
                Err(error) => return Err(error.into()),
            };
            let (Some(reply), Some(since)) = (reply, connection.since) else { continue };
            // Nothing is pipelined: the buffer holds this reply and nothing after it, and the socket is drained.
            connection.filled = 0;
            connection.since = None;
            if reply.status == 200 {
                self.work.answered(number, reply.body);
            }
            let outcome = &mut self.outcome;
            if now >= self.counting_from {
                match reply.status {
                    200 => outcome.answered += 1,
                    _ => outcome.failed += 1,
                }
                let latency = now.saturating_duration_since(since).as_micros() as u64;
                outcome.latency.saturating_record(latency.max(1));
                outcome.longest_silence = outcome.longest_silence.max(now.saturating_duration_since(self.last_reply));
                self.last_reply = now;
            }
            if reply.status != 200 && outcome.first_failure.is_none() {
                outcome.first_failure = Some(format!("{} {}", reply.status, String::from_utf8_lossy(reply.body)));
            }
            return Ok(true);
        }
    }
}

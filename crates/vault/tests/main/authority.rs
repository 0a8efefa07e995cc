//! A token endpoint and an API on a real socket, as strict about refresh tokens as it is told.
//!
//! It knows what the client cannot: which token it gave last, and whether it redeemed one whose reply nobody read.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// It stays.
    Off,
    /// It is replaced; presented again, it gives the same successor until that has been used, and then nothing any more.
    WithReplay,
    /// It is replaced; presented again, it is refused, and nothing ends.
    Single,
    /// It is replaced; presented again, it ends the whole grant.
    Strict,
}

/// What becomes of a request to the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Carried out, and the connection is cut before the answer.
    ReplyLost,
    /// Carried out, and a gateway's page comes in place of the answer.
    GatewayPage,
    /// Not carried out, and said so.
    Unavailable,
    /// Not carried out, and an answer that does not say so.
    ServerError,
}

#[derive(Debug)]
struct Grant {
    rotation: Rotation,
    /// The number in the refresh token that is good.
    current: u64,
    ended: bool,
    redemptions: u64,
    refresh_requests: u64,
    /// Of each refresh: the number presented, and the one that was good then.
    history: Vec<(u64, u64)>,
    faults: VecDeque<Fault>,
    delay: Duration,
}

/// Answers until the test ends.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) origin: String,
    grant: Arc<Mutex<Grant>>,
    /// Requests that are being answered.
    busy: Arc<AtomicU64>,
}

impl Authority {
    pub(crate) fn start(rotation: Rotation) -> Authority {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let grant = Grant {
            rotation,
            current: 1,
            ended: false,
            redemptions: 0,
            refresh_requests: 0,
            history: Vec::new(),
            faults: VecDeque::new(),
            delay: Duration::ZERO,
        };
        let authority = Authority { origin, grant: Arc::new(Mutex::new(grant)), busy: Arc::default() };
        let answering = authority.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, authority) = (stream.unwrap(), answering.clone());
                authority.busy.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    // A client that was killed leaves half a request behind.
                    drop(authority.answer(&stream));
                    authority.busy.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        authority
    }

    /// A new grant, as after a new consent: its first refresh token.
    pub(crate) fn consent(&self) -> String {
        let mut grant = self.grant();
        grant.current += 10;
        grant.ended = false;
        format!("r{}", grant.current)
    }

    /// The user takes the grant back.
    pub(crate) fn end(&self) {
        self.grant().ended = true;
    }

    /// Returns when every request that was sent before has been answered: what a dead process left in the network arrives long before its
    /// lease runs out, and a test moves the clock.
    pub(crate) fn settle(&self) {
        let mut stream = TcpStream::connect(self.origin.trim_start_matches("http://")).unwrap();
        // Connections are taken in their order, so this one is behind all others.
        stream.write_all(b"GET /settle HTTP/1.1\r\n\r\n").unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        while self.busy.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// The last refreshes, for whoever has to find out what happened.
    pub(crate) fn last_refreshes(&self) -> String {
        let grant = self.grant();
        let from = grant.history.len().saturating_sub(12);
        format!("ended: {}, (presented, good): {:?}", grant.ended, &grant.history[from..])
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.grant().faults.push_back(fault);
    }

    /// What was to fail and did not come to it does not fail.
    pub(crate) fn heal(&self) {
        self.grant().faults.clear();
    }

    pub(crate) fn slow_down(&self, delay: Duration) {
        self.grant().delay = delay;
    }

    /// The refresh token that it takes at present.
    pub(crate) fn current(&self) -> String {
        format!("r{}", self.grant().current)
    }

    pub(crate) fn redemptions(&self) -> u64 {
        self.grant().redemptions
    }

    pub(crate) fn refresh_requests(&self) -> u64 {
        self.grant().refresh_requests
    }

    fn grant(&self) -> MutexGuard<'_, Grant> {
        self.grant.lock().unwrap()
    }

    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let is_refresh = line.starts_with("POST ");
        let (mut length, mut bearer) = (0, String::new());
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "authorization" => bearer = value.trim_start_matches("Bearer ").to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        let (status, text) = match is_refresh {
            true => match self.refresh(&body) {
                Some(answer) => answer,
                None => return Ok(()),
            },
            false if bearer == format!("a{}", self.grant().current) => (200, "{}".to_owned()),
            false => (401, "{}".to_owned()),
        };
        let length = text.len();
        write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}")
    }

    /// `None`: the connection is cut.
    fn refresh(&self, body: &str) -> Option<(u16, String)> {
        let presented = body.split('&').find_map(|pair| pair.strip_prefix("refresh_token=r")).unwrap();
        let presented: u64 = presented.parse().unwrap();
        let delay = self.grant().delay;
        std::thread::sleep(delay);
        let mut grant = self.grant();
        grant.refresh_requests += 1;
        let good = grant.current;
        grant.history.push((presented, good));
        let fault = grant.faults.pop_front();
        match fault {
            Some(Fault::Unavailable) => return Some((503, "{}".to_owned())),
            Some(Fault::ServerError) => return Some((500, "{}".to_owned())),
            _ => {}
        }
        let good = match grant.rotation {
            _ if grant.ended => false,
            Rotation::Off => presented == grant.current,
            Rotation::WithReplay => presented == grant.current || presented + 1 == grant.current,
            Rotation::Single | Rotation::Strict => presented == grant.current,
        };
        if !good {
            grant.ended |= grant.rotation != Rotation::Single;
            return Some((400, r#"{"error":"invalid_grant"}"#.to_owned()));
        }
        if presented == grant.current {
            grant.redemptions += 1;
            grant.current += u64::from(grant.rotation != Rotation::Off);
        }
        let number = grant.current;
        match fault {
            Some(Fault::ReplyLost) => None,
            Some(_) => Some((502, "<html>bad gateway</html>".to_owned())),
            None => {
                let tokens = format!(
                    r#"{{"access_token":"a{number}","refresh_token":"r{number}","token_type":"Bearer","expires_in":3600}}"#
                );
                Some((200, tokens))
            }
        }
    }
}

//! Row RL-04, stopping, and the sizes of row T-02 over a socket. Time is tokio's paused clock: it runs on by itself while everything
//! waits, so that ten seconds are exact and cost none.

use http::StatusCode;
use keyfob_server::listen::{ListenOptions, serve};
use keyfob_testkit::{Browser, TestServer};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

const TOKEN_HEAD: &str =
    "POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ";

/// A listener on a port of its own.
struct Listening {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    _server: TestServer,
}

impl Listening {
    async fn start(options: ListenOptions) -> Listening {
        let server = TestServer::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let router = server.router();
        let served = tokio::spawn(serve(listener, router, options, async { drop(stopped.await) }));
        // From here on: the store's threads are not among what the paused clock waits for.
        tokio::time::pause();
        Listening { address, stop: Some(stop), served, _server: server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a listener")
    }

    /// Sends bytes and returns everything until the server closes.
    async fn whole(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        rest(&mut stream).await
    }

    fn stop(&mut self) {
        drop(self.stop.take().expect("once"));
    }
}

#[expect(clippy::disallowed_methods, reason = "the runtime's paused clock, which nothing else measures")]
pub(crate) fn paused_now() -> Instant {
    Instant::now()
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}"));
    StatusCode::from_bytes(code.as_bytes()).expect("a status").as_u16()
}

#[tokio::test]
async fn rl_04_a_head_that_takes_more_than_10_seconds_is_given_up() {
    let listening = Listening::start(ListenOptions::default()).await;
    for head in ["", "GET /healthz HTT", "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Slow: "] {
        let begun = paused_now();
        let answer = listening.whole(head).await;
        assert!(answer.is_empty() || status(&answer) == 408, "{answer:?}");
        let waited = begun.elapsed();
        assert!((10_000..10_100).contains(&waited.as_millis()), "{head:?}: {waited:?}");
    }
    // A byte now and then does not buy more time.
    let mut stream = listening.connect().await;
    let begun = paused_now();
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.expect("sent");
    let mut byte = [0];
    while !matches!(timeout(Duration::from_secs(1), stream.read(&mut byte)).await, Ok(Ok(0) | Err(_))) {
        let _ = stream.write_all(b"X").await;
        assert!(begun.elapsed() < Duration::from_secs(12), "still open");
    }
    assert!(begun.elapsed() >= Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn rl_04_a_body_that_takes_more_than_10_seconds_is_408() {
    let listening = Listening::start(ListenOptions::default()).await;
    let mut stream = listening.connect().await;
    stream.write_all(format!("{TOKEN_HEAD}100\r\n\r\ngrant_type=").as_bytes()).await.expect("sent");
    let begun = paused_now();
    let answer = rest(&mut stream).await;
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(answer.contains("invalid_request") && answer.contains("no-store"), "{answer}");
    assert!((10_000..10_100).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    // The same for people's forms, and a byte a second does not help.
    let head = TOKEN_HEAD.replace("/oauth/token", "/sign-in");
    let mut stream = listening.connect().await;
    stream.write_all(format!("{head}100\r\n\r\n").as_bytes()).await.expect("sent");
    let begun = paused_now();
    let mut all = String::new();
    let mut buffer = [0; 4096];
    while begun.elapsed() < Duration::from_secs(30) {
        let _ = stream.write_all(b"x").await;
        match timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Ok(Ok(read)) => all.push_str(&String::from_utf8_lossy(&buffer[..read])),
            Err(_) => {}
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    assert_eq!(status(&all), 408, "{all}");
}

#[tokio::test]
async fn rl_04_beyond_the_connection_cap_one_waits_for_its_turn() {
    let listening = Listening::start(ListenOptions { connections: 2, ..ListenOptions::default() }).await;
    let mut first = listening.connect().await;
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n").await.expect("sent");
    let second = listening.connect().await;
    let begun = paused_now();
    let third = listening.whole("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    tokio::pin!(third);
    assert!(timeout(Duration::from_secs(9), &mut third).await.is_err(), "both places are taken");
    // The silent ones lose their places when their time for a head is over.
    let answer = third.await;
    assert_eq!(status(&answer), 200);
    assert!((9_000..10_200).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    drop((first, second));
}

#[tokio::test]
async fn rl_04_an_idle_connection_is_closed() {
    let listening = Listening::start(ListenOptions::default()).await;
    let begun = paused_now();
    let answer = listening.whole("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&answer), 200);
    assert!((9_900..10_200).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn rl_04_stopping_lets_requests_in_flight_finish() {
    let mut listening = Listening::start(ListenOptions::default()).await;
    let mut in_flight = listening.connect().await;
    let body = "grant_type=password";
    in_flight.write_all(format!("{TOKEN_HEAD}{}\r\n\r\n{}", body.len(), &body[..5]).as_bytes()).await.expect("sent");
    let mut idle = listening.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let mut first_bytes = [0; 15];
    idle.read_exact(&mut first_bytes).await.expect("answered");
    assert_eq!(&first_bytes, b"HTTP/1.1 200 OK");
    listening.stop();
    let begun = paused_now();
    rest(&mut idle).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "an idle connection closes at once");
    assert!(TcpStream::connect(listening.address).await.is_err(), "nobody is let in any more");
    assert!(!listening.served.is_finished());
    in_flight.write_all(&body.as_bytes()[5..]).await.expect("sent");
    let answer = rest(&mut in_flight).await;
    assert_eq!(status(&answer), 401, "{answer}");
    listening.served.await.expect("served to the end");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn rl_04_stopping_waits_for_the_grace_period_at_most() {
    let grace = Duration::from_secs(3);
    let mut listening = Listening::start(ListenOptions { grace, ..ListenOptions::default() }).await;
    let mut stuck = listening.connect().await;
    stuck.write_all(format!("{TOKEN_HEAD}100\r\n\r\n").as_bytes()).await.expect("sent");
    tokio::time::sleep(Duration::from_millis(10)).await;
    listening.stop();
    let begun = paused_now();
    (&mut listening.served).await.expect("served");
    assert!((3_000..3_200).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert_eq!(rest(&mut stuck).await, "", "cut off");
}

fn get(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n")
}

#[tokio::test]
async fn t_02_sizes_are_answered_over_a_socket_at_the_limit_and_beyond() {
    let listening = Listening::start(ListenOptions::default()).await;
    let target = |length: usize| format!("/oauth/token?{}", "x".repeat(length - "/oauth/token?".len()));
    let by_target = async |length| status(&listening.whole(&get(&target(length), "Host: a\r\n")).await);
    assert_eq!((by_target(8192).await, by_target(8193).await, by_target(40_000).await), (400, 414, 414));
    // Beyond the buffer the parser answers itself: the head cannot be told apart any more.
    assert!([414, 431].contains(&by_target(100_000).await));

    let own = "connectionclose".len();
    let headers = |total: usize| format!("X: {}\r\n", "y".repeat(total - own - 1));
    let by_headers = async |total| status(&listening.whole(&get("/oauth/token", &headers(total))).await);
    assert_eq!((by_headers(16_384).await, by_headers(16_385).await, by_headers(60_000).await), (400, 431, 431));
    assert_eq!(by_headers(200_000).await, 431);
    let many = get("/healthz", &"A: b\r\n".repeat(2000));
    assert_eq!(status(&listening.whole(&many).await), 431);

    let by_body = async |length: usize| {
        let head = TOKEN_HEAD.replace("Host: a", "Host: a\r\nConnection: close");
        status(&listening.whole(&format!("{head}{length}\r\n\r\n{}", "x".repeat(length))).await)
    };
    assert_eq!((by_body(65_536).await, by_body(65_537).await), (401, 413));
    // Without a length, in chunks.
    let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
    let chunked = TOKEN_HEAD.replace("Content-Length: ", "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    let by_chunks =
        async |tail: &str| status(&listening.whole(&format!("{chunked}{chunk}{chunk}{tail}0\r\n\r\n")).await);
    assert_eq!((by_chunks("").await, by_chunks("1\r\nx\r\n").await), (401, 413));
}

#[tokio::test]
async fn t_02_what_is_no_http_is_refused_and_nothing_is_said_about_the_server() {
    let listening = Listening::start(ListenOptions::default()).await;
    for bytes in [
        "\r\n\r\n\r\nnonsense\r\n\r\n",
        "GET /healthz HTTP/9.9\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nBad Header: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nX: a\u{0}b\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /oauth/token HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxx",
        "POST /oauth/token HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /oauth/token HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let answer = listening.whole(bytes).await;
        assert!(answer.is_empty() || status(&answer) == 400, "{bytes:?}: {answer}");
        assert!(!answer.to_ascii_lowercase().contains("hyper") && !answer.contains("server:"), "{answer}");
    }
    // One smuggled behind another's body is not believed to be a second request when both lengths are given.
    let both = "POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = listening.whole(both).await;
    assert!(!answer.contains("ok\n"), "{answer}");
}

#[tokio::test]
async fn rl_04_people_sign_in_through_a_socket_as_without_one() {
    // The listener adds nothing of its own to an answer: the page is the router's.
    let listening = Listening::start(ListenOptions::default()).await;
    let answer = listening.whole(&get("/connections", "Host: a\r\n")).await;
    assert_eq!(status(&answer), 200);
    assert!(answer.contains("set-cookie: keyfob-flow=") && answer.contains("content-security-policy: "), "{answer}");
    let direct = Browser::new(&listening._server).get("/connections").await;
    let names = direct.answer.headers.keys().map(|name| name.as_str());
    for name in names {
        assert!(answer.contains(&format!("\r\n{name}: ")), "{name}: {answer}");
    }
}

//! An upstream that fails, and a client that stalls.

use super::proxied::Proxied;
use crate::scripted::listen;
use axum::Router;
use axum::response::Response;
use http::StatusCode;
use keyfob_gate::front::ProxyConfig;
use keyfob_gate::front::proxy::Upstream;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn answer(proxied: &Proxied) -> (StatusCode, String) {
    let request = reqwest::Client::new().get(proxied.url("/")).header("authorization", proxied.bearer());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    (answer.status(), answer.text().await.unwrap())
}

fn impatient(upstream: SocketAddr) -> impl FnOnce(&mut ProxyConfig) {
    move |config| {
        let upstream = Upstream::new(&format!("http://{upstream}")).unwrap();
        config.upstream = upstream.with_head_time(Duration::from_millis(300));
    }
}

#[tokio::test]
async fn br_10_an_upstream_that_cannot_be_reached_is_502_without_a_word_of_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let proxied = Proxied::before(nobody, |_| ()).await;
    let (status, body) = answer(&proxied).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(body, r#"{"errorMessage":"The API cannot be reached at the moment."}"#);
}

#[tokio::test]
async fn br_10_an_upstream_that_speaks_something_else_is_502_without_a_word_of_it() {
    for said in [
        "SECRET\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nSECRET",
        "HTTP/1.1 101 x\r\n\r\n",
        "",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(said.as_bytes()).await;
            }
        });
        let proxied = Proxied::before(upstream, |_| ()).await;
        let (status, body) = answer(&proxied).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{said}");
        assert!(!body.contains("SECRET"));
        server.abort();
    }
}

#[tokio::test]
async fn br_10_an_upstream_that_does_not_begin_its_answer_is_504() {
    let never = Router::new().fallback(async || std::future::pending::<Response>().await);
    let (upstream, _server) = listen(never).await;
    let proxied = Proxied::before(upstream, impatient(upstream)).await;
    let (status, body) = answer(&proxied).await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::GATEWAY_TIMEOUT, r#"{"errorMessage":"The API did not answer in time."}"#)
    );
}

#[tokio::test]
async fn br_10_a_slow_upload_may_take_longer_than_the_upstream_and_a_stalled_one_may_not() {
    let echo = Router::new().fallback(async |body: String| body);
    let (upstream, _server) = listen(echo).await;
    let proxied = Proxied::before(upstream, impatient(upstream)).await;
    let head =
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nAuthorization: {}\r\n\r\n", proxied.bearer());
    for (pieces, status) in [(5, "HTTP/1.1 200"), (3, "HTTP/1.1 408")] {
        let mut stream = TcpStream::connect(proxied.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..pieces {
            tokio::time::sleep(Duration::from_millis(150)).await;
            stream.write_all(b"x").await.unwrap();
        }
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
        assert_eq!(std::str::from_utf8(&answer).unwrap(), status);
    }
}

#[test]
fn an_upstream_is_a_host_and_nothing_more() {
    for good in ["http://127.0.0.1:8000", "http://api", "https://api.example.com/"] {
        // Without certificate authorities on this machine https cannot be used; it is well-formed all the same.
        let problem = Upstream::new(good).err().map(|problem| problem.to_string());
        assert!(problem.is_none_or(|problem| problem.contains("certificate")), "{good}");
    }
    for bad in ["", "/", "api:8000", "ftp://api", "http://user@api", "http://api/base", "http://api/?x"] {
        assert!(Upstream::new(bad).is_err(), "{bad}");
    }
}

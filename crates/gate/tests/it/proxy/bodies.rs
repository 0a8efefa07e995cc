//! Bodies stream both ways, whole.

use super::proxied::Proxied;
use crate::scripted::listen;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt;
use http::{Method, StatusCode};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

/// A body of what is sent into the channel.
fn fed(mut pieces: mpsc::Receiver<&'static str>) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok(piece.into()))))
}

#[tokio::test]
async fn br_10_bodies_are_not_held_back_in_either_direction() {
    // Sends back each piece as it comes.
    let echo = Router::new().fallback(async |request: Request| Response::new(request.into_body()));
    let (upstream, _server) = listen(echo).await;
    let proxied = Proxied::before(upstream, |_| ()).await;
    let (send, pieces) = mpsc::channel(1);
    let request = reqwest::Client::new().post(proxied.url("/")).header("authorization", proxied.bearer());
    let mut answer =
        timeout(PATIENCE, request.body(reqwest::Body::wrap_stream(fed(pieces))).send()).await.unwrap().unwrap();
    for piece in ["one", "two", "three"] {
        send.send(piece).await.unwrap();
        assert_eq!(timeout(PATIENCE, answer.chunk()).await.unwrap().unwrap().unwrap(), piece);
    }
    drop(send);
    assert_eq!(timeout(PATIENCE, answer.chunk()).await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn br_10_a_long_body_arrives_whole_with_its_length() {
    let echo = Router::new().fallback(async |request: Request| {
        let length = request.headers().get("content-length").cloned();
        let mut response = Response::new(request.into_body());
        response.headers_mut().insert("x-length", length.unwrap());
        response
    });
    let (upstream, _server) = listen(echo).await;
    let proxied = Proxied::before(upstream, |_| ()).await;
    let body: Vec<u8> = (0..8_000_000_u32).map(|n| (n / 7) as u8).collect();
    let request = reqwest::Client::new().post(proxied.url("/")).header("authorization", proxied.bearer());
    let answer = request.body(body.clone()).send().await.unwrap();
    assert_eq!(answer.headers()["x-length"], "8000000");
    assert!(answer.bytes().await.unwrap() == body);
}

#[tokio::test]
async fn br_10_answers_without_a_body_stay_so() {
    let upstream = Router::new().fallback(async |request: Request| {
        let status = match request.uri().path() {
            "/none" => StatusCode::NO_CONTENT,
            "/same" => StatusCode::NOT_MODIFIED,
            _ => StatusCode::OK,
        };
        let body = if status == StatusCode::OK { Body::from("twelve bytes") } else { Body::empty() };
        Response::builder().status(status).header("etag", "\"1\"").body(body).unwrap()
    });
    let (upstream, _server) = listen(upstream).await;
    let proxied = Proxied::before(upstream, |_| ()).await;
    let client = reqwest::Client::new();
    for (method, path, status, length, body) in [
        (Method::GET, "/", 200, Some("12"), "twelve bytes"),
        (Method::HEAD, "/", 200, Some("12"), ""),
        (Method::GET, "/none", 204, None, ""),
        (Method::GET, "/same", 304, None, ""),
        (Method::DELETE, "/", 200, Some("12"), "twelve bytes"),
    ] {
        let request = client.request(method.clone(), proxied.url(path)).header("authorization", proxied.bearer());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(answer.headers()["etag"], "\"1\"");
        assert_eq!(
            answer.headers().get("content-length").map(|length| length.to_str().unwrap()),
            length,
            "{method} {path}"
        );
        assert_eq!(answer.text().await.unwrap(), body, "{method} {path}");
    }
}

#[tokio::test]
async fn br_10_a_client_that_waits_for_100_is_told_to_go_on() {
    let proxied = Proxied::new(|_| ()).await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\nAuthorization: {}\r\n",
        proxied.bearer()
    );
    let answer = proxied.raw(&format!("{head}\r\nabc")).await;
    assert!(answer.starts_with("HTTP/1.1 100"), "{answer}");
    assert!(answer.contains("\"body\":\"abc\"") && !answer.contains("expect"), "{answer}");
}

#[tokio::test]
async fn br_10_an_endless_answer_ends_with_its_client() {
    let (gone, mut noticed) = mpsc::channel::<()>(1);
    let upstream = Router::new().fallback(async move || {
        let gone = gone.clone();
        let endless = futures_util::stream::repeat(()).then(move |()| {
            let _held = gone.clone();
            async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok::<_, Infallible>(Bytes::from_static(b"x"))
            }
        });
        Response::new(Body::from_stream(endless))
    });
    let (upstream, server) = listen(upstream).await;
    let proxied = Proxied::before(upstream, |_| ()).await;
    let request = reqwest::Client::new().get(proxied.url("/")).header("authorization", proxied.bearer());
    let mut answer = request.send().await.unwrap();
    assert!(answer.chunk().await.unwrap().is_some());
    drop(answer);
    // No new connections; the senders that are left are those of answers that still run.
    server.abort();
    assert_eq!(timeout(PATIENCE, noticed.recv()).await.expect("the upstream's answer ends"), None);
}

use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Answers one request with these bytes, and returns what was asked.
async fn provider(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut asked = Vec::new();
        let mut part = [0; 4096];
        while !asked.ends_with(b"\r\n\r\n") && !asked.ends_with(b"code=c") {
            let read = stream.read(&mut part).await.expect("a request");
            asked.extend_from_slice(&part[..read]);
        }
        // Whoever gives up early resets the connection.
        let _ = stream.write_all(&answer).await;
        String::from_utf8(asked).expect("text")
    });
    (address, asked)
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn request(address: SocketAddr, form: Option<&str>) -> BackRequest {
    let authorization = form.map(|_| Secret::from("Basic aWQ6c2VjcmV0"));
    BackRequest { url: format!("http://{address}/token"), authorization, form: form.map(Secret::from) }
}

fn channel() -> BackChannel {
    driver("http://127.0.0.1").expect("a driver")
}

#[tokio::test]
async fn a_form_is_posted_with_its_credentials_and_a_document_is_fetched() {
    let (address, asked) = provider(answer("400 Bad Request", b"{}")).await;
    let got = channel().send(request(address, Some("code=c"))).await.expect("an answer");
    assert_eq!((got.status, got.body.expose().as_slice()), (400, &b"{}"[..]));
    let asked = asked.await.expect("asked");
    assert!(asked.starts_with("POST /token HTTP/1.1\r\n") && asked.ends_with("\r\n\r\ncode=c"), "{asked}");
    let lower = asked.to_ascii_lowercase();
    assert!(
        lower.contains("authorization: basic ") && lower.contains("content-type: application/x-www-form-urlencoded")
    );
    let (address, asked) = provider(answer("200 OK", b"{}")).await;
    assert_eq!(channel().send(request(address, None)).await.expect("an answer").status, 200);
    assert!(asked.await.expect("asked").starts_with("GET /token "));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_long_answer_not_read() {
    let (elsewhere, never) = provider(answer("200 OK", b"{}")).await;
    let (address, _) = provider(answer(&format!("307 T\r\nlocation: http://{elsewhere}/"), b"")).await;
    assert_eq!(channel().send(request(address, Some("code=c"))).await.expect("an answer").status, 307);
    assert!(!never.is_finished());
    never.abort();
    let (address, _) = provider(answer("200 OK", &vec![b' '; LONGEST_ANSWER + 1])).await;
    let none = channel().send(request(address, None)).await.expect_err("too long");
    assert!(none.0.contains("longer than"), "{none}");
}

#[tokio::test]
async fn a_provider_that_is_down_or_silent_and_one_in_clear_are_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let hasty = BackChannel { patience: Duration::from_millis(50), ..channel() };
    let none = hasty.send(request(address, None)).await.expect_err("silent");
    assert!(none.0.contains("none within"), "{none}");
    drop(listener);
    let none = channel().send(request(address, Some("code=c"))).await.expect_err("down");
    assert!(!none.0.contains("code=c"), "{none}");
    let clear = BackRequest { url: "http://idp.example.com/token".to_owned(), authorization: None, form: None };
    assert!(channel().send(clear).await.is_err());
}

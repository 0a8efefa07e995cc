//! The driver, against real listeners on this machine: redirects, plain HTTP, certificates, and the bytes themselves.

use crate::scripted::*;
use keyfob_client::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that keeps what it is sent and gives one answer to everybody.
struct Server {
    address: std::net::SocketAddr,
    received: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn answering(answer: String) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received: Arc<Mutex<Vec<String>>> = Arc::default();
        let keep = received.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                keep.lock().unwrap().push(String::new());
                let mut buffer = vec![0; 16 * 1024];
                loop {
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
                    keep.lock().unwrap().last_mut().unwrap().push_str(&text);
                    let whole = keep.lock().unwrap().last().unwrap().clone();
                    let head = whole.split_once("\r\n\r\n");
                    let length = whole.lines().find_map(|line| line.strip_prefix("content-length: "));
                    let length: usize = length.map_or(0, |length| length.parse().unwrap());
                    if read == 0 || head.is_some_and(|(_, body)| body.len() >= length) {
                        break;
                    }
                }
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Server { address, received }
    }

    fn received(&self) -> Vec<String> {
        self.received.lock().unwrap().clone()
    }

    fn provider(&self) -> Provider {
        Provider::keyfob(&format!("http://{}", self.address)).unwrap().speaking(Dialect::FollowUpBoss)
    }
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

const TOKENS: &str = r#"{"access_token":"a2","token_type":"Bearer","expires_in":3600,"refresh_token":"r2"}"#;

fn refresh_at(provider: &Provider) -> HttpRequest {
    refresh::request(provider, &app(), &token_set("a1", "r1"), START).unwrap().0
}

#[tokio::test]
async fn cl_04_a_redirect_of_the_token_endpoint_is_an_error_and_no_credentials_follow_it() {
    let thief = Server::answering(http("200 OK", "", TOKENS)).await;
    for status in
        ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let location = format!("location: http://{}/oauth/token\r\n", thief.address);
        let server = Server::answering(http(status, &location, "")).await;
        let driver = Driver::loopback_only().unwrap();
        for provider in [server.provider(), server.provider().legacy()] {
            let (request, sent) = refresh::request(&provider, &app(), &token_set("a1", "r1"), START).unwrap();
            let failure = sent.read(driver.send(&request).await, START).unwrap_err();
            assert!(matches!(failure, TokenFailure::Operator(_)), "{failure}");
        }
        assert_eq!(server.received().len(), 2);
    }
    assert_eq!(thief.received(), Vec::<String>::new());
}

#[tokio::test]
async fn cl_04_a_redirect_of_the_api_is_given_as_it_is_and_the_token_does_not_follow() {
    let thief = Server::answering(http("200 OK", "", "{}")).await;
    let api = Server::answering(http("302 Found", &format!("location: http://{}/\r\n", thief.address), "")).await;
    let world = World::new();
    let outside = Surroundings {
        transport: Arc::new(Driver::loopback_only().unwrap()),
        clock: world.clock.clone(),
        entropy: Arc::new(SeededEntropy::default()),
        pause: world.pause.clone(),
    };
    let connections = Connections::new(api.provider(), app(), world.store.clone(), outside);
    let connection = connections.adopt("u", token_set("a1", "r1")).await.unwrap();
    assert_eq!(connection.get("/v1/people").await.unwrap().status, 302);
    assert!(api.received()[0].contains("authorization: Bearer a1\r\n"));
    assert_eq!(thief.received(), Vec::<String>::new());
}

#[tokio::test]
async fn cl_04_a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_sent() {
    use tokio_rustls::rustls;
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let inside: Arc<Mutex<Vec<u8>>> = Arc::default();
    let keep = inside.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut buffer = vec![0; 16 * 1024];
            let read = stream.read(&mut buffer).await.unwrap_or(0);
            keep.lock().unwrap().extend_from_slice(&buffer[..read]);
            let _ = stream.write_all(http("200 OK", "", TOKENS).as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    let request = refresh_at(&Provider::keyfob(&format!("https://localhost:{port}")).unwrap());
    for driver in [Driver::new().unwrap(), Driver::loopback_only().unwrap()] {
        assert!(matches!(driver.send(&request).await, Err(SendFailure::NotSent(_))));
    }
    assert!(inside.lock().unwrap().is_empty());
    // The same server, vouched for by its operator, is reached.
    let driver = Driver::trusting_also(cert.pem().as_bytes()).unwrap();
    assert_eq!(driver.send(&request).await.unwrap().status, 200);
    assert!(Driver::trusting_also(b"-----BEGIN CERTIFICATE-----\n%\n-----END CERTIFICATE-----\n").is_err());
}

#[tokio::test]
async fn cl_13_plain_http_to_another_machine_is_refused_before_a_byte_is_sent() {
    // Linux connects 0.0.0.0 and [::] to this machine, so without the refusal the first of these hosts would be reached.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let driver = Driver::loopback_only().unwrap();
    for host in ["0.0.0.0", "127.0.0.1.nip.example", "example.com", "[::]", "10.0.0.1"] {
        assert!(matches!(Provider::keyfob(&format!("http://{host}:{port}")), Err(UnsafeUrl::NotHttps(_))), "{host}");
        // The driver refuses by itself as well, whoever built the request.
        let mut request = refresh_at(&Provider::keyfob("https://id.example.com").unwrap());
        request.url = Secret::new(format!("http://{host}:{port}/oauth/token"));
        let refused = driver.send(&request).await;
        assert!(matches!(refused, Err(SendFailure::Refused(UnsafeUrl::NotHttps(_)))), "{host}: {refused:?}");
    }
    // Whoever connects now is first in the queue: no connection came before.
    let probe = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (_, first) = listener.accept().await.unwrap();
    assert_eq!(first, probe.local_addr().unwrap());
}

#[tokio::test]
async fn cl_11_the_bytes_on_the_wire_are_those_of_the_request() {
    let server = Server::answering(http("200 OK", "content-type: application/json\r\n", TOKENS)).await;
    let driver = Driver::loopback_only().unwrap();
    driver.send(&refresh_at(&server.provider().legacy())).await.unwrap();
    driver.send(&refresh_at(&server.provider())).await.unwrap();
    let host = server.address;
    assert_eq!(
        server.received(),
        [
            format!(
                "GET /oauth/token?grant_type=refresh_token&refresh_token=r1 HTTP/1.1\r\naccept: application/json\r\n\
                 authorization: Basic YXBwMTpzM2NyZXQ=\r\nhost: {host}\r\n\r\n"
            ),
            format!(
                "POST /oauth/token HTTP/1.1\r\naccept: application/json\r\nauthorization: Basic YXBwMTpzM2NyZXQ=\r\n\
                 content-type: application/x-www-form-urlencoded\r\nhost: {host}\r\ncontent-length: 41\r\n\r\n\
                 grant_type=refresh_token&refresh_token=r1"
            ),
        ]
    );
}

#[tokio::test]
async fn cl_06_silence_and_refused_connections_are_told_apart() {
    let driver = Driver::loopback_only().unwrap();
    let silent = Server::answering(String::new()).await;
    let failure = driver.send(&refresh_at(&silent.provider().legacy())).await.unwrap_err();
    assert!(matches!(&failure, SendFailure::Unanswered(text) if !text.contains("r1")), "{failure}");
    let cut = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned()).await;
    assert!(matches!(driver.send(&refresh_at(&cut.provider())).await, Err(SendFailure::Unanswered(_))));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let provider = Provider::keyfob(&format!("http://{}", nobody.local_addr().unwrap())).unwrap();
    drop(nobody);
    assert!(matches!(driver.send(&refresh_at(&provider)).await, Err(SendFailure::NotSent(_))));
}

#[tokio::test]
async fn an_observer_sees_both_messages_and_prints_no_secret() {
    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);
    impl Observer for Recorder {
        fn exchanged(&self, request: &HttpRequest, answer: Result<&HttpResponse, &SendFailure>) {
            self.0.lock().unwrap().push(format!("{request:?} -> {answer:?}"));
            let body = answer.map(|response| response.body.expose().clone()).unwrap_or_default();
            self.0.lock().unwrap().push(String::from_utf8(body).unwrap());
        }
    }
    let server =
        Server::answering(http("200 OK", "set-cookie: id=hunter2\r\ncontent-type: application/json\r\n", TOKENS)).await;
    let recorder = Arc::new(Recorder::default());
    let observed = Observed::new(Arc::new(Driver::loopback_only().unwrap()), recorder.clone());
    observed.send(&refresh_at(&server.provider().legacy())).await.unwrap();
    let seen = recorder.0.lock().unwrap();
    for secret in ["r1", "r2", "a2", "YXBw", "hunter2"] {
        assert!(!seen[0].contains(secret), "{secret} in {}", seen[0]);
    }
    assert!(seen[0].contains("/oauth/token?[redacted]") && seen[0].contains("application/json"), "{}", seen[0]);
    assert_eq!(seen[1], TOKENS, "by expose the page can show it");
}

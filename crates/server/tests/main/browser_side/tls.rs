//! Row SE-03: TLS by this process, and a certificate that is replaced while it serves.

use super::listener::paused_now;
use keyfob_server::listen::tls::{Tls, TlsError};
use keyfob_server::listen::{ListenOptions, serve};
use keyfob_testkit::TestServer;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

fn made() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate")
}

/// Writes a file and dates it, since two writes can be too close for a file system to tell apart.
fn write(path: &Path, text: &str, date: u64) {
    std::fs::write(path, text).expect("written");
    let file = std::fs::File::options().write(true).open(path).expect("there");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(date)).expect("dated");
}

/// The certificate that is served, and the status of a request over it. Trusts `trusted` only.
async fn ask(address: SocketAddr, trusted: &[CertificateDer<'static>]) -> std::io::Result<(Vec<u8>, String)> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector.connect(name, stream).await?;
    let served = stream.get_ref().1.peer_certificates().expect("a chain")[0].to_vec();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok((served, answer.split("\r\n").next().unwrap_or_default().to_owned()))
}

#[tokio::test]
async fn se_03_a_replaced_certificate_is_served_without_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let (first, second) = (made(), made());
    write(&certificate, &first.cert.pem(), 300);
    write(&key, &first.signing_key.serialize_pem(), 300);
    let tls = Tls::load(&certificate, &key).expect("a pair");

    let server = TestServer::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let options = ListenOptions { tls: Some(tls.clone()), ..ListenOptions::default() };
    let served = tokio::spawn(serve(listener, server.router(), options, std::future::pending()));
    let followed = tokio::spawn(tls.follow(certificate.clone(), key.clone()));
    let trusted = [first.cert.der().clone(), second.cert.der().clone()];
    let ok = "HTTP/1.1 200 OK".to_owned();
    assert_eq!(ask(address, &trusted).await.expect("served"), (first.cert.der().to_vec(), ok.clone()));
    // What does not trust it gets nothing, and what speaks no TLS gets no HTTP.
    assert!(ask(address, &trusted[1..]).await.is_err());
    let mut plain = TcpStream::connect(address).await.expect("a listener");
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");

    tokio::time::pause();
    let looked = || tokio::time::sleep(Duration::from_secs(5));
    // Half of a pair, then garbage: the earlier one stays.
    write(&certificate, &second.cert.pem(), 200);
    looked().await;
    assert_eq!(ask(address, &trusted).await.expect("served").0, first.cert.der().to_vec());
    write(&certificate, "-----BEGIN CERTIFICATE-----\nnonsense\n", 150);
    looked().await;
    assert_eq!(ask(address, &trusted).await.expect("served").0, first.cert.der().to_vec());
    write(&certificate, &second.cert.pem(), 100);
    write(&key, &second.signing_key.serialize_pem(), 100);
    looked().await;
    assert_eq!(ask(address, &trusted).await.expect("served"), (second.cert.der().to_vec(), ok));
    followed.abort();
    served.abort();
}

#[tokio::test]
async fn se_03_a_pair_that_does_not_fit_does_not_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let missing = Tls::load(&certificate, &key).err().expect("no files").to_string();
    assert!(missing.contains("cert.pem"), "{missing}");
    let (first, second) = (made(), made());
    write(&certificate, &first.cert.pem(), 0);
    write(&key, &second.signing_key.serialize_pem(), 0);
    let error = Tls::load(&certificate, &key).err().expect("not a pair");
    assert!(matches!(error, TlsError::Pair(_)), "{error}");
    // The names are swapped: said without a word of the key.
    let error = Tls::load(&key, &certificate).err().expect("swapped").to_string();
    let secret = second.signing_key.serialize_pem();
    assert!(!secret.lines().any(|line| error.contains(line)), "{error}");
}

#[tokio::test]
async fn rl_04_a_tls_handshake_that_stalls_is_given_up_after_10_seconds() {
    let directory = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let pair = made();
    write(&certificate, &pair.cert.pem(), 0);
    write(&key, &pair.signing_key.serialize_pem(), 0);
    let options = ListenOptions { tls: Some(Tls::load(&certificate, &key).expect("a pair")), ..Default::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let served = tokio::spawn(serve(listener, axum::Router::new(), options, std::future::pending()));
    tokio::time::pause();
    let mut stream = TcpStream::connect(address).await.expect("a listener");
    stream.write_all(&[22, 3, 1]).await.expect("sent");
    let begun = paused_now();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    assert!((10_000..10_100).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    served.abort();
}

//! SE-03 and what surrounds the listener: plain HTTP on loopback only, TLS, stopping gracefully, metrics apart.

use super::partner::tokens;
use super::place::{Place, REDIRECT_URI};
use super::serving::Serving;
use super::visitor::{Visitor, http_client, send};
use keyfob_protocol::form;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn se_03_unsafe_transport_and_unknown_settings_refuse_to_start() {
    let place = Place::new();
    for (name, value, words) in [
        ("KEYFOB_LISTEN", "0.0.0.0:0", ["listen 0.0.0.0:0", "[tls]"]),
        ("KEYFOB_LISTEN", "[::]:0", ["listen [::]:0", "[tls]"]),
        ("KEYFOB_LISTEN", "nowhere", ["KEYFOB_LISTEN", "127.0.0.1:8080"]),
        ("KEYFOB_ISSUER", "http://auth.example.com", ["issuer http://auth.example.com", "https"]),
        ("KEYFOB_ISSUER", "https://auth.example.com/", ["issuer", "trailing slash"]),
        ("KEYFOB_LOG", "yaml", ["KEYFOB_LOG", "text or json"]),
        ("KEYFOB_LISTENING", "127.0.0.1:0", ["KEYFOB_LISTENING", "no such setting"]),
    ] {
        let mut serve = place.command(&["serve"]);
        serve.env(name, value);
        let (code, said) = Serving::refused(serve);
        assert_eq!(code, Some(3), "{name}={value}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{name}={value}: {said}");
    }
    std::fs::write(place.around().join("keyfob.toml"), "lisen = \"127.0.0.1:0\"").expect("written");
    let (code, said) = Serving::refused(place.command(&["serve"]));
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("keyfob.toml") && said.contains("lisen"), "{said}");
    assert!(!place.data().exists() && !place.master_key_file().exists(), "nothing was made");
}

fn certificate(directory: &Path) -> String {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    // The key last: both are read again when either changes.
    std::fs::write(directory.join("cert.pem"), cert.pem()).expect("written");
    std::fs::write(directory.join("key.pem"), signing_key.serialize_pem()).expect("written");
    std::fs::set_permissions(directory.join("key.pem"), std::fs::Permissions::from_mode(0o600)).expect("its mode");
    cert.pem()
}

fn tls_client(pem: &str) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    let client = reqwest::Client::builder().tls_certs_only([certificate]).no_proxy();
    client.redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

#[tokio::test]
async fn se_03_tls_binds_cookies_to_the_host_and_a_new_certificate_needs_no_restart() {
    let place = Place::new();
    let with_tls = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.env("KEYFOB_ISSUER", "https://localhost");
        command
    };
    let first = certificate(place.around());
    let tls = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    std::fs::write(place.around().join("keyfob.toml"), tls).expect("written");
    let check = super::place::told(with_tls(&["config", "check"]), "");
    assert_eq!(check.code, Some(0), "{check:?}");
    let serving = Serving::start(with_tls(&["serve"]));
    let base = format!("https://localhost:{}", serving.address.port());

    let mut visitor = Visitor::new(&tls_client(&first));
    let page = visitor.get(&format!("{base}/connections")).await.expect("an answer");
    let cookies: Vec<_> = page.headers.get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok()).collect();
    assert!(!cookies.is_empty(), "{:?}", page.headers);
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-keyfob-") && cookie.contains("; Secure"), "{cookie}");
        assert!(cookie.contains("; Path=/") && cookie.contains("; HttpOnly") && !cookie.contains("Domain"), "{cookie}");
    }
    assert!(page.header("strict-transport-security").contains("max-age="), "{:?}", page.headers);

    let mut plain = TcpStream::connect(serving.address).expect("connected");
    plain.write_all(b"GET /connections HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
    let mut heard = Vec::new();
    // A reset is an answer, too.
    let _ = plain.read_to_end(&mut heard);
    let heard = String::from_utf8_lossy(&heard).to_lowercase();
    assert!(!heard.contains("set-cookie") && !heard.contains("200 ok"), "plain HTTP on the TLS port: {heard}");

    let second = certificate(place.around());
    let since = Instant::now();
    while send(tls_client(&second).get(format!("{base}/healthz"))).await.is_err() {
        assert!(since.elapsed() < Duration::from_secs(20), "the certificate was not read again: {}", serving.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    serving.stop();

    std::fs::write(place.around().join("cert.pem"), "not a certificate").expect("written");
    for command in [with_tls(&["config", "check"]), with_tls(&["serve"])] {
        let (code, said) = Serving::refused(command);
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("tls"), "{said}");
    }
}

#[tokio::test]
async fn op_02_a_request_in_flight_finishes_when_the_server_is_told_to_stop() {
    let place = Place::new();
    let people = place.people();
    let mut serving = place.serve();
    let http = http_client();
    let code = Visitor::new(&http).connect(&serving.base(), &people.fixed, "s").await.expect("a code");

    let app = &people.fixed;
    let body = form::encode([
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT_URI),
        ("state", "s"),
        ("client_id", &app.client_id),
        ("client_secret", &app.client_secret),
    ]);
    let mut stream = TcpStream::connect(serving.address).expect("connected");
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answers = BufReader::new(stream.try_clone().expect("a handle"));
    let mut line = String::new();
    answers.read_line(&mut line).expect("the handler waits for the body");
    assert!(line.starts_with("HTTP/1.1 100"), "{line}");

    serving.terminate();
    serving.says("stopping; requests in flight are finished first");
    stream.write_all(body.as_bytes()).expect("sent");
    let mut answer = String::new();
    answers.read_to_string(&mut answer).expect("the whole answer, and the end of the connection");
    assert!(answer.contains("HTTP/1.1 200") && answer.contains("\"refresh_token\""), "{answer}");
    assert!(serving.ended().success());
    assert!(TcpStream::connect(serving.address).is_err(), "nobody listens any more");

    let body = answer.rsplit("\r\n").find(|part| part.starts_with('{')).expect("JSON");
    let refresh = serde_json::from_str::<serde_json::Value>(body).expect("JSON")["refresh_token"].clone();
    let serving = place.serve();
    let refresh = refresh.as_str().expect("a token");
    tokens(&app.refresh(&http, &serving.base(), super::partner::Shape::Post, refresh).await.expect("an answer"));
}

#[tokio::test]
async fn lg_metrics_are_on_a_listener_of_their_own() {
    let place = Place::new();
    let mut serve = place.command(&["serve"]);
    serve.env("KEYFOB_METRICS_LISTEN", "127.0.0.1:0");
    let serving = Serving::start(serve);
    let metrics = serving.listens("metrics");
    let http = http_client();
    let answer = send(http.get(format!("http://{metrics}/metrics"))).await.expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("keyfob_store_behind_total 0"), "{}", answer.body);
    let public = send(http.get(format!("{}/metrics", serving.base()))).await.expect("an answer");
    assert_eq!(public.status, 404);
    let other = send(http.get(format!("http://{metrics}/oauth/jwks"))).await.expect("an answer");
    assert_eq!(other.status, 404);
    serving.stop();
}

/// Who is asked about an error page has its request id and this log.
#[tokio::test]
async fn az_04_the_log_says_why_a_redirect_uri_was_refused_and_nothing_of_its_query() {
    let place = Place::new();
    let people = place.people();
    let serving = place.serve();
    let wrong = people.fixed.authorize("s").replace("callback", "calback%3Ftoken%3Dneedle");
    let refused = send(http_client().get(format!("{}{wrong}", serving.base()))).await.expect("an answer");
    assert_eq!(refused.status, 400, "{}", refused.body);
    let said = serving.says("authorize request shown as an error page");
    let field = |name: &str| said["fields"][name].as_str().unwrap_or_default().to_owned();
    assert_eq!((field("parameter"), field("client_id")), ("redirect_uri".to_owned(), people.fixed.client_id.clone()));
    assert_eq!(
        (field("expected").as_str(), field("received")),
        (REDIRECT_URI, REDIRECT_URI.replace("callback", "calback"))
    );
    assert_eq!(field("request_id"), refused.header("x-request-id"));
    assert!(!serving.said().contains("needle"));
    serving.stop();
}

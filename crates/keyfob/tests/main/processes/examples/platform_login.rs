//! `examples/platform-login` as a process beside the binary: authorize, hand-off, consent, code.

use super::super::foreign_clients::Installed;
use super::super::partner::Shape;
use super::super::place::Place;
use super::super::visitor::{Visitor, code_in, http_client};
use super::vault::Script;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Known before anybody listens: the two sides name each other in their settings.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}

fn openssl(arguments: &[&str], directory: &Path) {
    let status = Command::new("openssl").args(arguments).current_dir(directory).stderr(Stdio::null()).status();
    assert!(status.expect("openssl is installed: ./test names what is needed").success(), "{arguments:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_login_signs_a_user_in_who_then_connects_an_app() {
    let mut node = Command::new("node");
    node.arg("login.mjs");
    signs_a_user_in(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_login_signs_a_user_in_who_then_connects_an_app() {
    let mut python = Command::new(Installed::find().python());
    python.args(["-B", "login.py"]);
    signs_a_user_in(python).await;
}

async fn signs_a_user_in(mut stub: Command) {
    let (issuer, login) =
        (format!("http://127.0.0.1:{}", free_port()), format!("http://127.0.0.1:{}/keyfob-login", free_port()));
    let place = Place::of(&issuer);
    let partner = place.people().fixed;
    let port = login.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()).expect("a port").to_owned();
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "private.pem"], place.around());
    openssl(&["pkey", "-in", "private.pem", "-pubout", "-out", "public.pem"], place.around());
    let config = format!("[sign_in.platform]\nurl = \"{login}\"\npublic_key_file = \"public.pem\"\n");
    std::fs::write(place.around().join("keyfob.toml"), config).expect("written");

    let directory: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/platform-login");
    stub.current_dir(directory).stdin(Stdio::null()).stderr(Stdio::piped());
    stub.env("KEYFOB_ISSUER", &issuer).env("LOGIN_URL", &login).env("LISTEN_PORT", &port);
    let mut stub = Script::start({
        stub.env("PRIVATE_KEY", place.around().join("private.pem"));
        stub
    });
    assert_eq!(stub.line().await, format!("listening on {port}"));
    let _serving = place.serve_at_issuer();

    let http = http_client();
    let mut person = Visitor::new(&http);
    let away = person.get(&format!("{issuer}{}", partner.authorize("s1"))).await.expect("an answer");
    assert_eq!(away.status, 303, "{}", away.body);
    let mut back = Visitor::new(&http).get(away.header("location")).await.expect("an answer");
    assert_eq!(back.status, 303, "{}", back.body);
    for expected in ["/oauth/authorize/continue", ""] {
        let location = back.header("location");
        let url = if location.starts_with('/') { format!("{issuer}{location}") } else { location.to_owned() };
        back = person.get(&url).await.expect("an answer");
        assert_eq!(back.header("location"), expected, "{}", back.body);
    }
    assert!(back.body.contains("Una User"), "{}", back.body);
    let decided = person.approve(&issuer, &back).await.expect("an answer");
    let code = code_in(&decided).unwrap_or_else(|| panic!("no code: {} {}", decided.status, decided.body));
    let redeemed = partner.redeem(&http, &issuer, Shape::Post, &code, "s1").await.expect("an answer");
    assert_eq!(redeemed.status, 200, "{}", redeemed.body);
    let forged = Visitor::new(&http).get(&format!("{login}?ticket=a.b.c")).await.expect("an answer");
    assert_eq!(forged.status, 400);
}

use super::*;
use clap::Parser;
use std::os::unix::fs::PermissionsExt;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    gate: GateArgs,
}

/// Reads a file and flags, with a secret of the right mode.
fn read(text: &str, flags: &[&str]) -> anyhow::Result<GateSettings> {
    let directory = tempfile::tempdir().expect("a directory");
    let (file, secret) = (directory.path().join("keyfob-gate.toml"), directory.path().join("secret"));
    std::fs::write(&secret, "s3cret\n").expect("a file");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    std::fs::write(&file, text).expect("a file");
    let (file, secret) = (file.to_str().expect("UTF-8"), secret.to_str().expect("UTF-8"));
    let places = ["gate", "--config", file, "--secret-file", secret];
    GateSettings::read(Line::parse_from(places.iter().chain(flags)).gate)
}

const LEAST: &str = "authority = \"https://auth.example.com/\"\nname = \"api\"\n";

#[test]
fn little_has_to_be_said() {
    let settings = read(LEAST, &[]).expect("complete");
    assert_eq!(
        (settings.gate.issuer.as_str(), settings.gate.audience.as_str()),
        ("https://auth.example.com", "https://auth.example.com")
    );
    assert_eq!((settings.follow.name.as_str(), settings.follow.secret.expose().as_str()), ("api", "s3cret"));
    assert_eq!(settings.gate.without_news, WithoutNews::RefuseAfter(30));
    assert!(matches!(settings.mode, Mode::ForwardAuth { passed: StatusCode::NO_CONTENT }));
    assert!(settings.listen.ip().is_loopback());
    assert!(!format!("{settings:?}").contains("s3cret"));
}

#[test]
fn flags_replace_what_the_file_says() {
    let file = format!("{LEAST}fail = \"closed\"\nmax_stale = 60\nok_status = 204\n");
    let settings = read(&file, &["--max-stale", "10", "--ok-status", "200", "--issuer", "https://id.example.com"]);
    let settings = settings.expect("complete");
    assert_eq!(settings.gate.without_news, WithoutNews::RefuseAfter(10));
    assert_eq!(settings.gate.audience, "https://id.example.com");
    assert!(matches!(settings.mode, Mode::ForwardAuth { passed: StatusCode::OK }));
}

#[test]
fn the_example_configurations_are_configurations() {
    let settings =
        read(include_str!("../../../../../examples/gate-behind-nginx/keyfob-gate.toml"), &[]).expect("nginx");
    assert!(matches!(settings.mode, Mode::ForwardAuth { .. }));
    let proxy = "upstream = \"http://127.0.0.1:8000\"\ntrust_proxy = [\"10.0.0.0/8\", \"192.0.2.1\"]\nforward_token = true\n\
        [[paths]]\nprefix = \"/v1/admin\"\nscope = \"admin\"\n";
    let settings = read(&format!("{LEAST}{proxy}"), &[]).expect("a proxy");
    let Mode::Proxy(proxy) = settings.mode else { panic!("not a proxy") };
    assert_eq!((proxy.trusted_proxies.len(), proxy.forward_token), (2, true));
}

#[test]
fn se_03_a_plain_listener_outside_loopback_is_refused() {
    let refusal = format!("{:#}", read(LEAST, &["--listen", "0.0.0.0:8090"]).expect_err("plain"));
    assert!(refusal.contains("needs [tls]"), "{refusal}");
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    for (text, flags, named) in [
        ("authorty = \"x\"", &[][..], "authorty"),
        ("name = \"api\"", &[], "authority is missing"),
        ("authority = \"https://a.example\"", &[], "name is missing"),
        (LEAST, &["--max-stale", "4"], "max_stale"),
        (LEAST, &["--fail", "open", "--max-stale", "40"], "max_stale"),
        (LEAST, &["--ok-status", "401"], "ok_status"),
        (LEAST, &["--forward-token"], "upstream"),
        (LEAST, &["--trust-proxy", "10.0.0.0/8"], "upstream"),
        (LEAST, &["--upstream", "http://a.example/path"], "upstream"),
        (LEAST, &["--upstream", "ftp://a.example"], "upstream"),
        (LEAST, &["--upstream", "http://a.example", "--ok-status", "200"], "ok_status"),
        (LEAST, &["--upstream", "http://a.example", "--trust-proxy", "10.0.0.0/33"], "trust_proxy"),
        (
            "authority = \"https://a.example\"\nname = \"api\"\nupstream = \"http://a.example\"\n[[paths]]\nprefix = \"/a/../b\"\nscope = \"x\"",
            &[],
            "/a/../b",
        ),
        (
            "authority = \"https://a.example\"\nname = \"api\"\nupstream = \"http://a.example\"\n[[paths]]\nprefix = \"/a\"\nscope = \"\"",
            &[],
            "not a scope",
        ),
    ] {
        let refusal = format!("{:#}", read(text, flags).expect_err(named));
        assert!(refusal.contains(named), "{named}: {refusal}");
    }
}

#[test]
fn km_01_a_secret_that_others_can_read_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("secret");
    std::fs::write(&path, "s3cret").expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    let refusal = format!("{:#}", secret(Some(&path)).expect_err("readable"));
    assert!(refusal.contains("chmod 600") && !refusal.contains("s3cret"), "{refusal}");
}

#[test]
fn md_05_an_audience_of_its_own_that_is_a_url_is_announced() {
    let announced = |flags: &[&str]| {
        let settings = read(LEAST, flags).expect("complete");
        settings.gate.announced.map(|resource| resource.url().to_owned())
    };
    assert_eq!(announced(&[]), None, "the issuer's URL is the authority's place");
    assert_eq!(announced(&["--audience", "people-api"]), None);
    let url = "https://api.example.com/.well-known/oauth-protected-resource/crm";
    assert_eq!(announced(&["--audience", "https://api.example.com/crm"]).as_deref(), Some(url));
}

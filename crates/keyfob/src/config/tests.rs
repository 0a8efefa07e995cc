use super::*;

pub(super) fn read(text: &str) -> anyhow::Result<Config> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("keyfob.toml");
    std::fs::write(&path, text).expect("a file");
    Config::read(Some(&path), None, None)
}

pub(super) fn refusal(text: &str) -> String {
    format!("{:#}", read(text).expect_err(text))
}

#[test]
fn the_sample_is_a_configuration() {
    let as_it_stands = read(sample::SAMPLE).expect("the sample");
    assert_eq!(as_it_stands.issuer, read("").expect("nothing").issuer, "it sets defaults only");
    // Examples, but for [tls], whose files are not there, and the database.
    let is_example = |line: &&str| line.starts_with("# ") && line.contains(" = ") && !line.starts_with("# store");
    let examples = sample::SAMPLE.split("# [tls]").next().expect("a beginning").lines();
    let all: Vec<&str> = examples.map(|line| if is_example(&line) { &line[2..] } else { line }).collect();
    let config = read(&all.join("\n")).expect("the sample with its examples");
    assert_eq!(config.issuer, "https://auth.example.com");
    assert!(config.doorway.secure_cookies);
    assert!(!config.key_lies_with_data());
}

#[test]
fn se_03_plain_http_is_for_loopback_only() {
    assert!(refusal("listen = \"0.0.0.0:8080\"\nissuer = \"https://auth.example.com\"").contains("needs [tls]"));
    assert!(refusal("issuer = \"http://auth.example.com\"").contains("must be https"));
    let local = read("listen = \"127.0.0.1:9000\"").expect("loopback");
    assert_eq!((local.issuer.as_str(), local.doorway.secure_cookies), ("http://127.0.0.1:9000", false));
    assert!(read("issuer = \"https://auth.example.com\"").expect("behind a proxy").doorway.secure_cookies);
}

#[test]
fn unknown_and_impossible_settings_are_refused_by_name() {
    for (text, named) in [
        ("isuer = \"https://a.example\"", "isuer"),
        ("code_lifetime = 901", "code_lifetime"),
        ("connections = 0", "connections"),
        ("issuer = \"https://a.example/\"", "trailing slash"),
        ("issuer = \"https://a.example/path\"", "path"),
        ("issuer = \"https://a.example?x\"", "query"),
        ("[brand]\naccent = \"red\"", "brand"),
        ("signing_algorithm = \"none\"", "signing_algorithm"),
        ("[[scopes]]\nname = \"a\"", "scopes"),
    ] {
        assert!(refusal(text).contains(named), "{text}: {}", refusal(text));
    }
}

#[test]
fn the_store_is_sqlite_unless_a_database_is_named() {
    assert!(matches!(read("").expect("the defaults").store, StorePlace::Data));
    let config = read("store = \"postgres://keyfob:hunter2@db.example.com/keyfob\"").expect("a database");
    assert_eq!(config.store.to_string(), "postgres://keyfob@db.example.com:5432/keyfob");
    assert!(!format!("{config:?}").contains("hunter2"));
    for wrong in [
        "store = \"mysql://keyfob:hunter2@db.example.com/keyfob\"",
        "store = \"postgres://keyfob:hunter2@db.example.com\"",
        "store = \"postgres://keyfob:hunter2@db.example.com/keyfob",
        "store = [\"postgres://keyfob:hunter2@db.example.com/keyfob\"]",
    ] {
        let refusal = refusal(wrong);
        assert!(refusal.contains("store") || refusal.contains("line 1"), "{refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }
}

#[test]
fn rl_01_a_proxy_that_must_be_there_and_is_not_named_is_told() {
    let https = "issuer = \"https://auth.example.com\"\n";
    assert!(
        read(https).expect("behind a proxy").advice_on_proxy().is_some_and(|advice| advice.contains("trusted_proxies"))
    );
    let named = read(&format!("{https}trusted_proxies = [\"127.0.0.1/32\"]")).expect("named");
    let own = read(&format!("{https}[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"")).expect("its own TLS");
    let local = read("").expect("no proxy");
    assert_eq!([named, own, local].map(|config| config.advice_on_proxy()), [None; 3]);
}

use crate::config::Config;
use crate::config::sample::SAMPLE;
use crate::config::tests::{read, refusal};
use keyfob_authority::sign_in::SignInPlace;
use std::os::unix::fs::PermissionsExt;

/// A configuration whose platform has this URL, and this text for its public key.
fn with_platform(url: &str, key: &str) -> anyhow::Result<Config> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key.pem");
    std::fs::write(&file, key).expect("a file");
    read(&format!("[sign_in.platform]\nurl = {url:?}\npublic_key_file = {file:?}\n"))
}

#[test]
fn a_platform_that_nobody_could_safely_sign_in_at_is_refused_by_name() {
    let key = r#"{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }"#;
    for url in ["https://app.example.com/login", "https://app.example.com/login?from=keyfob", "http://127.0.0.1:5000/x"]
    {
        let config = with_platform(url, key).expect(url);
        assert!(matches!(config.settings().sign_in, SignInPlace::Platform(_)), "{url}");
    }
    assert!(matches!(read("").expect("nothing").settings().sign_in, SignInPlace::Here));
    for (url, key, named) in [
        ("http://app.example.com/login", key, "must be https"),
        ("https://app.example.com/login#top", key, "no fragment"),
        ("app.example.com/login", key, "must be https"),
        ("", key, "must be https"),
        ("https://app.example.com/login", "-----BEGIN PRIVATE KEY-----", "private key"),
        ("https://app.example.com/login", &key.replace(" }", ", \"d\": \"AAAA\" }"), "private key"),
        ("https://app.example.com/login", &key.replace("Ed25519", "Ed448"), "not a public key"),
        ("https://app.example.com/login", "", "not a public key"),
    ] {
        let refusal = format!("{:#}", with_platform(url, key).expect_err(url));
        assert!(refusal.contains("sign_in.platform") && refusal.contains(named), "{url}: {refusal}");
    }
    for (text, named) in [
        ("url = \"https://a.example\"", "public_key_file"),
        ("public_key_file = \"key.pem\"", "url"),
        ("url = \"https://a.example\"\npublic_key_file = \"/nowhere/key.pem\"", "/nowhere/key.pem"),
        ("url = \"https://a.example\"\npublic_key_file = \"key.pem\"\nsecret = \"s\"", "secret"),
    ] {
        let refusal = refusal(&format!("[sign_in.platform]\n{text}"));
        assert!(refusal.contains(named), "{text}: {refusal}");
    }
    assert!(refusal("[sign_in.plattform]\nurl = \"https://a.example\"").contains("plattform"));
}

const ONE_COMPANY: &str = "[sign_in.openid.account]\nid = \"acme\"\nname = \"Acme Homes\"\ndomain = \"acme\"\n";

/// A provider of one company, with these lines as well.
fn with_openid(lines: &str) -> anyhow::Result<Config> {
    read(&format!(
        "[sign_in.openid]\nissuer = \"https://idp.example.com\"\nclient_id = \"keyfob\"\n{lines}\n{ONE_COMPANY}"
    ))
}

#[test]
fn an_openid_provider_is_read_without_being_asked_and_its_secret_is_not_shown() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("client-secret");
    std::fs::write(&file, "hunter2\n").expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    let secret = format!("default_role = \"Agent\"\nclient_secret_file = {file:?}");
    let config = with_openid(&secret).expect("a provider");
    assert!(matches!(config.settings().sign_in, SignInPlace::OpenId(_)));
    assert!(!format!("{config:?}").contains("hunter2"));
    for lines in [
        "default_role = \"Agent\"",
        "default_role = \"Agent\"\nswitch_prompt = \"select_account\"\nscopes = [\"openid\", \"email\"]",
        "role_claim = \"groups\"\nroles = { \"keyfob-admins\" = \"Admin\" }",
    ] {
        with_openid(lines).expect(lines);
    }
    let several = "[sign_in.openid]\nissuer = \"http://127.0.0.1:9000/realm\"\nclient_id = \"k\"\naccount_claim = \"tid\"\n\
                   account_name_claim = \"org_name\"\ndefault_role = \"Agent\"";
    read(several).expect("several companies");
    // Others must not read it, and it is one line.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    assert!(format!("{:#}", with_openid(&secret).expect_err("readable")).contains("chmod 600"));
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    for wrong in ["", "hunter2\nhunter3"] {
        std::fs::write(&file, wrong).expect("a file");
        let refusal = format!("{:#}", with_openid(&secret).expect_err(wrong));
        assert!(refusal.contains("client_secret_file") && !refusal.contains("hunter"), "{refusal}");
    }
}

#[test]
fn an_openid_provider_that_nobody_could_safely_sign_in_at_is_refused_by_name() {
    for (lines, named) in [
        ("", "default_role"),
        ("role_claim = \"groups\"", "role_claim and roles"),
        ("default_role = \"Agent\"\nroles = { a = \"Admin\" }", "role_claim and roles"),
        ("role_claim = \"groups\"\nroles = { a = \"Emperor\" }", "Emperor"),
        ("default_role = \"Agent\"\nscopes = [\"email\"]", "scopes"),
        ("default_role = \"Agent\"\nscopes = [\"openid email\"]", "scopes"),
        ("default_role = \"Agent\"\naccount_claim = \"tid\"", "account_claim"),
        ("default_role = \"Agent\"\naccount_name_claim = \"org_name\"", "account_claim"),
        ("default_role = \"Agent\"\nswitch_prompt = \"none\"", "switch_prompt"),
        ("default_role = \"Agent\"\nclient_secret = \"hunter2\"", "client_secret"),
        ("default_role = \"Agent\"\nclient_secret_file = \"/nowhere/secret\"", "/nowhere/secret"),
    ] {
        let refusal = format!("{:#}", with_openid(lines).expect_err(lines));
        assert!(refusal.contains(named) && !refusal.contains("hunter2"), "{lines}: {refusal}");
    }
    for (issuer, account, named) in [
        ("http://idp.example.com", ONE_COMPANY, "must be https"),
        ("http://localhost:9000", ONE_COMPANY, "must be https"),
        ("https://idp.example.com/?tenant=1", ONE_COMPANY, "without query"),
        ("idp.example.com", ONE_COMPANY, "must be https"),
        ("https://idp.example.com", "", "whose people they are"),
        ("https://idp.example.com", &ONE_COMPANY.replace("\"acme\"\nname", "\"\"\nname"), "account.id"),
        (
            "https://idp.example.com",
            &ONE_COMPANY.replace("domain = \"acme\"", "domain = \"Acme Homes\""),
            "account.domain",
        ),
    ] {
        let text =
            format!("[sign_in.openid]\nissuer = {issuer:?}\nclient_id = \"k\"\ndefault_role = \"Agent\"\n{account}");
        let refusal = refusal(&text);
        assert!(refusal.contains("sign_in.openid") && refusal.contains(named), "{issuer}: {refusal}");
    }
    let empty = "[sign_in.openid]\nissuer = \"https://a.example\"\nclient_id = \"\"\ndefault_role = \"Agent\"\n";
    assert!(refusal(&format!("{empty}{ONE_COMPANY}")).contains("client_id"));
}

#[test]
fn people_sign_in_at_one_place() {
    let platform = "[sign_in.platform]\nurl = \"https://a.example\"\npublic_key_file = \"key.pem\"\n";
    let openid = "[sign_in.openid]\nissuer = \"https://a.example\"\nclient_id = \"k\"\ndefault_role = \"Agent\"\n";
    assert!(refusal(&format!("{platform}{openid}{ONE_COMPANY}")).contains("one place"));
}

/// Its two ways to say whose people they are exclude each other, and the secret's file is not there.
#[test]
fn the_samples_openid_provider_is_a_configuration() {
    let rest = SAMPLE.split("# [sign_in.openid]\n").nth(1).expect("it is there");
    let lines = rest.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("# "));
    let is_setting = |line: &&str| line.starts_with('[') || line.contains(" = ");
    let lines: Vec<&str> = lines.filter(is_setting).filter(|line| !line.starts_with("client_secret_file")).collect();
    let without = |other: &str| {
        let kept = lines.iter().take_while(|line| **line != other).filter(|line| !line.starts_with("account_"));
        kept.copied().collect::<Vec<_>>().join("\n")
    };
    read(&format!("[sign_in.openid]\n{}", without("no such line"))).expect("one company");
    let several = format!("account_claim = \"org_id\"\n{}", without("[sign_in.openid.account]"));
    read(&format!("[sign_in.openid]\n{several}")).expect("several companies");
}

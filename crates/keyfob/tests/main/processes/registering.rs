//! What is registered from the command line: resources, scopes and origins.

use super::partner::Partner;
use super::place::{Place, REDIRECT_URI};
use serde_json::{Value, json};

const API: &str = "https://notes.example.com/v1";
const SCOPES: &str = "[[scopes]]\nname = \"notes\"\ntitle = \"Notes\"\nsentence = \"Read your notes.\"\n";

/// `app add` of Partner One with these flags.
fn add<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let least = ["app", "add", "--system", "Partner One", "--name", name, "--redirect-uri", REDIRECT_URI];
    [&least[..], more].concat()
}

#[test]
fn ri_01_resources_are_checked_listed_and_changed() {
    let place = Place::new();
    place.people();
    let id = place.json(&["resource-server", "add", "--name", "api", "--resource", API])["id"].to_string();
    place.json(&["resource-server", "add", "--name", "gate"]);
    for bad in ["notes", "https://notes.example.com#x", "/v1", ""] {
        let told = place.run(&["resource-server", "add", "--name", "bad", "--resource", bad]);
        assert!(told.code == Some(3) && told.stderr.contains("--resource"), "{bad}: {told:?}");
        assert_eq!(place.run(&["resource-server", "set-resource", &id, "--resource", bad]).code, Some(3), "{bad}");
    }
    let resources = || -> Vec<Value> {
        let servers = place.json(&["resource-server", "list"]);
        servers.as_array().expect("a list").iter().map(|server| server["resource"].clone()).collect()
    };
    assert_eq!(resources(), [json!(API), Value::Null]);
    place.json(&["resource-server", "set-resource", &id, "--resource", "urn:example:notes"]);
    assert_eq!(resources(), [json!("urn:example:notes"), Value::Null]);
    place.json(&["resource-server", "set-resource", &id]);
    assert_eq!(resources(), [Value::Null, Value::Null]);
}

#[test]
fn d18_an_app_without_scopes_is_named_where_scopes_are_declared() {
    let place = Place::new();
    place.people();
    let check = || place.run(&["config", "check", "--json"]);
    let unscoped = |stdout: &str| serde_json::from_str::<Value>(stdout).expect("JSON")["appsWithoutScope"].clone();
    assert_eq!(unscoped(&check().stdout), json!([]), "nothing is declared");
    std::fs::write(place.around().join("keyfob.toml"), SCOPES).expect("written");

    let whole = place.run(&add("Whole", &["--json"]));
    assert!(whole.code == Some(0) && whole.stderr.contains("whole role"), "{whole:?}");
    let whole = Partner::of(&serde_json::from_str(&whole.stdout).expect("JSON")).client_id;
    let held = place.run(&add("Held", &["--scope", "notes", "--default-scope", "notes", "--json"]));
    assert!(held.code == Some(0) && held.stderr.is_empty(), "{held:?}");
    let undeclared = place.run(&add("Undeclared", &["--scope", "notes people"]));
    assert!(undeclared.stderr.contains("people is not declared"), "{undeclared:?}");
    let told = check();
    let named = unscoped(&told.stdout);
    let named = named.as_array().expect("a list");
    // The two apps of `people` and this one.
    assert!(named.len() == 3 && named.contains(&json!(whole)) && told.stderr.contains(&whole), "{told:?}");

    let updated = place.json(&["app", "update", &whole, "--scope", "notes", "--default-scope", "notes"]);
    assert_eq!(
        (&updated["policy"]["allowedScope"], &updated["policy"]["defaultScope"]),
        (&json!(["notes"]), &json!(["notes"]))
    );
    assert_eq!(unscoped(&check().stdout).as_array().map(Vec::len), Some(2));
    for (flag, value) in [("--scope", "a\"b"), ("--default-scope", "people")] {
        assert_eq!(place.run(&["app", "update", &whole, flag, value]).code, Some(3), "{flag}");
    }
}

#[test]
fn md_06_origins_are_registered_for_public_apps() {
    let place = Place::new();
    place.people();
    let page = place
        .json(&add("Pages", &["--public", "--origin", "https://a.example.com", "--origin", "https://b.example.com"]));
    assert_eq!(page["policy"]["origins"], json!(["https://a.example.com", "https://b.example.com"]));
    let id = page["clientId"].as_str().expect("an id");
    let updated = place.json(&["app", "update", id, "--origin", "http://127.0.0.1:5173"]);
    assert_eq!(updated["policy"]["origins"], json!(["http://127.0.0.1:5173"]));
    for bad in ["*", "https://a.example.com/", "http://a.example.com", "null"] {
        assert_eq!(place.run(&["app", "update", id, "--origin", bad]).code, Some(3), "{bad}");
    }
    assert_eq!(place.run(&add("Secret", &["--origin", "https://a.example.com"])).code, Some(3), "confidential");
}

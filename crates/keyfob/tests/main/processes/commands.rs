//! The command line: JSON on standard output, exit codes by meaning, and every change acts on a running server within a second.

use super::partner::{Shape, tokens};
use super::place::{EMAIL, PASSWORD, Place, REDIRECT_URI, bare_command, told};
use super::visitor::{Answer, Visitor, http_client, send};
use serde_json::Value;
use std::time::{Duration, Instant};

#[test]
fn commands_exit_by_meaning_and_talk_on_standard_error() {
    let place = Place::new();
    let people = place.people();
    let (account, user) = (people.account.to_string(), people.user.to_string());
    let add_user = |email: &'static str| {
        ["user", "add", "--account", "1", "--email", email, "--name", "A", "--role", "agent", "--without-password"]
    };
    let app = |uri: &'static str| ["app", "add", "--system", "Partner One", "--name", "A", "--redirect-uri", uri];
    for (code, arguments) in [
        (2, &["user", "add", "--email", "a@example.com"][..]),
        (2, &["user", "password", &user, PASSWORD]),
        (2, &["user", "add", "--password", PASSWORD]),
        (2, &["nothing"]),
        (2, &["app", "report", "--days", "many"]),
        (4, &["account", "show", "one"]),
        (3, &add_user("no address")),
        (3, &app("http://app.example.com/callback")),
        (3, &app("https://app.example.com/callback#part")),
        (3, &["app", "update", &people.fixed.client_id, "--policy", "{\"reuse\":\"sometimes\"}"]),
        (3, &["app", "update", &people.fixed.client_id, "--policy", "[]"]),
        (3, &["grant", "show", "not-an-id"]),
        (4, &["account", "show", "99"]),
        (4, &["account", "disable", "99"]),
        (4, &["user", "show", "99"]),
        (4, &["user", "remove", "99"]),
        (4, &["system", "show", "99"]),
        (4, &["app", "show", "unknown"]),
        (4, &["app", "secret", "retire", &people.fixed.client_id, "99"]),
        (4, &["grant", "revoke", "0000000000000000000000"]),
        (5, &["account", "add", "--name", "Other", "--domain", "maple-street"]),
        (5, &["account", "remove", &account]),
        (5, &add_user(EMAIL)),
        (5, &["system", "add", "--name", "Partner One"]),
        (5, &["system", "remove", "1"]),
    ] {
        let told = place.run(arguments);
        assert_eq!(told.code, Some(code), "{arguments:?}: {told:?}");
        assert!(told.stdout.is_empty() && !told.stderr.is_empty(), "{arguments:?}: {told:?}");
    }
    for password in ["short", "", &"x".repeat(5000)] {
        let refused = told(place.command(&["user", "password", &user]), password);
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(3), ""), "{refused:?}");
        assert!(password.is_empty() || !refused.stderr.contains(password));
    }
    for help in [["user", "add", "--help"], ["user", "password", "--help"]] {
        let help = place.run(&help).stdout;
        assert!(!help.contains("--password") && !help.contains("<PASSWORD>"), "{help}");
    }
}

#[test]
fn az_04_a_native_app_is_public_and_may_have_a_scheme_of_its_own() {
    let place = Place::new();
    place.people();
    let add = ["app", "add", "--system", "Partner One", "--name", "Pocket", "--native"];
    let uris = ["--redirect-uri", "http://127.0.0.1/callback", "--redirect-uri", "com.example.pocket:/back"];
    let app = place.json(&[&add[..], &uris].concat());
    let shown = place.json(&["app", "show", app["clientId"].as_str().expect("a client id")]);
    assert_eq!((&shown["policy"]["public"], &shown["policy"]["redirectUris"]), (&true.into(), &"native".into()));
    assert!(app["clientSecret"].is_null(), "{app}");
    for not_its_own in ["refresh", "reuse", "legacyGet", "secretInBody", "requirePkce"] {
        assert!(shown["policy"].get(not_its_own).is_none(), "a public app does not follow it: {shown}");
    }
    assert_eq!(shown["policy"]["replayWindow"], 45);
    let told = place.run(&["app", "show", app["clientId"].as_str().expect("a client id")]);
    assert!(told.stdout.contains("policy:") && !told.stdout.contains("secret"), "{}", told.stdout);
    let web = ["app", "add", "--system", "Partner One", "--name", "Web", "--redirect-uri", "com.example.pocket:/back"];
    assert_eq!(place.run(&web).code, Some(3));
}

/// People know names; numbers stand in lists only.
#[test]
fn commands_take_names_and_numbers_alike_and_say_where_they_stand() {
    let place = Place::new();
    place.people();
    place.json(&["resource-server", "add", "--name", "notes-api"]);
    let (users, accounts, systems) =
        (place.json(&["user", "list"]), place.json(&["account", "list"]), place.json(&["system", "list"]));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let (email, domain, system) = (text(&users[0]["email"]), text(&accounts[0]["domain"]), text(&systems[0]["name"]));
    for (what, name) in [("resource-server", "notes-api"), ("user", &*email), ("account", &domain), ("system", &system)]
    {
        for named in [name, "1"] {
            let changed = place.json(&[what, "disable", named]);
            assert_eq!((&changed["id"], &changed["changed"]), (&1.into(), &"disabled".into()), "{what} {named}");
            assert_eq!(place.json(&[what, "enable", named])["changed"], "enabled");
        }
        for wrong in ["nobody@nowhere.example", "77"] {
            let told = place.run(&[what, "disable", wrong]);
            assert_eq!(told.code, Some(4), "{}", told.stderr);
            let stands = format!("keyfob {what} list");
            assert!(told.stderr.contains(wrong) && told.stderr.contains(&stands), "{}", told.stderr);
        }
    }
    assert_eq!(place.json(&["user", "list", "--account", &domain]).as_array().map(Vec::len), Some(1));
    let told = place.run(&["ledger", "--user", &email]);
    let titles: Vec<_> = told.stdout.lines().next().expect("titles").split_whitespace().collect();
    assert_eq!(titles, ["AT", "WHAT", "GRANT", "APP", "USER", "ACCOUNT", "REQUEST", "DETAIL"]);
    let changed = told.stdout.lines().nth(1).expect("the newest").split_whitespace().collect::<Vec<_>>();
    assert_eq!(changed[1..], ["user_changed", "-", "-", "1", "1", "-", "enabled"]);
    assert_eq!(place.json(&["grant", "list", "--user", &email]), Value::from(Vec::<Value>::new()));
}

/// What is said is about what was typed.
#[test]
fn d11_a_last_day_that_cannot_be_is_told_as_such() {
    let place = Place::new();
    let people = place.people();
    let app = people.fixed.client_id.as_str();
    for (day, said) in [
        ("2027-02-30", "there is no such day"),
        ("27-06-30", "there is no such day; write it as 2027-06-30"),
        ("9999-12-31", "1970-01-01 to 9999-12-30"),
        ("1969-12-31", "1970-01-01 to 9999-12-30"),
        ("never", "say allow, warn, or the last day"),
    ] {
        let told = place.run(&["app", "update", app, "--legacy-get", day]);
        assert!(told.code != Some(0) && told.stderr.contains(said), "{day}: {}", told.stderr);
    }
    let last = place.json(&["app", "update", app, "--legacy-get", "9999-12-30"]);
    assert_eq!(last["policy"]["legacyGet"]["off_after"], 253_402_214_400_i64);
    let told = place.run(&["app", "secret", "retire", app, "first"]);
    assert!(told.stderr.contains("as `keyfob app show APP` lists it"), "{}", told.stderr);
}

#[test]
fn every_command_prints_json() {
    let place = Place::new();
    let people = place.people();
    let serving = place.serve();
    let json = |arguments: &[&str]| place.json(arguments);
    let app = people.fixed.client_id.as_str();

    let renamed = json(&["account", "update", "1", "--name", "Oak Avenue Homes"]);
    assert_eq!((&renamed["name"], &renamed["domain"]), (&"Oak Avenue Homes".into(), &"maple-street".into()));
    assert_eq!(json(&["account", "show", "1"]), renamed);
    assert_eq!(json(&["account", "list"]), Value::from(vec![renamed]));
    let user = json(&["user", "update", "1", "--role", "admin", "--email", "Olive@Example.com"]);
    assert_eq!((&user["role"], &user["email"]), (&"Admin".into(), &"olive@example.com".into()));
    assert_eq!(json(&["user", "list", "--account", "1"]), Value::from(vec![json(&["user", "show", "1"])]));
    assert!(user.get("passwordHash").is_none() && user.get("password_hash").is_none(), "{user}");
    assert_eq!(place.json_with(&["user", "password", "1"], "another long password\n")["changed"], "password set");
    let new_key = json(&["system", "update", "1", "--new-key"]);
    assert_ne!(new_key["key"], people.system_key.as_str());
    assert_eq!(json(&["system", "list"])[0]["name"], json(&["system", "show", "1"])["name"]);
    let secret = json(&["app", "secret", "add", app, "--name", "second", "--expires-in", "30"]);
    assert!(secret["clientSecret"].as_str().is_some_and(|text| text.len() > 40), "{secret}");
    json(&["app", "secret", "retire", app, &secret["id"].to_string()]);
    let shown = json(&["app", "show", app]);
    assert_eq!(shown["secrets"].as_array().map(Vec::len), Some(2), "{shown}");
    assert!(!shown.to_string().contains(secret["clientSecret"].as_str().expect("a secret")), "shown once");
    let updated = json(&["app", "update", app, "--name", "Renamed", "--policy", "{\"stateAtToken\":\"present\"}"]);
    assert_eq!((&updated["name"], &updated["policy"]["stateAtToken"]), (&"Renamed".into(), &"present".into()));
    let leaving = json(&["app", "update", app, "--legacy-get", "2027-06-30"]);
    assert_eq!(leaving["policy"]["legacyGet"]["off_after"], 1_814_400_000, "the day itself is the last");
    assert_eq!(json(&["app", "update", app, "--legacy-get", "allow"])["policy"]["legacyGet"], "allow");
    assert_eq!(json(&["app", "report", app, "--days", "7"]), Value::from(Vec::<Value>::new()));
    assert_eq!(json(&["app", "list", "--system", "Partner One"]).as_array().map(Vec::len), Some(2));
    assert_eq!(json(&["grant", "list"]), Value::from(Vec::<Value>::new()));
    for (what, id) in [("user", "1"), ("app", app), ("system", "1"), ("account", "1")] {
        assert_eq!(json(&[what, "disable", id])["changed"], "disabled");
        assert_eq!(json(&[what, "enable", id])["changed"], "enabled");
    }
    for (what, id) in [("app", "1"), ("app", "2"), ("system", "1"), ("user", "1"), ("account", "1")] {
        assert_eq!(json(&[what, "remove", id])["changed"], "removed");
    }
    let ledger = json(&["ledger", "--limit", "100"]);
    for kind in ["account_changed", "user_changed", "system_changed", "app_changed", "secret_added", "secret_retired"] {
        assert!(ledger.as_array().is_some_and(|entries| entries.iter().any(|entry| entry["kind"] == kind)), "{ledger}");
    }
    let file = place.around().join("backup.db");
    assert_eq!(json(&["backup", file.to_str().expect("UTF-8")])["backup"], file.to_str().expect("UTF-8"));
    serving.stop();
    assert!(json(&["restore", file.to_str().expect("UTF-8")])["kept"].is_string());
    assert_eq!(json(&["config", "check"])["issuer"], super::place::ISSUER);
}

/// Asks again until the answer is as wanted; a second at most.
async fn soon<F: Future<Output = Answer>>(what: &str, ask: impl Fn() -> F, wanted: impl Fn(&Answer) -> bool) -> Answer {
    let since = Instant::now();
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(since.elapsed() < Duration::from_secs(1), "{what}: {} {}", answer.status, answer.body);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn br_09_what_is_added_and_changed_acts_on_the_running_server_within_a_second() {
    let place = Place::new();
    let serving = place.serve();
    let base = serving.base();
    // Everything is added while the server runs.
    let people = place.people();
    let http = http_client();
    let mut visitor = Visitor::new(&http);
    let app = &people.fixed;
    let code = visitor.connect(&base, app, "s").await.expect("a code");
    let (_, refresh) = tokens(&app.redeem(&http, &base, Shape::Post, &code, "s").await.expect("an answer"));

    let second = place.json(&["app", "secret", "add", &app.client_id, "--name", "second"]);
    let mut rotated = app.clone();
    rotated.client_secret = second["clientSecret"].as_str().expect("a secret").to_owned();
    let present = async |app: &super::partner::Partner| {
        app.refresh(&http, &base, Shape::Post, &refresh).await.expect("an answer")
    };
    soon("a new secret works", || present(&rotated), |answer| answer.status == 200).await;
    let first = place.json(&["app", "show", &app.client_id])["secrets"][0]["id"].to_string();
    place.json(&["app", "secret", "retire", &app.client_id, &first]);
    soon("a retired secret does not", || present(app), |answer| answer.status == 401).await;
    tokens(&present(&rotated).await);

    place.json(&["app", "update", &app.client_id, "--redirect-uri", "https://new.example.com/callback"]);
    let authorize = format!("{base}{}", app.authorize("s"));
    let ask = async || send(http.get(&authorize)).await.expect("an answer");
    let page = soon("a redirect URI that was taken away", &ask, |answer| answer.status == 400).await;
    assert_eq!(page.header("location"), "");
    place.json(&["app", "update", &app.client_id, "--redirect-uri", REDIRECT_URI]);
    soon("and given back", &ask, |answer| answer.status == 200).await;

    let apps = async |key: &str| {
        let request = http.get(format!("{base}/v1/oauthApps")).header("x-system", &people.system);
        send(request.header("x-system-key", key)).await.expect("an answer")
    };
    assert_eq!(apps(&people.system_key).await.status, 200);
    let key = place.json(&["system", "update", "1", "--new-key"])["key"].as_str().expect("a key").to_owned();
    soon("a new system key works", || apps(&key), |answer| answer.status == 200).await;
    soon("the old one does not", || apps(&people.system_key), |answer| answer.status == 401).await;
    serving.stop();
}

#[test]
fn the_sample_completions_and_man_pages_are_generated() {
    let place = Place::new();
    let sample = told(bare_command(&["config", "sample"]), "");
    assert_eq!(sample.code, Some(0), "{sample:?}");
    let file = place.around().join("sample.toml");
    let named = sample.stdout.replacen("# issuer = ", "issuer = ", 1);
    std::fs::write(&file, named).expect("written");
    let check = told(bare_command(&["config", "check", "--config", file.to_str().expect("UTF-8")]), "");
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.stdout.contains("https://auth.example.com"), "{check:?}");
    let missing = told(bare_command(&["config", "check", "--config", "/nowhere/keyfob.toml"]), "");
    assert_eq!(missing.code, Some(4), "{missing:?}");
    assert!(missing.stderr.contains("/nowhere/keyfob.toml"), "{missing:?}");

    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = told(bare_command(&["completions", shell]), "");
        assert_eq!(script.code, Some(0), "{script:?}");
        assert!(script.stdout.contains("keyfob") && script.stdout.contains("redirect-uri"), "{shell}");
    }
    let pages = place.around().join("man");
    let told = told(bare_command(&["man", pages.to_str().expect("UTF-8")]), "");
    assert_eq!(told.code, Some(0), "{told:?}");
    for page in ["keyfob.1", "keyfob-serve.1", "keyfob-app-secret-retire.1"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.starts_with(".ie") || text.contains(".TH"), "{page}");
    }
}

//! Row LG-03 from the command line: people who are here already are joined to the platform's, and `serve` says how to begin with one.

use super::place::{PASSWORD, Place};
use super::visitor::{Visitor, http_client};

/// Of nobody's private key that is known.
const KEY: &str = r#"{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }"#;
const PLATFORM: &str =
    "[sign_in.platform]\nurl = \"https://app.example.com/login\"\npublic_key_file = \"platform.jwk\"\n";

#[tokio::test]
async fn lg_03_a_linked_user_has_no_password_and_no_session_any_more() {
    let place = Place::new();
    let people = place.people();
    let serving = place.serve();
    let (http, base) = (http_client(), serving.base());
    let mut visitor = Visitor::new(&http);
    let consent = visitor.consent_page(&base, &people.fixed, "s").await.expect("a page");
    assert!(consent.body.contains("/oauth/authorize/decision"), "{}", consent.body);
    let user = people.user.to_string();
    place.json(&["user", "link", &user, "--external", "u-1"]);
    assert_eq!(place.json(&["user", "show", &user])["external"], "u-1");
    let decided = visitor.approve(&base, &consent).await.expect("an answer");
    assert!(decided.body.contains("/oauth/authorize/sign-in"), "signed out: {}", decided.body);
    let refused = visitor.sign_in(&base, &decided).await.expect("an answer");
    assert_eq!(refused.status, 422, "{}", refused.body);
    serving.stop();
}

#[test]
fn lg_03_a_link_is_not_taken_over_unless_that_is_said() {
    let place = Place::new();
    let people = place.people();
    let (user, account) = (people.user.to_string(), people.account.to_string());
    let second = ["user", "add", "--account", &account, "--email", "two@example.com", "--name", "Two"];
    let second = place.json_with(&second, PASSWORD)["id"].to_string();
    let elsewhere = place.json(&["account", "add", "--name", "Second", "--domain", "second"])["id"].to_string();
    for (kind, one, other, external) in [("user", &user, &second, "u-1"), ("account", &account, &elsewhere, "a-1")] {
        let link = |id: &str, external: &str, more: &[&str]| {
            place.run(&[&[kind, "link", id, "--external", external][..], more].concat())
        };
        assert_eq!(link("99", external, &[]).code, Some(4));
        assert_eq!(link(one, external, &[]).code, Some(0));
        assert_eq!(link(one, external, &[]).code, Some(0), "again");
        let taken = link(other, external, &[]);
        assert!(taken.code == Some(5) && taken.stderr.contains("has this id of the platform"), "{taken:?}");
        let joined = link(one, "x-2", &[]);
        assert!(joined.code == Some(5) && joined.stderr.contains("--replace"), "{joined:?}");
        assert_eq!(place.json(&[kind, "show", one])["external"], external);
        assert_eq!(link(one, "x-2", &["--replace"]).code, Some(0));
        assert_eq!(place.json(&[kind, "show", one])["external"], "x-2");
        assert_eq!(link(other, external, &[]).code, Some(0), "the id is free");
    }
    let entries = place.json(&["ledger", "--user", &user]);
    let entries = entries.as_array().expect("a list");
    assert!(entries.iter().any(|entry| entry["detail"] == "linked to the platform"), "{entries:?}");
}

/// People whom a platform signs in have no password here, and come by themselves.
#[test]
fn serve_says_how_to_begin_where_a_platform_signs_in() {
    let place = Place::new();
    let begin = |place: &Place| {
        let serving = place.serve();
        serving.terminate();
        serving.said_to_its_end()
    };
    let steps = begin(&place);
    assert!(steps.contains("keyfob user add") && steps.contains("keyfob app add"), "{steps}");
    std::fs::write(place.around().join("platform.jwk"), KEY).expect("written");
    std::fs::write(place.around().join("keyfob.toml"), PLATFORM).expect("written");
    let steps = begin(&place);
    assert!(steps.contains("keyfob app add") && steps.contains("https://app.example.com"), "{steps}");
    assert!(!steps.contains("keyfob user add") && !steps.contains("keyfob account add"), "{steps}");
    place.people();
    assert!(!begin(&place).contains("keyfob app add"));
}

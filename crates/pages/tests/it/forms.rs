//! What each form posts and where: the contract with the server.

use keyfob_pages::samples;

use crate::reading::{Tag, tags};

/// Every form of a sample: its action and the (name, value) of its fields and buttons.
fn forms(sample: &str) -> Vec<(String, Vec<(String, String)>)> {
    let all = samples::all();
    let page = all.iter().find(|s| s.name == sample).expect("a sample of that name");
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let own = |tag: &Tag, name: &str| tag.get(name).unwrap_or_default().to_owned();
    for tag in tags(&page.html).iter().filter(|t| !t.end) {
        match tag.name.as_str() {
            "form" => {
                assert_eq!(tag.get("method"), Some("post"), "{sample}: nothing is changed by GET");
                found.push((own(tag, "action"), Vec::new()));
            }
            "input" | "button" if tag.get("name").is_some() => {
                let (_, fields) = found.last_mut().expect("fields stand in forms");
                fields.push((own(tag, "name"), own(tag, "value")));
            }
            _ => {}
        }
    }
    found
}

fn form(action: &str, fields: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
    (action.to_owned(), fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
}

const SEALED: (&str, &str) = ("interaction", "kfint_2mXo9sealed");
const CSRF: (&str, &str) = ("csrf", "csrf-token");

#[test]
fn in_02_consent_offers_approve_deny_and_switch_in_one_form() {
    let decisions = [SEALED, CSRF, ("decision", "approve"), ("decision", "deny"), ("decision", "switch")];
    assert_eq!(forms("consent-whole-role"), [form("/oauth/authorize/decision", &decisions)]);
}

#[test]
fn se_04_sign_in_carries_the_interaction_and_csrf_and_never_a_password() {
    let email = "dana.reyes@example.com";
    assert_eq!(
        forms("sign-in-refused"),
        [form("/oauth/authorize/sign-in", &[SEALED, CSRF, ("email", email), ("password", "")])]
    );
    assert_eq!(forms("sign-in-alone"), [form("/sign-in", &[CSRF, ("email", ""), ("password", "")])]);
}

#[test]
fn se_04_sign_out_and_revoke_are_posts_with_csrf() {
    let found = forms("connections");
    assert_eq!(found[0], form("/sign-out", &[CSRF]));
    assert_eq!(found[1], form("/connections/revoke", &[CSRF, ("grant", "grant-15")]));
    assert_eq!(found.len(), 4);
    assert_eq!(forms("connections-empty"), [form("/sign-out", &[CSRF])]);
}

#[test]
fn cl_14_the_denied_page_offers_a_retry_and_says_what_stays() {
    assert_eq!(forms("demo-denied"), [form("/demo/connect", &[("app", "followupboss")])]);
    let all = samples::all();
    let page = &all.iter().find(|s| s.name == "demo-denied").expect("a sample of that name").html;
    assert!(page.contains("Nothing was connected") && page.contains("stays as it is"));
}

#[test]
fn the_demo_posts_one_action_a_form() {
    let app = ("app", "followupboss");
    let expected = [
        form("/demo/call", &[app, ("path", "/v1/identity")]),
        form("/demo/call", &[app, ("path", "/v1/people")]),
        form("/demo/refresh", &[app]),
        form("/demo/present-code-again", &[app]),
        form("/demo/deny", &[app]),
        form("/demo/revoke", &[app]),
        form("/demo/disconnect", &[app]),
    ];
    assert_eq!(forms("demo-connection"), expected);
    assert_eq!(forms("demo-home")[2], form("/demo/connect", &[("app", "standard"), CSRF]));
}

#[test]
fn a_masked_secret_stands_whole_only_behind_its_reveal() {
    let all = samples::all();
    let page = &all.iter().find(|s| s.name == "demo-connection").expect("a sample of that name").html;
    let secret = "kfbcod_7Yb2sampleCode0001";
    let bare =
        page.split("<details class=\"secret\">").map(|piece| piece.split_once("</details>").map_or(piece, |p| p.1));
    assert!(page.contains(secret) && bare.clone().skip(1).all(|piece| !piece.contains(secret)));
    assert!(page.contains("<summary><span class=\"shown\">kfbcod••••••</span>"));
}

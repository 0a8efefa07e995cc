//! The trip of a user, and whoever gets in its way.

use super::desk::{BACKEND, Desk, Wanted, refusal};
use crate::raw::{clear, fired, set};
use crate::running::Got;
use keyfob_client::Method;
use keyfob_protocol::form;
use serde_json::json;

fn ends(got: &Got) -> &str {
    assert_eq!(got.status, 303, "{}", got.text);
    got.header("location").expect("an address")
}

#[tokio::test]
async fn a_user_who_declines_is_told_so_and_an_earlier_connection_stays() {
    let desk = Desk::new().await;
    let ended = desk.trip("u1", 0, "deny").await;
    assert!(ended.starts_with("/end/denied/"), "{ended}");
    assert_eq!(desk.state("u1").await, "denied");
    let page = desk.browse(&ended, "").await;
    assert_eq!(page.status, 200);
    // The link of the page works.
    let again = page.text.split("href=\"").find(|rest| rest.starts_with("/connect/")).expect("a link");
    let (authorize, cookie) = desk.open(again.split('"').next().expect("an address")).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    assert_eq!(ends(&desk.browse(&callback, &cookie).await), "/end/connected");
    assert!(desk.trip("u1", 0, "deny").await.starts_with("/end/denied/"));
    assert_eq!(desk.state("u1").await, "connected");
    assert_eq!(desk.get("/proxy/fub/u1/v1/identity").await.status, 200);
    assert_eq!(desk.told("u1").await, ["nothing>denied", "denied>connected"]);
}

#[tokio::test]
async fn a_callback_that_says_both_yes_and_no_connects_nobody() {
    let desk = Desk::new().await;
    let (authorize, cookie) = desk.open(&desk.link("u1").await).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    set(&desk.running, json!({ "fault": "refresh", "mode": "fixed" })).await;
    let got = desk.browse(&format!("{callback}&error=access_denied"), &cookie).await;
    let ended = ends(&got);
    assert!(!ended.contains("connected"), "{ended}");
    assert_eq!(desk.get("/connections/fub/u1").await.status, if ended.contains("denied") { 200 } else { 404 });
    // And the attempt is over.
    assert!(!ends(&desk.browse(&callback, &cookie).await).contains("connected"));
}

#[tokio::test]
async fn a_link_is_good_for_fifteen_minutes_and_so_is_an_attempt() {
    let desk = Desk::new().await;
    let link = desk.link("u1").await;
    desk.passes(14).await;
    let (authorize, cookie) = desk.open(&link).await;
    desk.passes(2).await;
    let late = desk.browse(&link, "").await;
    assert_eq!(late.status, 410);
    // The attempt began later than the link.
    let callback = desk.decided(&authorize, 0, "approve").await;
    desk.passes(14).await;
    assert_eq!(ends(&desk.browse(&callback, &cookie).await), "/end/expired");
    assert_eq!(desk.browse("/connect/neverMade", "").await.status, 410);
    assert_eq!(desk.get("/connections/fub/u1").await.status, 404);
}

#[tokio::test]
async fn a_callback_that_comes_twice_is_one_exchange_and_ends_the_same() {
    let desk = Desk::new().await;
    let (authorize, cookie) = desk.open(&desk.link("u1").await).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    set(&desk.running, json!({ "fault": "delay", "milliseconds": 300, "times": 9 })).await;
    let (first, second) = tokio::join!(desk.browse(&callback, &cookie), desk.browse(&callback, &cookie));
    let mut ended = [ends(&first), ends(&second)].map(|end| end.split('/').nth(2).expect("a word").to_owned());
    ended.sort();
    assert_eq!(ended, ["connected", "connected"], "the second waits for what the first came to");
    assert_eq!(ends(&desk.browse(&callback, &cookie).await), "/end/connected");
    assert_eq!(fired(&desk.running).await.0, 1, "token requests");
    assert_eq!(desk.told("u1").await, ["nothing>connected"]);
}

#[tokio::test]
async fn another_browser_redeems_nothing_and_is_told_nothing() {
    let desk = Desk::new().await;
    set(&desk.running, json!({ "fault": "delay", "milliseconds": 1, "times": 9 })).await;
    let other = desk.open(&desk.link("u2").await).await.1;
    for cookie in ["", other.as_str(), "keyfob-vault-browser=a; keyfob-vault-browser=b"] {
        let link = desk.link("u1").await;
        let (authorize, own) = desk.open(&link).await;
        let callback = desk.decided(&authorize, 0, "approve").await;
        // The link stands for the user; a stranger who has the callback does not get it.
        assert_eq!(ends(&desk.browse(&callback, cookie).await), "/end/wrong-browser", "{cookie}");
        assert_eq!(fired(&desk.running).await.0, 0, "token requests");
        assert!(!ends(&desk.browse(&callback, &own).await).contains("connected"));
        assert_eq!(desk.get("/connections/fub/u1").await.status, 404);
    }
    let (authorize, own) = desk.open(&desk.link("u1").await).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    assert_eq!(ends(&desk.browse(&callback, &own).await), "/end/connected");
    for cookie in ["", other.as_str()] {
        assert_eq!(ends(&desk.browse(&callback, cookie).await), "/end/wrong-browser");
    }
}

#[tokio::test]
async fn somebody_else_cannot_take_a_connection_over() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    let before = desk.get("/connections/fub/u1").await.json();
    let ended = desk.trip("u1", 1, "approve").await;
    assert!(ended.starts_with("/end/other-identity/"), "{ended}");
    assert_eq!(desk.browse(&ended, "").await.status, 409);
    assert_eq!(desk.get("/connections/fub/u1").await.json(), before);
    assert_eq!(desk.get("/proxy/fub/u1/v1/identity").await.json()["user"]["id"], before["identity"]["user"]["id"]);
    assert_eq!(desk.told("u1").await, ["nothing>connected"]);
    desk.connect("u1").await;
}

#[tokio::test]
async fn return_to_leads_to_the_partners_places_and_nowhere_else() {
    let wanted = Wanted {
        return_prefixes: vec!["https://app.example.com/done/"],
        after: Some("https://app.example.com/after?x=1"),
        ..Wanted::default()
    };
    let desk = Desk::with(wanted).await;
    let start = async |to: &str| {
        let body = json!({ "app": "fub", "id": "u1", "return_to": to }).to_string();
        desk.ask(Method::Post, "/connections/start", &body).await
    };
    for bad in [
        "https://app.example.com.evil.example/done/",
        "https://app.example.com@evil.example/done/",
        "https://user:p@app.example.com/done/",
        "https://user@app.example.com/done/",
        "https://evil.example\\@app.example.com/done/",
        "https://app.example.com:444/done/",
        "http://app.example.com/done/",
        "https://app.example.com/done",
        "https://app.example.com/doneX/",
        "https://app.example.com/done/../admin",
        "https://app.example.com/done/%2e%2e/admin",
        "https://app.example.com/done/..\\admin",
        "https://app.example.com/done/..%2fadmin",
        "https://app.example.com/done/%2E%2E%2Fadmin",
        "https://app.example.com/done/x#f",
        "//app.example.com/done/",
        "/done/",
        "javascript:alert(1)//app.example.com/done/",
        "",
    ] {
        let got = start(bad).await;
        assert_eq!(refusal(&got), (400, "invalid_request".to_owned()), "{bad}");
    }
    let got = start("https://app.example.com/done/u?a=b%26").await;
    assert_eq!(got.status, 200, "{}", got.text);
    let link = desk.path_of(got.json()["url"].as_str().expect("a link"));
    let (authorize, cookie) = desk.open(&link).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    let ended = desk.browse(&callback, &cookie).await;
    let told = form::encode([("app", "fub"), ("connection", "u1"), ("result", "connected")]);
    assert_eq!(ends(&ended), format!("https://app.example.com/done/u?a=b%26&{told}"));
    let denied = desk.trip("u3", 0, "deny").await;
    assert_eq!(denied, "https://app.example.com/after?x=1&app=fub&connection=u3&result=denied");
}

/// Whose fault it is decides on what the partner does: send the user again, mend the configuration, or wait.
#[tokio::test]
async fn a_partner_is_told_why_somebody_is_not_connected() {
    let after = "https://app.example.com/after";
    let desk = Desk::with(Wanted { after: Some(after), ..Wanted::default() }).await;
    let told = |id: &str, what: &str| format!("{after}?app=fub&connection={id}&{what}");
    assert_eq!(desk.trip("u1", 0, "approve").await, told("u1", "result=connected"));
    assert_eq!(desk.trip("u1", 1, "approve").await, told("u1", "result=failed&reason=other_person"));
    set(&desk.running, json!({ "fault": "expired-secret" })).await;
    assert_eq!(desk.trip("u2", 0, "approve").await, told("u2", "result=failed&reason=app_refused"));
    clear(&desk.running).await;
    set(&desk.running, json!({ "fault": "drop-reply", "times": 9 })).await;
    assert_eq!(desk.trip("u3", 0, "approve").await, told("u3", "result=failed&reason=unavailable"));
    clear(&desk.running).await;
    let (authorize, cookie) = desk.open(&desk.link("u4").await).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    let got = desk.browse(&format!("{callback}&error=server_error"), &cookie).await;
    assert_eq!(ends(&got), told("u4", "result=failed&reason=refused"));
    // Nobody is at fault for an address that was typed in.
    for typed in ["/callback", "/callback?code=x", "/callback?state=x"] {
        assert_eq!(ends(&desk.browse(typed, "").await), "/end/expired", "{typed}");
    }
    assert_eq!(desk.browse("/end/expired", "").await.status, 410);
}

#[tokio::test]
async fn ids_are_the_partners_own_and_a_start_without_one_gets_one() {
    let desk = Desk::new().await;
    let long = "x".repeat(201);
    for bad in ["", ".", "..", "a/b", " a", "a\\b", long.as_str(), "a\n"] {
        let body = json!({ "app": "fub", "id": bad }).to_string();
        assert_eq!(refusal(&desk.ask(Method::Post, "/connections/start", &body).await).0, 400, "{bad}");
    }
    for (id, escaped) in [("joe@example.com", "joe@example.com"), ("a b", "a%20b"), ("é%2f<b>", "%C3%A9%252f%3Cb%3E")]
    {
        desk.connect(id).await;
        assert_eq!(desk.get(&format!("/connections/fub/{escaped}")).await.json()["id"], id);
        assert_eq!(desk.get(&format!("/proxy/fub/{escaped}/v1/identity")).await.status, 200, "{id}");
        let removed = desk.ask(Method::Delete, &format!("/connections/fub/{escaped}"), "").await;
        assert_eq!(removed.status, 200, "{id}: {}", removed.text);
    }
    for bad in ["", "[]", "{", r#"{"app":1}"#, r#"{"app":"fub","more":1}"#, "\u{0}"] {
        assert_eq!(refusal(&desk.ask(Method::Post, "/connections/start", bad).await).0, 400, "{bad}");
    }
    let start = async || desk.ask_as(BACKEND, Method::Post, "/connections/start", r#"{"app":"fub"}"#).await.json();
    let (one, two) = (start().await, start().await);
    assert!(one["id"] != two["id"] && one["id"].as_str().is_some_and(|id| id.len() > 12), "{one} {two}");
}

/// RFC 9700 section 4.4.2: an answer that another authority was sent for.
#[tokio::test]
async fn cl_08_a_code_that_arrives_at_another_apps_callback_is_redeemed_nowhere() {
    let desk = Desk::new().await;
    for (at, connected) in [("/callback/other", false), ("/callback/fubs", false), ("/callback/fub", true)] {
        let (authorize, cookie) = desk.open(&desk.link("u1").await).await;
        let callback = desk.decided(&authorize, 0, "approve").await.replacen("/callback", at, 1);
        // Whatever asks for tokens meets this, and goes on.
        set(&desk.running, json!({ "fault": "delay", "milliseconds": 1 })).await;
        let ended = ends(&desk.browse(&callback, &cookie).await).to_owned();
        assert_eq!(ended.contains("/end/connected"), connected, "{at}: {ended}");
        assert_eq!(fired(&desk.running).await.0 > 0, connected, "{at}");
        clear(&desk.running).await;
    }
}

//! The demo, walked as a person would: connect, sign in, decide, look at the messages, press the buttons.

use keyfob_sandbox::SandboxOptions;

use super::browser::{Browser, Page};
use super::running::{Running, options};

const SIGN_IN: &str = "/oauth/authorize/sign-in";
const DECISION: &str = "/oauth/authorize/decision";
const APPS: [&str; 3] = ["followupboss", "rotating", "standard"];

/// Presses Connect and signs in where asked.
async fn consent(running: &Running, browser: &mut Browser, app: &str) -> Page {
    let home = browser.open(&running.announcement.demo).await;
    let page = browser.submit(&home, "/demo/connect", &[("app", app)]).await;
    if !page.got.text.contains(SIGN_IN) {
        return page;
    }
    let user = &running.announcement.users[0];
    browser.submit(&page, SIGN_IN, &[("email", &user.email), ("password", &user.password)]).await
}

async fn connected(running: &Running, browser: &mut Browser, app: &str) -> Page {
    let consent = consent(running, browser, app).await;
    let page = browser.submit(&consent, DECISION, &[("decision", "approve")]).await;
    assert_eq!(page.url.path(), format!("/demo/connections/{app}"), "{}", page.got.text);
    page
}

async fn press(browser: &mut Browser, page: &Page, verb: &str, app: &str) -> Page {
    browser.submit(page, &format!("/demo/{verb}"), &[("app", app)]).await
}

#[tokio::test]
async fn each_app_connects_and_shows_every_message_with_its_secrets_masked() {
    let running = Running::start().await;
    for app in APPS {
        let mut browser = Browser::default();
        let page = connected(&running, &mut browser, app).await;
        let text = &page.got.text;
        for shown in [
            "Send the browser to the authority",
            "The browser comes back",
            "Exchange the code for tokens",
            "Call the API: /v1/identity",
            "HTTP/1.1 200 OK",
            "HTTP/1.1 303 See Other",
            "access_token",
            "Random and bound to this browser",
            "is connected as",
            "expires in 1 hour",
        ] {
            assert!(text.contains(shown), "{app} does not show {shown}: {text}");
        }
        let exchange =
            if app == "followupboss" { "GET /oauth/token?grant_type=auth_code" } else { "POST /oauth/token" };
        assert!(text.contains(exchange), "{app}: {text}");
        assert!(text.contains("••••••") && text.contains("Reveal"));
    }
}

#[tokio::test]
async fn cl_10_the_callback_answers_with_a_redirect_to_a_clean_url_and_works_once() {
    let running = Running::start().await;
    let mut browser = Browser::default();
    let page = connected(&running, &mut browser, "followupboss").await;
    let callback = page.way.iter().find(|url| url.contains("/demo/callback/")).expect("on the way").clone();
    assert!(callback.contains("code=") && page.url.query().is_none());
    assert!(!page.got.text.contains(&format!("href=\"{callback}")));

    let again = browser.visit(&callback).await;
    assert_eq!((again.status, again.header("location")), (303, Some("/demo/outcome/followupboss")));
    assert_eq!(again.header("referrer-policy"), Some("no-referrer"));
    assert_eq!((again.text.as_str(), again.header("cache-control")), ("", Some("no-store")));
    let policy = again.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");

    let used = browser.open(&callback).await;
    assert!(used.got.text.contains("This answer was already used"), "{}", used.got.text);
    assert!(!used.got.text.contains("Exchange the code for tokens"), "a second visit sends nothing");
    // The connection of the first visit goes on.
    let page = browser.open(page.url.as_str()).await;
    let page = browser.submit(&page, "/demo/call", &[("path", "/v1/people")]).await;
    assert!(page.got.text.contains("The API answered 200."), "{}", page.got.text);
    assert_eq!(page.got.text.matches("Exchange the code for tokens").count(), 1);
}

#[tokio::test]
async fn cl_14_a_denial_gets_the_apps_own_message_a_retry_and_no_token_request() {
    let running = Running::start().await;
    for app in APPS {
        let mut browser = Browser::default();
        let consent = consent(&running, &mut browser, app).await;
        let page = browser.submit(&consent, DECISION, &[("decision", "deny")]).await;
        let text = &page.got.text;
        assert_eq!((page.url.path(), page.url.query()), (format!("/demo/outcome/{app}").as_str(), None));
        assert!(text.contains("Nothing was connected") && text.contains("Try again"), "{text}");
        assert!(!text.contains("/oauth/token"), "{text}");
        assert!(!text.contains("earlier connection"), "{text}");
        let retried = browser.submit(&page, "/demo/connect", &[("app", app)]).await;
        let page = browser.submit(&retried, DECISION, &[("decision", "approve")]).await;
        assert!(page.got.text.contains("is connected as"), "{}", page.got.text);
    }
}

#[tokio::test]
async fn cl_14_an_earlier_connection_survives_a_denial() {
    let running = Running::start().await;
    let mut browser = Browser::default();
    let page = connected(&running, &mut browser, "rotating").await;
    let consent = press(&mut browser, &page, "deny", "rotating").await;
    let denied = browser.submit(&consent, DECISION, &[("decision", "deny")]).await;
    assert!(denied.got.text.contains("Your earlier connection as"), "{}", denied.got.text);
    let page = browser.open(page.url.as_str()).await;
    let page = press(&mut browser, &page, "refresh", "rotating").await;
    assert!(page.got.text.contains("a fresh access token"), "{}", page.got.text);
}

#[tokio::test]
async fn every_button_does_what_it_says() {
    let running = Running::start().await;
    let mut browser = Browser::default();
    for app in APPS {
        let page = connected(&running, &mut browser, app).await;
        let page = press(&mut browser, &page, "present-code-again", app).await;
        assert!(page.got.text.contains("The authority refused the code with 400"), "{}", page.got.text);
        let page = press(&mut browser, &page, "refresh", app).await;
        assert!(page.got.text.contains("Refresh the access token"), "{}", page.got.text);
        let page = press(&mut browser, &page, "advance", app).await;
        assert!(page.got.text.contains("expired; the next call refreshes it"), "{}", page.got.text);
        let page = browser.submit(&page, "/demo/call", &[("path", "/v1/people")]).await;
        assert!(page.got.text.contains("The API answered 200."), "{}", page.got.text);
        assert_eq!(page.got.text.matches("step-title\">Refresh the access token").count(), 2, "asked for, and due");
        let page = press(&mut browser, &page, "revoke", app).await;
        assert!(page.got.text.contains("The grant is taken back."), "{}", page.got.text);
        let page = browser.submit(&page, "/demo/call", &[("path", "/v1/identity")]).await;
        assert!(page.got.text.contains("has to connect again"), "{}", page.got.text);
        assert!(page.got.text.contains(">Ended<"), "{}", page.got.text);
        let home = press(&mut browser, &page, "disconnect", app).await;
        assert!(home.url.path() == "/demo" && home.got.text.contains("has forgotten its tokens"), "{}", home.got.text);
    }
}

#[tokio::test]
async fn a_form_without_the_sessions_value_does_nothing() {
    let running = Running::start().await;
    let mut browser = Browser::default();
    let page = connected(&running, &mut browser, "followupboss").await;
    for verb in ["connect", "deny", "call", "refresh", "present-code-again", "advance", "revoke", "disconnect"] {
        for csrf in [&[][..], &[("csrf", "guessed")]] {
            let fields: Vec<_> = [("app", "followupboss")].iter().chain(csrf).copied().collect();
            let got = browser.post(&format!("{}/{verb}", running.announcement.demo), &fields).await;
            assert_eq!(got.status, 403, "{verb}: {}", got.text);
        }
    }
    let page = browser.open(page.url.as_str()).await;
    assert!(page.got.text.contains("expires in 1 hour"), "{}", page.got.text);
    assert_eq!(page.got.text.matches("class=\"step-title\"").count(), 4, "nothing went over the wire");
}

#[tokio::test]
async fn cl_01_a_callback_from_another_browser_or_out_of_nowhere_sends_nothing() {
    let running = Running::start().await;
    let mut victim = Browser::default();
    victim.open(&running.announcement.demo).await;
    let mut attacker = Browser::default();
    let consent = consent(&running, &mut attacker, "followupboss").await;
    let fields = [("decision", "approve")];
    let landing = attacker.submit(&consent, DECISION, &fields).await;
    let callback = landing.way.iter().find(|url| url.contains("/demo/callback/")).expect("on the way");
    for url in [callback.clone(), format!("{}/callback/standard?code=x&state=y", running.announcement.demo)] {
        let page = victim.open(&url).await;
        assert!(page.got.text.contains("Nobody here asked for this answer"), "{}", page.got.text);
        assert!(!page.got.text.contains("/oauth/token"));
        let stranger = Browser::default().open(&url).await;
        assert!(stranger.got.text.contains("Nobody here asked for this answer"), "{}", stranger.got.text);
    }
}

#[tokio::test]
async fn se_02_every_page_of_the_demo_carries_the_headers_and_names_the_authority_as_form_target() {
    let running = Running::start_with(SandboxOptions { separate_hosts: true, ..options() }).await;
    let demo = &running.announcement.demo;
    for path in ["", "/connections/standard", "/outcome/standard", "/connections/nothing", "/callback/standard"] {
        let got = Browser::default().visit(&format!("{demo}{path}")).await;
        let policy = got.header("content-security-policy").expect("a policy");
        assert!(policy.contains(&format!("form-action 'self' {};", running.origin())), "{policy}");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(got.header(name), Some(value), "{path} {name}");
        }
        if let Some(cookie) = got.header("set-cookie") {
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        }
    }
    // The whole flow works across the hosts.
    let page = connected(&running, &mut Browser::default(), "standard").await;
    assert!(page.got.text.contains("is connected as"), "{}", page.got.text);
}

#[tokio::test]
async fn another_name_of_this_machine_leads_to_the_demos_own() {
    let running = Running::start().await;
    let localhost = running.announcement.demo.replacen("127.0.0.1", "localhost", 1);
    let mut browser = Browser::default();
    let got = browser.visit(&localhost).await;
    assert_eq!((got.status, got.header("location")), (303, Some(running.announcement.demo.as_str())));
    let callback = browser.visit(&format!("{localhost}/callback/standard?code=x&state=y")).await;
    assert_eq!((callback.status, callback.header("location")), (421, None));
}

#[tokio::test]
async fn a_reset_forgets_the_browsers_too() {
    let running = Running::start().await;
    let mut browser = Browser::default();
    let page = connected(&running, &mut browser, "standard").await;
    assert_eq!(running.control("reset", serde_json::json!({})).await.status, 200);
    let refused = press(&mut browser, &page, "refresh", "standard").await;
    assert_eq!(refused.got.status, 403);
    let home = browser.open(&running.announcement.demo).await;
    assert!(!home.got.text.contains("Connect again"), "{}", home.got.text);
    // The session at the authority is over as well: it asks for the password again.
    let page = browser.submit(&home, "/demo/connect", &[("app", "standard")]).await;
    assert!(page.got.text.contains(SIGN_IN), "{}", page.got.text);
}

#[tokio::test]
async fn the_page_of_faults_sets_them_shows_them_and_ends_them() {
    let running = Running::start().await;
    let mut browser = Browser::default();
    connected(&running, &mut browser, "followupboss").await;
    let home = browser.open(&running.announcement.demo).await;
    assert!(home.got.text.contains("href=\"/demo/faults\""), "{}", home.got.text);
    let url = format!("{}/faults", running.announcement.demo);
    let page = browser.open(&url).await;
    let buttons: Vec<String> = page
        .got
        .text
        .split("name=\"fault\" value=\"")
        .skip(1)
        .map(|rest| unescaped(rest.split('"').next().unwrap()))
        .collect();
    // Every fault, those of two places in both, and every mode.
    assert_eq!(buttons.len(), 29);
    for mode in ["fixed", "rotating", "replay", "strict", "compared", "required", "ignored", "refused", "as-auth-code"]
    {
        assert!(buttons.iter().any(|button| button.contains(&format!("\"{mode}\""))), "{mode}");
    }
    let concerned = |value: &str| format!("<option value=\"{value}\">");
    assert!(page.got.text.contains(&concerned("connection followupboss")), "{}", page.got.text);
    assert!(!page.got.text.contains(&concerned("connection rotating")), "it is not connected");
    for fault in &buttons {
        let fields = [("fault", fault.as_str()), ("concerns", "app rotating"), ("times", "3"), ("milliseconds", "10")];
        let page = browser.submit(&page, "/demo/faults", &fields).await;
        assert!(page.got.text.contains("Set. Now do something"), "{fault}: {}", page.got.text);
    }
    let page = browser.open(&url).await;
    assert!(page.got.text.contains("<code>delay api 10 ms</code>"), "{}", page.got.text);
    assert_eq!(page.got.text.matches("<td data-label=\"For\">Lead Router</td>").count(), buttons.len());
    assert!(page.got.text.contains("href=\"/demo/faults/scenario.json\""), "{}", page.got.text);
    let saved = browser.visit(&format!("{url}/scenario.json")).await;
    assert_eq!(saved.header("content-disposition"), Some("attachment; filename=\"scenario.json\""));
    assert_eq!(saved.json()["faults"].as_array().map(Vec::len), Some(buttons.len()));
    assert!(!saved.text.contains("fired"), "{}", saved.text);
    let page = browser.submit(&page, "/demo/faults/end", &[]).await;
    assert!(page.got.text.contains("Everything works") && !page.got.text.contains("What is set"));
    assert_eq!(running.control("faults", saved.json()).await.status, 200, "{}", saved.text);
    let page = browser.open(&url).await;
    let page = browser.submit(&page, "/demo/faults/end", &[]).await;

    let expired = r#"{"fault":"expired-account"}"#;
    let set = browser.submit(&page, "/demo/faults", &[("fault", expired), ("concerns", ""), ("times", "1")]).await;
    assert!(set.got.text.contains("every app"), "{}", set.got.text);
    let connection = browser.open(&format!("{}/connections/followupboss", running.announcement.demo)).await;
    let called = press(&mut browser, &connection, "call", "followupboss").await;
    assert!(called.got.text.contains("The API answered 403"), "{}", called.got.text);
    let wrong = browser.submit(&page, "/demo/faults", &[("fault", "{}"), ("concerns", ""), ("times", "1")]).await;
    assert!(wrong.got.text.contains("Nothing was set"), "{}", wrong.got.text);
    for length in ["", "soon", "120001"] {
        let fields = [("fault", r#"{"fault":"delay"}"#), ("concerns", ""), ("times", "1"), ("milliseconds", length)];
        let late = browser.submit(&page, "/demo/faults", &fields).await;
        assert!(late.got.text.contains("Nothing was set"), "{length}: {}", late.got.text);
    }
    let fields = [("fault", expired), ("concerns", "connection followupboss"), ("times", "1")];
    let set = browser.submit(&page, "/demo/faults", &fields).await;
    assert!(set.got.text.contains("<td data-label=\"For\">the connection "), "{}", set.got.text);
    let called = press(&mut browser, &connection, "call", "followupboss").await;
    assert!(called.got.text.contains("The API answered 403"), "{}", called.got.text);
    let fields = [("fault", expired), ("concerns", "connection rotating"), ("times", "1")];
    let none = browser.submit(&page, "/demo/faults", &fields).await;
    assert!(none.got.text.contains("has no such connection"), "{}", none.got.text);
    let foreign = browser.post(&url, &[("fault", expired), ("csrf", "guessed")]).await;
    assert_eq!(foreign.status, 403);
}

fn unescaped(text: &str) -> String {
    text.replace("&quot;", "\"").replace("&#34;", "\"")
}

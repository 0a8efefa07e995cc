//! The page of connections, in a browser.

use super::desk::{Desk, Wanted, caller, key_of};
use crate::running::{Got, send};
use keyfob_client::Method;
use keyfob_protocol::form;
use keyfob_vault::callers::Right;

async fn post(desk: &Desk, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Got {
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", cookie)];
    send(Method::Post, &format!("{}{path}", desk.base), &headers, &form::encode(fields.iter().copied())).await
}

async fn signed_in(desk: &Desk, name: &str) -> String {
    let got = post(desk, "/sign-in", "a=b", &[("key", &key_of(name))]).await;
    assert_eq!((got.status, got.header("location")), (303, Some("/")), "{}", got.text);
    let cookie = got.header("set-cookie").expect("a session");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains(&key_of(name)));
    cookie.split(';').next().expect("a pair").to_owned()
}

fn csrf(page: &Got) -> String {
    let rest = page.text.split("name=\"csrf\" value=\"").nth(1).expect("a form");
    rest.split('"').next().expect("a value").to_owned()
}

#[tokio::test]
async fn whoever_signs_in_with_a_key_that_may_read_sees_connections_and_makes_links() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    desk.trip("u2", 0, "deny").await;
    let closed = desk.browse("/", "").await;
    assert!(closed.status == 200 && !closed.text.contains("u1"), "{}", closed.text);
    let session = signed_in(&desk, "backend").await;
    let page = desk.browse("/", &session).await;
    assert!(page.text.contains("u1") && page.text.contains("denied"), "{}", page.text);
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
    assert!(!page.text.contains(&key_of("backend")));
    let token = csrf(&page);
    let made = post(&desk, "/reconnect", &session, &[("csrf", &token), ("app", "fub"), ("id", "u2")]).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let link = made.text.split(&desk.base).find(|rest| rest.starts_with("/connect/")).expect("a link");
    let link = link.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '/').next().expect("a path");
    let (authorize, cookie) = desk.open(link).await;
    let callback = desk.decided(&authorize, 0, "approve").await;
    assert_eq!(desk.browse(&callback, &cookie).await.header("location"), Some("/end/connected"));
    assert_eq!(desk.state("u2").await, "connected");
    let out = post(&desk, "/sign-out", &session, &[("csrf", &token)]).await;
    assert!(out.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
}

/// What the eye cannot see is made visible in the text, and sent as it is by the form.
#[tokio::test]
async fn the_reconnect_button_names_the_very_id() {
    let desk = Desk::new().await;
    let id = "a\u{200b}\u{202e}\"<&";
    desk.trip(id, 0, "deny").await;
    let session = signed_in(&desk, "backend").await;
    let page = desk.browse("/", &session).await;
    let field =
        page.text.split("name=\"id\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a field");
    let sent = field.replace("&#34;", "\"").replace("&#60;", "<").replace("&#38;", "&");
    assert_eq!(sent, id);
    assert!(
        !page.text.split("<h2>").nth(1).is_some_and(|text| text
            .split("</h2>")
            .next()
            .unwrap_or("")
            .contains('\u{202e}'))
    );
}

#[tokio::test]
async fn wrong_keys_old_sessions_and_forms_of_others_do_nothing() {
    let reader = caller("reader", &[Right::Read], Some(&["other"]), &[]);
    let connector = caller("connector", &[Right::Connect], None, &[]);
    let desk = Desk::with(Wanted { callers: vec![reader, connector], ..Wanted::default() }).await;
    desk.connect("u1").await;
    for key in ["", "nonsense", &key_of("nobody"), &key_of("connector"), "\u{0}", "<script>"] {
        let got = post(&desk, "/sign-in", "a=b", &[("key", key)]).await;
        assert_eq!((got.status, got.header("set-cookie")), (422, None), "{key:?}");
        assert!(key.len() < 3 || !got.text.contains(key), "the key is shown: {}", got.text);
    }
    let session = signed_in(&desk, "backend").await;
    let token = csrf(&desk.browse("/", &session).await);
    let reading = signed_in(&desk, "reader").await;
    let theirs = desk.browse("/?app=fub", &reading).await;
    assert!(!theirs.text.contains("u1"), "an app of others is shown: {}", theirs.text);
    let fields = |csrf: &str| [("csrf", csrf.to_owned()), ("app", "fub".to_owned()), ("id", "u1".to_owned())];
    let forged = session.replace("keyfob-vault=", "keyfob-vault=9");
    for (cookie, csrf) in [
        (session.as_str(), ""),
        (session.as_str(), "nonsense"),
        (reading.as_str(), token.as_str()),
        ("", token.as_str()),
        (forged.as_str(), token.as_str()),
        (&format!("{session}; {session}"), token.as_str()),
    ] {
        let fields = fields(csrf);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for path in ["/reconnect", "/sign-out"] {
            let got = post(&desk, path, cookie, &fields).await;
            assert_eq!(got.status, 403, "{path} {cookie} {csrf}: {}", got.text);
        }
    }
    // A reader makes no links.
    let token = csrf(&desk.browse("/", &reading).await);
    let got = post(&desk, "/reconnect", &reading, &[("csrf", &token), ("app", "other"), ("id", "u1")]).await;
    assert_eq!(got.status, 403, "{}", got.text);
    assert!(!desk.browse("/", &forged).await.text.contains("u1"));
    desk.passes(8 * 60 + 1).await;
    assert!(!desk.browse("/", &session).await.text.contains("u1"), "eight hours are over");
}

#[tokio::test]
async fn what_others_named_is_text_on_the_page() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    let hostile = "<script>alert(1)</script>\"'&";
    desk.renamed("fub/u1", &format!("fub/{hostile}"));
    let session = signed_in(&desk, "backend").await;
    let page = desk.browse("/", &session).await;
    assert!(page.text.contains("alert(1)") && !page.text.contains("<script>"), "{}", page.text);
    let token = csrf(&page);
    let got = post(&desk, "/reconnect", &session, &[("csrf", &token), ("app", "fub"), ("id", hostile)]).await;
    assert_eq!(got.status, 400, "{}", got.text);
    for path in [
        "/end/<script>",
        "/end/denied/<script>",
        "/?app=<script>",
        "/?after=<script>",
        "/end/denied/%22%3E%3Cscript%3E",
    ] {
        let got = desk.browse(&path.replace('<', "%3C").replace('>', "%3E"), &session).await;
        assert!(!got.text.contains("<script>"), "{path}: {}", got.text);
    }
}

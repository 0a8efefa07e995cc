//! Who may ask for what; and what the document of the API says of it.

use super::desk::{Desk, Wanted, bearer, caller, key_of, refusal};
use crate::running::send;
use keyfob_client::Method;
use keyfob_vault::callers::Right;
use serde_json::{Value, json};

const START: &str = r#"{"app":"fub","id":"u9"}"#;

/// Every call that needs a right.
const CALLS: [(Option<Right>, Method, &str, &str); 9] = [
    (Some(Right::Connect), Method::Post, "/connections/start", START),
    (Some(Right::Read), Method::Get, "/connections?app=fub", ""),
    (Some(Right::Read), Method::Get, "/connections?app=fub&limit=7&state=connected", ""),
    (Some(Right::Read), Method::Get, "/connections/fub/u1", ""),
    (Some(Right::Read), Method::Get, "/events", ""),
    (Some(Right::Manage), Method::Post, "/connections/fub/u1/refresh", ""),
    (Some(Right::Token), Method::Get, "/connections/fub/u1/token", ""),
    (None, Method::Get, "/proxy/fub/u1/v1/identity", ""),
    (Some(Right::Manage), Method::Delete, "/connections/fub/u1", ""),
];

#[tokio::test]
async fn each_right_opens_its_own_calls_and_no_other() {
    let rights = [Right::Connect, Right::Read, Right::Manage, Right::Token];
    let mut callers: Vec<_> =
        rights.iter().map(|right| caller(&format!("only{right:?}"), &[*right], None, &[])).collect();
    callers.push(caller("proxying", &[], None, &["GET /v1/identity"]));
    let desk = Desk::with(Wanted { callers, ..Wanted::default() }).await;
    desk.connect("u1").await;
    for (needed, method, path, body) in CALLS {
        for right in rights {
            let got = desk.ask_as(&format!("only{right:?}"), method, path, body).await;
            match Some(right) == needed {
                true => assert_eq!(got.status, 200, "{path} with {right:?}: {}", got.text),
                false => assert_eq!(refusal(&got), (403, "forbidden".to_owned()), "{path} with {right:?}"),
            }
        }
        let got = desk.ask_as("proxying", method, path, body).await;
        // The loop has removed the connection before only where it is the last call.
        assert_eq!(got.status, if needed.is_none() { 200 } else { 403 }, "{path}: {}", got.text);
    }
}

#[tokio::test]
async fn a_key_that_is_not_a_callers_opens_nothing() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    let good = key_of("backend");
    let (shorter, longer, other) = (good[1..].to_owned(), format!("{good}0"), good.to_uppercase());
    for value in [
        format!("Bearer {shorter}"),
        format!("Bearer {longer}"),
        format!("Bearer {other}"),
        format!("Bearer {good} {good}"),
        format!("Basic {good}"),
        good.clone(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        String::new(),
    ] {
        for (_, method, path, body) in CALLS {
            let got = send(method, &format!("{}{path}", desk.base), &[("Authorization", &value)], body).await;
            assert_eq!(refusal(&got), (401, "unauthorized".to_owned()), "{value:?} {path}");
            assert!(got.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
        }
    }
    let (none, cookie) = (Vec::new(), vec![("Cookie", "keyfob-vault=1")]);
    for headers in [none, cookie] {
        let got = send(Method::Get, &format!("{}/events", desk.base), &headers, "").await;
        assert_eq!(refusal(&got).0, 401);
    }
    // Nor does the key elsewhere than in the header.
    assert_eq!(send(Method::Get, &format!("{}/events?key={good}", desk.base), &[], "").await.status, 401);
}

/// Who may not ask is not told what is wrong with the question.
#[tokio::test]
async fn a_list_is_refused_before_its_question_is_read() {
    let wanted = Wanted { callers: vec![caller("only", &[Right::Connect], None, &[])], ..Wanted::default() };
    let desk = Desk::with(wanted).await;
    for path in ["/connections", "/connections?limit=0", "/connections?what=ever"] {
        let got = desk.ask_as("only", Method::Get, path, "").await;
        assert_eq!(refusal(&got), (403, "forbidden".to_owned()), "{path}: {}", got.text);
    }
}

#[tokio::test]
async fn a_key_that_was_replaced_opens_nothing_after_the_start_that_replaced_it() {
    let mut desk =
        Desk::with(Wanted { callers: vec![caller("old", &[Right::Read], None, &[])], ..Wanted::default() }).await;
    assert_eq!(desk.ask_as("old", Method::Get, "/events", "").await.status, 200);
    desk.wants_callers(vec![caller("new", &[Right::Read], None, &[])]);
    desk.restart().await;
    assert_eq!(desk.ask_as("old", Method::Get, "/events", "").await.status, 401);
    assert_eq!(desk.ask_as("new", Method::Get, "/events", "").await.status, 200);
}

#[tokio::test]
async fn an_app_of_others_looks_like_none() {
    let all = [Right::Connect, Right::Read, Right::Manage, Right::Token];
    let stranger = caller("stranger", &all, Some(&["other"]), &["* /*"]);
    let desk = Desk::with(Wanted { callers: vec![stranger], ..Wanted::default() }).await;
    desk.connect("u1").await;
    for (_, method, path, body) in CALLS {
        if path == "/events" {
            continue;
        }
        let (absent_path, absent_body) = (path.replace("fub", "none"), body.replace("fub", "none"));
        let theirs = desk.ask_as("stranger", method, path, body).await;
        let absent = desk.ask_as("stranger", method, &absent_path, &absent_body).await;
        assert_eq!((theirs.status, &theirs.text), (404, &absent.text), "{path}");
        assert_eq!(refusal(&theirs), refusal(&absent));
    }
    assert_eq!(desk.ask_as("stranger", Method::Get, "/apps", "").await.json(), json!({ "apps": ["other"] }));
    let events = desk.ask_as("stranger", Method::Get, "/events", "").await.json();
    assert_eq!(events["events"], json!([]));
    let own = desk.ask_as("stranger", Method::Get, "/connections", "").await.json();
    assert_eq!(own["connections"], json!([]));
}

#[tokio::test]
async fn lists_are_in_the_order_of_their_ids_page_by_page_and_by_state() {
    let desk = Desk::new().await;
    for id in ["b", "a", "d", "c", "e"] {
        desk.trip(id, 0, if id == "d" || id == "e" { "deny" } else { "approve" }).await;
    }
    let mut query = "app=fub&limit=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = desk.get(&format!("/connections?{query}")).await.json();
        let found = page["connections"].as_array().expect("a list").iter();
        seen.extend(found.map(|connection| connection["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("app=fub&limit=2&after={next}");
        assert!(seen.len() < 9, "it does not end: {seen:?}");
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    let denied = desk.get("/connections?app=fub&state=denied&limit=1").await.json();
    assert_eq!((&denied["connections"][0]["id"], &denied["next"]), (&json!("d"), &json!("d")));
    let denied = desk.get("/connections?app=fub&state=denied&limit=1&after=d").await.json();
    assert_eq!(denied["connections"][0]["id"], "e");
    let nothing = desk.get("/connections?app=fub&state=denied&limit=1&after=e").await.json();
    assert_eq!(nothing, json!({ "connections": [], "next": null }));
    for bad in ["limit=0", "limit=1001", "limit=x", "state=fine", "more=1", "limit=-1", "after=%ff"] {
        let got = desk.get(&format!("/connections?app=fub&{bad}")).await;
        assert!(got.status == 400 || bad.starts_with("after"), "{bad}: {}", got.text);
    }
    assert_eq!(refusal(&desk.get("/connections").await).0, 400, "which of the two apps?");
}

#[tokio::test]
async fn the_document_of_the_api_is_what_the_service_answers() {
    let desk = Desk::new().await;
    desk.connect("u1").await;
    let document = send(Method::Get, &format!("{}/openapi.json", desk.base), &[], "").await.json();
    let (name, value) = bearer(&key_of("backend"));
    for (method, path, template, body) in [
        (Method::Get, "/apps", "/apps", ""),
        (Method::Post, "/connections/start", "/connections/start", START),
        (Method::Get, "/connections?app=fub", "/connections", ""),
        (Method::Get, "/connections/fub/u1", "/connections/{app}/{id}", ""),
        (Method::Get, "/connections/fub/u1/token", "/connections/{app}/{id}/token", ""),
        (Method::Post, "/connections/fub/u1/refresh", "/connections/{app}/{id}/refresh", ""),
        (Method::Get, "/events", "/events", ""),
        (Method::Get, "/connections/fub/nobody", "/connections/{app}/{id}", ""),
        (Method::Post, "/connections/start", "/connections/start", "{"),
        (Method::Delete, "/connections/fub/u1", "/connections/{app}/{id}", ""),
    ] {
        let got = send(method, &format!("{}{path}", desk.base), &[(name, &value)], body).await;
        let operation = &document["paths"][template][method.as_str().to_ascii_lowercase()];
        let mut answer = &operation["responses"][got.status.to_string()];
        while let Some(named) = answer["$ref"].as_str() {
            answer = document.pointer(named.trim_start_matches('#')).expect("what it names");
        }
        let schema = &answer["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{path} {}: {operation}", got.status);
        fits(&document, schema, &got.json(), path);
    }
}

/// Whether a document is of its schema: names, types, nothing missing, nothing more.
fn fits(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(named) = schema["$ref"].as_str() {
        let schema = document.pointer(named.trim_start_matches('#')).unwrap_or_else(|| panic!("no {named}"));
        return fits(document, schema, value, place);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::String(one) => one == kind,
        Value::Array(several) => several.iter().any(|one| one == kind),
        _ => true,
    };
    assert!(allowed, "{place}: {kind} where {} is said: {value}", schema["type"]);
    if let Some(items) = value.as_array() {
        items.iter().for_each(|item| fits(document, &schema["items"], item, place));
    }
    if let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(fields.contains_key(name), "{place}: {name} is missing in {value}");
        }
        for (name, value) in fields {
            let schema = properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not in the document"));
            fits(document, schema, value, &format!("{place} {name}"));
        }
    }
}

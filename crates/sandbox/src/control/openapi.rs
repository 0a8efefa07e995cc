//! `GET /sandbox/openapi.json`: the control routes, for tools to read (OpenAPI 3.1). A test compares it with the routes.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::answer;

/// Method, path, summary, the body, what 200 holds.
type Operation = (&'static str, &'static str, &'static str, Option<&'static str>, &'static str);

const OPERATIONS: [Operation; 8] = [
    ("post", "/sandbox/authorize", "The browser part without a browser.", Some("Authorize"), "Redirected"),
    ("post", "/sandbox/clock", "Lets time pass.", Some("Advance"), "Clock"),
    ("get", "/sandbox/faults", "The faults that are set, and how often each fired.", None, "Faults"),
    ("post", "/sandbox/faults", "Adds faults.", Some("Scenario"), "Faults"),
    ("delete", "/sandbox/faults", "Ends all faults.", None, "Faults"),
    ("post", "/sandbox/reset", "As freshly seeded, but for the clock.", Some("Reset"), "Clock"),
    ("get", "/sandbox/credentials", "What --json printed at the start.", None, "Credentials"),
    ("get", "/sandbox/openapi.json", "This document.", None, "Anything"),
];

pub(super) async fn openapi() -> Response {
    answer(StatusCode::OK, &document())
}

/// The whole document.
fn document() -> Value {
    let content = |name: &str| {
        let reference = format!("#/components/schemas/{name}");
        json!({ "application/json": { "schema": { "$ref": reference } } })
    };
    let mut paths = Map::new();
    for (method, path, summary, body, holds) in OPERATIONS {
        let mut responses = json!({ "200": { "description": "Done.", "content": content(holds) } });
        let mut refused = |status: &str, description: &str| {
            responses[status] = json!({ "description": description, "content": content("Problem") });
        };
        refused("403", "A page of another origin may not drive the sandbox.");
        refused("503", "The sandbox failed; its log says why.");
        if body.is_some() {
            refused("400", "Nothing was done; errorMessage says what to send.");
        }
        let mut operation = json!({ "summary": summary });
        if let Some(body) = body {
            // The extractor's own refusal, before any of ours.
            responses["413"] = json!({ "description": "The body is larger than 64 KiB." });
            operation["requestBody"] = json!({ "required": true, "content": content(body) });
        }
        operation["responses"] = responses;
        paths.entry(path).or_insert_with(|| json!({}))[method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Keyfob sandbox: control",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Drives the sandbox from integration tests. JSON only, and from no foreign page.",
        },
        "components": { "schemas": schemas() },
        "paths": paths,
    })
}

fn schemas() -> Value {
    const COUNT: &str = "As GET says it; not looked at in a request.";
    let text = json!({ "type": "string" });
    let closed = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    // What each fault takes is docs/sandbox-faults.md's, and is answered by name.
    let fault = closed(
        json!({
            "fault": text,
            "at": { "type": ["string", "null"], "enum": ["token", "api", null] },
            "app": { "type": ["string", "null"] },
            "connection": { "type": ["string", "null"] },
            "times": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "null" }, { "const": "always" }] },
            "milliseconds": { "type": ["integer", "null"], "minimum": 0, "maximum": 120_000 },
            "retryAfter": { "type": ["integer", "null"], "minimum": 0, "maximum": 3600 },
            "mode": { "type": ["string", "null"] },
            "fired": { "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX, "description": COUNT },
            "left": { "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX, "description": COUNT },
        }),
        &["fault"],
    );
    json!({
        "Anything": {},
        "Authorize": closed(
            json!({ "url": text, "user": text, "decision": { "type": "string", "enum": ["approve", "deny"] } }),
            &["url", "user", "decision"],
        ),
        "Redirected": {
            "type": "object",
            "properties": { "redirect": text, "errorDescription": text },
            "required": ["redirect"],
        },
        "Advance": closed(json!({ "advance": { "type": "string", "pattern": "^[0-9]+[smhd]$" } }), &["advance"]),
        "Clock": {
            "type": "object",
            "properties": { "now": text, "offsetSeconds": { "type": "integer" } },
            "required": ["now", "offsetSeconds"],
        },
        "Scenario": closed(json!({ "faults": { "type": "array", "items": fault } }), &["faults"]),
        "Faults": { "type": "object", "properties": { "faults": { "type": "array" } }, "required": ["faults"] },
        "Reset": closed(json!({}), &[]),
        "Credentials": { "type": "object", "required": ["issuer", "api", "demo", "system", "apps", "users"] },
        "Problem": { "type": "object", "properties": { "errorMessage": text }, "required": ["errorMessage"] },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A route that is missing here, or is no route, would mislead whoever builds on the document.
    #[test]
    fn sb_05_every_control_route_is_in_the_document_and_nothing_else() {
        let mut routes = Vec::new();
        for line in include_str!("mod.rs").lines() {
            let Some(route) = line.trim().strip_prefix(".route(\"") else { continue };
            let (path, handlers) = route.split_once('"').expect("a path");
            let methods = ["get", "post", "put", "delete"].into_iter();
            let methods = methods.filter(|method| handlers.contains(&format!("{method}(")));
            routes.extend(methods.map(|method| format!("{method} {path}")));
        }
        let mut documented: Vec<String> =
            OPERATIONS.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
        routes.sort();
        documented.sort();
        assert_eq!(routes, documented);
        let (schemas, text) = (schemas(), document().to_string());
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().expect("a name");
            assert!(schemas.get(name).is_some(), "{name}");
        }
    }
}

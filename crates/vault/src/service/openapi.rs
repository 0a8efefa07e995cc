//! `GET /openapi.json`: the API for callers, for tools to read (OpenAPI 3.1). A test compares it with the routes.

use super::answer::fresh;
use axum::response::Response;
use serde_json::{Map, Value, json};

/// One operation: method, path, summary, parameters, body, what 200 holds, other answers.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    query: &'static [(&'static str, &'static str, &'static str)],
    body: Option<&'static str>,
    answer: &'static str,
    refusals: &'static [u16],
}

/// What an API takes and gives.
const ANYTHING: &str = "Anything";

/// A call through the proxy. HEAD is GET.
const fn proxied(method: &'static str, body: Option<&'static str>) -> Operation {
    Operation {
        method,
        path: "/proxy/{app}/{id}/{path}",
        summary: "A call of the API as the user. The answer is the API's, whatever its status; one of the vault's own has the header Keyfob-Vault-Error.",
        query: &[],
        body,
        answer: ANYTHING,
        refusals: &[400, 401, 403, 404, 409, 413, 429, 502, 503, 504],
    }
}

const OPERATIONS: [Operation; 14] = [
    Operation {
        method: "get",
        path: "/apps",
        summary: "The apps that this caller may use.",
        query: &[],
        body: None,
        answer: "Apps",
        refusals: &[401],
    },
    Operation {
        method: "post",
        path: "/connections/start",
        summary: "Makes a link, good for fifteen minutes, to send a user of yours to. Redirect them at once; whoever opens it connects their own account.",
        query: &[],
        body: Some("Start"),
        answer: "Started",
        refusals: &[400, 401, 403, 404, 413, 503],
    },
    Operation {
        method: "get",
        path: "/connections",
        summary: "Connections in the order of their ids.",
        query: &[
            ("app", "string", "Needed where the caller may use several."),
            ("state", "string", "Only those in this state."),
            ("after", "string", "Behind this id: the `next` of the page before."),
            ("limit", "integer", "1 to 1000; 100 if not given."),
        ],
        body: None,
        answer: "Connections",
        refusals: &[400, 401, 403, 404, 503],
    },
    Operation {
        method: "get",
        path: "/connections/{app}/{id}",
        summary: "One connection.",
        query: &[],
        body: None,
        answer: "Connection",
        refusals: &[400, 401, 403, 404, 503],
    },
    Operation {
        method: "delete",
        path: "/connections/{app}/{id}",
        summary: "Gives the connection back to the authority and removes it.",
        query: &[("local", "boolean", "Remove it here also where the authority cannot be asked.")],
        body: None,
        answer: "Removed",
        refusals: &[400, 401, 403, 404, 409, 502, 503, 504],
    },
    Operation {
        method: "post",
        path: "/connections/{app}/{id}/refresh",
        summary: "Refreshes now. Calls need none of it.",
        query: &[],
        body: None,
        answer: "Connection",
        refusals: &[400, 401, 403, 404, 409, 502, 503],
    },
    Operation {
        method: "get",
        path: "/connections/{app}/{id}/token",
        summary: "The access token, for programs that cannot use the proxy. Needs a right of its own.",
        query: &[],
        body: None,
        answer: "Token",
        refusals: &[400, 401, 403, 404, 409, 502, 503],
    },
    Operation {
        method: "get",
        path: "/events",
        summary: "Changes of state from a number on; waits for the next one if asked to.",
        query: &[
            ("after", "integer", "The `next` of the page before."),
            ("limit", "integer", "1 to 1000; 100 if not given."),
            ("wait", "integer", "Seconds, at most 30."),
        ],
        body: None,
        answer: "Events",
        refusals: &[400, 401, 403, 503],
    },
    proxied("get", None),
    proxied("post", Some(ANYTHING)),
    proxied("put", Some(ANYTHING)),
    proxied("patch", Some(ANYTHING)),
    proxied("delete", None),
    Operation {
        method: "get",
        path: "/openapi.json",
        summary: "This document.",
        query: &[],
        body: None,
        answer: "Anything",
        refusals: &[],
    },
];

pub(crate) async fn openapi() -> Response {
    fresh(document())
}

/// The whole document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for operation in &OPERATIONS {
        let entry = paths.entry(operation.path).or_insert_with(|| json!({}));
        entry[operation.method] = spelled(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Keyfob vault",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Connections of your users to an API, kept alive. Calls go through the proxy, so that no program holds a token.",
        },
        "components": {
            "securitySchemes": { "caller": { "type": "http", "scheme": "bearer", "description": "A caller key." } },
            "schemas": schemas(),
        },
        "security": [{ "caller": [] }],
        "paths": paths,
    })
}

fn spelled(operation: &Operation) -> Value {
    let in_path = operation.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(operation.query.iter().map(|(name, kind, description)| {
        json!({ "name": name, "in": "query", "description": description, "schema": { "type": kind } })
    }));
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let content = |name: &str| json!({ "application/json": { "schema": reference(name) } });
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": "Done.", "content": content(operation.answer) }));
    for status in operation.refusals {
        let description = "Says in `error` what is wrong and in `message` what to do.";
        responses.insert(status.to_string(), json!({ "description": description, "content": content("Problem") }));
    }
    if operation.path.starts_with("/proxy/") {
        responses.insert("default".to_owned(), json!({ "description": "The API's answer." }));
    }
    let mut spelled = json!({ "summary": operation.summary, "parameters": parameters, "responses": responses });
    if let Some(body) = operation.body {
        spelled["requestBody"] = json!({ "required": body != ANYTHING, "content": content(body) });
    }
    spelled
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let perhaps = json!({ "type": ["string", "null"] });
    let object = |properties: Value| json!({ "type": "object", "properties": properties });
    let connection = object(json!({
        "app": text, "id": text,
        "state": { "type": "string", "enum": ["connected", "degraded", "reauth_required", "lost_reply", "account_locked", "denied", "unreadable"] },
        "since": perhaps, "reason": perhaps,
        "identity": { "type": ["object", "null"] },
        "token_expires_at": perhaps,
        "days_until_idle_death": { "type": ["integer", "null"] },
        "last_call_at": perhaps,
    }));
    let vault = json!({ "type": "string", "description": "Which vault counted: another value than before means that numbers kept from then are worth nothing." });
    let event = object(json!({
        "vault": vault, "number": { "type": "integer" }, "app": text, "id": text, "from": perhaps, "to": text, "since": text,
    }));
    json!({
        "Anything": {},
        "Apps": object(json!({ "apps": { "type": "array", "items": text } })),
        "Start": {
            "type": "object",
            "properties": { "app": text, "id": text, "return_to": text },
            "required": ["app"],
            "additionalProperties": false,
        },
        "Started": object(json!({ "app": text, "id": text, "url": text, "expires_at": text })),
        "Connection": connection,
        "Connections": object(json!({ "connections": { "type": "array", "items": connection }, "next": perhaps })),
        "Removed": object(json!({ "app": text, "id": text, "removed": { "type": "boolean" }, "ended_at_authority": { "type": "boolean" } })),
        "Token": object(json!({ "access_token": text, "token_type": text, "expires_at": perhaps })),
        "Events": object(json!({ "vault": vault, "events": { "type": "array", "items": event }, "next": { "type": "integer" } })),
        "Problem": object(json!({ "error": text, "message": text })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A route for callers that is missing here, or is no route, would mislead whoever builds on the document.
    #[test]
    fn every_route_for_callers_is_in_the_document_and_nothing_else() {
        let pages =
            ["/connect/", "/callback", "/end/", "/\"", "/sign-", "/reconnect", "/assets/", "/healthz", "/readyz"];
        let routes = include_str!("../service.rs").lines().filter_map(|line| line.trim().strip_prefix(".route(\""));
        let routes = routes.filter(|route| !pages.iter().any(|page| route.starts_with(page)));
        let mut routes: Vec<String> = routes
            .flat_map(|route| {
                let (path, handlers) = route.split_once('"').expect("a path");
                let path = path.replace("{*path}", "{path}");
                let methods = ["get", "post", "delete", "any"].into_iter();
                let methods = methods.filter(|method| handlers.contains(&format!("{method}(")));
                let spelled = methods.flat_map(|method| match method {
                    "any" => vec!["get", "post", "put", "patch", "delete"],
                    method => vec![method],
                });
                spelled.map(move |method| format!("{method} {path}")).collect::<Vec<_>>()
            })
            .collect();
        let mut documented: Vec<String> =
            OPERATIONS.iter().map(|operation| format!("{} {}", operation.method, operation.path)).collect();
        routes.sort();
        documented.sort();
        assert_eq!(routes, documented);
        let document = document();
        for operation in &OPERATIONS {
            assert!(document["components"]["schemas"].get(operation.answer).is_some(), "{}", operation.answer);
        }
    }
}

//! `GET /openapi.json`: the endpoints that programs call, for tools to read (OpenAPI 3.1). Pages for people are not among them, and
//! [`tests`] compares the document with the routes.

use super::openapi_schemas::schemas;
use axum::Json;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// One operation: method, path, who proves themselves how, parameters, body, what it answers.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    security: &'static [&'static str],
    query: &'static [&'static str],
    body: Option<Body>,
    answers: &'static [(u16, Content)],
}

#[derive(Clone, Copy)]
enum Body {
    Form(&'static str),
    Json(&'static str),
}

/// What an answer holds.
#[derive(Clone, Copy)]
enum Content {
    Json(&'static str),
    Page,
    Text,
    Nothing,
    /// The gate's refusals have no body; others at the same address have one.
    Perhaps(&'static str),
}

use Content::{Nothing, Page, Perhaps, Text};

const GET_TOKEN: &[(u16, Content)] = &[
    (200, Content::Json("LegacyEnvelope")),
    (400, Content::Json("LegacyEnvelope")),
    (401, Content::Json("LegacyEnvelope")),
    (404, Content::Json("LegacyEnvelope")),
    (405, Content::Json("LegacyEnvelope")),
    (414, Content::Json("OAuthError")),
    (429, Content::Json("LegacyEnvelope")),
    (431, Content::Json("OAuthError")),
    (503, Content::Json("LegacyEnvelope")),
];
const POST_TOKEN: &[(u16, Content)] = &[
    (200, Content::Json("Tokens")),
    (400, Content::Json("OAuthError")),
    (401, Content::Json("OAuthError")),
    (404, Content::Json("OAuthError")),
    (408, Content::Json("OAuthError")),
    (413, Content::Json("OAuthError")),
    (414, Content::Json("OAuthError")),
    (429, Content::Json("OAuthError")),
    (431, Content::Json("OAuthError")),
    (503, Content::Json("OAuthError")),
];
const AUTHORIZE: &[(u16, Content)] = &[
    (200, Page),
    (303, Nothing),
    (400, Page),
    (403, Page),
    (408, Page),
    (413, Page),
    (414, Page),
    (415, Page),
    (429, Page),
    (431, Page),
    (503, Page),
];
const AUTHORIZATION_REQUEST: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "prompt",
    "response_mode",
    "code_challenge",
    "code_challenge_method",
    "resource",
];
const TOKEN_REQUEST: &[&str] =
    &["grant_type", "code", "redirect_uri", "refresh_token", "code_verifier", "state", "scope"];
const BEARER: &[&str] = &["bearer"];
const CLIENT: &[&str] = &["client"];
const SYSTEM: &[&str] = &["system"];
const PLATFORM: &[&str] = &["platform"];
const REFUSED: Content = Content::Json("PlatformRefusal");

/// An operation without parameters, body and proof, for the others to differ from.
const PLAIN: Operation =
    Operation { method: "get", path: "", summary: "", security: &[], query: &[], body: None, answers: &[] };

const OPERATIONS: [Operation; 22] = [
    Operation {
        path: "/oauth/authorize",
        summary: "Where the app sends the user's browser (RFC 6749 section 4.1.1).",
        query: AUTHORIZATION_REQUEST,
        answers: AUTHORIZE,
        ..PLAIN
    },
    Operation {
        method: "post",
        path: "/oauth/authorize",
        summary: "The same by a form (RFC 6749 section 3.1).",
        body: Some(Body::Form("AuthorizationRequest")),
        answers: AUTHORIZE,
        ..PLAIN
    },
    Operation {
        path: "/oauth/token",
        summary: "A code or refresh token for tokens, in Follow Up Boss's spelling.",
        security: CLIENT,
        query: TOKEN_REQUEST,
        answers: GET_TOKEN,
        ..PLAIN
    },
    Operation {
        method: "post",
        path: "/oauth/token",
        summary: "A code or refresh token for tokens (RFC 6749 section 3.2).",
        security: CLIENT,
        body: Some(Body::Form("TokenRequest")),
        answers: POST_TOKEN,
        ..PLAIN
    },
    Operation {
        method: "post",
        path: "/oauth/revoke",
        summary: "The app gives a token back (RFC 7009).",
        security: CLIENT,
        body: Some(Body::Form("AboutToken")),
        answers: &[
            (200, Nothing),
            (400, Content::Json("OAuthError")),
            (401, Content::Json("OAuthError")),
            (413, Content::Json("OAuthError")),
            (429, Content::Json("OAuthError")),
            (503, Content::Json("OAuthError")),
        ],
        ..PLAIN
    },
    Operation {
        method: "post",
        path: "/oauth/introspect",
        summary: "A resource server asks about an access token (RFC 7662).",
        security: CLIENT,
        body: Some(Body::Form("AboutToken")),
        answers: &[
            (200, Content::Json("Introspection")),
            (400, Content::Json("OAuthError")),
            (401, Content::Json("OAuthError")),
            (403, Content::Json("OAuthError")),
            (413, Content::Json("OAuthError")),
            (429, Content::Json("OAuthError")),
            (503, Content::Json("OAuthError")),
        ],
        ..PLAIN
    },
    Operation {
        path: "/oauth/revocations",
        summary: "The feed that gates follow; for registered resource servers.",
        security: CLIENT,
        query: &["after", "wait"],
        answers: &[
            (200, Content::Json("Anything")),
            (400, Content::Json("Anything")),
            (401, Content::Json("Anything")),
            (403, Content::Json("Anything")),
            (429, Content::Json("Anything")),
            (503, Content::Json("Anything")),
        ],
        ..PLAIN
    },
    Operation {
        path: "/oauth/jwks",
        summary: "The public keys of access tokens (RFC 7517 section 5).",
        answers: &[(200, Content::Json("Jwks"))],
        ..PLAIN
    },
    Operation {
        path: "/.well-known/oauth-authorization-server",
        summary: "What works here (RFC 8414).",
        answers: &[(200, Content::Json("Metadata"))],
        ..PLAIN
    },
    Operation {
        path: "/.well-known/oauth-protected-resource",
        summary: "Which authority guards the API (RFC 9728).",
        answers: &[(200, Content::Json("ProtectedResource")), (404, Page)],
        ..PLAIN
    },
    Operation {
        path: "/v1/identity",
        summary: "The account and user that a token acts for.",
        security: BEARER,
        answers: &[
            (200, Content::Json("Identity")),
            (400, Perhaps("ApiError")),
            (401, Perhaps("ApiError")),
            (403, Content::Json("ApiError")),
            (429, Content::Json("ApiError")),
            (503, Perhaps("ApiError")),
        ],
        ..PLAIN
    },
    Operation {
        path: "/v1/oauthApps",
        summary: "The apps of a system.",
        security: SYSTEM,
        answers: &[(200, Content::Json("Apps")), (401, Content::Json("ApiError")), (503, Content::Json("ApiError"))],
        ..PLAIN
    },
    Operation {
        method: "post",
        path: "/v1/oauthApps",
        summary: "Registers an app; the only answer that has its secret.",
        security: SYSTEM,
        body: Some(Body::Json("NewApp")),
        answers: &[
            (201, Content::Json("RegisteredApp")),
            (400, Content::Json("ApiError")),
            (401, Content::Json("ApiError")),
            (413, Content::Json("ApiError")),
            (503, Content::Json("ApiError")),
        ],
        ..PLAIN
    },
    Operation {
        path: "/v1/oauthApps/{id}",
        summary: "One app of a system.",
        security: SYSTEM,
        answers: &[
            (200, Content::Json("App")),
            (401, Content::Json("ApiError")),
            (404, Content::Json("ApiError")),
            (503, Content::Json("ApiError")),
        ],
        ..PLAIN
    },
    Operation {
        method: "put",
        path: "/v1/oauthApps/{id}",
        summary: "Replaces the redirect URIs of an app, and its name if given.",
        security: SYSTEM,
        body: Some(Body::Json("NewApp")),
        answers: &[
            (200, Content::Json("App")),
            (400, Content::Json("ApiError")),
            (401, Content::Json("ApiError")),
            (404, Content::Json("ApiError")),
            (413, Content::Json("ApiError")),
            (503, Content::Json("ApiError")),
        ],
        ..PLAIN
    },
    Operation {
        method: "delete",
        path: "/v1/oauthApps/revokeAccess",
        summary: "The app gives the access back that the Bearer token is of.",
        security: &["system", "bearer"],
        answers: &[
            (200, Content::Json("Success")),
            (401, Perhaps("ApiError")),
            (400, Perhaps("ApiError")),
            (403, Perhaps("ApiError")),
            (404, Content::Json("ApiError")),
            (503, Perhaps("ApiError")),
        ],
        ..PLAIN
    },
    Operation {
        method: "put",
        path: "/platform/users/{id}",
        summary: "Where a platform signs people in, it suspends and reopens its user, or gives them another role.",
        security: PLATFORM,
        body: Some(Body::Json("PlatformUser")),
        answers: &[
            (200, Content::Json("PlatformUser")),
            (400, REFUSED),
            (401, REFUSED),
            (404, REFUSED),
            (409, REFUSED),
            (413, Nothing),
            (503, REFUSED),
        ],
        ..PLAIN
    },
    Operation {
        method: "put",
        path: "/platform/accounts/{id}",
        summary: "The same for an account, which has no role.",
        security: PLATFORM,
        body: Some(Body::Json("PlatformAccount")),
        answers: &[
            (200, Content::Json("PlatformAccount")),
            (400, REFUSED),
            (401, REFUSED),
            (404, REFUSED),
            (409, REFUSED),
            (413, Nothing),
            (503, REFUSED),
        ],
        ..PLAIN
    },
    Operation { path: "/healthz", summary: "Whether the process lives.", answers: &[(200, Text)], ..PLAIN },
    Operation {
        path: "/readyz",
        summary: "Whether this node takes traffic.",
        answers: &[(200, Content::Json("Ready")), (503, Content::Json("Ready"))],
        ..PLAIN
    },
    Operation {
        path: "/.well-known/oauth-protected-resource/{path}",
        summary: "The same for an API beneath a path.",
        answers: &[(200, Content::Json("ProtectedResource")), (404, Page)],
        ..PLAIN
    },
    Operation {
        path: "/openapi.json",
        summary: "This document.",
        answers: &[(200, Content::Json("Anything"))],
        ..PLAIN
    },
];

/// The handler.
pub(crate) async fn openapi() -> Response {
    ([(CACHE_CONTROL, "public, max-age=300")], Json(document())).into_response()
}

/// The whole document.
fn document() -> Value {
    let mut paths = Map::new();
    for operation in &OPERATIONS {
        let entry = paths.entry(operation.path).or_insert_with(|| json!({}));
        entry[operation.method] = spelled(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Keyfob authority",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Delegated access to an API: authorization, tokens, and what apps and resource servers ask of them.",
        },
        "components": {
            "securitySchemes": {
                "client": { "type": "http", "scheme": "basic", "description": "Client id and secret; by POST also in the body." },
                "bearer": { "type": "http", "scheme": "bearer", "description": "An access token." },
                "platform": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Signed by the platform for this change: docs/sign-in.md." },
                "system": { "type": "apiKey", "in": "header", "name": "X-System-Key", "description": "With X-System, its name." },
            },
            "schemas": schemas(),
        },
        "paths": paths,
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn spelled(operation: &Operation) -> Value {
    let in_path = operation.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(
        operation.query.iter().map(|name| json!({ "name": name, "in": "query", "schema": { "type": "string" } })),
    );
    let mut responses = Map::new();
    for (status, content) in operation.answers {
        let mut response = json!({ "description": described(*status) });
        match content {
            Content::Json(name) => response["content"]["application/json"]["schema"] = reference(name),
            Page => response["content"]["text/html"]["schema"] = json!({ "type": "string" }),
            Text => response["content"]["text/plain"]["schema"] = json!({ "type": "string" }),
            Perhaps(name) => response["content"]["application/json"]["schema"] = reference(name),
            Nothing => {}
        }
        responses.insert(status.to_string(), response);
    }
    let mut spelled = json!({ "summary": operation.summary, "parameters": parameters, "responses": responses });
    if !operation.security.is_empty() {
        let all: Map<String, Value> = operation.security.iter().map(|name| ((*name).to_owned(), json!([]))).collect();
        spelled["security"] = json!([all]);
    }
    if let Some(body) = operation.body {
        let (kind, name) = match body {
            Body::Form(name) => ("application/x-www-form-urlencoded", name),
            Body::Json(name) => ("application/json", name),
        };
        spelled["requestBody"] = json!({ "required": true, "content": { kind: { "schema": reference(name) } } });
    }
    spelled
}

fn described(status: u16) -> &'static str {
    match status {
        200 | 201 => "Done.",
        303 => "Back to the app, or on.",
        429 => "Too many requests; Retry-After says when.",
        503 => "Not at the moment; Retry-After says when.",
        _ => "Refused; the body says why.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Of people and their browsers.
    const PAGES: [&str; 11] = [
        "/oauth/authorize/sign-in",
        "/oauth/authorize/decision",
        "/sign-in",
        "RETURN_PATH",
        "CALLBACK_PATH",
        "hand_off::REFUSED_PATH",
        "hand_off::CONTINUE_PATH",
        "/sign-out",
        "/connections",
        "/connections/revoke",
        "/assets/{file}",
    ];

    /// A route that is missing here, or is no route, would mislead whoever builds on the document.
    #[test]
    fn every_route_for_programs_is_in_the_document_and_nothing_else() {
        let table: String = include_str!("../router.rs").split_whitespace().collect::<Vec<_>>().join("");
        let mut routes = BTreeSet::new();
        for route in table.split(".route(").skip(1) {
            let (path, handlers) = route.split_once(',').expect("a path");
            let path = match path {
                "TOKEN" => "/oauth/token",
                "RESOURCE" => keyfob_gate::protected_resource::WELL_KNOWN,
                "RESOURCE_PATHS" => "/.well-known/oauth-protected-resource/{path}",
                quoted => quoted.trim_matches('"'),
            };
            if PAGES.contains(&path) {
                continue;
            }
            for method in ["get", "post", "put", "delete"] {
                if handlers.contains(&format!("{method}(")) {
                    routes.insert(format!("{method} {path}"));
                }
            }
            if handlers.starts_with("any(") {
                // The handler knows which: `token_methods`, RFC 7009 section 2.1, RFC 9728 section 3.1.
                let methods: &[&str] = match path {
                    "/oauth/token" => &["get", "post"],
                    "/oauth/revoke" => &["post"],
                    _ => &["get"],
                };
                routes.extend(methods.iter().map(|method| format!("{method} {path}")));
            }
        }
        let documented: BTreeSet<String> =
            OPERATIONS.iter().map(|operation| format!("{} {}", operation.method, operation.path)).collect();
        assert_eq!(routes, documented);
    }

    #[test]
    fn every_schema_that_is_named_exists_and_every_other_is_named() {
        let document = document();
        let text = document.to_string();
        let named: BTreeSet<&str> =
            text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().expect("a name")).collect();
        let schemas = schemas();
        let existing: BTreeSet<&str> = schemas.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(named, existing);
    }
}

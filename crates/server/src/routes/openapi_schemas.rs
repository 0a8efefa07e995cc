//! The shapes that `/openapi.json` speaks of.

use serde_json::{Value, json};

/// By the names that operations use.
pub(super) fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let word = json!({ "type": "string", "pattern": "^[a-z_]+$" });
    let number = json!({ "type": "integer" });
    let truth = json!({ "type": "boolean" });
    let status = json!({ "enum": ["active", "suspended"] });
    let texts = json!({ "type": "array", "items": text });
    let object = |properties: Value, required: &[&str]| json!({ "type": "object", "properties": properties, "required": required });
    let form = |names: &[&str], required: &[&str]| {
        let properties: serde_json::Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), text.clone())).collect();
        object(Value::Object(properties), required)
    };
    let app = json!({
        "id": number, "name": text, "redirectUris": texts, "clientId": text, "status": number, "createdAt": text, "updatedAt": text,
    });
    let mut registered = app.clone();
    registered["clientSecret"] = json!({ "type": ["string", "null"] });
    let of_app = ["id", "name", "redirectUris", "clientId", "status", "createdAt", "updatedAt"];
    let app = object(app, &of_app);
    let token_request = [
        "grant_type",
        "code",
        "redirect_uri",
        "refresh_token",
        "code_verifier",
        "state",
        "scope",
        "client_id",
        "client_secret",
    ];
    json!({
        "Anything": {},
        "AuthorizationRequest": form(
            &["response_type", "client_id", "redirect_uri", "state", "scope", "prompt", "code_challenge", "code_challenge_method"],
            &["response_type", "client_id", "redirect_uri"],
        ),
        "TokenRequest": form(&token_request, &["grant_type"]),
        "AboutToken": form(&["token", "token_type_hint", "client_id", "client_secret"], &["token"]),
        "Tokens": object(
            json!({ "access_token": text, "token_type": text, "expires_in": number, "refresh_token": text, "scope": text }),
            &["access_token", "token_type", "expires_in"],
        ),
        "LegacyEnvelope": object(json!({ "success": truth, "reason": text }), &["success"]),
        "OAuthError": object(json!({ "error": text, "error_description": text, "reason": text }), &["error"]),
        "ApiError": object(json!({ "errorMessage": text }), &["errorMessage"]),
        "Introspection": object(json!({ "active": truth }), &["active"]),
        "Jwks": object(json!({ "keys": { "type": "array", "items": { "type": "object", "required": ["kty", "kid"] } } }), &["keys"]),
        "Metadata": object(
            json!({ "issuer": text, "authorization_endpoint": text, "token_endpoint": text, "response_types_supported": texts }),
            &["issuer", "authorization_endpoint", "token_endpoint", "response_types_supported"],
        ),
        "ProtectedResource": object(json!({ "resource": text, "authorization_servers": texts }), &["resource"]),
        "Identity": object(json!({ "account": { "type": "object" }, "user": { "type": "object" } }), &["account", "user"]),
        "NewApp": object(json!({ "redirectUris": texts, "name": { "type": ["string", "null"] } }), &["redirectUris"]),
        "App": app,
        "Apps": object(json!({ "oauthApps": { "type": "array", "items": app } }), &["oauthApps"]),
        "RegisteredApp": object(registered, &of_app),
        "PlatformUser": object(json!({ "status": status, "role": { "enum": ["Owner", "Admin", "Agent", "Lender"] } }), &[]),
        "PlatformAccount": object(json!({ "status": status }), &["status"]),
        "PlatformRefusal": object(json!({ "error": text, "reason": word, "message": text }), &["error", "reason", "message"]),
        "Success": object(json!({ "success": truth }), &["success"]),
        "Ready": object(json!({ "ready": truth, "reasons": { "type": "array" } }), &["ready", "reasons"]),
    })
}

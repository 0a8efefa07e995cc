//! `/v1/oauthApps…`: a system registers and manages its apps, and gives an access back (matrix RG-02, RG-03, RG-07).

use crate::doorway::Doorway;
use crate::limits;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use keyfob_authority::model::{App, AppId, AppPolicy, EndReason, System};
use keyfob_authority::register::{NewApp, RegisterRefusal, RegisteredApp};
use keyfob_authority::revoke::Ended;
use keyfob_authority::{Decision, Fault};
use keyfob_gate::Caller;
use keyfob_protocol::bearer::{self, PresentedBearer};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a system sends to register or change an app.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    redirect_uris: Vec<String>,
    #[serde(default)]
    name: Option<String>,
}

/// `POST /v1/oauthApps`
pub(crate) async fn register(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let (system, body) = match system_and_body(&doorway, request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    let name = body.name.unwrap_or_else(|| system.name.clone());
    let new = NewApp { name, redirect_uris: body.redirect_uris, policy: AppPolicy::default() };
    match doorway.authority.register_app(&system, new, doorway.now()).await {
        Ok(Decision::Granted(RegisteredApp { app, client_secret })) => {
            let mut record = record(&app);
            record["clientSecret"] = json!(client_secret.as_ref().map(|secret| secret.expose()));
            (StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(record)).into_response()
        }
        Ok(Decision::Refused(refusal)) => error(StatusCode::BAD_REQUEST, &refusal.to_string()),
        Err(failed) => fault(&failed),
    }
}

/// `GET /v1/oauthApps`
pub(crate) async fn list(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let system = match system(&doorway, request.headers()).await {
        Ok(system) => system,
        Err(response) => return response,
    };
    match doorway.authority.store().apps(Some(system.id)).await {
        Ok(apps) => Json(json!({ "oauthApps": apps.iter().map(record).collect::<Vec<_>>() })).into_response(),
        Err(failed) => fault(&failed.into()),
    }
}

/// `GET /v1/oauthApps/{id}`
pub(crate) async fn show(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = last_segment(&request);
    let system = match system(&doorway, request.headers()).await {
        Ok(system) => system,
        Err(response) => return response,
    };
    match own_app(&doorway, &system, &id).await {
        Ok(app) => Json(record(&app)).into_response(),
        Err(response) => response,
    }
}

/// `PUT /v1/oauthApps/{id}`: replaces the redirect URIs, and the name if given.
pub(crate) async fn update(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = last_segment(&request);
    let (system, body) = match system_and_body(&doorway, request).await {
        Ok(read) => read,
        Err(response) => return response,
    };
    loop {
        let read_at = match doorway.authority.store().settings_version().await {
            Ok(version) => version,
            Err(failed) => return fault(&failed.into()),
        };
        let app = match own_app(&doorway, &system, &id).await {
            Ok(app) => app,
            Err(response) => return response,
        };
        let (name, redirect_uris) = (body.name.clone().unwrap_or(app.name), body.redirect_uris.clone());
        let new = NewApp { name, redirect_uris, policy: app.policy };
        return match doorway.authority.update_app(app.id, new, read_at, doorway.now()).await {
            Ok(Decision::Granted(app)) => Json(record(&app)).into_response(),
            Ok(Decision::Refused(RegisterRefusal::Outdated)) => continue,
            Ok(Decision::Refused(RegisterRefusal::Missing)) => no_such_app(),
            Ok(Decision::Refused(refusal)) => error(StatusCode::BAD_REQUEST, &refusal.to_string()),
            Err(failed) => fault(&failed),
        };
    }
}

/// `DELETE /v1/oauthApps/revokeAccess`: the app gives the access back that the Bearer token is of.
pub(crate) async fn revoke_access(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let system = match system(&doorway, request.headers()).await {
        Ok(system) => system,
        Err(response) => return response,
    };
    let caller = match doorway.gate.check(request.headers()) {
        Ok(caller) => caller,
        // A genuine token whose grant has ended already has nothing left to revoke; every other refusal is the gate's.
        Err(challenge) => match revoked_before(&doorway, request.headers()) {
            Some(_) => return nothing_to_revoke(),
            None => return doorway.gate.refuse(&challenge),
        },
    };
    match revoke(&doorway, &system, &caller).await {
        Ok(Ended::Now) => Json(json!({ "success": true })).into_response(),
        Ok(Ended::NothingToEnd) => nothing_to_revoke(),
        Err(failed) => fault(&failed),
    }
}

async fn revoke(doorway: &Doorway, system: &System, caller: &Caller) -> Result<Ended, Fault> {
    match doorway.authority.store().app(AppId(caller.app)).await? {
        Some(app) if app.system == system.id => {
            // A token that an app has for itself has no grant behind it.
            let Some(holder) = caller.holder else { return Ok(Ended::NothingToEnd) };
            doorway.authority.end_grant(holder.grant, EndReason::RevokedByApp, doorway.now()).await
        }
        _ => Ok(Ended::NothingToEnd),
    }
}

/// The holder of a token that only the revocation set refuses.
fn revoked_before(doorway: &Doorway, headers: &HeaderMap) -> Option<Arc<Caller>> {
    let mut authorization = headers.get_all(axum::http::header::AUTHORIZATION).iter();
    let (Some(header), None) = (authorization.next(), authorization.next()) else { return None };
    match bearer::parse(header.as_bytes()) {
        PresentedBearer::Token(token) => doorway.gate.holder_if_revoked(token),
        PresentedBearer::Absent | PresentedBearer::Malformed => None,
    }
}

fn nothing_to_revoke() -> Response {
    error(StatusCode::NOT_FOUND, "OAuth application not found or not connected.")
}

/// The system that the two headers prove.
async fn system(doorway: &Doorway, headers: &HeaderMap) -> Result<System, Response> {
    let header = |name| {
        let mut values = headers.get_all(name).iter();
        match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    };
    let (Some(name), Some(key)) = (header("x-system"), header("x-system-key")) else {
        return Err(error(StatusCode::UNAUTHORIZED, "Send the headers X-System and X-System-Key of your system."));
    };
    match doorway.authority.authenticate_system(name, key).await {
        Ok(Some(system)) => Ok(system),
        Ok(None) => Err(error(StatusCode::UNAUTHORIZED, "X-System and X-System-Key do not name an enabled system.")),
        Err(failed) => Err(fault(&failed)),
    }
}

async fn system_and_body(doorway: &Doorway, request: Request) -> Result<(System, Body), Response> {
    let (parts, body) = request.into_parts();
    let system = system(doorway, &parts.headers).await?;
    let body = limits::read_body(body).await.map_err(|status| error(status, "The body could not be read."))?;
    let body = serde_json::from_slice(&body).map_err(|_| {
        error(StatusCode::BAD_REQUEST, "The body must be JSON like {\"redirectUris\":[\"https://…\"],\"name\":\"…\"}.")
    })?;
    Ok((system, body))
}

/// The id in the path, not decoded.
fn last_segment(request: &Request) -> String {
    request.uri().path().rsplit('/').next().unwrap_or_default().to_owned()
}

async fn own_app(doorway: &Doorway, system: &System, id: &str) -> Result<App, Response> {
    // Written as we write it: `+1`, `01` and `%31` are other paths (matrix SE-06).
    let Some(number) = id.parse().ok().filter(|number: &i64| number.to_string() == id) else {
        return Err(no_such_app());
    };
    match doorway.authority.store().app(AppId(number)).await {
        Ok(Some(app)) if app.system == system.id => Ok(app),
        Ok(_) => Err(no_such_app()),
        Err(failed) => Err(fault(&failed.into())),
    }
}

fn no_such_app() -> Response {
    error(StatusCode::NOT_FOUND, "Your system has no app with this id.")
}

/// The documented record. The secret is not among what can be read again.
fn record(app: &App) -> Value {
    json!({
        "id": app.id,
        "name": app.name,
        "redirectUris": app.redirect_uris,
        "clientId": app.client_id,
        "status": i32::from(app.enabled),
        "createdAt": app.created_at.to_utc(),
        "updatedAt": app.updated_at.to_utc(),
    })
}

/// An error of the API below `/v1`.
pub(crate) fn error(status: StatusCode, message: &str) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(json!({ "errorMessage": message }))).into_response()
}

/// Not now, below `/v1`.
pub(crate) fn unavailable() -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "Not available at the moment. Try again.");
    response.headers_mut().insert(RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
    response
}

/// A fault of ours below `/v1`. It goes with the answer to where the request's id is known, and is logged there.
pub(crate) fn fault(fault: &Fault) -> Response {
    let mut response = match fault.is_temporary() {
        true => unavailable(),
        false => error(StatusCode::INTERNAL_SERVER_ERROR, "The service failed."),
    };
    response.extensions_mut().insert(fault.clone());
    response
}

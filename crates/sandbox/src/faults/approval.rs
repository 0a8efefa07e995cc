//! What happens to the user's approval on its way to the app, in a browser or by `POST /sandbox/authorize`.
//!
//! The code in the redirect names the grant, and the grant's row the app: nothing that a browser sent is believed.

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::{StatusCode, header};
use keyfob_authority::Fault;
use keyfob_authority::model::{App, EndReason, Grant};
use keyfob_protocol::Clock;
use keyfob_protocol::callback::{self, AuthorizeAnswer, Callback};
use serde_json::{Value, json};
use url::Url;

use super::about::About;
use super::entry::{Name, grant_of};
use super::{Faults, answers};

/// Longest answer of `/sandbox/authorize`, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// What becomes of a redirect that approves.
enum Turn {
    /// The app is told that the user declined.
    Denied(String),
    /// The browser goes there twice.
    Twice,
}

/// The answer of the consent form: a redirect, where something was decided.
pub(super) async fn of_a_browser(faults: &Faults, mut response: Response) -> Response {
    let Some(location) = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()) else {
        return response;
    };
    let location = location.to_owned();
    match turn(faults, &location).await {
        Ok(Some(Turn::Denied(redirect))) => {
            if let Ok(redirect) = redirect.parse() {
                response.headers_mut().insert(header::LOCATION, redirect);
            }
            response
        }
        Ok(Some(Turn::Twice)) => answers::twice(&location),
        Ok(None) => response,
        Err(fault) => failed(&fault),
    }
}

/// The answer of the control route: JSON with the redirect, which the script follows; `visits` says how often it should.
pub(super) async fn of_a_script(faults: &Faults, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let redirect = answer["redirect"].as_str().unwrap_or_default().to_owned();
    match turn(faults, &redirect).await {
        Ok(Some(Turn::Denied(redirect))) => answer["redirect"] = json!(redirect),
        Ok(Some(Turn::Twice)) => answer["visits"] = json!(2),
        Ok(None) => return Response::from_parts(parts, Body::from(body)),
        Err(fault) => return failed(&fault),
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(answer.to_string()))
}

async fn turn(faults: &Faults, redirect: &str) -> Result<Option<Turn>, Fault> {
    let query = Url::parse(redirect).ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default();
    let Ok(read) = callback::read(&query) else { return Ok(None) };
    let Callback::Approved { code } = read.callback else { return Ok(None) };
    let store = faults.authority().store();
    let Some(id) = grant_of(&code) else { return Ok(None) };
    let Some(grant) = store.held_grant(id).await?.map(|held| held.grant) else { return Ok(None) };
    let Some(app) = store.app(grant.app).await? else { return Ok(None) };
    let about = About { client_id: Some(app.client_id.clone()), grant: Some(id) };
    // The law does it; here it is counted.
    faults.mode(Name::SecondAuthorization, &about);
    if faults.fire(Name::Deny, None, &about).is_some() {
        faults.authority().end_grant(id, EndReason::Denied, faults.clock.now()).await?;
        let denied = denied(&app, &grant, redirect, read.state.as_deref(), read.iss.as_deref());
        return Ok(denied.map(Turn::Denied));
    }
    Ok(faults.fire(Name::DoubleCallback, None, &about).map(|_| Turn::Twice))
}

/// The refusal in the dialect of the request.
fn denied(app: &App, grant: &Grant, redirect: &str, state: Option<&str>, iss: Option<&str>) -> Option<String> {
    let of_it = app.redirect_uris.iter().filter(|uri| redirect.starts_with(uri.as_str()));
    let exact = of_it.max_by_key(|uri| uri.as_str().len()).cloned();
    // Or at a port of its own choice, which is registered without a query.
    let uri = exact.or_else(|| app.redirect_uri(redirect.split('?').next()?))?;
    Some(callback::spell(grant.dialect, &uri, &AuthorizeAnswer::Denied, state, iss))
}

fn failed(fault: &Fault) -> Response {
    tracing::error!(%fault, "a fault could not be played");
    let message = json!({ "errorMessage": "The sandbox could not play the fault; its log says why." });
    answers::json(StatusCode::INTERNAL_SERVER_ERROR, &message)
}

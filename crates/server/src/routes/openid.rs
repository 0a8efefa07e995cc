//! `GET /sign-in/openid/callback`: coming back from an OpenID provider (decision record 0008). The redirect that follows leaves no page under
//! the URL that held the code. Logs name the route only.

use crate::doorway::Doorway;
use crate::request_id::RequestId;
use crate::routes::hand_off::{ReturnCookies, arrived, head_of_return};
use crate::routes::posted::{field, malformed};
use axum::extract::{Request, State};
use axum::response::Response;
use keyfob_authority::hand_off::openid::callback::PresentedCallback;
use keyfob_authority::sign_in::SignInWay;
use keyfob_protocol::form::Form;
use std::sync::Arc;

/// `GET /sign-in/openid/callback?code=…&state=…`
pub(crate) async fn callback(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    let SignInWay::OpenId(openid) = &doorway.sign_in else { return malformed(&doorway, &id) };
    let parts = match head_of_return(&doorway, request, &id) {
        Ok(parts) => parts,
        Err(response) => return response,
    };
    let form = match Form::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
        // RFC 6749 section 3.1: a parameter is there once.
        Ok(form) if form.first_repeated(&["state", "code", "error", "iss"]).is_none() => form,
        _ => return malformed(&doorway, &id),
    };
    let presented = PresentedCallback {
        state: field(&form, "state"),
        code: field(&form, "code"),
        error: field(&form, "error"),
        iss: field(&form, "iss"),
    };
    let cookies = ReturnCookies::of(&doorway, &parts.headers);
    let arrival = doorway.authority.return_from_provider(openid, presented, cookies.browser(), doorway.now()).await;
    arrived(&doorway, arrival, &id)
}

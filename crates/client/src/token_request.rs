//! The exact bytes of a request to the token endpoint, in either shape, with the client's authentication.

use crate::http::{Header, HttpRequest, Method};
use crate::provider::{App, ClientAuthentication};
use keyfob_protocol::token_request::{ReplyShape, TokenRequestToSend};
use keyfob_protocol::{Secret, basic, form};
use url::Url;

/// Builds the request. A public client names itself in the body (RFC 6749 section 3.2.1), which the shape has to have:
/// [`crate::Provider::exchange_shape`] and [`crate::Provider::refresh_shape`] see to it.
pub(crate) fn build(
    endpoint: &Url,
    shape: ReplyShape,
    authentication: ClientAuthentication,
    app: &App,
    request: &TokenRequestToSend<'_>,
) -> HttpRequest {
    let mut parameters = request.to_form(shape).expose().clone();
    let mut headers = vec![Header::plain("Accept", "application/json")];
    // A query is no place for a secret.
    let authentication = if shape == ReplyShape::Legacy { ClientAuthentication::Basic } else { authentication };
    authenticate(app, authentication, &mut parameters, &mut headers);
    match shape {
        ReplyShape::Legacy => HttpRequest {
            method: Method::Get,
            url: Secret::new(with_query(endpoint, &parameters)),
            headers,
            body: Secret::new(Vec::new()),
        },
        ReplyShape::Rfc6749 => {
            headers.push(Header::plain("Content-Type", "application/x-www-form-urlencoded"));
            HttpRequest {
                method: Method::Post,
                url: Secret::from(endpoint.as_str()),
                headers,
                body: Secret::new(parameters.into_bytes()),
            }
        }
    }
}

/// Adds who is asking to a form or to the headers.
pub(crate) fn authenticate(
    app: &App,
    authentication: ClientAuthentication,
    parameters: &mut String,
    headers: &mut Vec<Header>,
) {
    let in_body = match (&app.client_secret, authentication) {
        (Some(secret), ClientAuthentication::Basic) => {
            headers.push(Header::secret("Authorization", basic::header(&app.client_id, secret)));
            return;
        }
        (Some(secret), ClientAuthentication::Post) => {
            vec![("client_id", app.client_id.as_str()), ("client_secret", secret.expose().as_str())]
        }
        (None, _) => vec![("client_id", app.client_id.as_str())],
    };
    parameters.push('&');
    parameters.push_str(&form::encode(in_body));
}

/// The endpoint with parameters behind it. A query of its own is kept (RFC 6749 sections 3.1 and 3.2).
pub(crate) fn with_query(endpoint: &Url, parameters: &str) -> String {
    let joint = match endpoint.query() {
        None => "?",
        Some("") => "",
        Some(_) => "&",
    };
    format!("{endpoint}{joint}{parameters}")
}

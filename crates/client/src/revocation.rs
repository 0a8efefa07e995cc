//! Giving a connection back: RFC 7009 where the authority announces it, else the way Follow Up Boss documents.
//!
//! Sans-I/O as the other steps. [`crate::Connection::revoke`] chooses; what is kept here afterwards is the store's business.

use crate::http::{Header, HttpRequest, HttpResponse, Method};
use crate::provider::{App, Provider};
use crate::token_failure::{TokenFailure, TokenStep, read_reply};
use crate::token_request::authenticate;
use crate::tokens::TokenSet;
use keyfob_protocol::{Secret, Timestamp, form};

/// What became of giving a connection back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The authority ended it, or nothing was live any more and it does not tell the difference.
    Ended,
    /// There was nothing left to end.
    NothingToEnd,
    /// The authority offers no way: only its user can end it, in the account's settings.
    NotOffered,
}

/// The request of RFC 7009 section 2.1, where the authority offers it. The refresh token goes where there is one: its end is the end of the
/// grant, while an access token may be ended alone.
pub fn request(provider: &Provider, app: &App, tokens: &TokenSet) -> Option<HttpRequest> {
    let endpoint = provider.revocation_endpoint()?;
    let (token, hint) = match &tokens.refresh_token {
        Some(refresh_token) => (refresh_token, "refresh_token"),
        None => (&tokens.access_token, "access_token"),
    };
    let mut parameters = form::encode([("token", token.expose().as_str()), ("token_type_hint", hint)]);
    let mut headers = vec![
        Header::plain("Accept", "application/json"),
        Header::plain("Content-Type", "application/x-www-form-urlencoded"),
    ];
    authenticate(app, provider.authentication(), &mut parameters, &mut headers);
    Some(HttpRequest {
        method: Method::Post,
        url: Secret::from(endpoint.as_str()),
        headers,
        body: Secret::new(parameters.into_bytes()),
    })
}

/// Reads the answer (RFC 7009 section 2.2): success, whether the token was good or not.
///
/// # Errors
/// [`TokenFailure`], as at the token endpoint.
pub fn read(response: &HttpResponse, now: Timestamp) -> Result<Revoked, TokenFailure> {
    match response.is_success() {
        true => Ok(Revoked::Ended),
        false => {
            Err(read_reply(TokenStep::Refresh, response, now)
                .expect_err("invariant: tokens are read from a success only"))
        }
    }
}

//! The refresh (RFC 6749 section 6), in either shape. When to refresh, and once at a time, is the connection's business.

use crate::http::{HttpRequest, HttpResponse};
use crate::provider::{App, Provider};
use crate::token_failure::{TokenFailure, TokenStep, read_reply};
use crate::token_request;
use crate::tokens::TokenSet;
use crate::transport::SendFailure;
use keyfob_protocol::Timestamp;
use keyfob_protocol::token_request::TokenRequestToSend;
use thiserror::Error;

/// The authority never gave a refresh token: when the access token ends, the user connects again.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("the authority gave no refresh token; the user connects again")]
pub struct NoRefreshToken;

/// A refresh whose request is out.
#[derive(Debug)]
pub struct SentRefresh {
    previous: TokenSet,
    sent_at: Timestamp,
}

/// The request that refreshes `tokens`.
///
/// # Errors
/// [`NoRefreshToken`].
pub fn request(
    provider: &Provider,
    app: &App,
    tokens: &TokenSet,
    now: Timestamp,
) -> Result<(HttpRequest, SentRefresh), NoRefreshToken> {
    let refresh_token = tokens.refresh_token.as_ref().ok_or(NoRefreshToken)?;
    let request = TokenRequestToSend::Refresh { refresh_token };
    let (shape, authentication) = (provider.refresh_shape(app), provider.authentication());
    let request = token_request::build(provider.token_endpoint(), shape, authentication, app, &request);
    Ok((request, SentRefresh { previous: tokens.clone(), sent_at: now }))
}

impl SentRefresh {
    /// Reads what came of it. What the reply leaves out stays as it was.
    ///
    /// # Errors
    /// [`TokenFailure`].
    pub fn read(self, answer: Result<HttpResponse, SendFailure>, now: Timestamp) -> Result<TokenSet, TokenFailure> {
        let response = answer.map_err(TokenFailure::of_send)?;
        let received = read_reply(TokenStep::Refresh, &response, now).map_err(|failure| {
            let refresh_token = self.previous.refresh_token.as_ref().map_or("", |token| token.expose());
            failure.without(&[refresh_token, self.previous.access_token.expose()])
        })?;
        Ok(TokenSet::from_reply(received, Some(&self.previous), self.sent_at))
    }
}

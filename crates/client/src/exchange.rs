//! The exchange of a code for tokens (RFC 6749 section 4.1.3), in either shape.
//!
//! A [`ReadyExchange`] comes out of an accepted callback and nowhere else, and sending consumes it. It comes back only where
//! another try cannot be a second use: after a definite answer the code is gone (matrix CL-06, CL-12).

use crate::backoff::{self, Backoff};
use crate::http::{HttpRequest, HttpResponse};
use crate::provider::{App, ClientAuthentication, UnansweredExchange};
use crate::token_failure::{TokenFailure, TokenStep, read_reply};
use crate::token_request;
use crate::tokens::TokenSet;
use crate::transport::{SendFailure, Surroundings};
use keyfob_protocol::pkce::CodeVerifier;
use keyfob_protocol::token_request::{ReplyShape, TokenRequestToSend};
use keyfob_protocol::{Secret, Timestamp};
use thiserror::Error;
use url::Url;

/// Tries of one exchange in [`ReadyExchange::run`]: a person waits in front of it.
const TRIES: u32 = 3;

/// A code with everything its exchange needs. It cannot be put together by hand, so there is none without its state, and sending
/// it uses it up:
///
/// ```compile_fail,E0382
/// # use keyfob_client::*;
/// fn twice(ready: ReadyExchange, app: &App, now: Timestamp) {
///     let first = ready.into_request(app, now);
///     let second = ready.into_request(app, now);
/// }
/// ```
#[derive(Debug)]
pub struct ReadyExchange {
    pub(crate) code: Secret<String>,
    pub(crate) state: Secret<String>,
    pub(crate) verifier: Option<CodeVerifier>,
    pub(crate) token_endpoint: Url,
    pub(crate) shape: ReplyShape,
    pub(crate) authentication: ClientAuthentication,
    pub(crate) unanswered: UnansweredExchange,
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
}

/// An exchange whose request is out.
#[derive(Debug)]
pub struct SentExchange {
    ready: ReadyExchange,
    sent_at: Timestamp,
}

/// An exchange that gave no tokens.
#[derive(Debug, Error)]
#[error("the exchange failed: {failure}")]
pub struct ExchangeFailed {
    /// Why.
    #[source]
    pub failure: TokenFailure,
    /// The same exchange, where the code may be sent once more.
    pub again: Option<Box<ReadyExchange>>,
}

impl ReadyExchange {
    /// The request to send. `app` gives the secret; id and redirect URI are those the attempt began with.
    pub fn into_request(self, app: &App, now: Timestamp) -> (HttpRequest, SentExchange) {
        let request = TokenRequestToSend::Exchange {
            code: self.code.expose(),
            redirect_uri: &self.redirect_uri,
            state: self.state.expose(),
            verifier: self.verifier.as_ref(),
        };
        let began_as = App {
            client_id: self.client_id.clone(),
            client_secret: app.client_secret.clone(),
            redirect_uri: self.redirect_uri.clone(),
        };
        let request = token_request::build(&self.token_endpoint, self.shape, self.authentication, &began_as, &request);
        (request, SentExchange { ready: self, sent_at: now })
    }

    /// Sends the exchange and reads the answer. Passing failures are tried again, three times in all; an authority that wants a longer
    /// wait than a person has gets no second try.
    ///
    /// # Errors
    /// [`ExchangeFailed`]. Dropping this future can lose tokens that the authority has issued; [`crate::Connections::connect`] cannot.
    pub async fn run(self, app: &App, outside: &Surroundings) -> Result<TokenSet, ExchangeFailed> {
        let mut ready = self;
        let mut unanswered = 0;
        for tried in 1.. {
            let (request, sent) = ready.into_request(app, outside.clock.now());
            let answer = outside.transport.send(&request).await;
            let failed = match sent.read(answer, outside.clock.now()) {
                Ok(tokens) => return Ok(tokens),
                Err(failed) => failed,
            };
            unanswered += u32::from(matches!(failed.failure, TokenFailure::Ambiguous(_)));
            let wait = Backoff::default().wait(tried, &failed.failure, outside.entropy.as_ref());
            ready = match failed.again {
                Some(again) if tried < TRIES && unanswered < 2 && wait <= backoff::PATIENCE => *again,
                again => return Err(ExchangeFailed { failure: failed.failure, again }),
            };
            outside.pause.pause(wait).await;
        }
        unreachable!("invariant: the loop ends by return")
    }
}

impl SentExchange {
    /// Reads what came of it.
    ///
    /// # Errors
    /// [`ExchangeFailed`], which gives the exchange back after passing failures only, and after silence only where the authority
    /// is known to be idempotent.
    pub fn read(self, answer: Result<HttpResponse, SendFailure>, now: Timestamp) -> Result<TokenSet, ExchangeFailed> {
        let received = match answer {
            Ok(response) => read_reply(TokenStep::Exchange, &response, now)
                .map_err(|failure| failure.without(&[self.ready.code.expose(), self.ready.state.expose()])),
            Err(failure) => Err(TokenFailure::of_send(failure)),
        };
        let failure = match received {
            Ok(received) => return Ok(TokenSet::from_reply(received, None, self.sent_at)),
            Err(failure) => failure,
        };
        let again = match (&failure, self.ready.unanswered) {
            (TokenFailure::Transient { .. }, _) => true,
            (TokenFailure::Ambiguous(_), UnansweredExchange::AuthorityIsIdempotentSendOnceMore) => true,
            (TokenFailure::Ambiguous(_), UnansweredExchange::GiveUp) => false,
            (TokenFailure::Permanent(_) | TokenFailure::Operator(_) | TokenFailure::Suspect(_), _) => false,
        };
        Err(ExchangeFailed { failure, again: again.then(|| Box::new(self.ready)) })
    }
}

//! What a 429 does to the calls of one connection: they wait where it is short, and are told where it is not.
//!
//! The governor has heard of it as well and holds the account's calls of the same context; this holds the connection's, whatever their context.

use crate::api_request::ApiRequest;
use crate::connection::{Connection, ConnectionError, Held};
use crate::http::{HttpResponse, Method};
use crate::token_failure::read_retry_after;
use crate::tokens::TokenSet;
use keyfob_protocol::Timestamp;
use std::time::Duration;
use url::Url;

/// Seconds to hold calls after a 429 that does not say how long: the window of the rate limit.
const RATE_WINDOW: u32 = 10;
/// Seconds that a call waits for a 429's `Retry-After` before it is sent (again). A longer one is told to the caller, who may have better to do.
pub const SHORT_HOLD: i64 = 5;

impl Connection {
    pub(crate) async fn send_with(
        &self,
        call: &ApiRequest,
        url: &Url,
        tokens: &TokenSet,
    ) -> Result<HttpResponse, ConnectionError> {
        let held = &self.held;
        let response = held.shared.call(&held.id, call, url, tokens).await?;
        match held.hold_of(&response) {
            Some(retry_at) if call.method == Method::Get && held.outlasts(retry_at).await => {
                held.shared.call(&held.id, call, url, tokens).await
            }
            _ => Ok(response),
        }
    }

    /// A 429 is an error with the time at which calls go out again.
    pub(crate) fn unless_rate_limited(&self, response: HttpResponse) -> Result<HttpResponse, ConnectionError> {
        match self.held.hold_of(&response) {
            None => Ok(response),
            Some(retry_at) => Err(ConnectionError::RateLimited { retry_at }),
        }
    }
}

impl Held {
    /// Until when a 429 asks to wait. It holds the whole connection for as long, unless it is about a narrower context than all calls.
    fn hold_of(&self, response: &HttpResponse) -> Option<Timestamp> {
        if response.status != 429 {
            return None;
        }
        let now = self.now();
        let seconds = response.header("retry-after").and_then(|value| read_retry_after(value, now));
        let retry_at = now.plus(i64::from(seconds.unwrap_or(RATE_WINDOW)));
        if response.header("x-ratelimit-context").is_none_or(|context| context == "global") {
            self.holds().rate_until = Some(retry_at);
        }
        Some(retry_at)
    }

    /// Waits until then, if that is soon. Whether it is over.
    pub(crate) async fn outlasts(&self, until: Timestamp) -> bool {
        let wait = until.since(self.now());
        if (1..=SHORT_HOLD).contains(&wait) {
            self.shared.outside.pause.pause(Duration::from_secs(wait.unsigned_abs())).await;
        }
        until <= self.now()
    }
}

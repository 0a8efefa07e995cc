//! What the client needs from outside: somebody who sends, somebody who waits, a clock and randomness.
//!
//! All of it is handed in, so that a test scripts the network and moves time. [`crate::Driver`] is the transport for real use;
//! [`Observed`] wraps any transport and shows each pair of messages to a demo page or a recorder.

use crate::http::{HttpRequest, HttpResponse};
use crate::safe_url::UnsafeUrl;
use async_trait::async_trait;
use keyfob_protocol::{Clock, Entropy};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Why there is no response. Texts never hold a URL's query, a header or a body.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SendFailure {
    /// The URL would send secrets in clear. The operator's error.
    #[error("refused before sending: {0}")]
    Refused(#[from] UnsafeUrl),
    /// Name resolution, connection or TLS failed: the other end has not seen the request. Worth a retry.
    #[error("the request could not be sent: {0}")]
    NotSent(String),
    /// Time ran out or the connection broke behind the request: the other end may have acted on it.
    #[error("the request was sent and no complete answer came: {0}")]
    Unanswered(String),
}

/// Sends one request and reads one response. Follows no redirect, retries nothing.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends.
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, SendFailure>;
}

/// Waits. Only used between tries.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Returns after about `duration`.
    async fn pause(&self, duration: Duration);
}

/// Waits by tokio's timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioPause;

#[async_trait]
impl Pause for TokioPause {
    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The outside world, handed in.
#[derive(Clone)]
pub struct Surroundings {
    /// Who sends.
    pub transport: Arc<dyn Transport>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for the jitter of retries.
    pub entropy: Arc<dyn Entropy>,
    /// Who waits between tries.
    pub pause: Arc<dyn Pause>,
}

/// Sees every pair of messages. Called after the response, or after it is clear that there is none.
pub trait Observer: Send + Sync {
    /// One request and what came of it. Must not block.
    fn exchanged(&self, request: &HttpRequest, answer: Result<&HttpResponse, &SendFailure>);
}

/// A transport that shows what passes to an observer.
#[derive(Clone)]
pub struct Observed {
    transport: Arc<dyn Transport>,
    observer: Arc<dyn Observer>,
}

impl Observed {
    /// Wraps a transport.
    pub fn new(transport: Arc<dyn Transport>, observer: Arc<dyn Observer>) -> Observed {
        Observed { transport, observer }
    }
}

#[async_trait]
impl Transport for Observed {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, SendFailure> {
        let answer = self.transport.send(request).await;
        self.observer.exchanged(request, answer.as_ref());
        answer
    }
}

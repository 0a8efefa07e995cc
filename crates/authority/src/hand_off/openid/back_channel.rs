//! How the provider is spoken to behind the browser's back. The driver is handed in, so nothing here knows a socket.

use async_trait::async_trait;
use keyfob_protocol::Secret;
use thiserror::Error;

/// Longest answer that need be read, in bytes: key sets and token answers of large providers have some ten thousand.
pub const LONGEST_ANSWER: usize = 512 * 1024;

/// One request: a form makes it a POST.
#[derive(Debug)]
pub struct BackRequest {
    /// The whole URL. It holds no secret.
    pub url: String,
    /// The value of the header `Authorization`.
    pub authorization: Option<Secret<String>>,
    /// A body of `application/x-www-form-urlencoded`.
    pub form: Option<Secret<String>>,
}

/// One answer.
#[derive(Debug)]
pub struct BackAnswer {
    /// The status; a redirect is one like any other.
    pub status: u16,
    /// The body, which may hold tokens.
    pub body: Secret<Vec<u8>>,
}

/// There is no answer. The text holds no header and no body.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{0}")]
pub struct NoAnswer(pub String);

/// Sends one request. Checks certificates, follows no redirect, retries nothing, gives up after some seconds and at [`LONGEST_ANSWER`].
#[async_trait]
pub trait BackChannel: Send + Sync {
    /// Sends.
    async fn send(&self, request: BackRequest) -> Result<BackAnswer, NoAnswer>;
}

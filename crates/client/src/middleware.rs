//! A connection behind a `reqwest` client (feature `middleware`): programs that speak `reqwest` already change their client and nothing else.
//!
//! The connection sends, not the client: token and system headers, one refresh at a 401, the rate limit, all as [`Connection::send`] has it, and the
//! bearer token goes to the API's origin only. So this is the last link of a chain; what stands behind it is not reached. Bodies are read whole.

use crate::api_request::{ApiBody, ApiRequest};
use crate::connection::{Connection, ConnectionError};
use crate::http::{Header, HttpResponse, Method};
use async_trait::async_trait;
use keyfob_protocol::Secret;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};
use std::fmt;

/// Sends requests as the connection's user. An error is [`reqwest_middleware::Error::Middleware`] around a [`ConnectionError`].
#[derive(Clone)]
pub struct AsUser(pub Connection);

/// A request that the connection cannot send. The caller's error; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnsupportedRequest {
    /// Another method than GET, POST, PUT, PATCH and DELETE.
    Method,
    /// A body that streams: it could not be sent again after a refresh.
    StreamedBody,
    /// A header that is no text.
    Header,
}

impl fmt::Display for UnsupportedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UnsupportedRequest::Method => "a connection sends GET, POST, PUT, PATCH and DELETE",
            UnsupportedRequest::StreamedBody => {
                "a body that streams cannot be sent again after a refresh; give it whole"
            }
            UnsupportedRequest::Header => "a header is not text",
        })
    }
}

impl std::error::Error for UnsupportedRequest {}

#[async_trait]
impl Middleware for AsUser {
    async fn handle(&self, request: Request, _: &mut http::Extensions, _: Next<'_>) -> Result<Response> {
        let call = call_of(&request).map_err(Error::middleware)?;
        let answer = self.0.send(&call).await.map_err(Error::middleware::<ConnectionError>)?;
        Ok(response_of(answer))
    }
}

fn call_of(request: &Request) -> std::result::Result<ApiRequest, UnsupportedRequest> {
    let methods = [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];
    let method = methods.into_iter().find(|method| method.as_str() == request.method().as_str());
    let body = match request.body() {
        None => None,
        Some(body) => {
            let bytes = body.as_bytes().ok_or(UnsupportedRequest::StreamedBody)?.to_vec();
            let content_type = request.headers().get(CONTENT_TYPE).map(|value| value.to_str().map(str::to_owned));
            let content_type = content_type.transpose().map_err(|_| UnsupportedRequest::Header)?;
            let content_type = content_type.unwrap_or_else(|| "application/octet-stream".to_owned());
            Some(ApiBody { content_type, bytes })
        }
    };
    let headers = request.headers().iter().map(|(name, value)| {
        let value = value.to_str().map_err(|_| UnsupportedRequest::Header)?;
        Ok(Header::secret(name.as_str(), Secret::from(value)))
    });
    Ok(ApiRequest {
        method: method.ok_or(UnsupportedRequest::Method)?,
        target: request.url().to_string(),
        body,
        headers: headers.collect::<std::result::Result<_, _>>()?,
    })
}

fn response_of(answer: HttpResponse) -> Response {
    let mut response = http::Response::builder().status(answer.status);
    for header in &answer.headers {
        response = response.header(header.name.as_str(), header.value.expose());
    }
    let response = response.body(answer.body.expose().clone());
    response.expect("invariant: an answer that was read has a status and headers that can be written").into()
}

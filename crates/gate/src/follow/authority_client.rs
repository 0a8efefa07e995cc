//! The two requests of a follower: the revocation feed and the key set.
//!
//! Follows no redirect, uses no proxy of the environment, reads bounded answers in bounded time, and sends the secret over TLS or to this
//! machine only.

use crate::causes::causes;
use crate::keys::KeySetProblem;
use keyfob_protocol::access_token::JwkSet;
use keyfob_protocol::revocation::RevocationNews;
use keyfob_protocol::{Secret, basic};
use reqwest::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use std::time::Duration;
use thiserror::Error;
use url::{Host, Url};

/// Seconds that the authority may wait for news before it answers that there is none.
const WAIT: &str = "1";
/// Time to open a connection, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time from the first byte sent to the last byte received, the authority's waiting included. As short as the alarm is: a connection
/// that died silently is given up before a gate has to refuse.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// `Retry-After` is believed up to this.
const LONGEST_RETRY_AFTER: u64 = 5;

/// Whom to follow, and as whom.
#[derive(Clone, Debug)]
pub struct FollowConfig {
    /// The base URL of the authority, to which `/oauth/revocations` and `/oauth/jwks` are added.
    pub authority: String,
    /// The name under which this resource server is registered there.
    pub name: String,
    /// Its secret.
    pub secret: Secret<String>,
}

/// Why an authority is not followed at all. The operator's error.
#[derive(Debug, Error)]
pub enum UnsafeAuthority {
    /// Not an absolute URL of a host, or with more than scheme, host, port and path.
    #[error("it is not a URL like https://auth.example.com, without user, query and fragment")]
    Malformed,
    /// `http` to another machine, or another scheme.
    #[error("it must be https, since the gate's secret travels there; http is for loopback only")]
    NotHttps,
    /// Mostly: no certificate authorities are installed.
    #[error("the HTTP client cannot start: {0}; on Debian, install ca-certificates")]
    Client(String),
    /// The name cannot stand in a header.
    #[error("name and secret cannot be sent")]
    Credentials,
}

/// Why one look at the authority failed. Texts hold no secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FollowProblem {
    /// 401: the operator's error.
    #[error(
        "the authority refuses this gate's name and secret; register the resource server there, or correct name and secret here"
    )]
    Refused,
    /// 400.
    #[error("the authority does not understand the request")]
    BadRequest,
    /// 503: it cannot know at the moment.
    #[error("the authority is not available")]
    Unavailable {
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Any other status, redirects among them.
    #[error("the authority answers with status {0}")]
    Status(u16),
    /// No connection, or it broke, or time ran out.
    #[error("the authority cannot be reached: {0}")]
    Unreachable(String),
    /// Longer than is read.
    #[error("the authority's answer is longer than {MAX_ANSWER} bytes")]
    TooLong,
    /// Not the JSON that was asked for.
    #[error("the authority's answer cannot be read: {0}")]
    Malformed(serde_json::Error),
    /// It says that there is more, and gives the same place to go on from.
    #[error("the authority's feed does not advance")]
    NoProgress,
    /// It is another authority than this gate was told to expect, or known by another name.
    #[error(
        "the authority calls itself {published}, and this gate expects {expected}: every token would be refused; set issuer to {published}"
    )]
    OtherIssuer {
        /// By the feed.
        published: String,
        /// By our settings.
        expected: String,
    },
    /// The published keys cannot be used.
    #[error("the authority's keys cannot be used: {0}")]
    Keys(#[source] KeySetProblem),
}

/// Asks one authority.
pub(super) struct AuthorityClient {
    client: Client,
    feed: Url,
    keys: Url,
    authorization: HeaderValue,
}

impl AuthorityClient {
    pub(super) fn new(config: &FollowConfig) -> Result<AuthorityClient, UnsafeAuthority> {
        let base = checked(&config.authority)?;
        let builder = Client::builder()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT);
        // Plain http is for this machine, which may have no certificate authorities.
        let builder = if base.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        let client = builder.build().map_err(|error| UnsafeAuthority::Client(causes(&error)))?;
        let endpoint = |path: &str| {
            let mut url = base.clone();
            url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
            url
        };
        let authorization = basic::header(&config.name, &config.secret);
        let mut authorization =
            HeaderValue::from_str(authorization.expose()).map_err(|_| UnsafeAuthority::Credentials)?;
        authorization.set_sensitive(true);
        Ok(AuthorityClient {
            client,
            feed: endpoint("/oauth/revocations"),
            keys: endpoint("/oauth/jwks"),
            authorization,
        })
    }

    /// What was revoked after `cursor`; waits about a second where there is nothing.
    pub(super) async fn news(&self, cursor: Option<&str>) -> Result<RevocationNews, FollowProblem> {
        let mut url = self.feed.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("wait", WAIT);
            if let Some(cursor) = cursor {
                query.append_pair("after", cursor);
            }
        }
        answer(self.client.get(url).header(AUTHORIZATION, self.authorization.clone())).await
    }

    /// The published keys.
    pub(super) async fn keys(&self) -> Result<JwkSet, FollowProblem> {
        answer(self.client.get(self.keys.clone())).await
    }
}

fn checked(text: &str) -> Result<Url, UnsafeAuthority> {
    let url = Url::parse(text).map_err(|_| UnsafeAuthority::Malformed)?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(UnsafeAuthority::Malformed);
    }
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(UnsafeAuthority::Malformed),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err(UnsafeAuthority::NotHttps),
    }
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, FollowProblem> {
    let request = request.header(ACCEPT, "application/json").header(CACHE_CONTROL, "no-cache");
    let mut response = request.send().await.map_err(unreachable)?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(FollowProblem::Refused),
        StatusCode::BAD_REQUEST => return Err(FollowProblem::BadRequest),
        StatusCode::SERVICE_UNAVAILABLE => {
            let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let retry_after = retry_after.map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER)));
            return Err(FollowProblem::Unavailable { retry_after });
        }
        other => return Err(FollowProblem::Status(other.as_u16())),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(FollowProblem::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(FollowProblem::Malformed)
}

fn unreachable(error: reqwest::Error) -> FollowProblem {
    FollowProblem::Unreachable(causes(&error.without_url()))
}

//! How often: a sliding window of ten seconds for each account, system and context (matrix BR-12).
//!
//! A request counts in one context, the narrowest that its path falls into. A refused request does not count, so a client
//! that waits for `Retry-After` gets through.

use std::collections::{BTreeMap, VecDeque};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use keyfob_protocol::Timestamp;

/// Length of the window, in seconds.
pub(super) const WINDOW: i64 = 10;

/// Beyond this many windows, those that nothing falls into any more are dropped.
const MANY: usize = 1024;

/// A set of requests with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Context {
    Global,
    Events,
    Notes,
    PutPeople,
}

impl Context {
    pub(super) fn of(method: &Method, path: &str) -> Context {
        let within = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if within("/v1/events") {
            Context::Events
        } else if within("/v1/notes") {
            Context::Notes
        } else if method == Method::PUT && within("/v1/people") {
            Context::PutPeople
        } else {
            Context::Global
        }
    }

    fn name(self) -> &'static str {
        match self {
            Context::Global => "global",
            Context::Events => "events",
            Context::Notes => "notes",
            Context::PutPeople => "PUT.people",
        }
    }

    /// Requests in a window. A system that names itself gets twice as many of the ordinary ones.
    fn limit(self, has_system: bool) -> u32 {
        match self {
            Context::Global if has_system => 250,
            Context::Global => 125,
            Context::Events => 20,
            Context::Notes => 10,
            Context::PutPeople => 25,
        }
    }
}

/// The system that a request names, if it sends both headers. Only the name is used; whether the key is right is for the routes
/// that act for a system.
pub(super) fn system(headers: &HeaderMap) -> Option<String> {
    let text =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).filter(|value| !value.is_empty());
    text("x-system-key")?;
    text("x-system").map(|name| name.chars().take(100).collect())
}

/// Where a caller stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    context: Context,
    limit: u32,
    remaining: u32,
    /// Seconds to wait, if the request is refused.
    pub(super) retry_after: Option<i64>,
}

impl Standing {
    /// Writes the headers of every authenticated answer.
    pub(super) fn mark<B>(&self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        let mut number = |name: &'static str, value: i64| headers.insert(HeaderName::from_static(name), value.into());
        number("x-ratelimit-limit", self.limit.into());
        number("x-ratelimit-remaining", self.remaining.into());
        number("x-ratelimit-window", WINDOW);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        headers.insert("x-ratelimit-context", HeaderValue::from_static(self.context.name()));
    }

    /// The sentence of a refusal.
    pub(super) fn refusal(&self) -> String {
        let (limit, context) = (self.limit, self.context.name());
        format!(
            "More than {limit} requests in {WINDOW} seconds in the context \"{context}\"; wait for Retry-After seconds."
        )
    }
}

/// Requests of the last seconds: the second and how many fell into it, oldest first.
#[derive(Debug, Default)]
struct Window(VecDeque<(Timestamp, u32)>);

impl Window {
    fn slide(&mut self, now: Timestamp) {
        while self.0.front().is_some_and(|(second, _)| now.since(*second) >= WINDOW) {
            self.0.pop_front();
        }
    }
}

/// All windows.
#[derive(Debug, Default)]
pub(super) struct RateLimits(BTreeMap<(i64, Option<String>, Context), Window>);

impl RateLimits {
    /// Counts a request, unless it is one too many.
    pub(super) fn count(&mut self, account: i64, system: Option<String>, context: Context, now: Timestamp) -> Standing {
        if self.0.len() > MANY {
            self.0.retain(|_, window| {
                window.slide(now);
                !window.0.is_empty()
            });
        }
        let limit = context.limit(system.is_some());
        let window = self.0.entry((account, system, context)).or_default();
        window.slide(now);
        let used: u32 = window.0.iter().map(|(_, count)| count).sum();
        if used >= limit {
            let oldest = window.0.front().map_or(now, |(second, _)| *second);
            let retry_after = Some((WINDOW - now.since(oldest)).max(1));
            return Standing { context, limit, remaining: 0, retry_after };
        }
        match window.0.back_mut() {
            Some((second, count)) if *second == now => *count += 1,
            _ => window.0.push_back((now, 1)),
        }
        Standing { context, limit, remaining: limit - used - 1, retry_after: None }
    }
}

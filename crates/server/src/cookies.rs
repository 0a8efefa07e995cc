//! The cookies: the session, the flow (matrix SE-01, IN-04), and whether somebody is known here.

use crate::doorway::Doorway;
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderValue};
use keyfob_authority::Fault;
use keyfob_authority::interaction::FlowId;
use keyfob_authority::session::{SignedIn, cookie_digest};
use keyfob_protocol::{EntropyFailed, Secret, Timestamp};

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// Who is signed in.
    Session,
    /// Which browser opened a flow. Survives sign-in and is not the session.
    Flow,
    /// Whose owner has signed in here before. It proves nothing but that: a stranger's guesses elsewhere do not hold this browser back (RL-01).
    Known,
}

impl Cookie {
    /// `__Host-` binds a cookie to this host and to TLS; some cookie jars do not send such cookies back over plain loopback http.
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Cookie::Session, true) => "__Host-keyfob-session",
            (Cookie::Session, false) => "keyfob-session",
            (Cookie::Flow, true) => "__Host-keyfob-flow",
            (Cookie::Flow, false) => "keyfob-flow",
            (Cookie::Known, true) => "__Host-keyfob-known",
            (Cookie::Known, false) => "keyfob-known",
        }
    }

    /// The cookie's value, if the browser sent exactly one. A second one of the same name is somebody's attempt to plant it.
    pub(crate) fn read(self, headers: &HeaderMap, secure: bool) -> Option<String> {
        read_cookie(headers, self.name(secure), 64)
    }

    /// The `Set-Cookie` value. A browser forgets it when it closes, and the server's limits are the real ones; but a browser stays known for half
    /// a year.
    pub(crate) fn set(self, value: &Secret<String>, secure: bool) -> HeaderValue {
        let more = if self == Cookie::Known { "; Max-Age=15552000" } else { "" };
        self.header(value.expose(), more, secure)
    }

    /// The `Set-Cookie` value that makes the browser forget it.
    pub(crate) fn clear(self, secure: bool) -> HeaderValue {
        self.header("", "; Max-Age=0", secure)
    }

    fn header(self, value: &str, more: &str, secure: bool) -> HeaderValue {
        cookie_header(self.name(secure), value, more, secure)
    }
}

/// A cookie's value, at most `longest` characters of it.
pub(crate) fn read_cookie(headers: &HeaderMap, name: &str, longest: usize) -> Option<String> {
    let name = name.as_bytes();
    // In bytes: a neighbour's cookie on this host may hold any, and must not cost anybody their session.
    let pairs = headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    let mut found = pairs.map(<[u8]>::trim_ascii).filter_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="));
    let value = std::str::from_utf8(found.next()?).ok()?;
    let plausible = value.len() <= longest
        && !value.is_empty()
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    (plausible && found.next().is_none()).then(|| value.to_owned())
}

/// A `Set-Cookie` value (matrix SE-01). `more` is further attributes.
pub(crate) fn cookie_header(name: &str, value: &str, more: &str, secure: bool) -> HeaderValue {
    let attributes = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{attributes}{more}");
    let mut header =
        HeaderValue::try_from(text).expect("invariant: cookie values are letters, digits, hyphens and underscores");
    header.set_sensitive(true);
    header
}

/// Who is signed in with this browser, if anybody still is.
pub(crate) async fn signed_in(
    doorway: &Doorway,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Option<SignedIn>, Fault> {
    match Cookie::Session.read(headers, doorway.options.secure_cookies) {
        Some(cookie) => doorway.authority.signed_in(&cookie, now).await,
        None => Ok(None),
    }
}

/// The browser's flow: the one it has, or a new one with the cookie to set.
pub(crate) struct Flow {
    pub(crate) id: FlowId,
    pub(crate) set: Option<HeaderValue>,
}

impl Flow {
    pub(crate) fn of(doorway: &Doorway, headers: &HeaderMap) -> Result<Flow, EntropyFailed> {
        if let Some(id) = Flow::existing(doorway, headers) {
            return Ok(Flow { id, set: None });
        }
        let value = doorway.fresh_cookie()?;
        let id = FlowId(cookie_digest(value.expose()));
        Ok(Flow { id, set: Some(Cookie::Flow.set(&value, doorway.options.secure_cookies)) })
    }

    pub(crate) fn existing(doorway: &Doorway, headers: &HeaderMap) -> Option<FlowId> {
        let value = Cookie::Flow.read(headers, doorway.options.secure_cookies)?;
        Some(FlowId(cookie_digest(&value)))
    }
}

//! Which host and path a step goes to.

use super::findings::Findings;
use super::request::{Address, Request};
use url::Url;

/// Whose authority the messages are for.
#[derive(Clone, Debug, Default)]
pub enum Authority {
    /// Follow Up Boss where the host is one of theirs, otherwise any.
    #[default]
    ByHost,
    /// Follow Up Boss.
    FollowUpBoss,
    /// A Keyfob authority, wherever it is.
    Keyfob,
    /// The authority at this URL.
    At(Url),
}

/// Whose rules hold for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Follow Up Boss.
    FollowUpBoss,
    /// Keyfob: both dialects.
    Keyfob,
    /// Standard OAuth, at this origin if it is known.
    Other(Option<String>),
}

/// What a request should reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Authorize,
    Token,
    Api,
}

impl Authority {
    /// The rules for a request to an address.
    pub(super) fn expected(&self, address: &Address) -> Expected {
        let host = address.hostname();
        let is_theirs = host == "followupboss.com" || host.ends_with(".followupboss.com");
        match self {
            Authority::FollowUpBoss => Expected::FollowUpBoss,
            Authority::Keyfob => Expected::Keyfob,
            Authority::At(url) => Expected::Other(Some(url.origin().ascii_serialization())),
            Authority::ByHost if is_theirs => Expected::FollowUpBoss,
            // A sandbox, as a rule.
            Authority::ByHost if address.is_loopback() => Expected::Keyfob,
            Authority::ByHost => Expected::Other(None),
        }
    }

    /// Whether a reply, which names no host, is Follow Up Boss's.
    pub(super) fn may_be_follow_up_boss(&self) -> bool {
        matches!(self, Authority::FollowUpBoss | Authority::ByHost)
    }
}

impl Expected {
    /// The endpoint of a part, for a corrected request.
    pub(super) fn endpoint(&self, part: Part, address: &Address) -> String {
        let path = match part {
            Part::Authorize => "/oauth/authorize",
            Part::Token => "/oauth/token",
            Part::Api => "",
        };
        match (self, part) {
            (Expected::FollowUpBoss, Part::Api) => "https://api.followupboss.com".to_owned(),
            (Expected::FollowUpBoss, _) => format!("https://app.followupboss.com{path}"),
            // Only Keyfob's and Follow Up Boss's paths are known.
            (Expected::Keyfob, _) => format!("{}{path}", secured(address)),
            (Expected::Other(Some(origin)), Part::Api) => origin.clone(),
            (Expected::Other(Some(origin)), _) => format!("{origin}{}", address.path),
            (Expected::Other(None), Part::Api) => secured(address),
            (Expected::Other(None), _) => format!("{}{}", secured(address), address.path),
        }
    }
}

fn secured(address: &Address) -> String {
    let origin = address.origin();
    if address.is_loopback() { origin } else { origin.replacen("http://", "https://", 1) }
}

/// Scheme, host and path of a request.
pub(super) fn check(part: Part, request: &Request, expected: &Expected, found: &mut Findings) {
    let url = &request.url;
    if url.scheme == "http" && !url.is_loopback() {
        found.wrong(
            url.whole.start(),
            "http://",
            "Everything in the request, credentials included, travels in clear; the authority refuses it or redirects.",
            "https://",
        );
    } else if url.scheme.is_empty() && !url.host.is_empty() {
        found.wrong(url.whole.start(), "scheme", "The URL has no scheme.", "Begin it with https://.");
    }
    if let Some(user) = &url.user_information {
        found.wrong(
            user.start(),
            "user information in the URL",
            "A user name or password before @ ends up in logs and histories, and many clients drop it.",
            "Take it out; send the client's credentials as HTTP Basic in the Authorization header.",
        );
    }
    check_host(part, url, expected, found);
    check_path(part, request, expected, found);
}

fn check_host(part: Part, url: &Address, expected: &Expected, found: &mut Findings) {
    let host = url.hostname();
    match expected {
        Expected::FollowUpBoss => {
            let (right, what) = match part {
                Part::Api => ("api.followupboss.com", "The API answers"),
                Part::Authorize | Part::Token => ("app.followupboss.com", "The OAuth endpoints answer"),
            };
            if host != right {
                let why = format!("{what} at {right}, and not at {}.", named(host, found));
                found.wrong(url.host_at, "host", why, right);
            }
        }
        Expected::Other(Some(origin)) => {
            if !url.host.is_empty() && &url.origin() != origin {
                let why = format!("The authority is at {origin}, and this goes to {}.", named(&url.origin(), found));
                found.wrong(url.host_at, "host", why, origin.as_str());
            }
        }
        Expected::Keyfob | Expected::Other(None) => {}
    }
}

fn named(host: &str, found: &Findings) -> String {
    if host.is_empty() { "no host at all".to_owned() } else { found.shown(host) }
}

fn check_path(part: Part, request: &Request, expected: &Expected, found: &mut Findings) {
    let (url, path) = (&request.url, request.url.path.as_str());
    let right = match part {
        Part::Authorize => "/oauth/authorize",
        Part::Token => "/oauth/token",
        Part::Api => {
            if matches!(expected, Expected::FollowUpBoss) && !path.starts_with("/v1/") {
                found.wrong(
                    url.path_at,
                    "path",
                    "The resources of the API are below /v1/.",
                    "Begin the path with /v1/.",
                );
            }
            return;
        }
    };
    // Of another authority only the metadata knows the path.
    if !matches!(expected, Expected::Other(_)) && path != right {
        found.wrong(url.path_at, "path", format!("The endpoint of this step is {right}."), right);
    }
}

//! One fault as somebody asks for it: a flat JSON object. Unknown keys, and keys that this fault does not have, are refused by name.

use keyfob_protocol::token_name::{GrantId, PresentedToken, TokenKind};
use serde::{Deserialize, Serialize};

use super::about;

/// Longest delay, in milliseconds.
const LONGEST_DELAY: u64 = 120_000;
/// Longest `Retry-After`, in seconds.
const LONGEST_WAIT: u32 = 3600;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    /// The request is carried out and its answer never arrives.
    DropReply,
    /// The request is carried out and its answer comes late.
    Delay,
    /// 500; nothing is carried out.
    ServerError,
    /// 429 with `Retry-After`; nothing is carried out.
    RateLimited,
    /// 502 with a page of a proxy; nothing is carried out.
    BadGateway,
    /// A POST to the token endpoint is answered in the legacy envelope.
    LegacyEnvelope,
    /// Whoever approves is taken to have declined.
    Deny,
    /// The browser is sent to the callback twice.
    DoubleCallback,
    /// The API answers 403 as for an account whose subscription has expired.
    ExpiredAccount,
    /// The token endpoint answers as for a client secret that is not good any more.
    ExpiredSecret,
    /// How refresh tokens behave, whatever the app's policy.
    Refresh,
    /// What becomes of the state at the exchange.
    State,
    /// A second authorization by the same user ends the app's earlier grants.
    SecondAuthorization,
    /// What `response_type=code` leads to.
    ResponseTypeCode,
    /// A token reply by POST has an `id_token`.
    IdToken,
    /// What the API answers to a Bearer token that is not good.
    BearerRefusal,
}

/// Which endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum At {
    /// `/oauth/token`.
    Token,
    /// `/v1/…`.
    Api,
}

/// The value of `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mode {
    /// `refresh`: the token stays the same.
    Fixed,
    /// `refresh`: each one works once, and an earlier one is refused.
    Rotating,
    /// `refresh`: as Keyfob rotates; an earlier one gets the same successor again for 45 seconds.
    Replay,
    /// `refresh`: as `rotating`, and an earlier one ends the grant.
    Strict,
    /// `state`: must be the one of the authorize request.
    Compared,
    /// `state`: must be there.
    Required,
    /// `state`: is not looked at.
    Ignored,
    /// `response-type-code`: is refused.
    Refused,
    /// `response-type-code`: is answered as `auth_code` would be.
    AsAuthCode,
    /// `bearer-refusal`: 401 with the challenge for API keys only.
    BasicChallenge,
    /// `bearer-refusal`: 401 with the legacy envelope of the token endpoint.
    LegacyEnvelope,
    /// `bearer-refusal`: 401 without a challenge or a body.
    Bare,
}

/// How often: a number, or `"always"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Times {
    /// The next so many requests.
    Next(u32),
    /// Every request.
    Always(Always),
}

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Always {
    /// Every request.
    Always,
}

/// A fault as asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) fault: Name,
    /// Where; the token endpoint unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<At>,
    /// The app's key or client id; without it, every app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<String>,
    /// A code, refresh token or access token of the connection, or the grant's id; without it, every connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<Times>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) milliseconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<Mode>,
    /// What `GET` counts, so that a list which was saved is a scenario. Counts begin anew: nobody reads it.
    #[serde(default, rename = "fired", skip_serializing)]
    _fired: Option<u64>,
    /// The same of those that are left.
    #[serde(default, rename = "left", skip_serializing)]
    _left: Option<u32>,
}

/// Faults, as they are posted and as a scenario file holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) faults: Vec<Entry>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// One sentence that names what is wrong.
    pub(crate) fn parse(text: &[u8]) -> Result<Scenario, String> {
        if text.trim_ascii_start().first() == Some(&b'[') {
            return Err("it is an object: {\"faults\": [{\"fault\": \"delay\", \"milliseconds\": 500}]}".to_owned());
        }
        serde_json::from_slice::<Scenario>(text).map_err(|error| error.to_string())?.checked()
    }

    /// The same, if every fault has what it needs and nothing else.
    ///
    /// # Errors
    /// One sentence that names what is wrong.
    pub(crate) fn checked(self) -> Result<Scenario, String> {
        for (index, entry) in self.faults.iter().enumerate() {
            entry.check().map_err(|what| format!("faults[{index}]: {what}"))?;
        }
        Ok(self)
    }
}

impl Entry {
    /// Whether it lasts unless `times` says otherwise.
    pub(crate) fn is_switch(&self) -> bool {
        use Name::*;
        self.is_policy() || matches!(self.fault, ResponseTypeCode | IdToken | BearerRefusal)
    }

    /// Whether the authority's own law does it, for the app and as long as it is set.
    pub(super) fn is_policy(&self) -> bool {
        matches!(self.fault, Name::Refresh | Name::State | Name::SecondAuthorization)
    }

    /// Where it acts, for those that can act in two places.
    pub(super) fn place(&self) -> At {
        self.at.unwrap_or(At::Token)
    }

    fn check(&self) -> Result<(), String> {
        use Name::*;
        let name = serde_json::to_value(self.fault).unwrap_or_default();
        let name = name.as_str().unwrap_or_default();
        let in_two_places = matches!(self.fault, DropReply | Delay | ServerError | RateLimited | BadGateway);
        let before_there_is_one = matches!(self.fault, Deny | DoubleCallback | ResponseTypeCode);
        for (key, given, taken) in [
            ("at", self.at.is_some(), in_two_places),
            ("milliseconds", self.milliseconds.is_some(), self.fault == Delay),
            ("mode", self.mode.is_some(), !self.modes().is_empty()),
            ("times", matches!(self.times, Some(Times::Next(_))), !self.is_policy()),
            ("connection", self.connection.is_some(), !before_there_is_one && !self.is_policy()),
            ("retryAfter", self.retry_after.is_some(), self.fault == RateLimited),
        ] {
            if given && !taken {
                return Err(format!("the fault \"{name}\" has no \"{key}\""));
            }
        }
        if self.fault == Delay && self.milliseconds.is_none() {
            return Err("the fault \"delay\" needs \"milliseconds\"".to_owned());
        }
        if self.milliseconds.is_some_and(|length| length > LONGEST_DELAY) {
            return Err(format!("\"milliseconds\" may be {LONGEST_DELAY} at most"));
        }
        if self.retry_after.is_some_and(|seconds| seconds > LONGEST_WAIT) {
            return Err(format!("\"retryAfter\" may be {LONGEST_WAIT} seconds at most"));
        }
        if !self.modes().is_empty() && !self.mode.is_some_and(|mode| self.modes().contains(&mode)) {
            let modes = serde_json::to_string(self.modes()).unwrap_or_default();
            return Err(format!("\"mode\" of the fault \"{name}\" is one of {modes}"));
        }
        if self.times == Some(Times::Next(0)) {
            return Err("\"times\" is 1 or more, or \"always\"".to_owned());
        }
        if self.connection.as_deref().is_some_and(|text| grant_of(text).is_none()) {
            return Err("\"connection\" is a code, refresh token or access token of it, or the grant's id".to_owned());
        }
        Ok(())
    }
}

impl Entry {
    fn modes(&self) -> &'static [Mode] {
        use Mode::*;
        match self.fault {
            Name::Refresh => &[Fixed, Rotating, Replay, Strict],
            Name::State => &[Compared, Required, Ignored],
            Name::ResponseTypeCode => &[Refused, AsAuthCode],
            Name::BearerRefusal => &[BasicChallenge, LegacyEnvelope, Bare],
            _ => &[],
        }
    }
}

/// The grant that a text of a connection names.
pub(super) fn grant_of(text: &str) -> Option<GrantId> {
    let named = |kind| PresentedToken::parse(kind, text).map(|token| token.claimed_name().grant);
    named(TokenKind::Code)
        .or_else(|| named(TokenKind::Refresh))
        .or_else(|| about::claims(text).map(|claims| claims.grant))
        .or_else(|| GrantId::parse(text))
}

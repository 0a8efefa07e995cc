//! Coming back from the provider: its answer for the state that this browser left with opens a session, once.
//!
//! Before the network is asked, the answer must belong to this browser. A callback that is of no use here stays unused: without the verifier and
//! the nonce, which lie in the browser that left, nobody can do anything with its code.

use super::OpenId;
use super::id_token::{Expected, UnverifiedIdToken};
use super::provider::{Metadata, ProviderProblem};
use super::rules;
use crate::authority::{Authority, Decision, Fault};
use crate::hand_off::arrival::{Arrival, ReturnRefusal, ReturningBrowser};
use crate::hand_off::assertion::Said;
use crate::hand_off::claims::ClaimsProblem;
use crate::hand_off::pending::{AtProvider, Pending};
use keyfob_protocol::jwt::JwtProblem;
use keyfob_protocol::{Secret, Timestamp, basic, form};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// What stands in the URL of a callback (OpenID Connect Core section 3.1.2.5, RFC 9207). Empty where it is missing. Presented, not verified.
#[derive(Clone, Copy)]
pub struct PresentedCallback<'c> {
    /// Ours.
    pub state: &'c str,
    /// To exchange.
    pub code: &'c str,
    /// In place of a code.
    pub error: &'c str,
    /// Whose answer it is.
    pub iss: &'c str,
}

/// Why the provider's answer is not accepted.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ProviderRefusal {
    /// The ID token is not acceptable in itself.
    #[error(transparent)]
    Claims(#[from] ClaimsProblem),
    /// Its key is not in the provider's set, which was read just now or less than a minute ago.
    #[error("signed with a key that the provider does not publish")]
    UnknownKey,
    /// It answers to another departure (Core section 3.1.3.7 step 11).
    #[error("another nonce")]
    WrongNonce,
    /// `azp` is another client (step 5).
    #[error("issued to another client")]
    WrongParty,
    /// `at_hash` is of another access token (Core section 3.1.3.8).
    #[error("another access token")]
    WrongTokenHash,
    /// The callback is another authorization server's (RFC 9207 section 2.4).
    #[error("the answer of another authorization server")]
    OtherProvider,
    /// The provider refuses our request (Core section 3.1.2.6).
    #[error("the provider answers {0}")]
    RequestRefused(ProviderError),
    /// There is neither a code nor an error.
    #[error("no code")]
    NoCode,
    /// It refuses to exchange the code (RFC 6749 section 5.2).
    #[error("the token endpoint answers {0}")]
    CodeRefused(ProviderError),
    /// It exchanged the code for something else.
    #[error("no ID token")]
    NoIdToken,
    /// The userinfo endpoint describes somebody else (Core section 5.3.2).
    #[error("claims about somebody else")]
    OtherSubject,
    /// Whoever has this address has not shown it.
    #[error("the e-mail address is not verified")]
    EmailNotVerified,
    /// The rules give them no account.
    #[error("no account")]
    NoAccount,
    /// The rules give them no role.
    #[error("no role")]
    NoRole,
}

impl ProviderRefusal {
    /// A stable word for logs, counters and the ledger.
    pub fn reason(&self) -> &'static str {
        match self {
            ProviderRefusal::Claims(problem) => problem.reason(),
            ProviderRefusal::UnknownKey => "unknown_key",
            ProviderRefusal::WrongNonce => "wrong_nonce",
            ProviderRefusal::WrongParty => "wrong_party",
            ProviderRefusal::WrongTokenHash => "wrong_token_hash",
            ProviderRefusal::OtherProvider => "other_provider",
            ProviderRefusal::RequestRefused(_) => "request_refused",
            ProviderRefusal::NoCode => "no_code",
            ProviderRefusal::CodeRefused(_) => "code_refused",
            ProviderRefusal::NoIdToken => "no_id_token",
            ProviderRefusal::OtherSubject => "other_subject",
            ProviderRefusal::EmailNotVerified => "email_not_verified",
            ProviderRefusal::NoAccount => "no_account",
            ProviderRefusal::NoRole => "no_role",
        }
    }

    /// Whether another sign-in of the same person may be accepted.
    pub fn may_pass(&self) -> bool {
        match self {
            ProviderRefusal::Claims(problem) => *problem == ClaimsProblem::Expired,
            ProviderRefusal::UnknownKey | ProviderRefusal::NoCode => true,
            // The code was too old, or used by a reload.
            ProviderRefusal::CodeRefused(error) => error.0 == "invalid_grant",
            _ => false,
        }
    }

    /// The provider's own word, for the log.
    pub fn error(&self) -> Option<&'static str> {
        match self {
            ProviderRefusal::RequestRefused(error) | ProviderRefusal::CodeRefused(error) => Some(error.0),
            _ => None,
        }
    }
}

impl From<JwtProblem> for ProviderRefusal {
    fn from(problem: JwtProblem) -> Self {
        ClaimsProblem::from(problem).into()
    }
}

/// An error code of the provider's, if it is one of the known; whoever calls the callback can write anything there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderError(&'static str);

/// RFC 6749 sections 4.1.2.1 and 5.2, Core section 3.1.2.6.
const KNOWN_ERRORS: [&str; 18] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "access_denied",
    "interaction_required",
    "login_required",
    "account_selection_required",
    "consent_required",
    "invalid_request_uri",
    "invalid_request_object",
    "request_not_supported",
    "registration_not_supported",
];

impl ProviderError {
    fn of(text: &str) -> ProviderError {
        ProviderError(KNOWN_ERRORS.into_iter().find(|known| *known == text).unwrap_or("unknown error"))
    }
}

impl std::fmt::Display for ProviderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// What ends the exchange early.
enum Stop {
    Refused(ProviderRefusal),
    Down(ProviderProblem),
}

impl<R: Into<ProviderRefusal>> From<R> for Stop {
    fn from(refusal: R) -> Stop {
        Stop::Refused(refusal.into())
    }
}

impl From<ProviderProblem> for Stop {
    fn from(problem: ProviderProblem) -> Stop {
        Stop::Down(problem)
    }
}

/// The token endpoint's answer, as far as it is read (Core section 3.1.3.3).
#[derive(Deserialize)]
struct Tokens {
    #[serde(default, deserialize_with = "secret")]
    id_token: Option<Secret<String>>,
    #[serde(default, deserialize_with = "secret")]
    access_token: Option<Secret<String>>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::deserialize(deserializer)?.map(Secret::new))
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
}

impl Authority {
    /// Checks what came back, exchanges the code and opens the session. A refusal for a browser that did leave is recorded. A fault is one of
    /// the arrivals where the request that waits is known.
    pub async fn return_from_provider(
        &self,
        openid: &OpenId,
        presented: PresentedCallback<'_>,
        browser: ReturningBrowser<'_>,
        now: Timestamp,
    ) -> Result<Decision<Arrival, ReturnRefusal>, Fault> {
        let waiting = self.waiting(presented.state, &browser, now).and_then(|pending| match pending.provider {
            Some(_) => Ok(pending),
            None => Err(ReturnRefusal::NotWaiting),
        });
        let arriving = async {
            let pending = match self.unused(presented.state, &waiting).await? {
                Ok(pending) => pending,
                Err(refusal) => return Ok(Decision::Refused(refusal)),
            };
            let decision = match self.said(openid, presented, pending, now).await {
                Ok(said) => self.receive(&said, pending, browser.earlier_cookie, now).await?,
                Err(Stop::Refused(refusal)) => Decision::Refused(ReturnRefusal::Provider(refusal)),
                Err(Stop::Down(problem)) => return Err(problem.into()),
            };
            if let Decision::Refused(refusal) = &decision {
                self.store.record(vec![refusal.entry(now)]).await?;
            }
            Ok(decision)
        };
        match arriving.await {
            Ok(decision) => Ok(decision),
            Err(fault) => self.told_or_failed(&waiting, fault).await,
        }
    }

    /// What the provider says, once it is proven to be the provider.
    async fn said(
        &self,
        openid: &OpenId,
        presented: PresentedCallback<'_>,
        pending: &Pending,
        now: Timestamp,
    ) -> Result<Said, Stop> {
        let at_provider = pending.provider.as_ref().expect("invariant: only what waits for a provider comes here");
        let metadata = openid.metadata(now).await?;
        if presented.iss != openid.issuer()
            && (metadata.authorization_response_iss_parameter_supported || !presented.iss.is_empty())
        {
            return Err(ProviderRefusal::OtherProvider.into());
        }
        match presented.error {
            "" => {}
            "access_denied" => return Ok(Said::Denied),
            "server_error" => return Err(ProviderProblem::SaysSo("server_error").into()),
            "temporarily_unavailable" => return Err(ProviderProblem::SaysSo("temporarily_unavailable").into()),
            other => return Err(ProviderRefusal::RequestRefused(ProviderError::of(other)).into()),
        }
        if presented.code.is_empty() {
            return Err(ProviderRefusal::NoCode.into());
        }
        let tokens = self.exchange(openid, &metadata, presented.code, at_provider).await?;
        let id_token = tokens.id_token.ok_or(ProviderRefusal::NoIdToken)?;
        let unverified = UnverifiedIdToken::parse(id_token.expose())?;
        let keys = openid.keys(&metadata, now, |keys| unverified.may_be_by(keys)).await?;
        let expected = Expected {
            issuer: openid.issuer(),
            client_id: &openid.settings.client_id,
            nonce: &at_provider.nonce,
            access_token: tokens.access_token.as_ref().map(|token| token.expose().as_str()),
        };
        let mut claims = unverified.verified(&keys, &expected, now)?;
        let rules = (&openid.settings.account, &openid.settings.role);
        let authenticated_at: Option<Timestamp> = claims.optional("auth_time")?;
        // Where an access token is given out as well, an ID token may leave the person's claims to the endpoint for it (Core section 5.4).
        if let (false, Some(url), Some(token)) =
            (rules::suffice(rules, &claims), &metadata.userinfo_endpoint, &tokens.access_token)
        {
            let more = openid.user_info(url, token).await?;
            if more.required::<String>("sub")? != claims.required::<String>("sub")? {
                return Err(ProviderRefusal::OtherSubject.into());
            }
            claims.supplement(more);
        }
        Ok(Said::Is(Box::new(rules::person(rules, &claims, (authenticated_at, pending.fresh), now)?)))
    }

    /// The token request (Core section 3.1.3.1, RFC 7636 section 4.5).
    async fn exchange(
        &self,
        openid: &OpenId,
        metadata: &Metadata,
        code: &str,
        at_provider: &AtProvider,
    ) -> Result<Tokens, Stop> {
        const WHAT: &str = "the answer of its token endpoint";
        let redirect_uri = self.provider_redirect_uri();
        let client_id = openid.settings.client_id.as_str();
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri.as_str()),
            ("code_verifier", at_provider.verifier.as_str()),
        ];
        let authorization = match &openid.settings.client_secret {
            Some(secret) if metadata.wants_secret_in_body() => {
                pairs.extend([("client_id", client_id), ("client_secret", secret.expose())]);
                None
            }
            Some(secret) => Some(basic::header(client_id, secret)),
            None => {
                pairs.push(("client_id", client_id));
                None
            }
        };
        let form = Secret::new(form::encode(pairs));
        let answer = openid.post(&metadata.token_endpoint, authorization, form).await?;
        match answer.status {
            200 => serde_json::from_slice(answer.body.expose()).map_err(|_| ProviderProblem::Unreadable(WHAT).into()),
            400 | 401 => match serde_json::from_slice::<TokenError>(answer.body.expose()) {
                Ok(refused) => Err(ProviderRefusal::CodeRefused(ProviderError::of(&refused.error)).into()),
                Err(_) => Err(ProviderProblem::Unreadable(WHAT).into()),
            },
            status => Err(ProviderProblem::Status(WHAT, status).into()),
        }
    }
}

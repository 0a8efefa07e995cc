//! The gate itself: headers in, caller or challenge out. No I/O; whoever owns it feeds it keys and revocations.
//!
//! It fails closed: without keys, without a first full sync, or (where so configured) without news, it answers that it cannot
//! decide. A token in the query or in a form is not credentials and is not looked at (BR-05).

use crate::cache::{TokenCache, VerifiedToken};
use crate::caller::Caller;
use crate::challenge::Challenge;
use crate::keys::{KeySetProblem, VerificationKeys};
use crate::protected_resource::ProtectedResource;
use crate::revoked::RevocationSet;
use crate::verify::{Expectations, InvalidReason, TokenProblem, verify};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Response};
use keyfob_protocol::access_token::JwkSet;
use keyfob_protocol::bearer::{self, PresentedBearer};
use keyfob_protocol::{Clock, Timestamp};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Verified tokens that are remembered, and as many that were asked about. When full about 10 MiB each.
const CACHED_TOKENS: usize = 10_000;

/// How old a gate's knowledge may grow before it refuses, unless it is told otherwise (seconds). News come within one, so this is an outage
/// of the feed and not a delay.
pub const MAX_STALE: i64 = 30;

/// What to do when the revocation feed falls silent after the first sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutNews {
    /// Fail closed: cannot decide once the set has not been known complete for more than this many seconds.
    RefuseAfter(i64),
    /// Go on with what is known. For a gate in the authority's own process, which inserts each revocation as it commits, and for
    /// those who prefer availability.
    KeepServing,
}

/// What a gate guards.
#[derive(Clone, Debug)]
pub struct GateConfig {
    /// The authority, as in `iss`.
    pub issuer: String,
    /// This API, as in `aud`.
    pub audience: String,
    /// Answer an invalid token with 400, as Follow Up Boss lists it, instead of 401 (D9).
    pub fub_status: bool,
    /// When the feed falls silent.
    pub without_news: WithoutNews,
    /// How clients learn of the authority (RFC 9728); `None`: they are not told.
    pub announced: Option<ProtectedResource>,
}

impl GateConfig {
    /// RFC status codes; refuses after 30 s without news; announces nothing.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> GateConfig {
        GateConfig {
            issuer: issuer.into(),
            audience: audience.into(),
            fub_status: false,
            without_news: WithoutNews::RefuseAfter(MAX_STALE),
            announced: None,
        }
    }
}

/// The keys in force, and the how-manieth set they are; 0 before the first.
#[derive(Default)]
struct KeysInForce {
    epoch: u64,
    published: JwkSet,
    keys: VerificationKeys,
}

/// A Bearer gate. Share it in an `Arc`.
pub struct Gate {
    expected: Expectations,
    fub_status: bool,
    without_news: WithoutNews,
    announced: Option<ProtectedResource>,
    clock: Arc<dyn Clock>,
    keys: RwLock<Arc<KeysInForce>>,
    /// `keys.epoch`, readable without the lock.
    key_epoch: AtomicU64,
    revocations: RevocationSet,
    cache: TokenCache,
    /// Tokens that were asked about, whomever they are meant for; apart, so that none of them passes here. Made when the first comes: few gates are asked.
    asked_about: OnceLock<TokenCache>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate that cannot decide anything yet: give it keys, revocations and a first [`RevocationSet::mark_synced`].
    pub fn new(config: GateConfig, clock: Arc<dyn Clock>) -> Gate {
        Gate {
            expected: Expectations { issuer: config.issuer, audience: Some(config.audience) },
            fub_status: config.fub_status,
            without_news: config.without_news,
            announced: config.announced,
            clock,
            keys: RwLock::default(),
            key_epoch: AtomicU64::new(0),
            revocations: RevocationSet::default(),
            cache: TokenCache::new(CACHED_TOKENS),
            asked_about: OnceLock::new(),
        }
    }

    /// Puts the authority's published keys in force. Tokens verified with other keys are verified again. An unchanged set costs
    /// nothing, so this may be called at every poll.
    ///
    /// # Errors
    /// [`KeySetProblem`]; then the keys in force stay.
    pub fn set_keys(&self, published: &JwkSet) -> Result<(), KeySetProblem> {
        let in_force = self.keys_in_force();
        if in_force.epoch > 0 && in_force.published == *published {
            return Ok(());
        }
        let keys = VerificationKeys::new(published)?;
        let mut in_force = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let epoch = in_force.epoch + 1;
        *in_force = Arc::new(KeysInForce { epoch, published: published.clone(), keys });
        self.key_epoch.store(epoch, Ordering::Release);
        Ok(())
    }

    /// What has been taken back. Insert into it, and say when it is complete.
    pub fn revocations(&self) -> &RevocationSet {
        &self.revocations
    }

    /// The authority whose tokens it takes, as in `iss`.
    pub fn issuer(&self) -> &str {
        &self.expected.issuer
    }

    /// What it tells clients of the authority (RFC 9728).
    pub fn announced(&self) -> Option<&ProtectedResource> {
        self.announced.as_ref()
    }

    /// The whole answer to a caller who does not pass, with where the authority is announced.
    pub fn refuse<B: From<String>>(&self, challenge: &Challenge) -> Response<B> {
        challenge.response(self.announced())
    }

    /// Whether it can judge tokens now; if not, every one of them is answered with [`Challenge::CannotDecide`].
    pub fn is_ready(&self) -> bool {
        self.can_decide(self.clock.now()).is_ok()
    }

    /// Seconds since the set of revocations was last known to be complete; `None` before the first full sync.
    pub fn seconds_without_news(&self) -> Option<i64> {
        self.revocations.synced_at().map(|at| self.clock.now().since(at))
    }

    /// Verified tokens in memory: a metric.
    pub fn cached_tokens(&self) -> usize {
        self.cache.len() + self.asked_about.get().map_or(0, TokenCache::len)
    }

    /// Frees what concerns expired tokens only. Nothing depends on it but memory; once a minute is plenty.
    pub fn forget_expired(&self) {
        let now = self.clock.now();
        self.revocations.forget_expired(now);
        self.cache.forget_expired(now);
        self.asked_about.get().into_iter().for_each(|cache| cache.forget_expired(now));
    }

    /// Who sends these headers.
    ///
    /// # Errors
    /// The [`Challenge`] to answer with.
    pub fn check(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Challenge> {
        let mut credentials = headers.get_all(AUTHORIZATION).iter();
        let Some(header) = credentials.next() else { return Err(Challenge::NoCredentials) };
        if credentials.next().is_some() {
            return Err(Challenge::SeveralCredentials);
        }
        let header = header.as_bytes();
        // A remembered text was well-formed when it was verified: no need to read it letter by letter again.
        if let Some(text) = after_bearer(header)
            && let Some(known) = self.known(&self.cache, text)
        {
            let now = self.clock.now();
            self.can_decide(now)?;
            return self.still_good(&known, now).map_err(|problem| self.challenge(problem));
        }
        match bearer::parse(header) {
            PresentedBearer::Absent => Err(Challenge::NoCredentials),
            PresentedBearer::Malformed => Err(self.challenge(InvalidReason::MalformedHeader.into())),
            PresentedBearer::Token(token) => {
                let now = self.clock.now();
                self.can_decide(now)?;
                self.first_sight(&self.cache, &self.expected, token, now).map_err(|problem| self.challenge(problem))
            }
        }
    }

    /// Who holds this token, whomever it is meant for: for those who ask about it, as introspection does, and never let anybody in by it.
    ///
    /// # Errors
    /// The [`Challenge`] that the token would get in a header of its own API.
    pub fn holder_of(&self, token: &str) -> Result<Arc<Caller>, Challenge> {
        let now = self.clock.now();
        self.can_decide(now)?;
        let asked_about = self.asked_about.get_or_init(|| TokenCache::new(CACHED_TOKENS));
        let found = match self.known(asked_about, token.as_bytes()) {
            Some(known) => self.still_good(&known, now),
            None => {
                let anywhere = Expectations { audience: None, ..self.expected.clone() };
                self.first_sight(asked_about, &anywhere, token, now)
            }
        };
        found.map_err(|problem| self.challenge(problem))
    }

    /// The holder of a genuine, unexpired token that only the revocation set refuses. For the one question that a revoked token may
    /// still ask: whether there is anything left to revoke.
    pub fn holder_if_revoked(&self, token: &str) -> Option<Arc<Caller>> {
        let in_force = self.keys_in_force();
        let caller = verify(token, &in_force.keys, &self.expected, self.clock.now()).ok()?;
        self.revocations.refuses(&caller).then(|| Arc::new(caller))
    }

    fn can_decide(&self, now: Timestamp) -> Result<(), Challenge> {
        let synced_at = self.revocations.synced_at().ok_or(Challenge::CannotDecide)?;
        match self.without_news {
            WithoutNews::RefuseAfter(seconds) if now.since(synced_at) > seconds => Err(Challenge::CannotDecide),
            _ if self.key_epoch.load(Ordering::Acquire) == 0 => Err(Challenge::CannotDecide),
            _ => Ok(()),
        }
    }

    fn known(&self, cache: &TokenCache, text: &[u8]) -> Option<Arc<VerifiedToken>> {
        cache.get(text).filter(|known| known.key_epoch == self.key_epoch.load(Ordering::Acquire))
    }

    fn first_sight(
        &self,
        cache: &TokenCache,
        expected: &Expectations,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<Caller>, TokenProblem> {
        // One set of keys for the whole check: if it is replaced meanwhile, the token is remembered under the old epoch and is
        // verified again next time.
        let in_force = self.keys_in_force();
        let caller = verify(token, &in_force.keys, expected, now)?;
        let verified = Arc::new(VerifiedToken::new(token, in_force.epoch, Arc::new(caller)));
        cache.insert(verified.clone());
        self.still_good(&verified, now)
    }

    /// What must hold at every call. Expiry first, since a revocation is forgotten when its tokens have expired: a token's answer
    /// changes once, at its end, not again when the entry goes.
    fn still_good(&self, token: &VerifiedToken, now: Timestamp) -> Result<Arc<Caller>, TokenProblem> {
        if now >= token.caller.expires_at {
            return Err(TokenProblem::Expired);
        }
        // Read before the set is asked: an entry that comes in between makes the generation differ at the next call.
        let generation = self.revocations.generation();
        if token.cleared_at.load(Ordering::Relaxed) != generation {
            if self.revocations.refuses(&token.caller) {
                return Err(InvalidReason::Revoked.into());
            }
            token.cleared_at.store(generation, Ordering::Relaxed);
        }
        Ok(token.caller.clone())
    }

    fn challenge(&self, problem: TokenProblem) -> Challenge {
        match problem {
            TokenProblem::Expired => Challenge::ExpiredToken,
            TokenProblem::Invalid(reason) => Challenge::InvalidToken { reason, fub_status: self.fub_status },
        }
    }

    fn keys_in_force(&self) -> Arc<KeysInForce> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What follows `Bearer `, unread.
fn after_bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii_start())
}

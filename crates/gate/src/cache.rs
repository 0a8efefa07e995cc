//! Tokens whose signature has been verified, so that the next call with one costs a comparison instead of a signature check.
//!
//! Bounded: sets of eight slots, each set behind a lock of its own, the least recently used slot reused. It answers only for the
//! whole text of a token; whether that token has expired or been revoked since is asked at every call, by the gate.

use crate::caller::Caller;
use keyfob_protocol::Timestamp;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A token that was verified. Not `Debug`: the text is a secret.
pub(crate) struct VerifiedToken {
    text: Box<[u8]>,
    /// Which keys verified it: a token of a withdrawn key must not live on here.
    pub(crate) key_epoch: u64,
    pub(crate) caller: Arc<Caller>,
    /// The generation of the revocation set at which this token was last found not revoked.
    pub(crate) cleared_at: AtomicU64,
}

impl VerifiedToken {
    pub(crate) fn new(text: &str, key_epoch: u64, caller: Arc<Caller>) -> VerifiedToken {
        VerifiedToken { text: text.as_bytes().into(), key_epoch, caller, cleared_at: AtomicU64::new(u64::MAX) }
    }
}

const WAYS: usize = 8;

/// The hash of a token and the token; most recently used first.
type Set = [Option<(u64, Arc<VerifiedToken>)>; WAYS];

/// The cache.
pub(crate) struct TokenCache {
    sets: Box<[Mutex<Set>]>,
    hasher: RandomState,
}

impl TokenCache {
    /// Room for `capacity` tokens, of about 1 KiB each when full.
    pub(crate) fn new(capacity: usize) -> TokenCache {
        let sets = (0..capacity.div_ceil(WAYS).max(1)).map(|_| Mutex::default()).collect();
        TokenCache { sets, hasher: RandomState::new() }
    }

    /// The verified token with exactly this text.
    pub(crate) fn get(&self, text: &[u8]) -> Option<Arc<VerifiedToken>> {
        let hash = self.hash(text);
        let found = {
            let mut set = self.set(hash);
            let at = set.iter().position(|slot| matches!(slot, Some((of, _)) if *of == hash))?;
            set[..=at].rotate_right(1);
            set[0].as_ref().map(|(_, token)| token.clone())?
        };
        // The hash only finds the slot; the text decides. A stranger cannot use the time this takes as an oracle, since without
        // the token (and our hash key) the comparison is not reached.
        (*found.text == *text).then_some(found)
    }

    /// Keeps a verified token, in the place of its set's least recently used one.
    pub(crate) fn insert(&self, token: Arc<VerifiedToken>) {
        let hash = self.hash(&token.text);
        let mut set = self.set(hash);
        let place = set.iter().position(|slot| matches!(slot, Some((of, _)) if *of == hash)).unwrap_or(WAYS - 1);
        set[..=place].rotate_right(1);
        set[0] = Some((hash, token));
    }

    /// Drops tokens that have expired at `now`.
    pub(crate) fn forget_expired(&self, now: Timestamp) {
        for set in &self.sets {
            for slot in lock(set).iter_mut() {
                slot.take_if(|(_, token)| token.caller.expires_at <= now);
            }
        }
    }

    /// Number of tokens held: a metric.
    pub(crate) fn len(&self) -> usize {
        self.sets.iter().map(|set| lock(set).iter().flatten().count()).sum()
    }

    /// Keyed, over the end of the text: a signature, which differs between any two tokens that were ever inserted.
    fn hash(&self, text: &[u8]) -> u64 {
        let tail = text.last_chunk::<64>().map_or(text, |tail| tail.as_slice());
        self.hasher.hash_one(tail)
    }

    fn set(&self, hash: u64) -> MutexGuard<'_, Set> {
        let at = (u128::from(hash) * self.sets.len() as u128) >> 64;
        lock(&self.sets[at as usize])
    }
}

/// A poisoned set is still a set of whole slots.
fn lock(set: &Mutex<Set>) -> MutexGuard<'_, Set> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_protocol::access_token::{Audience, IssuedAfter};

    fn token(text: &str, expires_at: i64) -> Arc<VerifiedToken> {
        let caller = Caller {
            holder: None,
            app: 1,
            client_id: String::new(),
            audience: Audience::One(String::new()),
            jti: String::new(),
            scope: None,
            issued_at: Timestamp(0),
            issued_after: IssuedAfter::default(),
            expires_at: Timestamp(expires_at),
        };
        Arc::new(VerifiedToken::new(text, 1, Arc::new(caller)))
    }

    #[test]
    fn the_cache_never_grows_past_its_bound() {
        let cache = TokenCache::new(64);
        for number in 0..10_000 {
            cache.insert(token(&format!("token {number}"), 1));
        }
        assert_eq!(cache.len(), 64);
    }

    #[test]
    fn the_least_recently_used_token_of_a_set_makes_room() {
        let cache = TokenCache::new(WAYS);
        for number in 0..WAYS {
            cache.insert(token(&format!("token {number}"), 1));
        }
        assert!(cache.get(b"token 0").is_some());
        cache.insert(token("one more", 1));
        assert!(cache.get(b"token 0").is_some());
        assert!(cache.get(b"token 1").is_none());
        assert!(cache.get(b"token 2").is_some());
    }

    #[test]
    fn only_the_whole_text_is_answered() {
        let cache = TokenCache::new(64);
        let tail = "s".repeat(64);
        cache.insert(token(&format!("payload one.{tail}"), 1));
        assert!(cache.get(format!("payload one.{tail}").as_bytes()).is_some());
        // The same tail hashes alike, so this reaches the comparison.
        assert!(cache.get(format!("payload two.{tail}").as_bytes()).is_none());
        assert!(cache.get(tail.as_bytes()).is_none());
        assert!(cache.get(b"").is_none());
    }

    #[test]
    fn the_same_token_again_takes_no_second_slot() {
        let cache = TokenCache::new(WAYS);
        for _ in 0..WAYS {
            cache.insert(token("same", 1));
        }
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn expired_tokens_are_dropped_on_request() {
        let cache = TokenCache::new(64);
        cache.insert(token("short", 10));
        cache.insert(token("long", 11));
        cache.forget_expired(Timestamp(10));
        assert!(cache.get(b"short").is_none());
        assert!(cache.get(b"long").is_some());
    }
}

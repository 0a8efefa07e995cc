//! What has been taken back and not yet expired. Fed by the authority's revocation feed; asked for every call.
//!
//! Mostly empty and read far more often than written: an empty set answers from one atomic, and `generation` lets a caller who
//! was cleared once skip the question until something is added.

use crate::caller::{Caller, decimal};
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::{Revocation, RevokedKind};
use keyfob_protocol::token_name::GrantId;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use thiserror::Error;

/// An entry whose `id` is not in the form of its kind. Nothing was inserted; whoever feeds the set must not call it synced.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("revocation {number} names no {kind:?} that could exist")]
pub struct UnreadableRevocation {
    /// Position in the feed.
    pub number: i64,
    /// What it claims to name.
    pub kind: RevokedKind,
}

/// Refuses tokens issued up to and including `not_before`; forgotten at `until`.
#[derive(Clone, Copy, Debug)]
struct Wide {
    not_before: Timestamp,
    until: Timestamp,
}

impl Wide {
    /// By the second of issue, unless the token says that it was issued after this revocation or a later one.
    fn covers(&self, issued_at: Timestamp, issued_after: Option<Timestamp>) -> bool {
        issued_at <= self.not_before && issued_after.is_none_or(|after| after < self.not_before)
    }
}

#[derive(Debug, Default)]
struct Entries {
    grants: HashMap<[u8; 16], Timestamp>,
    tokens: HashMap<Box<str>, Timestamp>,
    apps: HashMap<i64, Wide>,
    users: HashMap<i64, Wide>,
    accounts: HashMap<i64, Wide>,
}

impl Entries {
    fn len(&self) -> usize {
        self.grants.len() + self.tokens.len() + self.apps.len() + self.users.len() + self.accounts.len()
    }
}

const NEVER: i64 = i64::MIN;

/// The set of live revocations.
#[derive(Debug)]
pub struct RevocationSet {
    entries: RwLock<Entries>,
    len: AtomicUsize,
    generation: AtomicU64,
    synced_at: AtomicI64,
}

impl Default for RevocationSet {
    fn default() -> RevocationSet {
        RevocationSet {
            entries: RwLock::default(),
            len: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
            synced_at: AtomicI64::new(NEVER),
        }
    }
}

impl RevocationSet {
    /// Adds an entry, or widens the one that names the same thing. Every check that starts after this returns sees it (BR-09).
    ///
    /// # Errors
    /// [`UnreadableRevocation`] if the id is not in the form of its kind.
    pub fn insert(&self, revocation: &Revocation) -> Result<(), UnreadableRevocation> {
        let Revocation { number, kind, ref id, not_before, until } = *revocation;
        let unreadable = UnreadableRevocation { number, kind };
        let mut entries = self.write();
        match kind {
            RevokedKind::Grant => {
                let GrantId(grant) = GrantId::parse(id).ok_or(unreadable)?;
                keep_longer(&mut entries.grants, grant, until);
            }
            RevokedKind::Token => keep_longer(&mut entries.tokens, id.as_str().into(), until),
            RevokedKind::App => widen(&mut entries.apps, decimal(id).ok_or(unreadable)?, not_before, until),
            RevokedKind::User => widen(&mut entries.users, decimal(id).ok_or(unreadable)?, not_before, until),
            RevokedKind::Account => widen(&mut entries.accounts, decimal(id).ok_or(unreadable)?, not_before, until),
        }
        // Both while the lock is held: whoever sees the new generation also finds the entry.
        self.len.store(entries.len(), Ordering::Release);
        self.generation.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Drops entries whose last token has expired: those with `until <= now`.
    pub fn forget_expired(&self, now: Timestamp) {
        if self.is_empty() {
            return;
        }
        let mut entries = self.write();
        entries.grants.retain(|_, until| now < *until);
        entries.tokens.retain(|_, until| now < *until);
        let Entries { apps, users, accounts, .. } = &mut *entries;
        for wide in [apps, users, accounts] {
            wide.retain(|_, wide| now < wide.until);
        }
        self.len.store(entries.len(), Ordering::Release);
    }

    /// Whether the caller's token has been taken back.
    pub fn refuses(&self, caller: &Caller) -> bool {
        if self.is_empty() {
            return false;
        }
        let entries = self.read();
        let (at, after) = (caller.issued_at, &caller.issued_after);
        entries.tokens.contains_key(caller.jti.as_str())
            || entries.apps.get(&caller.app).is_some_and(|wide| wide.covers(at, after.app))
            || caller.holder.is_some_and(|holder| {
                entries.grants.contains_key(&holder.grant.0)
                    || entries.users.get(&holder.user).is_some_and(|wide| wide.covers(at, after.user))
                    || entries.accounts.get(&holder.account).is_some_and(|wide| wide.covers(at, after.account))
            })
    }

    /// Number of entries: a metric.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// Whether nothing is revoked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Grows with each insertion. Who was not refused at generation n is not refused while it is still n.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Says that the set is complete as of `at`. Never moves back.
    pub fn mark_synced(&self, at: Timestamp) {
        self.synced_at.fetch_max(at.0, Ordering::AcqRel);
    }

    /// When the set was last known to be complete; `None` before the first full sync.
    pub fn synced_at(&self) -> Option<Timestamp> {
        Some(self.synced_at.load(Ordering::Acquire)).filter(|at| *at != NEVER).map(Timestamp)
    }

    /// Whether there has been a full sync. A gate serves nothing before.
    pub fn first_sync_done(&self) -> bool {
        self.synced_at().is_some()
    }

    // A poisoned lock still guards whole entries: each change is one map operation.
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep_longer<K: Eq + Hash>(named: &mut HashMap<K, Timestamp>, id: K, until: Timestamp) {
    let kept = named.entry(id).or_insert(until);
    *kept = until.max(*kept);
}

fn widen(named: &mut HashMap<i64, Wide>, id: i64, not_before: Timestamp, until: Timestamp) {
    let wide = named.entry(id).or_insert(Wide { not_before, until });
    *wide = Wide { not_before: not_before.max(wide.not_before), until: until.max(wide.until) };
}

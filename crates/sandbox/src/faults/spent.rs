//! Refresh tokens that work once: how authorities behave that rotate without a second chance. Keyfob's own law is kinder (table R).

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keyfob_authority::secrets;

/// Tokens that are remembered; beyond it all are forgotten together.
const MOST: usize = 100_000;

/// Digests of refresh tokens that were redeemed while such a switch was set.
#[derive(Default)]
pub(super) struct Spent(Mutex<HashSet<[u8; 32]>>);

impl Spent {
    /// Takes a token, before it is redeemed: of two requests at the same time one is too late. `false`: it was taken before.
    pub(super) fn take(&self, refresh_token: &str) -> bool {
        let mut spent = self.lock();
        if spent.len() >= MOST {
            spent.clear();
        }
        spent.insert(secrets::digest(refresh_token))
    }

    /// Gives it back: the authority did not take it.
    pub(super) fn give_back(&self, refresh_token: &str) {
        self.lock().remove(&secrets::digest(refresh_token));
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

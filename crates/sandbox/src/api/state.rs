//! What the handlers share: the seed, the data behind a lock, the clock and the check of tokens.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use keyfob_gate::Gate;
use keyfob_protocol::{Clock, Timestamp};

use super::data::Data;
use super::rate_limit::{Context, RateLimits, Standing};
use super::saved::{self, SavedError};
use crate::seed::{AccountStatus, Seed, User};

/// What the API is made of.
pub struct ApiOptions {
    /// The data at the start, and the users and their keys throughout.
    pub seed: Arc<Seed>,
    /// The sandbox's clock.
    pub clock: Arc<dyn Clock>,
    /// Who checks Bearer tokens. Whoever made it feeds it keys and revocations.
    pub gate: Arc<Gate>,
    /// Scheme, host and port for `nextLink`, such as `http://127.0.0.1:4000`.
    pub origin: String,
    /// Where the data is kept: read at the start if it exists, written before each answer that follows a change. `None` keeps
    /// nothing.
    pub file: Option<PathBuf>,
}

/// The API's state; clones share it.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

struct Shared {
    options: ApiOptions,
    data: RwLock<Data>,
    limits: Mutex<RateLimits>,
}

impl ApiState {
    /// The state from the file, or from the seed if there is none.
    ///
    /// # Errors
    /// The file exists and cannot be read, or belongs to another seed.
    pub fn open(options: ApiOptions) -> Result<ApiState, SavedError> {
        let kept = match &options.file {
            Some(file) => saved::read(file, options.seed.number())?,
            None => None,
        };
        let data = RwLock::new(kept.unwrap_or_else(|| Data::seeded(&options.seed)));
        Ok(ApiState(Arc::new(Shared { options, data, limits: Mutex::default() })))
    }

    /// Back to the seed: data, and rate limits.
    ///
    /// # Errors
    /// The file could not be written; nothing has changed then.
    pub async fn reset(&self) -> Result<(), SavedError> {
        let seeded = Data::seeded(self.seed());
        self.change(move |data| *data = seeded).await?;
        *self.0.limits.lock().unwrap_or_else(PoisonError::into_inner) = RateLimits::default();
        Ok(())
    }

    /// Lets an account's subscription expire, or renews it.
    ///
    /// # Errors
    /// The file could not be written; nothing has changed then.
    pub async fn set_account_status(&self, account: i64, status: AccountStatus) -> Result<(), SavedError> {
        self.change(move |data| match status {
            AccountStatus::Active => data.expired.remove(&account),
            AccountStatus::Expired => data.expired.insert(account),
        })
        .await?;
        Ok(())
    }

    /// Whether an account's subscription runs.
    pub fn account_status(&self, account: i64) -> AccountStatus {
        if self.data().expired.contains(&account) { AccountStatus::Expired } else { AccountStatus::Active }
    }

    /// Users, accounts and apps.
    pub fn seed(&self) -> &Seed {
        &self.0.options.seed
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.0.options.gate
    }

    pub(super) fn origin(&self) -> &str {
        &self.0.options.origin
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.options.clock.now()
    }

    /// A user who is known to exist, because the first door found them.
    pub(super) fn user(&self, id: i64) -> &User {
        self.seed().users.iter().find(|user| user.id == id).expect("invariant: callers are seeded users")
    }

    /// The user's name, where a record refers to them.
    pub(super) fn user_name(&self, id: Option<i64>) -> Option<String> {
        self.seed().users.iter().find(|user| Some(user.id) == id).map(User::name)
    }

    /// Whose key it is. A dozen comparisons; the keys can be computed by anybody, so their timing tells nothing.
    pub(super) fn user_of_key(&self, key: &str) -> Option<&User> {
        self.seed().users.iter().find(|user| user.api_key.expose() == key)
    }

    pub(super) fn count(&self, account: i64, system: Option<String>, context: Context) -> Standing {
        let now = self.now();
        self.0.limits.lock().unwrap_or_else(PoisonError::into_inner).count(account, system, context, now)
    }

    pub(super) fn data(&self) -> RwLockReadGuard<'_, Data> {
        self.0.data.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the data, on disk first: what cannot be kept does not happen. Copies the data if there is a file; a few hundred
    /// records do not mind.
    pub(super) async fn change<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Data) -> R + Send + 'static,
    ) -> Result<R, SavedError> {
        if self.0.options.file.is_none() {
            return Ok(change(&mut self.0.data.write().unwrap_or_else(PoisonError::into_inner)));
        }
        let state = self.clone();
        let kept = tokio::task::spawn_blocking(move || state.change_and_keep(change)).await;
        kept.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
    }

    fn change_and_keep<R>(&self, change: impl FnOnce(&mut Data) -> R) -> Result<R, SavedError> {
        let mut data = self.0.data.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = data.clone();
        let result = change(&mut changed);
        if let Some(file) = &self.0.options.file {
            saved::write(file, self.seed().number(), &changed)?;
        }
        *data = changed;
        Ok(result)
    }
}

//! Faults on request: what networks, proxies and other authorities do to an integration, made in a layer around the routes.
//!
//! The law and the server know nothing of it, and `serve` has no such layer. Everything lives in memory; a reset forgets it.

mod about;
mod answers;
mod approval;
mod entry;
mod layer;
mod policies;
mod response_type;
mod spent;
mod token;

pub(crate) use entry::Scenario;
pub(crate) use layer::around;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keyfob_authority::Authority;
use keyfob_protocol::token_name::GrantId;
use serde::Serialize;

use crate::clock::SandboxClock;
use crate::start::SandboxError;
use crate::start::seeding::Seeding;
use about::About;
use entry::{At, Entry, Mode, Name, Times};
use spent::Spent;

/// Faults that may be set at the same time. Those that are used up are forgotten when there would be more.
const MOST: usize = 100;

/// The faults of one sandbox.
pub(crate) struct Faults {
    clock: Arc<SandboxClock>,
    fub_status: bool,
    seeding: Seeding,
    set: Mutex<Vec<Set>>,
    spent: Spent,
    /// Two changes of the policies at once would end each other's half-way.
    applying: tokio::sync::Mutex<()>,
}

/// A fault that is set.
struct Set {
    entry: Entry,
    client_id: Option<String>,
    grant: Option<GrantId>,
    fired: u64,
    /// `None`: for ever.
    left: Option<u32>,
}

/// A fault as `GET /sandbox/faults` shows it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    entry: Entry,
    /// How often it fired.
    pub(crate) fired: u64,
    /// How often it still will; `null` for a fault that stays.
    pub(crate) left: Option<u32>,
}

impl Faults {
    pub(crate) fn new(seeding: Seeding, clock: Arc<SandboxClock>, fub_status: bool) -> Faults {
        let (set, spent, applying) = (Mutex::default(), Spent::default(), tokio::sync::Mutex::default());
        Faults { clock, fub_status, seeding, set, spent, applying }
    }

    /// Adds all faults of a scenario, or none.
    ///
    /// # Errors
    /// One sentence that names what is wrong.
    pub(crate) async fn add(&self, scenario: Scenario) -> Result<(), String> {
        let mut set = Vec::new();
        for mut entry in scenario.faults {
            let client_id = entry.app.as_deref().map(|app| self.client_id(app, entry.is_policy())).transpose()?;
            let grant = entry.connection.as_deref().and_then(entry::grant_of);
            // What was pasted may be a token; what is shown is the grant.
            entry.connection = grant.map(GrantId::to_text);
            let times = entry.times.unwrap_or(match entry.is_switch() {
                true => Times::Always(entry::Always::Always),
                false => Times::Next(1),
            });
            entry.times = Some(times);
            let left = match times {
                Times::Next(times) => Some(times),
                Times::Always(_) => None,
            };
            set.push(Set { entry, client_id, grant, fired: 0, left });
        }
        let policies = set.iter().any(|set| set.entry.is_policy());
        self.extend(set)?;
        if policies && let Err(error) = self.apply_policies().await {
            // Half a scenario would be worse than none. What the store kept is put right by the next change.
            self.lock().clear();
            return Err(format!("{error}; all faults were ended"));
        }
        Ok(())
    }

    fn extend(&self, set: Vec<Set>) -> Result<(), String> {
        let mut all = self.lock();
        if all.len() + set.len() > MOST {
            all.retain(|set| set.left != Some(0));
        }
        if all.len() + set.len() > MOST {
            return Err(format!("at most {MOST} faults are set at the same time; DELETE /sandbox/faults clears them"));
        }
        all.extend(set);
        Ok(())
    }

    /// What is set, in the order in which it was asked for, those that are used up included.
    pub(crate) fn all(&self) -> Vec<Shown> {
        let shown = |set: &Set| Shown { entry: set.entry.clone(), fired: set.fired, left: set.left };
        self.lock().iter().map(shown).collect()
    }

    /// The same as it can be set again.
    pub(crate) fn scenario(&self) -> Scenario {
        Scenario { faults: self.lock().iter().map(|set| set.entry.clone()).collect() }
    }

    /// Ends all faults.
    ///
    /// # Errors
    /// The store failed; policies may be left as they were. Again does it.
    pub(crate) async fn clear(&self) -> Result<(), SandboxError> {
        self.lock().clear();
        self.apply_policies().await
    }

    fn authority(&self) -> &Authority {
        &self.seeding.authority
    }

    fn client_id(&self, app: &str, is_policy: bool) -> Result<String, String> {
        match self.seeding.seed.apps.iter().find(|seeded| seeded.key == app || seeded.client_id == app) {
            Some(seeded) => Ok(seeded.client_id.clone()),
            None if is_policy => {
                Err(format!("\"app\": only apps of the sandbox's own have this switch, and {app:?} is none"))
            }
            // An app that was registered by `POST /v1/oauthApps`.
            None if app.len() >= 32 => Ok(app.to_owned()),
            None => {
                let keys: Vec<&str> = self.seeding.seed.apps.iter().map(|app| app.key).collect();
                Err(format!("\"app\": there is no app {app:?}; there are {} and client ids", keys.join(", ")))
            }
        }
    }

    /// Whether nothing is to be looked at in a request.
    fn is_idle(&self) -> bool {
        self.lock().iter().all(|set| set.left == Some(0))
    }

    /// Uses up one turn of the first fault of this name that fits.
    fn fire(&self, name: Name, at: Option<At>, about: &About) -> Option<Entry> {
        self.fire_first(|set| set.fits(name, at, about))
    }

    /// The mode of the switch that was set last, which counts the request.
    fn mode(&self, name: Name, about: &About) -> Option<Mode> {
        let mut all = self.lock();
        let set = all.iter_mut().rev().find(|set| set.left != Some(0) && set.fits(name, None, about))?;
        set.fired += 1;
        set.left = set.left.map(|left| left - 1);
        set.entry.mode
    }

    /// Uses up one turn of the first fault that fits and has one of these names.
    fn fire_one_of(&self, names: &[Name], at: At, about: &About) -> Option<Entry> {
        self.fire_first(|set| names.iter().any(|name| set.fits(*name, Some(at), about)))
    }

    fn fire_first(&self, fits: impl Fn(&Set) -> bool) -> Option<Entry> {
        let mut all = self.lock();
        let set = all.iter_mut().find(|set| set.left != Some(0) && fits(set))?;
        set.fired += 1;
        set.left = set.left.map(|left| left - 1);
        // Whoever develops looks at the terminal first when something fails.
        tracing::warn!(fault = ?set.entry.fault, left = ?set.left, "a fault that was asked for is played");
        Some(set.entry.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Set>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Set {
    fn fits(&self, name: Name, at: Option<At>, about: &About) -> bool {
        self.entry.fault == name
            && at.is_none_or(|at| self.entry.place() == at)
            && (self.client_id.is_none() || self.client_id == about.client_id)
            && (self.grant.is_none() || self.grant == about.grant)
    }

    fn is_for(&self, client_id: &str) -> bool {
        self.client_id.as_deref().is_none_or(|own| own == client_id)
    }
}

//! Switches that are a matter of the authority's own law: while they are set, the seeded apps have another policy.
//!
//! Declared anew from the seed at every change, so that the end of a switch needs no memory of what was before.

use keyfob_authority::model::{AppPolicy, RefreshPolicy, StateAtToken};
use keyfob_protocol::Clock;

use super::entry::{Mode, Name};
use super::{Faults, Set};
use crate::seed;
use crate::start::SandboxError;

impl Faults {
    /// Makes the policies of the seeded apps what the seed and the switches say.
    ///
    /// # Errors
    /// The store failed; some apps may have the policy and some not.
    pub(super) async fn apply_policies(&self) -> Result<(), SandboxError> {
        let _one_at_a_time = self.applying.lock().await;
        let policy = |app: &seed::App, policy: AppPolicy| {
            let all = self.lock();
            all.iter().filter(|set| set.is_for(&app.client_id)).fold(policy, switched)
        };
        self.seeding.set_policies(policy, self.clock.now()).await
    }
}

fn switched(mut policy: AppPolicy, set: &Set) -> AppPolicy {
    match (set.entry.fault, set.entry.mode) {
        (Name::Refresh, Some(Mode::Fixed)) => policy.refresh = RefreshPolicy::Fixed,
        // What an earlier token leads to is decided by `Spent`, before the law sees it.
        (Name::Refresh, Some(_)) => policy.refresh = RefreshPolicy::Rotating,
        (Name::State, Some(Mode::Compared)) => policy.state_at_token = StateAtToken::Match,
        (Name::State, Some(Mode::Required)) => policy.state_at_token = StateAtToken::Present,
        (Name::State, Some(_)) => policy.state_at_token = StateAtToken::Ignored,
        (Name::SecondAuthorization, _) => policy.one_grant_per_user = true,
        _ => {}
    }
    policy
}

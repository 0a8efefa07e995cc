//! Whether the user and account behind a grant may still be acted for (table T, row T-19; matrix IN-08, RF-10).

use crate::model::{AccountStatus, Holder, UserStatus};
use keyfob_protocol::token_refusal::HolderProblem;

/// What is wrong with a grant's holder, if anything.
pub fn problem(holder: &Holder) -> Option<HolderProblem> {
    match (&holder.user, &holder.account) {
        (None, _) => Some(HolderProblem::UserNotFound),
        (_, None) => Some(HolderProblem::AccountNotFound),
        (_, Some((_, AccountStatus::Suspended))) => Some(HolderProblem::AccountSuspended),
        (Some(UserStatus::Disabled), _) => Some(HolderProblem::UserDisabled),
        (Some(UserStatus::Active), Some((_, AccountStatus::Active))) => None,
    }
}

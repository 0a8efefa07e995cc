//! What a role sees and may do (matrix SB-04).
//!
//! Owner and Admin see the whole account, an Agent the people assigned to them, a Lender those for whom they are the lender.
//! A Lender reads and writes notes, but changes nobody. Only the Owner manages webhooks.

use super::caller::ApiCaller;
use super::data::Data;
use super::error::ApiError;
use super::query::RecordId;
use super::state::ApiState;
use crate::seed::{Person, Role, User};

/// Whether a user of the same account sees a person.
pub(super) fn sees(user: &User, person: &Person) -> bool {
    match user.role {
        Role::Owner | Role::Admin => true,
        Role::Agent => person.assigned_user_id == Some(user.id),
        Role::Lender => person.assigned_lender_id == Some(user.id),
    }
}

/// The person, if the caller sees them: 404 if the account has no such person, 403 if it is somebody else's.
pub(super) fn person<'d>(
    state: &ApiState,
    data: &'d Data,
    caller: &ApiCaller,
    id: &RecordId,
) -> Result<&'d Person, ApiError> {
    let person = id.of("person", |id| data.people.get(caller.account, id))?;
    if sees(state.user(caller.user), person) { Ok(person) } else { Err(not_yours()) }
}

/// The people whom a caller sees.
pub(super) fn people<'d>(state: &ApiState, data: &'d Data, caller: &ApiCaller) -> impl Iterator<Item = &'d Person> {
    let user = state.user(caller.user).clone();
    data.people.of_account(caller.account).filter(move |person| sees(&user, person))
}

/// Whether a caller sees what is kept of the person with this number, and asked for it, if `asked` names somebody.
pub(super) fn about(state: &ApiState, data: &Data, caller: &ApiCaller, asked: Option<i64>, person: i64) -> bool {
    asked.is_none_or(|asked| asked == person)
        && data.people.get(caller.account, person).is_some_and(|person| sees(state.user(caller.user), person))
}

/// Refuses whoever may not change people.
pub(super) fn may_change_people(user: &User) -> Result<(), ApiError> {
    if user.role == Role::Lender {
        Err(ApiError::forbidden("A user with the role Lender cannot change people."))
    } else {
        Ok(())
    }
}

/// Refuses whoever may not manage webhooks.
pub(super) fn may_manage_webhooks(user: &User) -> Result<(), ApiError> {
    if user.role == Role::Owner {
        Ok(())
    } else {
        let role = user.role.name();
        Err(ApiError::forbidden(format!("Only the account's owner manages webhooks; this user has the role {role}.")))
    }
}

pub(super) fn not_yours() -> ApiError {
    ApiError::forbidden("This user's role does not see this person, who is assigned to somebody else.")
}

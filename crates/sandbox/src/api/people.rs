//! `GET /v1/people` and `/v1/people/{id}`.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer;
use super::caller::ApiCaller;
use super::error::ApiError;
use super::page::{self, Collection, Paging, Shown};
use super::person_change;
use super::query::{Query, RecordId};
use super::state::ApiState;
use super::visibility;
use crate::seed::{Person, STAGES};

const PEOPLE: Collection = Collection {
    name: "people",
    sortable: &[
        "id",
        "created",
        "updated",
        "lastActivity",
        "name",
        "firstName",
        "lastName",
        "stage",
        "source",
        "price",
    ],
    fields: &FIELDS,
};

/// What a person's record has.
const FIELDS: [&str; 25] = [
    "id",
    "created",
    "updated",
    "createdVia",
    "lastActivity",
    "name",
    "firstName",
    "lastName",
    "stage",
    "stageId",
    "source",
    "sourceUrl",
    "contacted",
    "price",
    "assignedUserId",
    "assignedTo",
    "assignedLenderId",
    "assignedLenderName",
    "tags",
    "emails",
    "phones",
    "addresses",
    "background",
    "picture",
    "delayed",
];

pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    query: Query,
) -> Result<Response, ApiError> {
    let paging = Paging::read(query)?;
    let filter = Filter::read(&paging.query)?;
    let people: Vec<Shown> = {
        let data = state.data();
        visibility::people(&state, &data, &caller)
            .filter(|person| filter.lets(person))
            .map(|person| shown(&state, person))
            .collect()
    };
    let page = paging.answer(state.origin(), &PEOPLE, people)?;
    Ok(answer::json(StatusCode::OK, &page))
}

pub(super) async fn show(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    id: RecordId,
) -> Result<Response, ApiError> {
    let data = state.data();
    let person = visibility::person(&state, &data, &caller, &id)?;
    Ok(answer::json(StatusCode::OK, &Value::Object(shown(&state, person))))
}

/// The record as it is answered: what is kept, and what follows from it.
pub(super) fn shown(state: &ApiState, person: &Person) -> Shown {
    let mut record = page::shown(person);
    let stage = STAGES.iter().position(|stage| *stage == person.stage).map(|at| at + 1);
    for (name, value) in [
        ("name", json!(person.name())),
        ("stageId", json!(stage)),
        ("assignedTo", json!(state.user_name(person.assigned_user_id))),
        ("assignedLenderName", json!(state.user_name(person.assigned_lender_id))),
        ("picture", Value::Null),
        ("delayed", json!(false)),
    ] {
        record.insert(name.to_owned(), value);
    }
    record
}

/// What a list is narrowed to. Parameters that this API does not know narrow nothing.
#[derive(Default)]
struct Filter {
    /// Field and value, compared without case.
    words: Vec<(&'static str, String)>,
    email: Option<String>,
    phone: Option<String>,
    assigned_user: Option<i64>,
    assigned_lender: Option<i64>,
    /// Any of these.
    tags: Vec<String>,
}

impl Filter {
    fn read(query: &Query) -> Result<Filter, ApiError> {
        let mut filter = Filter::default();
        for name in ["name", "firstName", "lastName", "stage", "source"] {
            if let Some(value) = query.one(name)? {
                filter.words.push((name, value.to_owned()));
            }
        }
        filter.email = query.one("email")?.map(str::to_owned);
        filter.phone = query.one("phone")?.map(person_change::digits);
        filter.assigned_user = query.whole("assignedUserId", 1, i64::MAX)?;
        filter.assigned_lender = query.whole("assignedLenderId", 1, i64::MAX)?;
        filter.tags = query.one("tags")?.unwrap_or_default().split(',').map(|tag| tag.trim().to_owned()).collect();
        filter.tags.retain(|tag| !tag.is_empty());
        Ok(filter)
    }

    fn lets(&self, person: &Person) -> bool {
        let word = |(name, wanted): &(&str, String)| {
            let value = match *name {
                "firstName" => person.first_name.clone(),
                "lastName" => person.last_name.clone(),
                "stage" => person.stage.clone(),
                "source" => person.source.clone(),
                _ => person.name(),
            };
            value.to_lowercase() == wanted.to_lowercase()
        };
        let email = |wanted: &String| person.emails.iter().any(|email| email.value.eq_ignore_ascii_case(wanted));
        let phone = |wanted: &String| person.phones.iter().any(|phone| phone.normalized == *wanted);
        let tag = |wanted: &String| person.tags.iter().any(|tag| tag.to_lowercase() == wanted.to_lowercase());
        self.words.iter().all(word)
            && self.email.as_ref().is_none_or(email)
            && self.phone.as_ref().is_none_or(phone)
            && self.assigned_user.is_none_or(|user| person.assigned_user_id == Some(user))
            && self.assigned_lender.is_none_or(|lender| person.assigned_lender_id == Some(lender))
            && (self.tags.is_empty() || self.tags.iter().any(tag))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::seed::Seed;

    #[test]
    fn sb_03_fields_may_name_all_that_a_record_has() {
        let person = &Seed::new(1).people[0].record;
        let kept: BTreeSet<String> = page::shown(person).into_iter().map(|(name, _)| name).collect();
        let derived = ["name", "stageId", "assignedTo", "assignedLenderName", "picture", "delayed"].map(str::to_owned);
        let all: BTreeSet<String> = kept.into_iter().chain(derived).collect();
        assert_eq!(all, FIELDS.iter().map(|field| (*field).to_owned()).collect());
    }
}

//! `POST /v1/events`, by which leads arrive, and `GET /v1/events`.
//!
//! The answer is 201 for a person not known before, 200 for one who is (same e-mail address, else same number), and 204 without
//! a body if the source's lead flow is archived: then nothing is kept. Follow Up Boss names the three statuses; the archived
//! source of the sandbox is [`ARCHIVED_SOURCE`].

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use keyfob_protocol::Timestamp;
use serde_json::Value;

use super::answer;
use super::body::Body;
use super::caller::ApiCaller;
use super::error::ApiError;
use super::page::{self, Collection, Paging};
use super::people;
use super::person_change::PersonChange;
use super::query::Query;
use super::rate_limit;
use super::state::ApiState;
use super::visibility;
use crate::seed::{ARCHIVED_SOURCE, Event, Person, Role};

const EVENTS: Collection =
    Collection { name: "events", sortable: &["id", "created", "occurred", "personId"], fields: &[] };

const TYPES: [&str; 14] = [
    "Registration",
    "Inquiry",
    "Seller Inquiry",
    "Property Inquiry",
    "General Inquiry",
    "Viewed Property",
    "Saved Property",
    "Visited Website",
    "Incoming Call",
    "Unsubscribed",
    "Property Search",
    "Saved Property Search",
    "Visited Open House",
    "Viewed Page",
];

pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    query: Query,
) -> Result<Response, ApiError> {
    let paging = Paging::read(query)?;
    let person = paging.query.whole("personId", 1, i64::MAX)?;
    let events = {
        let data = state.data();
        let visible = |event: &&Event| visibility::about(&state, &data, &caller, person, event.person_id);
        data.events.of_account(caller.account).filter(visible).map(page::shown).collect()
    };
    let page = paging.answer(state.origin(), &EVENTS, events)?;
    Ok(answer::json(StatusCode::OK, &page))
}

pub(super) async fn receive(
    State(state): State<ApiState>,
    Extension(caller): Extension<ApiCaller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let user = state.user(caller.user);
    visibility::may_change_people(user)?;
    let now = state.now();
    let person = body.object("person")?.ok_or_else(|| body.refuse("person", "an object that says who the lead is"))?;
    let mut change = PersonChange::read(&person, &state, user)?;
    if change.emails.iter().flatten().next().is_none() && change.phones.iter().flatten().next().is_none() {
        return Err(body.refuse("person", "given with \"emails\" or \"phones\", by which a lead is known"));
    }
    let source = body.text("source")?;
    let property = body.object("property")?.and_then(|_| body.value("property").cloned());
    let event = NewEvent {
        kind: body.one_of("type", &TYPES)?.unwrap_or_else(|| "General Inquiry".to_owned()),
        source: source.clone().or_else(|| change.source.clone()).unwrap_or_else(|| "<unspecified>".to_owned()),
        system: body.text("system")?.or_else(|| rate_limit::system(&headers)),
        message: body.text_up_to("message", 10_000)?,
        occurred: occurred(&body, now)?,
        property,
    };
    if event.source == ARCHIVED_SOURCE {
        return Ok(answer::empty(StatusCode::NO_CONTENT));
    }
    if user.role == Role::Agent {
        change.assigned_user.get_or_insert(Some(user.id));
    }
    change.source = Some(event.source.clone());

    let account = caller.account;
    let seen_by = user.clone();
    let (person, known) = state
        .change(move |data| {
            let found =
                data.person_by_contact(account, &change.email_values(), change.phones.as_deref().unwrap_or_default());
            let found = found.map(|person| (person.id, visibility::sees(&seen_by, person)));
            let (person, known) = match found {
                Some((_, false)) => return None,
                Some((id, true)) => {
                    let person = data.people.get_mut(account, id)?;
                    change.add_to(person, now);
                    (person.clone(), true)
                }
                None => (data.people.add(account, |id| change.into_person(id, now)).clone(), false),
            };
            data.events.add(account, |id| event.of(&person, id, now));
            Some((person, known))
        })
        .await?
        .ok_or_else(visibility::not_yours)?;
    let status = if known { StatusCode::OK } else { StatusCode::CREATED };
    Ok(answer::json(status, &Value::Object(people::shown(&state, &person))))
}

/// When it happened, if the sender says so, and not after now.
fn occurred(body: &Body, now: Timestamp) -> Result<Timestamp, ApiError> {
    let Some(text) = body.text("occurredAt")? else { return Ok(now) };
    let time = Timestamp::from_utc(&text).filter(|time| *time <= now);
    time.ok_or_else(|| body.refuse("occurredAt", "a past time in UTC such as 2012-04-23T02:23:11Z"))
}

/// An event whose person is still being looked for.
struct NewEvent {
    kind: String,
    source: String,
    system: Option<String>,
    message: Option<String>,
    occurred: Timestamp,
    property: Option<Value>,
}

impl NewEvent {
    fn of(self, person: &Person, id: i64, now: Timestamp) -> Event {
        let NewEvent { kind, source, system, message, occurred, property } = self;
        Event { id, created: now, occurred, person_id: person.id, kind, source, system, message, property }
    }
}

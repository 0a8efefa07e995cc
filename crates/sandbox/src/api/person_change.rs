//! What a body says about a person: of `POST` and `PUT /v1/people`, and of the `person` within an event.

use super::body::Body;
use super::error::ApiError;
use super::state::ApiState;
use crate::seed::{Address, Email, Person, Phone, Role, STAGES, User};
use keyfob_protocol::Timestamp;

/// Checked values; `None` leaves a field as it is. Fields that the API does not know are ignored.
#[derive(Clone, Debug, Default)]
pub(super) struct PersonChange {
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    stage: Option<String>,
    pub(super) source: Option<String>,
    source_url: Option<String>,
    contacted: Option<bool>,
    price: Option<i64>,
    /// `Some(None)` takes the assignment away.
    pub(super) assigned_user: Option<Option<i64>>,
    assigned_lender: Option<Option<i64>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) emails: Option<Vec<Email>>,
    pub(super) phones: Option<Vec<Phone>>,
    addresses: Option<Vec<Address>>,
    background: Option<String>,
}

impl PersonChange {
    /// Reads and checks a body for a caller.
    pub(super) fn read(body: &Body, state: &ApiState, user: &User) -> Result<PersonChange, ApiError> {
        let (mut first_name, mut last_name) = (body.text("firstName")?, body.text("lastName")?);
        if let Some(name) = body.text("name")?
            && first_name.is_none()
            && last_name.is_none()
        {
            let (first, last) = name.trim().split_once(' ').unwrap_or((name.trim(), ""));
            (first_name, last_name) = (Some(first.to_owned()), Some(last.trim().to_owned()));
        }
        Ok(PersonChange {
            first_name,
            last_name,
            stage: body.one_of("stage", &STAGES)?,
            source: body.text("source")?,
            source_url: body.text("sourceUrl")?,
            contacted: body.flag("contacted")?,
            price: body.whole("price")?,
            assigned_user: assignment(body, "assignedUserId", state, user, |role| role != Role::Lender)?,
            assigned_lender: assignment(body, "assignedLenderId", state, user, |role| role == Role::Lender)?,
            tags: body.texts("tags")?,
            emails: body.objects("emails")?.map(|emails| read_emails(&emails)).transpose()?,
            phones: body.objects("phones")?.map(|phones| read_phones(&phones)).transpose()?,
            addresses: body.objects("addresses")?.map(|addresses| read_addresses(&addresses)).transpose()?,
            background: body.text_up_to("background", 10_000)?,
        })
    }

    /// E-mail addresses as they compare.
    pub(super) fn email_values(&self) -> Vec<String> {
        self.emails.iter().flatten().map(|email| email.value.clone()).collect()
    }

    /// Whether it tells one person from another.
    pub(super) fn names_somebody(&self) -> bool {
        let filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        let any_contact = self.emails.iter().flatten().count() + self.phones.iter().flatten().count() > 0;
        any_contact || filled(&self.first_name) || filled(&self.last_name)
    }

    /// Writes every value that is there.
    pub(super) fn apply(self, person: &mut Person, now: Timestamp) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut person.first_name, self.first_name);
        set(&mut person.last_name, self.last_name);
        set(&mut person.stage, self.stage);
        set(&mut person.source, self.source);
        set(&mut person.source_url, self.source_url.map(Some));
        set(&mut person.contacted, self.contacted);
        set(&mut person.price, self.price.map(Some));
        set(&mut person.assigned_user_id, self.assigned_user);
        set(&mut person.assigned_lender_id, self.assigned_lender);
        set(&mut person.tags, self.tags);
        set(&mut person.emails, self.emails);
        set(&mut person.phones, self.phones);
        set(&mut person.addresses, self.addresses);
        set(&mut person.background, self.background.map(Some));
        person.updated = now;
        person.last_activity = now;
    }

    /// Adds what a known person does not have yet and keeps what they have: an event never overwrites.
    pub(super) fn add_to(self, person: &mut Person, now: Timestamp) {
        for tag in self.tags.into_iter().flatten().filter(|tag| !tag.is_empty()) {
            if !person.tags.contains(&tag) {
                person.tags.push(tag);
            }
        }
        for email in self.emails.into_iter().flatten() {
            if !person.emails.iter().any(|known| known.value.eq_ignore_ascii_case(&email.value)) {
                person.emails.push(Email { is_primary: person.emails.is_empty(), ..email });
            }
        }
        for phone in self.phones.into_iter().flatten() {
            if !person.phones.iter().any(|known| known.normalized == phone.normalized) {
                person.phones.push(Phone { is_primary: person.phones.is_empty(), ..phone });
            }
        }
        person.updated = now;
        person.last_activity = now;
    }

    /// A new person.
    pub(super) fn into_person(self, id: i64, now: Timestamp) -> Person {
        let mut person = Person {
            id,
            created: now,
            updated: now,
            created_via: "API".to_owned(),
            last_activity: now,
            first_name: String::new(),
            last_name: String::new(),
            stage: STAGES[0].to_owned(),
            source: "<unspecified>".to_owned(),
            source_url: None,
            contacted: false,
            price: None,
            assigned_user_id: None,
            assigned_lender_id: None,
            tags: Vec::new(),
            emails: Vec::new(),
            phones: Vec::new(),
            addresses: Vec::new(),
            background: None,
        };
        self.apply(&mut person, now);
        person
    }
}

/// To whom: a user of the account with a fitting role. Agents assign to themselves only.
fn assignment(
    body: &Body,
    name: &str,
    state: &ApiState,
    user: &User,
    fits: impl Fn(Role) -> bool,
) -> Result<Option<Option<i64>>, ApiError> {
    let asked = if body.clears(name) { Some(None) } else { body.whole(name)?.map(Some) };
    if let Some(Some(id)) = asked
        && !state.seed().users.iter().any(|other| other.id == id && other.account == user.account && fits(other.role))
    {
        return Err(body.refuse(name, "the id of a user of this account whose role fits"));
    }
    match asked {
        Some(to) if user.role < Role::Admin && to != Some(user.id) => {
            Err(ApiError::forbidden(format!("\"{name}\" can be changed by the roles Owner and Admin only.")))
        }
        asked => Ok(asked),
    }
}

const KINDS: [&str; 3] = ["home", "work", "other"];
const PHONE_KINDS: [&str; 6] = ["home", "work", "mobile", "fax", "main", "other"];

fn read_emails(emails: &[Body]) -> Result<Vec<Email>, ApiError> {
    let read = |(nth, body): (usize, &Body)| {
        let value = body.needed_text("value")?.trim().to_owned();
        let (local, domain) = value.rsplit_once('@').unwrap_or_default();
        if local.is_empty()
            || domain.is_empty()
            || value.len() > 254
            || value.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(body.refuse("value", "an e-mail address"));
        }
        let kind = body.one_of("type", &KINDS)?.unwrap_or_else(|| "home".to_owned());
        Ok(Email { value, kind, is_primary: nth == 0 })
    };
    emails.iter().enumerate().map(read).collect()
}

fn read_phones(phones: &[Body]) -> Result<Vec<Phone>, ApiError> {
    let read = |(nth, body): (usize, &Body)| {
        let value = body.needed_text("value")?.trim().to_owned();
        let normalized = digits(&value);
        if !(7..=15).contains(&normalized.len()) {
            return Err(body.refuse("value", "a telephone number with 7 to 15 digits"));
        }
        let kind = body.one_of("type", &PHONE_KINDS)?.unwrap_or_else(|| "home".to_owned());
        Ok(Phone { value, kind, normalized, is_primary: nth == 0 })
    };
    phones.iter().enumerate().map(read).collect()
}

fn read_addresses(addresses: &[Body]) -> Result<Vec<Address>, ApiError> {
    let read = |body: &Body| {
        let text = |name: &str| Ok::<_, ApiError>(body.text(name)?.unwrap_or_default());
        let kind = body.one_of("type", &KINDS)?.unwrap_or_else(|| "home".to_owned());
        let (street, city, state) = (text("street")?, text("city")?, text("state")?);
        let country = body.text("country")?.unwrap_or_else(|| "US".to_owned());
        Ok(Address { kind, street, city, state, code: text("code")?, country })
    };
    addresses.iter().map(read).collect()
}

/// Digits only, without the country code of North America.
pub(super) fn digits(phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix('1') {
        Some(rest) if rest.len() == 10 => rest.to_owned(),
        _ => digits,
    }
}

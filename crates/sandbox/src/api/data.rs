//! What changes while the sandbox runs.

use std::collections::{BTreeMap, BTreeSet};

use keyfob_protocol::Timestamp;
use serde::{Deserialize, Serialize};

use crate::seed::{AccountStatus, Event, Held, Note, Person, Phone, Seed};

/// A subscription to events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Webhook {
    pub(super) id: i64,
    #[serde(with = "crate::seed::utc")]
    pub(super) created: Timestamp,
    pub(super) event: String,
    pub(super) url: String,
    pub(super) status: String,
    pub(super) system: Option<String>,
}

/// Records by id. Ids are never given out twice, even if the record is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Table<T> {
    last_id: i64,
    rows: BTreeMap<i64, Held<T>>,
}

impl<T> Table<T> {
    fn of(rows: impl Iterator<Item = (i64, Held<T>)>) -> Table<T> {
        let rows: BTreeMap<_, _> = rows.collect();
        Table { last_id: rows.keys().next_back().copied().unwrap_or(0), rows }
    }

    /// The record, if this account has it.
    pub(super) fn get(&self, account: i64, id: i64) -> Option<&T> {
        self.rows.get(&id).filter(|held| held.account == account).map(|held| &held.record)
    }

    /// The same, to be changed.
    pub(super) fn get_mut(&mut self, account: i64, id: i64) -> Option<&mut T> {
        self.rows.get_mut(&id).filter(|held| held.account == account).map(|held| &mut held.record)
    }

    /// All records of an account, oldest first.
    pub(super) fn of_account(&self, account: i64) -> impl Iterator<Item = &T> {
        self.rows.values().filter(move |held| held.account == account).map(|held| &held.record)
    }

    /// Adds what `make` makes of the new id.
    pub(super) fn add(&mut self, account: i64, make: impl FnOnce(i64) -> T) -> &T {
        self.last_id += 1;
        let held = Held { account, record: make(self.last_id) };
        &self.rows.entry(self.last_id).insert_entry(held).into_mut().record
    }

    /// Removes a record; whether the account had it.
    pub(super) fn remove(&mut self, account: i64, id: i64) -> bool {
        self.get(account, id).is_some() && self.rows.remove(&id).is_some()
    }
}

/// Everything that a call can change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Data {
    pub(super) people: Table<Person>,
    pub(super) notes: Table<Note>,
    pub(super) events: Table<Event>,
    pub(super) webhooks: Table<Webhook>,
    /// Accounts whose subscription has expired.
    pub(super) expired: BTreeSet<i64>,
}

impl Data {
    /// The data that a seed starts with.
    pub(super) fn seeded(seed: &Seed) -> Data {
        Data {
            people: Table::of(seed.people.iter().map(|held| (held.record.id, held.clone()))),
            notes: Table::of(seed.notes.iter().map(|held| (held.record.id, held.clone()))),
            events: Table::of(seed.events.iter().map(|held| (held.record.id, held.clone()))),
            webhooks: Table::of(std::iter::empty()),
            expired: seed
                .accounts
                .iter()
                .filter(|a| a.status == AccountStatus::Expired)
                .map(|account| account.id)
                .collect(),
        }
    }

    /// The person whom one of these addresses or numbers names, the oldest first.
    pub(super) fn person_by_contact(&self, account: i64, emails: &[String], phones: &[Phone]) -> Option<&Person> {
        let people = || self.people.of_account(account);
        let has_email = |person: &&Person| {
            person.emails.iter().any(|known| emails.iter().any(|email| known.value.eq_ignore_ascii_case(email)))
        };
        let has_phone = |person: &&Person| {
            person.phones.iter().any(|known| phones.iter().any(|phone| known.normalized == phone.normalized))
        };
        people().find(has_email).or_else(|| people().find(has_phone))
    }
}

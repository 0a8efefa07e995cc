//! What happened before the sandbox started: notes and events.

use keyfob_protocol::time::{HOUR, MINUTE};

use super::draw::Draw;
use super::records::{Event, Held, Note, Person};
use super::words::{EVENT_MESSAGES, NOTES};

/// One person in this many has a note; one in [`EVENT_EVERY`] an event.
const NOTE_EVERY: usize = 4;
const EVENT_EVERY: usize = 3;

pub(super) fn notes(number: u64, people: &[Held<Person>]) -> Vec<Held<Note>> {
    let draw = Draw::new(number, "notes");
    let assigned = people.iter().filter_map(|held| Some((held, held.record.assigned_user_id?)));
    assigned
        .step_by(NOTE_EVERY)
        .enumerate()
        .map(|(nth, (held, author))| {
            let created = held.record.created.plus(draw.between(HOUR / 4, HOUR));
            let (subject, body) = draw.pick(&NOTES);
            let record = Note {
                id: nth as i64 + 1,
                created,
                updated: created,
                created_by_id: author,
                updated_by_id: author,
                person_id: held.record.id,
                subject: (*subject).to_owned(),
                body: (*body).to_owned(),
                is_html: false,
            };
            Held { account: held.account, record }
        })
        .collect()
}

pub(super) fn events(number: u64, people: &[Held<Person>]) -> Vec<Held<Event>> {
    let draw = Draw::new(number, "events");
    people
        .iter()
        .step_by(EVENT_EVERY)
        .enumerate()
        .map(|(nth, held)| {
            let occurred = held.record.created;
            let record = Event {
                id: nth as i64 + 1,
                created: occurred.plus(draw.between(1, MINUTE)),
                occurred,
                person_id: held.record.id,
                kind: (*draw.pick(&["Registration", "Property Inquiry", "General Inquiry", "Viewed Property"]))
                    .to_owned(),
                source: held.record.source.clone(),
                system: None,
                message: draw.percent(60).then(|| (*draw.pick(&EVENT_MESSAGES)).to_owned()),
                property: None,
            };
            Held { account: held.account, record }
        })
        .collect()
}

//! Everything the sandbox starts with, derived from one number (matrix SB-06).
//!
//! The same number gives the same ids, keys, passwords and people at every start, on every machine, so that a partner's
//! settings keep working. Nothing of it is secret: whoever knows the number knows all of it. Client secrets are spelled by the
//! authority from [`Seed::bytes`]; their format is not known here.

mod accounts;
mod apps;
mod draw;
mod entropy;
mod history;
mod people;
mod records;
pub(crate) use records::utc;
mod words;

pub use accounts::{Account, AccountStatus, Role, User};
pub use apps::{App, RefreshTokens, StateAtToken, System};
pub use entropy::SeededEntropy;
pub use records::{Address, Email, Event, Held, Note, Person, PersonId, Phone};
pub use words::{SOURCES, STAGES};

use aws_lc_rs::hkdf;
use keyfob_protocol::Timestamp;

/// The newest seeded record is a little older than this; the data does not move with the clock, or it would differ between
/// starts. 2026-11-16T17:00:00Z.
pub const SEEDED_UNTIL: Timestamp = Timestamp(1_794_848_400);

/// A lead source whose lead flow is archived: events from it are accepted and dropped (204).
pub const ARCHIVED_SOURCE: &str = "Retired Portal";

/// The starting point of a sandbox.
#[derive(Clone, Debug)]
pub struct Seed {
    number: u64,
    /// The companies: one large, one small, one whose subscription has expired.
    pub accounts: Vec<Account>,
    /// Their users. Ids count from 1, in this order.
    pub users: Vec<User>,
    /// Registered partners. The first owns [`Seed::apps`]; the second owns nothing.
    pub systems: Vec<System>,
    /// OAuth clients, without redirect URIs, which depend on where the sandbox listens.
    pub apps: Vec<App>,
    /// Leads and clients. A higher id is a later creation.
    pub people: Vec<Held<Person>>,
    /// Notes on them.
    pub notes: Vec<Held<Note>>,
    /// What they did on the account's website.
    pub events: Vec<Held<Event>>,
}

impl Seed {
    /// All data of this number.
    pub fn new(number: u64) -> Seed {
        let (accounts, users) = accounts::seeded(number);
        let people = people::seeded(number, &accounts, &users);
        let notes = history::notes(number, &people);
        let events = history::events(number, &people);
        Seed {
            number,
            systems: apps::systems(number),
            apps: apps::apps(number),
            accounts,
            users,
            people,
            notes,
            events,
        }
    }

    /// The number itself.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// 32 bytes that depend on nothing but the number and `label`.
    pub fn bytes(&self, label: &str) -> [u8; 32] {
        derived(self.number, label)
    }
}

/// HKDF-SHA256 (RFC 5869) over the number, with the label as info.
fn derived(number: u64, label: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"keyfob sandbox seed")
        .extract(&number.to_be_bytes())
        .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|output| output.fill(&mut bytes))
        .expect("invariant: 32 bytes are one HKDF block");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Records of the API as they are kept: the JSON names are Follow Up Boss's.

use keyfob_protocol::Timestamp;
use serde::{Deserialize, Serialize};

/// A person's number, unique over all accounts.
pub type PersonId = i64;

/// A record and the account that holds it; the account never shows in an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held<T> {
    /// Whose it is.
    pub account: i64,
    /// The record.
    pub record: T,
}

/// A lead or client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Number, unique over all accounts.
    pub id: PersonId,
    /// When it was created.
    #[serde(with = "utc")]
    pub created: Timestamp,
    /// When it was last changed.
    #[serde(with = "utc")]
    pub updated: Timestamp,
    /// How it was created, such as `API`.
    pub created_via: String,
    /// When the person last did something, or somebody did something for them.
    #[serde(with = "utc")]
    pub last_activity: Timestamp,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// One of [`crate::seed::STAGES`].
    pub stage: String,
    /// Where the lead came from.
    pub source: String,
    /// Page of the source, if known.
    pub source_url: Option<String>,
    /// Whether somebody has been in touch.
    pub contacted: bool,
    /// What they look for, in whole dollars.
    pub price: Option<i64>,
    /// The agent.
    pub assigned_user_id: Option<i64>,
    /// The lender.
    pub assigned_lender_id: Option<i64>,
    /// Free labels.
    pub tags: Vec<String>,
    /// E-mail addresses, the primary one first.
    pub emails: Vec<Email>,
    /// Telephone numbers, the primary one first.
    pub phones: Vec<Phone>,
    /// Postal addresses.
    pub addresses: Vec<Address>,
    /// What to know before calling.
    pub background: Option<String>,
}

impl Person {
    /// First and last name.
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }
}

/// An e-mail address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Email {
    /// The address.
    pub value: String,
    /// `home`, `work` or `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is the first to use.
    pub is_primary: bool,
}

/// A telephone number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phone {
    /// As it was written.
    pub value: String,
    /// `mobile`, `home`, `work` or `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digits only, by which two spellings are the same number.
    pub normalized: String,
    /// Whether it is the first to use.
    pub is_primary: bool,
}

/// A postal address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Address {
    /// `home`, `work` or `other`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Number and street.
    pub street: String,
    /// City.
    pub city: String,
    /// Two letters.
    pub state: String,
    /// Postal code.
    pub code: String,
    /// Country.
    pub country: String,
}

/// A note on a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Note {
    /// Number, unique over all accounts.
    pub id: i64,
    /// When it was written.
    #[serde(with = "utc")]
    pub created: Timestamp,
    /// When it was last changed.
    #[serde(with = "utc")]
    pub updated: Timestamp,
    /// Who wrote it.
    pub created_by_id: i64,
    /// Who changed it last.
    pub updated_by_id: i64,
    /// On whom.
    pub person_id: PersonId,
    /// Heading; may be empty.
    pub subject: String,
    /// Text.
    pub body: String,
    /// Whether the text is HTML.
    pub is_html: bool,
}

/// Something a lead did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Number, unique over all accounts.
    pub id: i64,
    /// When it was received.
    #[serde(with = "utc")]
    pub created: Timestamp,
    /// When it happened.
    #[serde(with = "utc")]
    pub occurred: Timestamp,
    /// Who.
    pub person_id: PersonId,
    /// What, such as `Property Inquiry`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which source reported it.
    pub source: String,
    /// Which system sent it.
    pub system: Option<String>,
    /// What the lead wrote.
    pub message: Option<String>,
    /// The property at hand, as it was sent.
    pub property: Option<serde_json::Value>,
}

/// Times as `2012-04-23T02:23:11Z`.
pub(crate) mod utc {
    use keyfob_protocol::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&time.to_utc())
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        Timestamp::from_utc(&text).ok_or_else(|| de::Error::custom("a time must look like 2012-04-23T02:23:11Z"))
    }
}

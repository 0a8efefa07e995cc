//! Who stands behind a connection, by `GET /v1/identity`.
//!
//! A connection is pinned to this: a reconnect that comes back as somebody else must not take the place of the first. `/v1/me` would say it,
//! too, and much that is secret besides ([`redact_me`]).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a secret is replaced by.
const REDACTED: &str = "[redacted]";

/// An account and a user of it. Fields that only some answers carry are not required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The company.
    pub account: IdentityAccount,
    /// The person whose role every call has.
    pub user: IdentityUser,
}

/// The company.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityAccount {
    /// Its number.
    pub id: i64,
    /// Its subdomain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Its name; live answers carry it, the documents do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityUser {
    /// Their number.
    pub id: i64,
    /// Their name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl Identity {
    /// Whether both are the same account and user, whatever they are called by now.
    pub fn is_same(&self, other: &Identity) -> bool {
        (self.account.id, self.user.id) == (other.account.id, other.user.id)
    }
}

/// The answer of `/v1/me` without its secrets (`apiKey`, `algoliaKey` and whatever else is named like one); `None` where the body is not
/// JSON, so that nobody can tell what is in it.
pub fn redact_me(body: &[u8]) -> Option<Vec<u8>> {
    let mut json: Value = serde_json::from_slice(body).ok()?;
    redact(&mut json);
    serde_json::to_vec(&json).ok()
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match is_secret(name) && !value.is_null() {
                    true => *value = Value::from(REDACTED),
                    false => redact(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// By its name, since the record grows without notice.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["key", "token", "secret", "password", "hash", "signature", "credential"].iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_as_documented_and_a_live_one_are_read_alike() {
        let documented = r#"{"account":{"id":3,"domain":"maple","owner":{"name":"O","email":"o@x"}},"user":{"id":7,"name":"A","email":"a@x"}}"#;
        let live = r#"{"account":{"id":3,"name":"Maple"},"user":{"id":7,"role":"Agent","isOwner":false}}"#;
        let read = |text| serde_json::from_str::<Identity>(text).expect("an identity");
        assert!(read(documented).is_same(&read(live)));
        let other = r#"{"account":{"id":3},"user":{"id":8}}"#;
        assert!(!read(documented).is_same(&read(other)));
        assert!(serde_json::from_str::<Identity>(r#"{"account":{"id":3}}"#).is_err());
    }

    #[test]
    fn me_loses_its_secrets_at_every_depth_and_nothing_else() {
        let me = br#"{"id":1,"apiKey":"k1","algoliaKey":"k2","team":[{"accessToken":["k3"],"name":"n"}],"webhookSecret":null}"#;
        let redacted = String::from_utf8(redact_me(me).expect("JSON")).expect("UTF-8");
        let expected = r#"{"id":1,"apiKey":"[redacted]","algoliaKey":"[redacted]","team":[{"accessToken":"[redacted]","name":"n"}],"webhookSecret":null}"#;
        assert_eq!(redacted, expected);
        assert_eq!(redact_me(b"<html>k1</html>"), None);
    }
}

//! What a change changed, for the ledger: `policy.reuse: "heal" -> "end"`. Nothing of a secret is told, not even a digest.

use crate::model::{Account, App, User};
use serde::Serialize;
use serde_json::{Map, Value};

/// Longest text in characters: fifty redirect URIs of two thousand each could be replaced again and again.
const LONGEST: usize = 2000;
/// Times that are kept with a row and follow from what is told.
const OWN_TIMES: [&str; 3] = ["tokens_after", "created_at", "followed_at"];

/// Each setting of an app that differs, as it was and as it is.
pub(crate) fn of_app(was: &App, is: &App) -> String {
    let mut changes = Changes::default();
    changes.compare("name", &was.name.clone().into(), &is.name.clone().into());
    let policy = |app: &App| fields(&app.policy, &["legacyGetSince"]);
    changes.compare_fields("policy.", &policy(was), &policy(is));
    let uris = |app: &App| app.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect::<Value>();
    changes.compare("redirectUris", &uris(was), &uris(is));
    changes.told()
}

/// The same of a user.
pub(crate) fn of_user(was: &User, is: &User) -> String {
    let mut changes = Changes::of_rows(was, is);
    if was.password_hash != is.password_hash {
        changes.0.push(if is.password_hash.is_some() { "password set" } else { "password removed" }.to_owned());
    }
    changes.told()
}

/// The same of an account.
pub(crate) fn of_account(was: &Account, is: &Account) -> String {
    Changes::of_rows(was, is).told()
}

#[derive(Default)]
struct Changes(Vec<String>);

impl Changes {
    fn of_rows<R: Serialize>(was: &R, is: &R) -> Changes {
        let mut changes = Changes::default();
        changes.compare_fields("", &fields(was, &OWN_TIMES), &fields(is, &OWN_TIMES));
        changes
    }

    fn compare(&mut self, what: &str, was: &Value, is: &Value) {
        if was != is {
            self.0.push(format!("{what}: {was} -> {is}"));
        }
    }

    /// A field that is not there is at its default.
    fn compare_fields(&mut self, prefix: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let default = Value::from("default");
        let later = is.keys().filter(|field| !was.contains_key(*field));
        for field in was.keys().chain(later) {
            let [was, is] = [was, is].map(|of| of.get(field).unwrap_or(&default));
            self.compare(&format!("{prefix}{field}"), was, is);
        }
    }

    fn told(self) -> String {
        let mut told = if self.0.is_empty() { "nothing changed".to_owned() } else { self.0.join("; ") };
        if let Some((end, _)) = told.char_indices().nth(LONGEST) {
            told.truncate(end);
            told.push('…');
        }
        told
    }
}

fn fields(row: &impl Serialize, without: &[&str]) -> Map<String, Value> {
    match serde_json::to_value(row) {
        Ok(Value::Object(mut fields)) => {
            fields.retain(|field, _| !without.contains(&field.as_str()));
            fields
        }
        _ => Map::new(),
    }
}

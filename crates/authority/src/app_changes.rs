//! What a change of an app changed, for the ledger: `policy.reuse: "heal" -> "end"`. An app's row holds no secret but digests, which are not told.

use crate::model::App;
use serde_json::{Map, Value};

/// Longest text in characters: fifty redirect URIs of two thousand each could be replaced again and again.
const LONGEST: usize = 2000;

/// Each setting that differs, as it was and as it is.
pub(crate) fn told(was: &App, is: &App) -> String {
    let mut changes = Vec::new();
    let mut compare = |what: String, was: Value, is: Value| {
        if was != is {
            changes.push(format!("{what}: {was} -> {is}"));
        }
    };
    compare("name".to_owned(), was.name.clone().into(), is.name.clone().into());
    let (policy_was, policy_is) = (policy(was), policy(is));
    let later = policy_is.keys().filter(|field| !policy_was.contains_key(*field));
    for field in policy_was.keys().chain(later) {
        // A field that came later is written only where it is not at its default.
        let value = |policy: &Map<String, Value>| policy.get(field).cloned().unwrap_or("default".into());
        compare(format!("policy.{field}"), value(&policy_was), value(&policy_is));
    }
    let uris = |app: &App| app.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect::<Value>();
    compare("redirectUris".to_owned(), uris(was), uris(is));
    let mut told = if changes.is_empty() { "nothing changed".to_owned() } else { changes.join("; ") };
    if let Some((end, _)) = told.char_indices().nth(LONGEST) {
        told.truncate(end);
        told.push('…');
    }
    told
}

fn policy(app: &App) -> Map<String, Value> {
    match serde_json::to_value(&app.policy) {
        Ok(Value::Object(mut fields)) => {
            // Follows from when `legacyGet` was set, which the entry says.
            fields.shift_remove("legacyGetSince");
            fields
        }
        _ => Map::new(),
    }
}

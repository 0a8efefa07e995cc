//! Which context a call falls into: by what the server said of calls like it, and until then by what Follow Up Boss documents.

use super::Key;
use std::collections::HashMap;

/// Most kinds of calls whose context is remembered.
const MOST_KINDS: usize = 256;
/// Longest name of a context that is believed, in bytes.
const LONGEST_NAME: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Contexts {
    learnt: HashMap<(&'static str, String), String>,
}

impl Contexts {
    /// The context of a call.
    pub(super) fn of(&self, key: &Key) -> String {
        let collection = collection(&key.path);
        match self.learnt.get(&(key.method, collection.to_owned())) {
            Some(context) => context.clone(),
            None => documented(key.method, collection).to_owned(),
        }
    }

    /// Remembers what the server called it, and gives that.
    pub(super) fn learn(&mut self, key: &Key, named: &str) -> String {
        if named.is_empty() || named.len() > LONGEST_NAME {
            return self.of(key);
        }
        if self.of(key) != named {
            if self.learnt.len() >= MOST_KINDS {
                self.learnt.clear();
            }
            self.learnt.insert((key.method, collection(&key.path).to_owned()), named.to_owned());
        }
        named.to_owned()
    }
}

/// The first segment of the path: what a limit is about, whichever record it is.
fn collection(path: &str) -> &str {
    path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default()
}

fn documented(method: &str, collection: &str) -> &'static str {
    match (method, collection) {
        (_, "events") => "events",
        (_, "notes") => "notes",
        ("PUT", "people") => "PUT.people",
        _ => "global",
    }
}

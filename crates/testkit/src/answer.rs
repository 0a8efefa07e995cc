//! An HTTP answer, read whole.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An HTTP answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub code: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The status as a number.
    pub fn status(&self) -> u16 {
        self.code.as_u16()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {} {}", self.code, self.text()))
    }

    /// The header, if it is there exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?.to_str().ok();
        values.next().is_none().then_some(first).flatten()
    }

    /// A string below the top of a JSON body: `at("data.access_token")`.
    ///
    /// # Panics
    /// If there is none.
    pub fn at(&self, path: &str) -> String {
        let json = self.json();
        let found = path.split('.').fold(&json, |value, key| &value[key]);
        found.as_str().unwrap_or_else(|| panic!("no {path} in {json}")).to_owned()
    }
}

//! The headers that tell an API who calls: one table for both modes (BR-10).
//!
//! An API behind a gate believes these headers, so whatever a client sends under such a name has to go first (`is_identity_header`).

use crate::caller::Caller;
use http::{HeaderMap, HeaderName, HeaderValue};

/// A header and what it says; `None` where there is nothing to say.
type Row = (&'static str, fn(&Caller) -> Option<String>);

/// Every identity header.
const TABLE: [Row; 7] = [
    // The user that the app acts for; absent, with the two of theirs, where it acts for itself.
    ("x-auth-user", |caller| caller.holder.map(|holder| holder.user.to_string())),
    // That user's account.
    ("x-auth-account", |caller| caller.holder.map(|holder| holder.account.to_string())),
    // The app, by number.
    ("x-auth-app", |caller| Some(caller.app.to_string())),
    // The app, by client id.
    ("x-auth-client-id", |caller| Some(caller.client_id.clone())),
    // The grant behind the token.
    ("x-auth-grant", |caller| caller.holder.map(|holder| holder.grant.to_text())),
    // Absent where the grant is the user's whole role.
    ("x-auth-scope", |caller| caller.scope.as_ref().map(ToString::to_string)),
    // When the token ends, in seconds since 1970.
    ("x-auth-expires", |caller| Some(caller.expires_at.0.to_string())),
];

/// What every name in the table begins with.
const PREFIX: &str = "x-auth-";

/// The identity headers of a caller; `None` if a value cannot stand in a header, which no authority of ours issues.
pub(crate) fn identity_headers(caller: &Caller) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(TABLE.len());
    for (name, value) in TABLE {
        if let Some(value) = value(caller) {
            headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).ok()?);
        }
    }
    Some(headers)
}

/// Whether an API could take a header of this name for one of ours.
pub(crate) fn is_identity_header(name: &HeaderName) -> bool {
    alike(name).starts_with(PREFIX)
}

/// A name as CGI and its successors (WSGI, PHP, Rack) read it, where `_` and `-` are one.
pub(crate) fn alike(name: &HeaderName) -> String {
    // A HeaderName is lower case already.
    name.as_str().replace('_', "-")
}

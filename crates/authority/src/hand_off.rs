//! Signing in elsewhere. At the platform's own login (decision record 0007): a ticket of ours goes out with the browser, an assertion of the
//! platform's comes back with it. At an OpenID provider (0008): [`openid`]. What waits, single use and people are common to both.
//!
//! The platform signs with a key of which Keyfob has the public half only, so nothing that lies here can be presented as an assertion. What
//! waits while the person is away lies in their browser, sealed; a row is written when a ticket is used, never when one is given out.
//! An assertion is trusted for who somebody is, and not for which browser they sit at: that the flow cookie and the ticket say.

pub mod arrival;
pub mod assertion;
pub mod change;
pub mod claims;
pub mod key;
pub mod openid;
pub mod pending;
mod people;

use aws_lc_rs::digest;
use key::PlatformKey;
use keyfob_protocol::{form, origin};

/// How far the platform's clock may run ahead of ours, in seconds.
pub const CLOCK_LEEWAY: i64 = 60;
/// Longest life of what the platform signs, in seconds.
pub const LONGEST_LIFE: i64 = 300;
/// Longest domain of an account, in bytes.
const LONGEST_DOMAIN: usize = 63;
/// Where the platform sends people back to, under the issuer.
pub const RETURN_PATH: &str = "/sign-in/return";

/// The platform that people sign in at.
#[derive(Debug)]
pub struct Platform {
    url: String,
    origin: String,
    key: PlatformKey,
}

impl Platform {
    /// A platform with its login page at `url` and this public key; `None` unless the URL is https (http on loopback) and without fragment.
    pub fn new(url: &str, key: PlatformKey) -> Option<Platform> {
        let origin = origin::of(url).filter(|origin| origin::is_origin(origin))?;
        (!url.contains('#')).then(|| Platform { url: url.to_owned(), origin, key })
    }

    /// The `iss` of what it signs, and where its login page lies.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// What is stored of a ticket's or a token's id once it was used. The kinds do not meet.
fn use_digest(kind: &str, id: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, format!("{kind}\0{id}").as_bytes());
    digest.as_ref().try_into().expect("invariant: SHA-256 has 32 bytes")
}

/// A URL, which may have a query already, with these parameters as well.
fn with_query<'v>(url: &str, pairs: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{}", form::encode(pairs))
}

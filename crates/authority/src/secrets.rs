//! What apps and systems authenticate with: generated, shown once, kept as digests.

use aws_lc_rs::digest;
use keyfob_protocol::{Secret, base62};

/// The prefix that secret scanners look for. Letters only, so that raw and form-encoded Basic agree (matrix CA-02).
const CLIENT_SECRET_PREFIX: &str = "keyfobsecret";

/// A client secret of 256 bits: prefix, base62, checksum; letters and digits only.
pub fn client_secret(bytes: &[u8; 32]) -> Secret<String> {
    let mut text = CLIENT_SECRET_PREFIX.to_owned();
    base62::encode_into(&mut text, bytes);
    let checksum = crc32fast::hash(text.as_bytes());
    base62::encode_into(&mut text, &checksum.to_be_bytes());
    Secret::new(text)
}

/// A client id: 64 hexadecimal digits, public.
pub fn client_id(bytes: &[u8; 32]) -> String {
    hex(bytes)
}

/// A system key: 32 hexadecimal digits.
pub fn system_key(bytes: &[u8; 16]) -> Secret<String> {
    Secret::new(hex(bytes))
}

/// What is stored of a secret. Fast is enough: these are not passwords, they have 128 random bits or more.
pub fn digest(secret: &str) -> [u8; 32] {
    digest::digest(&digest::SHA256, secret.as_bytes()).as_ref().try_into().expect("invariant: SHA-256 has 32 bytes")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Access tokens and key sets at the gate: nothing that a stranger writes is one of ours.

use crate::parts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_gate::verify::verify;
use keyfob_gate::{Expectations, VerificationKeys};
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::JwkSet;

/// An Ed25519 key whose private half nobody kept (RFC 8037, appendix A.2).
const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","alg":"EdDSA","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// Lines: a token, whole; or a header and a payload as JSON, which are put together with a signature.
pub(crate) fn run(bytes: &[u8]) {
    if let Ok(set) = serde_json::from_slice::<JwkSet>(bytes) {
        let _ = VerificationKeys::new(&set);
    }
    let set: JwkSet = serde_json::from_str(KEYS).expect("a set");
    let keys = VerificationKeys::new(&set).expect("a usable set");
    let expected = Expectations { issuer: "https://id.example.com".to_owned(), audience: Some("api".to_owned()) };
    let refused = |token: &str| {
        for now in [0, 1_800_000_000, i64::MAX] {
            assert!(verify(token, &keys, &expected, Timestamp(now)).is_err(), "{token}");
        }
    };
    if let Ok(text) = std::str::from_utf8(bytes) {
        refused(text);
    }
    let [header, payload, signature] = parts(bytes);
    let [header, payload, signature] = [header, payload, signature].map(|part| URL_SAFE_NO_PAD.encode(part));
    refused(&format!("{header}.{payload}.{signature}"));
}

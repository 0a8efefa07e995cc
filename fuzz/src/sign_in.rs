//! What comes back from signing in elsewhere: nothing counts that the platform or the provider did not sign, and of what they signed nothing
//! that was said to others, or at another time.

use crate::parts;
use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_authority::hand_off::Platform;
use keyfob_authority::hand_off::key::PlatformKey;
use keyfob_authority::hand_off::openid::back_channel::{BackAnswer, BackChannel, BackRequest, NoAnswer};
use keyfob_authority::hand_off::openid::rules::{AccountRule, RoleRule};
use keyfob_authority::hand_off::openid::{OpenId, OpenIdSettings, SwitchPrompt};
use keyfob_authority::model::Role;
use keyfob_protocol::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const ISSUER: &str = "https://id.example.com";
const PLATFORM: &str = "https://platform.example.com";
const CLIENT: &str = "keyfob";
const NONCE: &str = "n-0S6_WzA2Mj";
const NOW: Timestamp = Timestamp(1_800_000_000);

/// An input as a token: whole, as the two parts of a JWT with somebody's signature, and as those parts signed by whom it should be.
struct Tokens {
    foreign: Vec<String>,
    genuine: String,
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed")
}

fn public_jwk(key: &Ed25519KeyPair) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x })
}

impl Tokens {
    /// Lines: a token, whole; or a header and a payload as JSON.
    fn of(bytes: &[u8], key: &Ed25519KeyPair) -> Tokens {
        let [header, payload] = parts(bytes).map(|part| URL_SAFE_NO_PAD.encode(part));
        let signing_input = format!("{header}.{payload}");
        let signed = |signature: &[u8]| format!("{signing_input}.{}", URL_SAFE_NO_PAD.encode(signature));
        let whole = std::str::from_utf8(bytes).unwrap_or_default().to_owned();
        let genuine = signed(key.sign(signing_input.as_bytes()).as_ref());
        Tokens { foreign: vec![whole, signed(&[0; 64]), signed(&[])], genuine }
    }
}

/// The claims of an input whose token was accepted.
fn claims(bytes: &[u8]) -> Value {
    let [_, payload]: [&[u8]; 2] = parts(bytes);
    serde_json::from_slice(payload).expect("what was accepted is JSON")
}

/// What the platform's login hands back.
pub(crate) fn assertion(bytes: &[u8]) {
    let key = key();
    let jwk = public_jwk(&key).to_string();
    let platform =
        Platform::new(&format!("{PLATFORM}/login"), PlatformKey::parse(&jwk).expect("a key")).expect("a URL");
    let tokens = Tokens::of(bytes, &key);
    for token in &tokens.foreign {
        assert!(platform.assertion(token, ISSUER, NOW).is_err(), "{token}");
    }
    if platform.assertion(&tokens.genuine, ISSUER, NOW).is_ok() {
        let claims = claims(bytes);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(PLATFORM), &json!(ISSUER)));
        assert!(claims["exp"].as_i64() > Some(NOW.0) && claims["iat"].as_i64() <= Some(NOW.0 + 60), "{claims}");
        assert!(platform.assertion(&tokens.genuine, ISSUER, NOW.plus(3600)).is_err(), "it lives on: {claims}");
    }
}

/// What an OpenID provider's token endpoint answers with.
pub(crate) fn id_token(bytes: &[u8]) {
    let key = key();
    let openid = provider();
    let keys = json!({ "keys": [public_jwk(&key)] }).to_string();
    let tokens = Tokens::of(bytes, &key);
    for token in &tokens.foreign {
        assert!(openid.check_id_token(token, &keys, NONCE, NOW).is_err(), "{token}");
    }
    // The input as a set of keys: whatever it holds, it has not signed this.
    let set = std::str::from_utf8(bytes).unwrap_or_default();
    assert!(openid.check_id_token(&tokens.genuine, set, NONCE, NOW).is_err(), "{set}");
    if openid.check_id_token(&tokens.genuine, &keys, NONCE, NOW).is_ok() {
        let claims = claims(bytes);
        assert_eq!((&claims["iss"], &claims["nonce"]), (&json!(PLATFORM), &json!(NONCE)));
        assert!(claims["aud"] == json!(CLIENT) || claims["aud"] == json!([CLIENT]), "{claims}");
        assert!(claims["exp"].as_i64() > Some(NOW.0), "{claims}");
        assert!(openid.check_id_token(&tokens.genuine, &keys, "another", NOW).is_err(), "any nonce will do: {claims}");
    }
}

fn provider() -> OpenId {
    let account = AccountRule::Claim { id: "org.id".to_owned(), name: Some("org.name".to_owned()) };
    let roles = BTreeMap::from([("admins".to_owned(), Role::Admin)]);
    let settings = OpenIdSettings {
        issuer: PLATFORM.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: None,
        scopes: vec!["openid".to_owned()],
        switch_prompt: SwitchPrompt::Login,
        account,
        role: RoleRule { claim: Some("groups".to_owned()), roles, otherwise: Some(Role::Agent) },
    };
    OpenId::new(settings, Arc::new(NoNetwork)).expect("settings")
}

/// The network, which these checks do without.
struct NoNetwork;

#[async_trait]
impl BackChannel for NoNetwork {
    async fn send(&self, request: BackRequest) -> Result<BackAnswer, NoAnswer> {
        panic!("a check asked {}", request.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Otherwise the targets above would look at refusals only.
    #[test]
    fn op_04_what_is_genuine_and_for_us_is_accepted() {
        let key = key();
        let platform = PlatformKey::parse(&public_jwk(&key).to_string()).expect("a key");
        let platform = Platform::new(PLATFORM, platform).expect("a URL");
        for good in [&include_bytes!("../corpus/assertion/good")[..], include_bytes!("../corpus/assertion/denied")] {
            platform.assertion(&Tokens::of(good, &key).genuine, ISSUER, NOW).expect("accepted");
        }
        let keys = json!({ "keys": [public_jwk(&key)] }).to_string();
        for good in [&include_bytes!("../corpus/id_token/good")[..], include_bytes!("../corpus/id_token/audience-list")]
        {
            let token = Tokens::of(good, &key).genuine;
            provider().check_id_token(&token, &keys, NONCE, NOW).expect("accepted");
        }
    }
}

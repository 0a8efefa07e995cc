//! An authority in miniature: fixed keys, a clock that is set by hand, and tokens of any shape.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use keyfob_gate::{Caller, Challenge, Gate, GateConfig, InvalidReason};
use keyfob_protocol::access_token::{JwkSet, PublicJwk, SigningAlgorithm};
use keyfob_protocol::revocation::{Revocation, RevokedKind};
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Clock, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
pub(crate) const GRANT: GrantId = GrantId([7; 16]);
/// When every token is issued, unless a test says otherwise.
pub(crate) const ISSUED: Timestamp = Timestamp(1_800_000_000);
pub(crate) const HOUR: i64 = 3600;

/// A clock that stands still until it is moved.
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) enum SigningKey {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

impl SigningKey {
    pub(crate) fn ed25519(seed: u8) -> SigningKey {
        SigningKey::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub(crate) fn p256() -> SigningKey {
        SigningKey::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    #[expect(clippy::disallowed_methods, reason = "ECDSA signs with a nonce; no test depends on its value")]
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            SigningKey::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            SigningKey::P256(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
        }
    }

    pub(crate) fn jwk(&self, kid: &str) -> PublicJwk {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (kty, crv, x, y, alg) = match self {
            SigningKey::Ed25519(key) => {
                ("OKP", "Ed25519", text(key.public_key().as_ref()), None, SigningAlgorithm::EdDsa)
            }
            SigningKey::P256(key) => {
                let point = key.public_key().as_ref();
                ("EC", "P-256", text(&point[1..33]), Some(text(&point[33..])), SigningAlgorithm::Es256)
            }
        };
        PublicJwk { kty: kty.into(), crv: crv.into(), x, y, kid: kid.into(), alg, use_: "sig".into() }
    }
}

/// An access token's header under key `ed`.
pub(crate) fn header() -> Value {
    json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "ed" })
}

/// A whole and valid set of claims.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "42", "aud": AUDIENCE, "client_id": "app-one", "iat": ISSUED.0, "exp": ISSUED.0 + HOUR,
        "jti": "token-one", "gid": GRANT.to_text(), "acc": 5, "app": 3,
    })
}

/// `base` with one member set; removed where `value` is null.
pub(crate) fn with(mut base: Value, member: &str, value: Value) -> Value {
    let members = base.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(member);
    } else {
        members.insert(member.to_owned(), value);
    }
    base
}

pub(crate) fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

pub(crate) fn sign(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let input = signing_input(header, claims);
    let signature = URL_SAFE_NO_PAD.encode(key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// A gate with two keys, `ed` and `ec`, fully synced, at the second of issue.
pub(crate) struct World {
    pub(crate) ed: SigningKey,
    pub(crate) ec: SigningKey,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) gate: Arc<Gate>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with_config(|_| ())
    }

    pub(crate) fn with_config(change: impl FnOnce(&mut GateConfig)) -> World {
        let world = World::unfed(change);
        world.gate.set_keys(&world.key_set()).unwrap();
        world.gate.revocations().mark_synced(ISSUED);
        world
    }

    /// Without keys and before the first sync.
    pub(crate) fn unfed(change: impl FnOnce(&mut GateConfig)) -> World {
        let mut config = GateConfig::new(ISSUER, AUDIENCE);
        config.without_news = keyfob_gate::WithoutNews::KeepServing;
        change(&mut config);
        let clock = Arc::new(ManualClock(AtomicI64::new(ISSUED.0)));
        let gate = Arc::new(Gate::new(config, clock.clone()));
        World { ed: SigningKey::ed25519(1), ec: SigningKey::p256(), clock, gate }
    }

    pub(crate) fn key_set(&self) -> JwkSet {
        JwkSet { keys: vec![self.ed.jwk("ed"), self.ec.jwk("ec")] }
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        sign(&self.ed, &header(), claims)
    }

    pub(crate) fn call(&self, token: &str) -> Result<Arc<Caller>, Challenge> {
        self.gate.check(&authorization(&[&format!("Bearer {token}")]))
    }

    pub(crate) fn revoke(&self, kind: RevokedKind, id: &str, not_before: Timestamp) {
        let entry = Revocation { number: 1, kind, id: id.into(), not_before, until: ISSUED.plus(HOUR) };
        self.gate.revocations().insert(&entry).unwrap();
    }
}

pub(crate) fn authorization(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

pub(crate) fn invalid(reason: impl Into<InvalidReason>) -> Challenge {
    Challenge::InvalidToken { reason: reason.into(), fub_status: false }
}

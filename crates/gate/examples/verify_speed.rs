//! Nanoseconds per check: a repeated token, a token seen for the first time, a stranger's.
//! `cargo run --release -p keyfob-gate --example verify_speed`

#![expect(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used, reason = "a measurement")]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use keyfob_gate::{Gate, GateConfig, WithoutNews};
use keyfob_protocol::access_token::{
    AccessTokenClaims, Audience, IssuedAfter, JwkSet, PublicJwk, SigningAlgorithm, encoded_header, signing_input,
    with_signature,
};
use keyfob_protocol::revocation::{Revocation, RevokedKind};
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Clock, Timestamp};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

const URL: &str = "https://id.example.com";

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Timestamp(since.as_secs() as i64)
    }
}

fn claims(number: usize) -> AccessTokenClaims {
    let now = SystemClock.now();
    AccessTokenClaims {
        iss: URL.into(),
        sub: "42".into(),
        aud: Audience::One(URL.into()),
        client_id: "0123456789abcdef0123456789abcdef".into(),
        iat: now,
        exp: now.plus(3600),
        nbf: None,
        jti: format!("{number:022}"),
        scope: None,
        gid: Some(GrantId([7; 16]).to_text()),
        acc: Some(5),
        app: 3,
        after: IssuedAfter::default(),
    }
}

fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::AUTHORIZATION, HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    headers
}

fn measure(what: &str, rounds: usize, mut check: impl FnMut(usize)) {
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            (0..rounds).for_each(&mut check);
            start.elapsed().as_nanos() / rounds as u128
        })
        .min()
        .unwrap();
    println!("{what:<52} {best:>8} ns");
}

fn main() {
    let ed = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let point = ec.public_key().as_ref();
    let jwk = |kty: &str, crv: &str, x, y, kid: &str, alg| PublicJwk {
        kty: kty.into(),
        crv: crv.into(),
        x,
        y,
        kid: kid.into(),
        alg,
        use_: "sig".into(),
    };
    let keys = JwkSet {
        keys: vec![
            jwk("OKP", "Ed25519", text(ed.public_key().as_ref()), None, "ed", SigningAlgorithm::EdDsa),
            jwk("EC", "P-256", text(&point[1..33]), Some(text(&point[33..])), "ec", SigningAlgorithm::Es256),
        ],
    };
    let with_ed = |number| {
        let input = signing_input(&encoded_header(SigningAlgorithm::EdDsa, "ed"), &claims(number));
        let signature = ed.sign(input.as_bytes());
        with_signature(input, signature.as_ref())
    };
    let with_ec = |number| {
        let input = signing_input(&encoded_header(SigningAlgorithm::Es256, "ec"), &claims(number));
        let signature = ec.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
        with_signature(input, signature.as_ref())
    };

    let mut config = GateConfig::new(URL, URL);
    config.without_news = WithoutNews::KeepServing;
    let gate = Gate::new(config, Arc::new(SystemClock));
    gate.set_keys(&keys).unwrap();
    gate.revocations().mark_synced(SystemClock.now());

    // More tokens than the cache has room for, in turn: each is always seen as if for the first time.
    let first_seen: Vec<_> = (0..30_000).map(|number| bearer(&with_ed(number))).collect();
    println!("token of {} bytes", first_seen[0][header::AUTHORIZATION].len() - "Bearer ".len());
    let one = &first_seen[0];
    let repeated = |_| drop(black_box(gate.check(black_box(one)).unwrap()));
    measure("repeated token", 1_000_000, repeated);
    let some = &first_seen[..4000];
    measure("repeated tokens, 4,000 in turn", 400_000, |n| {
        drop(black_box(gate.check(&some[n % some.len()]).unwrap()));
    });
    measure("first sight, EdDSA", first_seen.len(), |n| drop(black_box(gate.check(&first_seen[n]).unwrap())));
    let first_seen: Vec<_> = (0..30_000).map(|number| bearer(&with_ec(number))).collect();
    measure("first sight, ES256", first_seen.len(), |n| drop(black_box(gate.check(&first_seen[n]).unwrap())));
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[2; 32]).unwrap();
    let input = signing_input(&encoded_header(SigningAlgorithm::EdDsa, "ed"), &claims(0));
    let signature = stranger.sign(input.as_bytes());
    let forged = bearer(&with_signature(input, signature.as_ref()));
    measure("forged signature", 20_000, |_| drop(black_box(gate.check(&forged).unwrap_err())));
    let none = HeaderMap::new();
    measure("no credentials", 1_000_000, |_| drop(black_box(gate.check(&none).unwrap_err())));

    let revoke = |number: i64| {
        let (kind, at) = (RevokedKind::User, SystemClock.now());
        let entry = Revocation { number, kind, id: (number + 1000).to_string(), not_before: at, until: at.plus(3600) };
        gate.revocations().insert(&entry).unwrap();
    };
    (0..10_000).for_each(revoke);
    measure("repeated token, 10,000 others revoked", 1_000_000, repeated);
    measure("repeated token, one more user revoked before each", 100_000, |n| {
        revoke(20_000 + n as i64);
        repeated(n);
    });
    measure("    of which the revocation", 100_000, |n| revoke(20_000 + n as i64));

    let start = Instant::now();
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| (0..2_000_000).for_each(repeated));
        }
    });
    println!(
        "{:<52} {:>8} ns",
        "one token from two threads, per check and thread",
        start.elapsed().as_nanos() / 2_000_000
    );
}

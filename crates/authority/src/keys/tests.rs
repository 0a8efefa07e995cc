use super::*;
use crate::model::{AppId, EndReason, GrantState, UserId};
use keyfob_protocol::Dialect;
use keyfob_protocol::key_text::KeyTextError;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::{GrantId, PresentedToken, TokenKind};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        for byte in bytes {
            *byte = (self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
        }
        Ok(())
    }
}

struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyFailed> {
        Err(EntropyFailed)
    }
}

const NOW: Timestamp = Timestamp(1_700_000_000);
const ISSUER: &str = "https://auth.example.com";

fn keyring(issuer: &str, master: &MasterKey, sealed: &[SealedKey]) -> Result<Keyring, KeyError> {
    Keyring::open(master, issuer, sealed)
}

fn fresh() -> (MasterKey, Vec<SealedKey>) {
    let entropy = Counter::default();
    let master = MasterKey::generate(&entropy).expect("entropy");
    let sealed = Keyring::generate(&master, ISSUER, SigningAlgorithm::EdDsa, NOW, &entropy).expect("entropy");
    (master, sealed)
}

fn grant() -> Grant {
    Grant {
        id: GrantId::new(NOW, [3; 11]),
        app: AppId(5),
        user: UserId(7),
        root_key: 1,
        salt: [9; 16],
        dialect: Dialect::OAuth,
        scope: Scope::empty(),
        resources: Resources::none(),
        created_at: NOW,
        state: GrantState::Ended { reason: EndReason::Denied, at: NOW },
    }
}

#[test]
fn km_03_each_purpose_has_a_key_of_its_own_and_keys_do_not_trade_places() {
    let (master, mut sealed) = fresh();
    assert!(keyring(ISSUER, &master, &sealed).is_ok());
    let purposes: std::collections::HashSet<_> = sealed.iter().map(|key| key.purpose.clone()).collect();
    assert_eq!(purposes.len(), 4);
    sealed[0].purpose = "csrf".to_owned();
    assert!(matches!(keyring(ISSUER, &master, &sealed), Err(KeyError::DoesNotOpen { id: 1, .. })));
}

#[test]
fn a_foreign_master_key_or_issuer_opens_nothing() {
    let (master, sealed) = fresh();
    let other = MasterKey::generate(&Counter(AtomicU64::new(1000))).expect("entropy");
    assert!(matches!(keyring(ISSUER, &other, &sealed), Err(KeyError::DoesNotOpen { .. })));
    assert!(matches!(keyring("https://other.example", &master, &sealed), Err(KeyError::DoesNotOpen { .. })));
    assert_ne!(master.check(ISSUER), other.check(ISSUER));
}

#[test]
fn km_01_placeholder_and_short_master_keys_are_refused() {
    for (bytes, error) in [
        (vec![0; 32], KeyTextError::Placeholder),
        (vec![b'x'; 32], KeyTextError::Placeholder),
        ((0..32).collect(), KeyTextError::Placeholder),
        (vec![1; 16], KeyTextError::Malformed),
    ] {
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        assert_eq!(MasterKey::parse(&text).err(), Some(error));
    }
    assert_eq!(MasterKey::parse("changeme").err(), Some(KeyTextError::Malformed));
}

#[test]
fn km_04_without_entropy_nothing_is_made() {
    assert!(MasterKey::generate(&NoEntropy).is_err());
    let (master, sealed) = fresh();
    assert!(Keyring::generate(&master, ISSUER, SigningAlgorithm::EdDsa, NOW, &NoEntropy).is_err());
    let keyring = keyring(ISSUER, &master, &sealed).expect("own keys");
    assert!(keyring.seal_interaction(b"x", &NoEntropy).is_err());
}

#[test]
fn a_row_moved_to_another_user_app_or_issuer_makes_other_tokens() {
    let (master, sealed) = fresh();
    let keys = keyring(ISSUER, &master, &sealed).expect("own keys");
    let token = keys.grant_key(&grant()).expect("root key").refresh_token(1, 0);
    let presented = PresentedToken::parse(TokenKind::Refresh, token.expose()).expect("own token");
    assert!(keys.grant_key(&grant()).expect("root key").proves(&presented));
    for moved in [
        Grant { user: UserId(8), ..grant() },
        Grant { app: AppId(6), ..grant() },
        Grant { salt: [8; 16], ..grant() },
        Grant { id: GrantId::new(NOW, [4; 11]), ..grant() },
    ] {
        assert!(!keys.grant_key(&moved).expect("root key").proves(&presented));
    }
    assert!(keys.grant_key(&Grant { root_key: 2, ..grant() }).is_none());
}

#[test]
fn az_12_a_sealed_interaction_cannot_be_altered() {
    let (master, sealed) = fresh();
    let keys = keyring(ISSUER, &master, &sealed).expect("own keys");
    let text = keys.seal_interaction(b"frozen", &Counter::default()).expect("entropy");
    assert_eq!(keys.open_interaction(&text).as_deref(), Some(&b"frozen"[..]));
    for at in 0..text.len() {
        let mut changed = text.clone();
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        changed.replace_range(at..=at, other);
        // The last character may only carry unused bits; then the strict decoder refuses it.
        assert_eq!(keys.open_interaction(&changed), None, "character {at}");
    }
}

#[test]
fn se_04_csrf_tokens_are_bound_to_form_and_browser() {
    let (master, sealed) = fresh();
    let keys = keyring(ISSUER, &master, &sealed).expect("own keys");
    let token = keys.csrf_token("decision", &[b"session", b"interaction"]);
    assert!(keys.is_csrf_token(&token, "decision", &[b"session", b"interaction"]));
    assert!(!keys.is_csrf_token(&token, "sign-out", &[b"session", b"interaction"]));
    assert!(!keys.is_csrf_token(&token, "decision", &[b"sessioni", b"nteraction"]));
    assert!(!keys.is_csrf_token("", "decision", &[b"session", b"interaction"]));
}

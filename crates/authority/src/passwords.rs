//! Passwords with Argon2id: 19 MiB, two passes, one lane (matrix ST-02). Few at a time, so that memory stays bounded.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use keyfob_protocol::{Entropy, EntropyFailed, Secret, entropy};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// At most this many hashes at once: 19 MiB each.
const AT_ONCE: usize = 2;
/// Longest password that is hashed, in bytes.
pub const MAX_PASSWORD: usize = 1024;
/// Shortest password that may be set, in characters.
pub const MIN_PASSWORD: usize = 8;

/// Hashes and verifies passwords.
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// Verified against when there is no such user, so that the work is the same (matrix IN-01).
    decoy: String,
    verified: AtomicU64,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is the password.
    Right {
        /// A hash by today's parameters, where the stored one is weaker.
        upgrade: Option<String>,
    },
    /// It is not.
    Wrong,
}

impl Passwords {
    /// Prepares the decoy.
    pub fn new(entropy: &dyn Entropy) -> Result<Passwords, EntropyFailed> {
        let salt: [u8; 16] = entropy::random(entropy)?;
        let output: [u8; 32] = entropy::random(entropy)?;
        // Random output is the hash of nothing that anybody could find, and takes no hashing at start.
        let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
        let decoy = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${output}");
        Ok(Passwords { permits: Arc::new(Semaphore::new(AT_ONCE)), decoy, verified: AtomicU64::new(0) })
    }

    /// The PHC string to store.
    pub async fn hash(&self, password: Secret<String>, entropy: &dyn Entropy) -> Result<String, EntropyFailed> {
        let salt: [u8; 16] = entropy::random(entropy)?;
        Ok(self.work(move || hash_now(password.expose().as_bytes(), &salt)).await)
    }

    /// Checks a password. `stored` is `None` where there is no such user or no password: that costs the same.
    pub async fn check(
        &self,
        stored: Option<String>,
        password: Secret<String>,
        entropy: &dyn Entropy,
    ) -> Result<PasswordCheck, EntropyFailed> {
        let salt: [u8; 16] = entropy::random(entropy)?;
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.clone());
        self.verified.fetch_add(1, Ordering::Relaxed);
        Ok(self
            .work(move || {
                let Ok(hash) = PasswordHash::new(&stored) else { return PasswordCheck::Wrong };
                let right = password.expose().len() <= MAX_PASSWORD
                    && argon2().verify_password(password.expose().as_bytes(), &hash).is_ok();
                if !(right && known) {
                    return PasswordCheck::Wrong;
                }
                let upgrade = is_weak(&hash).then(|| hash_now(password.expose().as_bytes(), &salt));
                PasswordCheck::Right { upgrade }
            })
            .await)
    }

    /// How many passwords were checked: known and unknown users alike count one each.
    pub fn verified(&self) -> u64 {
        self.verified.load(Ordering::Relaxed)
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let _permit = self.permits.clone().acquire_owned().await.expect("invariant: the semaphore is never closed");
        tokio::task::spawn_blocking(job).await.expect("invariant: hashing does not panic")
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("invariant: constants within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &[u8], salt: &[u8]) -> String {
    let hash: PasswordHash =
        argon2().hash_password_with_salt(password, salt).expect("invariant: salt and output have legal lengths");
    hash.to_string()
}

fn is_weak(hash: &PasswordHash) -> bool {
    let (m, t) = (hash.params.get_decimal("m").unwrap_or(0), hash.params.get_decimal("t").unwrap_or(0));
    hash.algorithm.as_str() != "argon2id" || m < MEMORY_KIB || t < PASSES
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_protocol::EntropyFailed;

    struct Fixed;

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
            bytes.fill(7);
            Ok(())
        }
    }

    #[tokio::test]
    async fn st_02_passwords_are_hashed_with_argon2id_and_upgraded() {
        let passwords = Passwords::new(&Fixed).expect("entropy");
        let hash = passwords.hash(Secret::from("maple-otter-41"), &Fixed).await.expect("entropy");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check =
            |stored: &str, password: &str| passwords.check(Some(stored.to_owned()), Secret::from(password), &Fixed);
        assert_eq!(check(&hash, "maple-otter-41").await, Ok(PasswordCheck::Right { upgrade: None }));
        assert_eq!(check(&hash, "maple-otter-42").await, Ok(PasswordCheck::Wrong));

        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8192, 1, 1, None).expect("legal"));
        let weak: PasswordHash = weak.hash_password_with_salt(b"maple-otter-41", b"0123456789abcdef").expect("legal");
        match check(&weak.to_string(), "maple-otter-41").await {
            Ok(PasswordCheck::Right { upgrade: Some(upgrade) }) => assert!(upgrade.contains("m=19456"), "{upgrade}"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn in_01_an_unknown_user_costs_one_hash_as_a_wrong_password_does() {
        let passwords = Passwords::new(&Fixed).expect("entropy");
        let unknown = passwords.check(None, Secret::from("x"), &Fixed).await;
        assert_eq!((unknown, passwords.verified()), (Ok(PasswordCheck::Wrong), 1));
        let hash = passwords.hash(Secret::from("x"), &Fixed).await.expect("entropy");
        let (decoy, real) = (PasswordHash::new(&passwords.decoy), PasswordHash::new(&hash).expect("our own"));
        let decoy = decoy.expect("a legal hash");
        assert_eq!((&decoy.algorithm, &decoy.params, &decoy.salt), (&real.algorithm, &real.params, &real.salt));
        assert_eq!(decoy.hash.map(|value| value.len()), real.hash.map(|value| value.len()));
    }
}

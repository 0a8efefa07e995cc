//! 256 bits that an operator keeps in a file or a variable, as text: base64, and no placeholder.
//!
//! The text form alone. What such a key seals, and how, is said where it is used.

use crate::{Entropy, EntropyFailed, Secret, entropy};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

/// Why a text is no key.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum KeyTextError {
    /// Not base64 of exactly 32 bytes.
    #[error("a master key is 32 bytes in base64 (44 characters)")]
    Malformed,
    /// All bytes alike, or an ascending run: somebody's placeholder.
    #[error("this master key is a placeholder, not a random key")]
    Placeholder,
}

/// Fresh bytes.
///
/// # Errors
/// [`EntropyFailed`].
pub fn generate(source: &dyn Entropy) -> Result<Secret<[u8; 32]>, EntropyFailed> {
    Ok(Secret::new(entropy::random(source)?))
}

/// Reads the text of a key file or variable; white space around it does not count.
///
/// # Errors
/// [`KeyTextError`].
pub fn parse(text: &str) -> Result<Secret<[u8; 32]>, KeyTextError> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| KeyTextError::Malformed)?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyTextError::Malformed)?;
    let step = bytes[1].wrapping_sub(bytes[0]);
    if bytes.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step) {
        return Err(KeyTextError::Placeholder);
    }
    Ok(Secret::new(bytes))
}

/// The text for a key file.
pub fn to_text(key: &Secret<[u8; 32]>) -> Secret<String> {
    Secret::new(STANDARD.encode(key.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_random_bytes_in_base64_and_nothing_else() {
        let text = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";
        let key = parse(&format!(" {text}\n")).expect("a key");
        assert_eq!(to_text(&key).expose(), text);
        let ascending: Vec<u8> = (0..32).collect();
        for placeholder in [vec![0; 32], vec![0x41; 32], ascending] {
            assert_eq!(parse(&STANDARD.encode(placeholder)).map(drop), Err(KeyTextError::Placeholder));
        }
        for malformed in ["", "q1Zk", "not base64 at all", &STANDARD.encode([1; 33])] {
            assert_eq!(parse(malformed).map(drop), Err(KeyTextError::Malformed), "{malformed:?}");
        }
    }
}

//! Bytes as letters and digits, in fixed-width blocks: 8 bytes become 11 characters.
//!
//! Block by block instead of one large number keeps the cost linear and the length a function of the byte count alone.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters that hold 1 to 8 bytes: the least `c` with 62^c >= 256^bytes.
const WIDTH: [usize; 9] = [0, 2, 3, 5, 6, 7, 9, 10, 11];

/// Appends `bytes`.
pub fn encode_into(out: &mut String, bytes: &[u8]) {
    for block in bytes.chunks(8) {
        let mut number = block.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        let mut digits = [b'0'; 11];
        let width = WIDTH[block.len()];
        for digit in digits[..width].iter_mut().rev() {
            *digit = ALPHABET[(number % 62) as usize];
            number /= 62;
        }
        out.extend(digits[..width].iter().map(|digit| *digit as char));
    }
}

/// `bytes` as text.
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 11 / 8 + 2);
    encode_into(&mut out, bytes);
    out
}

/// Exactly `N` bytes, if `text` is their canonical spelling.
pub fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let mut rest = text;
    for block in bytes.chunks_mut(8) {
        let (digits, tail) = rest.split_at_checked(WIDTH[block.len()])?;
        rest = tail;
        let number = digits.iter().try_fold(0u128, |number, digit| Some(number * 62 + u128::from(value(*digit)?)))?;
        if number >> (8 * block.len()) != 0 {
            return None;
        }
        let wide = number.to_be_bytes();
        block.copy_from_slice(&wide[16 - block.len()..]);
    }
    rest.is_empty().then_some(bytes)
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'Z' => Some(digit - b'A' + 10),
        b'a'..=b'z' => Some(digit - b'a' + 36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn widths_are_the_least_that_fit() {
        for (bytes, width) in WIDTH.iter().enumerate() {
            assert!(62u128.pow(*width as u32) >= 256u128.pow(bytes as u32));
            assert!(*width == 0 || 62u128.pow(*width as u32 - 1) < 256u128.pow(bytes as u32));
        }
    }

    proptest! {
        #[test]
        fn text_reads_back(bytes: [u8; 30]) {
            let text = encode(&bytes);
            prop_assert_eq!(decode::<30>(text.as_bytes()), Some(bytes));
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()));
        }

        #[test]
        fn only_one_spelling_reads(text in "[0-9A-Za-z]{15}") {
            if let Some(bytes) = decode::<10>(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}

//! The one stylesheet and the address it is served at, which names its content so that it can be cached for good.

/// The stylesheet of every page: `text/css; charset=utf-8`, immutable under [`STYLESHEET_PATH`].
pub const STYLESHEET: &str = include_str!("../assets/keyfob.css");

const PATH: [u8; 27] = path(fnv1a(STYLESHEET.as_bytes()));

/// Where the pages expect [`STYLESHEET`]: `/assets/keyfob-<tag>.css`; another content has another tag.
pub const STYLESHEET_PATH: &str = match std::str::from_utf8(&PATH) {
    Ok(text) => text,
    Err(_) => panic!("the path is ASCII"),
};

/// The eight hex digits that stand for the content of [`STYLESHEET`]; good as an `ETag`.
pub const STYLESHEET_TAG: &str = match STYLESHEET_PATH.split_at(15).1.split_at_checked(8) {
    Some((tag, _)) => tag,
    None => panic!("the path has a tag of eight digits"),
};

/// FNV-1a, 32 bits: a content tag, not a defence.
const fn fnv1a(bytes: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash
}

const fn path(tag: u32) -> [u8; 27] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut text = *b"/assets/keyfob-00000000.css";
    let mut digit = 0;
    while digit < 8 {
        text[15 + digit] = HEX[(tag >> (28 - 4 * digit) & 0xf) as usize];
        digit += 1;
    }
    text
}

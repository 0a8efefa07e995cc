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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::colour::{EDGE_CONTRAST, Rgb, TEXT_CONTRAST};
    use crate::{Brand, brand_stylesheet};

    const GROUNDS: [&str; 3] = ["page", "surface", "inset"];

    type Tokens = BTreeMap<String, Rgb>;

    /// The colour tokens of the light and the dark scheme; what dark does not say, light says.
    fn schemes(css: &str) -> [(&'static str, Tokens); 2] {
        let (light, dark) = css.split_once("@media (prefers-color-scheme: dark)").unwrap();
        let block = |text: &str| text.split_once('}').unwrap().0.to_owned();
        let tokens = |text: String| -> Tokens {
            text.split([';', '{'])
                .filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'))
                .filter_map(|(name, value)| Some((name.to_owned(), Rgb::parse(value.trim())?)))
                .collect()
        };
        let light = tokens(block(light));
        let mut both = light.clone();
        both.extend(tokens(block(dark)));
        [("light", light), ("dark", both)]
    }

    fn assert_contrast(scheme: &str, tokens: &Tokens, text: &str, ground: &str, least: f64) {
        let ratio = tokens[text].contrast(tokens[ground]);
        assert!(ratio >= least, "{scheme}: --{text} on --{ground} is {ratio:.2}, not {least}");
    }

    #[test]
    fn every_pair_of_text_and_ground_is_readable_in_both_schemes() {
        for (scheme, tokens) in schemes(STYLESHEET) {
            for ground in GROUNDS {
                for text in ["ink", "muted", "link", "danger"] {
                    assert_contrast(scheme, &tokens, text, ground, TEXT_CONTRAST);
                }
                for edge in ["control", "accent-edge"] {
                    assert_contrast(scheme, &tokens, edge, ground, EDGE_CONTRAST);
                }
            }
            for tone in ["danger", "info", "good", "warn", "mark"] {
                assert_contrast(scheme, &tokens, tone, &format!("{tone}-ground"), TEXT_CONTRAST);
            }
            for ground in ["accent", "accent-hover"] {
                assert_contrast(scheme, &tokens, "accent-text", ground, TEXT_CONTRAST);
            }
        }
    }

    #[test]
    fn every_accent_leaves_text_links_and_edges_readable() {
        let own = schemes(STYLESHEET);
        for accent in
            ["#000000", "#ffffff", "#ffdd00", "#ff0000", "#00ff00", "#0000ff", "#777777", "#767676", "#e56b1f"]
        {
            let brand = Brand { accent: Some(accent.to_owned()), ..Brand::default() };
            for ((scheme, derived), (_, own)) in schemes(&brand_stylesheet(&brand)).into_iter().zip(&own) {
                let mut tokens = own.clone();
                tokens.extend(derived);
                for ground in ["accent", "accent-hover"] {
                    assert_contrast(scheme, &tokens, "accent-text", ground, TEXT_CONTRAST);
                }
                for ground in GROUNDS {
                    assert_contrast(scheme, &tokens, "link", ground, TEXT_CONTRAST);
                    assert_contrast(scheme, &tokens, "accent-edge", ground, EDGE_CONTRAST);
                }
            }
        }
    }

    #[test]
    fn the_stylesheet_and_the_derived_colours_agree_on_the_default() {
        let derived = schemes(&brand_stylesheet(&Brand::default()));
        for ((scheme, own), (_, derived)) in schemes(STYLESHEET).into_iter().zip(derived) {
            for (name, colour) in derived {
                assert_eq!(own[&name], colour, "{scheme} --{name}");
            }
        }
    }

    #[test]
    fn se_02_the_stylesheet_loads_nothing() {
        for forbidden in ["url(", "@import", "//", "expression", "</"] {
            assert!(!STYLESHEET.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn the_path_names_the_content() {
        assert_eq!(STYLESHEET_PATH, format!("/assets/keyfob-{STYLESHEET_TAG}.css"));
        assert_eq!(STYLESHEET_TAG, format!("{:08x}", fnv1a(STYLESHEET.as_bytes())));
        assert_eq!(fnv1a(b"a"), 0xe40c_292c, "the published test vector");
    }
}

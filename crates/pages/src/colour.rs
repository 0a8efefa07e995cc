//! sRGB colours and the WCAG 2 contrast between them: enough to keep a brand's accent readable, and nothing more.

/// The least contrast of body text, WCAG 2 level AA (success criterion 1.4.3).
pub(crate) const TEXT_CONTRAST: f64 = 4.5;
/// The least contrast of the edge of a control, WCAG 2 level AA (success criterion 1.4.11).
pub(crate) const EDGE_CONTRAST: f64 = 3.0;

/// An opaque sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rgb(pub(crate) u8, pub(crate) u8, pub(crate) u8);

pub(crate) const WHITE: Rgb = Rgb(255, 255, 255);
pub(crate) const BLACK: Rgb = Rgb(0, 0, 0);

impl Rgb {
    /// Reads `#rrggbb`, the only spelling accepted: the text reaches a stylesheet.
    pub(crate) fn parse(text: &str) -> Option<Rgb> {
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let all = u32::from_str_radix(digits, 16).ok()?;
        let [_, r, g, b] = all.to_be_bytes();
        Some(Rgb(r, g, b))
    }

    /// The spelling that [`Rgb::parse`] reads.
    pub(crate) fn css(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// This colour moved `percent` of the way to another.
    pub(crate) fn toward(self, other: Rgb, percent: u16) -> Rgb {
        let mix = |from: u8, to: u8| {
            let sum = u16::from(from) * (100 - percent) + u16::from(to) * percent;
            u8::try_from((sum + 50) / 100).unwrap_or(u8::MAX)
        };
        Rgb(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// The least move toward `other` after which the colour has `contrast` against every one of `grounds`.
    pub(crate) fn readable_on(self, grounds: &[Rgb], other: Rgb, contrast: f64) -> Rgb {
        (0..=100)
            .map(|percent| self.toward(other, percent))
            .find(|c| grounds.iter().all(|ground| c.contrast(*ground) >= contrast))
            .unwrap_or(other)
    }

    /// White, near-black or, in the narrow band where neither is enough, black: always at least 4.5 to 1.
    pub(crate) fn text_on(self) -> Rgb {
        const INK: Rgb = Rgb(0x10, 0x14, 0x13);
        [WHITE, INK].into_iter().find(|text| text.contrast(self) >= TEXT_CONTRAST).unwrap_or(BLACK)
    }

    /// The WCAG 2 contrast ratio, 1 to 21.
    pub(crate) fn contrast(self, other: Rgb) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG 2 relative luminance, 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_agrees_with_the_published_extremes() {
        assert!((WHITE.contrast(BLACK) - 21.0).abs() < 1e-9);
        assert!((Rgb(0x77, 0x77, 0x77).contrast(WHITE) - 4.478).abs() < 0.001);
    }

    #[test]
    fn text_on_any_accent_is_readable() {
        for r in (0..=255).step_by(15) {
            for g in (0..=255).step_by(15) {
                for b in (0..=255).step_by(15) {
                    let accent = Rgb(r, g, b);
                    assert!(accent.text_on().contrast(accent) >= TEXT_CONTRAST, "{accent:?}");
                }
            }
        }
    }

    #[test]
    fn only_the_six_digit_form_is_a_colour() {
        assert_eq!(Rgb::parse("#0B6b57"), Some(Rgb(0x0b, 0x6b, 0x57)));
        for bad in ["", "#fff", "0b6b57", "#0b6b5", "#0b6b577", "#0b6b5g", "#+b6b57", "red", "#0b6b57;}"] {
            assert_eq!(Rgb::parse(bad), None, "{bad}");
        }
    }
}

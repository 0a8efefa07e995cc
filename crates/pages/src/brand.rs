//! The platform's own name, logo, colour and support link, as `keyfob.toml` gives them.
//!
//! The operator is trusted to choose them, but a slip must not break the pages: what does not pass is left out when
//! rendering and reported by [`Brand::check`] when the configuration is read. The accent becomes a stylesheet of its own,
//! with text colours derived so that they stay readable whatever colour was chosen.

use crate::colour::{BLACK, EDGE_CONTRAST, Rgb, TEXT_CONTRAST, WHITE};

/// Where the pages expect [`brand_stylesheet`]: `text/css; charset=utf-8`, to be revalidated, since the path is constant.
pub const BRAND_STYLESHEET_PATH: &str = "/assets/brand.css";

/// The default accent, also in `assets/keyfob.css`.
const ACCENT: &str = "#0b6b57";
/// What text stands on in the light stylesheet: page, card, inset (`assets/keyfob.css`).
const LIGHT_GROUNDS: [Rgb; 3] = [Rgb(0xf3, 0xf4, 0xf2), WHITE, Rgb(0xee, 0xf1, 0xef)];
/// The same in the dark stylesheet.
const DARK_GROUNDS: [Rgb; 3] = [Rgb(0x11, 0x14, 0x13), Rgb(0x1a, 0x1e, 0x1d), Rgb(0x22, 0x28, 0x26)];

/// Thin coloured strokes on a dark ground need more than the minimum to be read at ease.
const DARK_LINK_CONTRAST: f64 = 6.0;

/// Whose pages these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// The platform's name, in titles and sentences.
    pub name: String,
    /// A picture shown above each page: a same-origin path (`/logo.svg`) or a `data:image/…` URI.
    pub logo_url: Option<String>,
    /// The colour of the main buttons, `#rrggbb`.
    pub accent: Option<String>,
    /// Where people get help: `https:`, `mailto:` or a same-origin path.
    pub support_url: Option<String>,
}

/// What is wrong with a configured brand, in words for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrandProblem {
    /// `name` is empty.
    Name,
    /// `logo_url` is neither a same-origin path nor an image as `data:` URI.
    LogoUrl,
    /// `accent` is not `#rrggbb`.
    Accent,
    /// `support_url` is none of `https:`, `mailto:`, a same-origin path.
    SupportUrl,
}

impl std::fmt::Display for BrandProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BrandProblem::Name => "brand.name must not be empty",
            BrandProblem::LogoUrl => {
                "brand.logo_url must be a path on this server (/logo.svg) or a data:image/… URI, because the pages load nothing from elsewhere"
            }
            BrandProblem::Accent => "brand.accent must be a colour in the form #rrggbb",
            BrandProblem::SupportUrl => "brand.support_url must start with https:// or mailto: or be a path on this server",
        })
    }
}

impl std::error::Error for BrandProblem {}

impl Default for Brand {
    fn default() -> Self {
        Brand { name: "Keyfob".to_owned(), logo_url: None, accent: None, support_url: None }
    }
}

impl Brand {
    /// The first thing that the pages would leave out.
    ///
    /// # Errors
    /// Names the field and what it must look like.
    pub fn check(&self) -> Result<(), BrandProblem> {
        if self.name.trim().is_empty() {
            return Err(BrandProblem::Name);
        }
        if self.logo_url.is_some() && self.logo().is_none() {
            return Err(BrandProblem::LogoUrl);
        }
        if self.accent.as_deref().is_some_and(|text| Rgb::parse(text).is_none()) {
            return Err(BrandProblem::Accent);
        }
        if self.support_url.is_some() && self.support().is_none() {
            return Err(BrandProblem::SupportUrl);
        }
        Ok(())
    }

    /// The logo, if the page may load it.
    pub(crate) fn logo(&self) -> Option<&str> {
        self.logo_url.as_deref().filter(|url| is_same_origin_path(url) || starts_with(url, "data:image/"))
    }

    /// The support link, if a page may hold it.
    pub(crate) fn support(&self) -> Option<&str> {
        self.support_url.as_deref().filter(|url| is_safe_link(url))
    }

    /// The letter that stands in for a missing logo.
    pub(crate) fn initial(&self) -> String {
        self.name
            .trim()
            .chars()
            .find(|c| c.is_alphanumeric())
            .map_or_else(|| "K".to_owned(), |c| c.to_uppercase().collect())
    }
}

/// Whether a link may stand on a page: same-origin, `https:` or `mailto:`, never `javascript:` or the like.
pub(crate) fn is_safe_link(url: &str) -> bool {
    is_same_origin_path(url)
        || ((starts_with(url, "https://") || starts_with(url, "mailto:")) && !url.chars().any(is_space))
}

/// What a link chosen by the server may be: the above, and `http:` for a sandbox on loopback.
pub(crate) fn is_link(url: &str) -> bool {
    is_safe_link(url) || (starts_with(url, "http://") && !url.chars().any(is_space))
}

/// A path on this origin; `//host` and `/\host` are other origins to a browser.
fn is_same_origin_path(url: &str) -> bool {
    url.starts_with('/') && !url[1..].starts_with(['/', '\\']) && !url.chars().any(is_space)
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn starts_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// The second stylesheet, served at [`BRAND_STYLESHEET_PATH`]: the accent and what follows from it, in light and dark.
///
/// Text on the accent has at least 4.5 to 1, in rest and under the pointer; links have it against every ground they
/// stand on; the edge of a button has 3 to 1 against its ground. An accent that is no colour counts as none.
pub fn brand_stylesheet(brand: &Brand) -> String {
    let accent = brand.accent.as_deref().and_then(Rgb::parse).or_else(|| Rgb::parse(ACCENT)).unwrap_or(BLACK);
    let text = accent.text_on();
    // The pointer moves the colour away from its text, so contrast only rises.
    let hover = accent.toward(if text == WHITE { BLACK } else { WHITE }, 14);
    let scheme = |grounds: &[Rgb], ink: Rgb, link_contrast: f64| {
        format!(
            "--accent:{};--accent-hover:{};--accent-text:{};--accent-edge:{};--link:{}",
            accent.css(),
            hover.css(),
            text.css(),
            accent.readable_on(grounds, ink, EDGE_CONTRAST).css(),
            accent.readable_on(grounds, ink, link_contrast).css(),
        )
    };
    format!(
        ":root{{{}}}\n@media (prefers-color-scheme: dark){{:root{{{}}}}}\n",
        scheme(&LIGHT_GROUNDS, BLACK, TEXT_CONTRAST),
        scheme(&DARK_GROUNDS, WHITE, DARK_LINK_CONTRAST)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(logo: Option<&str>, accent: Option<&str>, support: Option<&str>) -> Brand {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Brand { name: "Acme".into(), logo_url: own(logo), accent: own(accent), support_url: own(support) }
    }

    #[test]
    fn se_02_only_a_same_origin_or_data_logo_is_shown() {
        for good in ["/logo.svg", "data:image/svg+xml;base64,AAAA"] {
            assert_eq!(brand(Some(good), None, None).check(), Ok(()));
        }
        for bad in
            ["//evil.example/x", "/\\evil.example", "https://cdn.example/x.png", "data:text/html,x", "javascript:1", ""]
        {
            let brand = brand(Some(bad), None, None);
            assert_eq!((brand.check(), brand.logo()), (Err(BrandProblem::LogoUrl), None), "{bad}");
        }
    }

    #[test]
    fn se_02_a_support_link_cannot_run_script() {
        for good in ["https://help.example/", "mailto:help@acme.example", "/help"] {
            assert_eq!(brand(None, None, Some(good)).check(), Ok(()));
        }
        for bad in ["javascript:alert(1)", "data:text/html,x", "http://help.example", "//x", "https://a b"] {
            assert_eq!(brand(None, None, Some(bad)).check(), Err(BrandProblem::SupportUrl), "{bad}");
        }
    }

    #[test]
    fn se_02_the_accent_cannot_break_out_of_the_stylesheet() {
        let hostile = brand(None, Some("red;}body{background:url(//evil.example)"), None);
        assert_eq!(hostile.check(), Err(BrandProblem::Accent));
        assert_eq!(brand_stylesheet(&hostile), brand_stylesheet(&Brand::default()));
    }
}

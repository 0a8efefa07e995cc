//! The pages people meet: plain data in, one HTML document out.
//!
//! Every page is a struct of plain strings with `render`. There is no I/O, no clock and no type of another crate here.
//! Nothing that comes in is trusted: every value is HTML-escaped, names of apps, systems and people are isolated from
//! the text around them and lose their invisible characters ([`visible`]), links that are neither same-origin nor
//! `https:` are dropped. The pages hold no script, no inline style and no reference to another origin, so that they work
//! under `default-src 'none'; style-src 'self'; img-src 'self' data:`.

mod brand;
mod colour;
mod connections;
mod consent;
mod demo;
mod difference;
mod error_page;
mod message;
pub mod samples;
mod sign_in;
mod stylesheet;
mod vault;
mod visible;

pub use brand::{BRAND_STYLESHEET_PATH, Brand, BrandProblem, brand_stylesheet};
pub use connections::{Connection, Connections};
pub use consent::{Consent, Permission};
pub use demo::{
    ConnectionState, DemoAction, DemoApp, DemoConnection, DemoDenied, DemoFault, DemoFaultGroup, DemoFaultSet,
    DemoFaults, DemoHome, DemoPerson, DemoProblem, Exchange, HttpMessage, Masked, Note, Parameter, Tone,
};
pub use difference::first_difference;
pub use error_page::{DeveloperHint, ErrorPage};
pub use message::{Link, Message};
pub use sign_in::SignIn;
pub use stylesheet::{STYLESHEET, STYLESHEET_PATH, STYLESHEET_TAG};
pub use vault::{VaultConnection, VaultOverview, VaultSignIn};
pub use visible::{mixed_alphabets, visible};

/// Filters the templates use by name.
#[expect(unreachable_pub, reason = "askama's filter attribute makes its items `pub`")]
mod filters {
    /// [`crate::visible`] for a template; the result is still escaped.
    #[askama::filter_fn]
    pub(crate) fn visible(text: impl std::fmt::Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(crate::visible(&text.to_string()))
    }

    /// For what went over the wire: line breaks stay, everything else that could hide is spelled out.
    #[askama::filter_fn]
    pub(crate) fn wire(text: impl std::fmt::Display, _: &dyn askama::Values) -> askama::Result<String> {
        let text = text.to_string();
        Ok(text.split('\n').map(crate::difference::exact).collect::<Vec<_>>().join("\n"))
    }
}

/// Renders a template whose only possible failure, a refused write, cannot happen on a `String`.
fn to_html(template: &impl askama::Template) -> String {
    template.render().expect("writing into a String does not fail and no filter of ours returns an error")
}

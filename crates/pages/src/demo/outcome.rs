//! The app's own words when nothing was connected: the user said no, or something went wrong on the way.

use crate::demo::Exchange;
use crate::{Brand, filters, to_html};

/// After a denial: nothing was connected, an earlier connection stays, and one button tries again (posts `app` and
/// `csrf` to `/demo/connect`).
#[derive(Clone, Debug, askama::Template)]
#[template(path = "demo/denied.html")]
pub struct DemoDenied {
    /// Whose sandbox this is.
    pub brand: Brand,
    /// The app's key in the demo, for the hidden field `app`.
    pub app: String,
    /// The app's name.
    pub app_name: String,
    /// Whom the app is still connected as from before.
    pub earlier_connection: Option<String>,
    /// The callback as it came.
    pub steps: Vec<Exchange>,
    /// For the hidden field `csrf`, when the demo uses it.
    pub csrf: Option<String>,
    /// Back to [`crate::DemoHome`].
    pub home_url: String,
}

/// A callback or an exchange that did not work: the same promises as [`DemoDenied`], with the reason.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "demo/problem.html")]
pub struct DemoProblem {
    /// Whose sandbox this is.
    pub brand: Brand,
    /// The app's key in the demo, for the hidden field `app`.
    pub app: String,
    /// The app's name.
    pub app_name: String,
    /// What went wrong, in a few words.
    pub title: String,
    /// What it means, and what to do.
    pub sentence: String,
    /// Whom the app is still connected as from before.
    pub earlier_connection: Option<String>,
    /// What went over the wire.
    pub steps: Vec<Exchange>,
    /// For the hidden field `csrf`, when the demo uses it.
    pub csrf: Option<String>,
    /// Back to [`crate::DemoHome`].
    pub home_url: String,
}

impl DemoDenied {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

impl DemoProblem {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

//! The demo's page of faults: what is set, and a button for each that can be.

use crate::demo::Note;
use crate::{Brand, filters, to_html};

/// Faults of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoFaultGroup {
    /// What they have in common.
    pub title: String,
    /// Which there are.
    pub faults: Vec<DemoFault>,
}

/// A fault that can be set. Its buttons post `fault` (with `concerns`, `times`, `milliseconds` and `csrf`) to `/demo/faults`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoFault {
    /// What it is.
    pub label: String,
    /// What will happen, in one sentence.
    pub explanation: String,
    /// Where, or in which of its ways: what a button says, and its value.
    pub choices: Vec<(String, String)>,
}

/// A fault that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoFaultSet {
    /// Its name and what is special about it.
    pub name: String,
    /// Whom it concerns.
    pub concerns: String,
    /// How often it fired.
    pub fired: u64,
    /// How often it still will.
    pub left: String,
}

/// The page of faults.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "demo/faults.html")]
pub struct DemoFaults {
    /// Whose sandbox this is.
    pub brand: Brand,
    /// What just happened.
    pub message: Option<Note>,
    /// What is set, in the order in which it was asked for.
    pub set: Vec<DemoFaultSet>,
    /// What can be set.
    pub groups: Vec<DemoFaultGroup>,
    /// Whom a fault can be for beside everybody: value and name.
    pub concerned: Vec<(String, String)>,
    /// For hidden fields `csrf`.
    pub csrf: String,
    /// The list of apps.
    pub home_url: String,
}

impl DemoFaults {
    /// The whole page.
    pub fn render(&self) -> String {
        to_html(self)
    }
}

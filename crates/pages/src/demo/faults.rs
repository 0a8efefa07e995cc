//! The demo's page of faults: what is set, and a button for each that can be.

use crate::demo::Note;
use crate::{Brand, filters, to_html};

/// A fault that can be set. The button posts `fault` (with `app`, `times` and `csrf`) to `/demo/faults`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoFault {
    /// The value of the button.
    pub value: String,
    /// What the button says.
    pub label: String,
    /// What will happen, in one sentence.
    pub explanation: String,
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
    pub faults: Vec<DemoFault>,
    /// The apps that a fault can be for: key and name.
    pub apps: Vec<(String, String)>,
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

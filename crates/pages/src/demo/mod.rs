//! The pages of the sandbox's demo integration: the app's side of the flow, with every message that went over the wire.
//!
//! Everything works without script: secrets are masked and revealed by `<details>`, every action is a form.

mod connection;
mod exchange;
mod faults;
mod home;
mod outcome;

pub use connection::{ConnectionState, DemoAction, DemoConnection};
pub use exchange::{Exchange, HttpMessage, Masked, Parameter};
pub use faults::{DemoFault, DemoFaultGroup, DemoFaultSet, DemoFaults};
pub use home::{DemoApp, DemoHome, DemoPerson};
pub use outcome::{DemoDenied, DemoProblem};

/// The tone of a note or a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Worth knowing.
    Info,
    /// It worked.
    Good,
    /// Look twice.
    Warn,
    /// It did not work; for a button: it takes something away.
    Bad,
}

impl Tone {
    /// The class of a note in the stylesheet.
    fn class(self) -> &'static str {
        match self {
            Tone::Info => "info",
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
        }
    }
}

/// What just happened, shown above the rest and announced by screen readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How it looks.
    pub tone: Tone,
    /// One or two sentences.
    pub text: String,
}

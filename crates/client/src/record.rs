//! One script of questions, sent to any authority: how what nobody wrote down about it becomes a fact.
//!
//! [`PROBES`] is what can be asked, [`record`] asks, [`Transcript`] is what came, [`differences`] compares two of them. Nothing here decides
//! how an app should behave, and nothing leaves a transcript that the redaction does not list: a value that is not on the
//! lists becomes a label, so that two equal values stay visibly equal and no secret can be read.

mod diff;
mod probes;
mod question;
mod redaction;
mod script;
mod transcript;
mod wrong_requests;

pub use diff::{Difference, differences};
pub use question::{Demand, PROBES, Probe, Question};
pub use script::{Asked, Callback, Choice, Consent, Recording, Telling, record};
pub use transcript::{AnswerShape, Recorded, RequestShape, Step, Transcript, Unreadable};

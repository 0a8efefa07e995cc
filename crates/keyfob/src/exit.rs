//! Exit codes by meaning, and how an error is told.

use std::fmt;
use std::process::ExitCode;

/// Why a command did not succeed. Anything else exits with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The input was refused.
    Refused = 3,
    /// What was named does not exist.
    NotFound = 4,
    /// Something unique is taken, or still in use.
    Conflict = 5,
    /// The store, or the other end, cannot be reached at the moment.
    Unavailable = 6,
    /// Only the user can help, by connecting again.
    Reconnect = 7,
    /// The user was asked and said no.
    Declined = 8,
}

/// An error with an exit code of its own.
#[derive(Debug)]
pub(crate) struct Stopped {
    exit: Exit,
    message: String,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Stopped {}

impl Exit {
    /// An error that exits with this code.
    pub(crate) fn because(self, message: impl Into<String>) -> anyhow::Error {
        Stopped { exit: self, message: message.into() }.into()
    }

    /// The code of an error that has one of its own.
    pub(crate) fn of(error: &anyhow::Error) -> Option<Exit> {
        error.downcast_ref::<Stopped>().map(|stopped| stopped.exit)
    }

    /// Tells the error on standard error and gives its code.
    #[expect(clippy::print_stderr, reason = "this is where a command talks to its user")]
    pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
        eprintln!("keyfob: {error:#}");
        let temporary = error.chain().filter_map(|cause| cause.downcast_ref::<keyfob_authority::Fault>());
        match error.downcast_ref::<Stopped>() {
            Some(stopped) => ExitCode::from(stopped.exit as u8),
            None if temporary.into_iter().any(|fault| fault.is_temporary()) => ExitCode::from(Exit::Unavailable as u8),
            None => ExitCode::FAILURE,
        }
    }
}

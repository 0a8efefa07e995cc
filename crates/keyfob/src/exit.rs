//! Exit codes by meaning, and how an error is told.

use keyfob_authority::Fault;
use keyfob_authority::store::StoreError;
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
    /// The store cannot be reached at the moment.
    Unavailable = 6,
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

    /// The code of an error that has one of its own. A store that fails in the middle of a command is as unavailable as one that cannot be
    /// opened, whether the command asked it or the law did.
    pub(crate) fn of(error: &anyhow::Error) -> Option<Exit> {
        let may_pass = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<Fault>().is_some_and(Fault::is_temporary)
                || matches!(cause.downcast_ref(), Some(StoreError::Unavailable(_)))
        };
        match error.downcast_ref::<Stopped>() {
            Some(stopped) => Some(stopped.exit),
            None => error.chain().any(may_pass).then_some(Exit::Unavailable),
        }
    }

    /// Tells the error on standard error and gives its code.
    #[expect(clippy::print_stderr, reason = "this is where a command talks to its user")]
    pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
        eprintln!("keyfob: {error:#}");
        Exit::of(error).map_or(ExitCode::FAILURE, |exit| ExitCode::from(exit as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_store_that_fails_under_a_command_is_unavailable_whoever_asked_it() {
        let down = || StoreError::Unavailable("it ended the connection".to_owned());
        let by_the_command: anyhow::Error = down().into();
        let by_the_law: anyhow::Error = Fault::from(down()).into();
        assert_eq!(Exit::of(&by_the_command), Some(Exit::Unavailable));
        assert_eq!(Exit::of(&by_the_law), Some(Exit::Unavailable));
        let told: Result<(), _> = Err(Fault::from(down()));
        assert_eq!(
            Exit::of(&told.context("the store cannot be read").expect_err("it is one")),
            Some(Exit::Unavailable)
        );
        assert_eq!(Exit::of(&StoreError::Broken("a row".to_owned()).into()), None);
        assert_eq!(Exit::of(&Exit::Conflict.because("taken")), Some(Exit::Conflict));
    }
}

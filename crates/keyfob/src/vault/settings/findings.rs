//! Everything that is wrong with a file, told at once: whoever corrects it runs the command once more, not once a line.

use crate::exit::Exit;

/// What was found so far.
#[derive(Default)]
pub(in crate::vault) struct Findings(Vec<anyhow::Error>);

impl Findings {
    /// The value, or its error kept for the end.
    pub(in crate::vault) fn keep<T>(&mut self, found: anyhow::Result<T>) -> Option<T> {
        found.map_err(|error| self.0.push(error)).ok()
    }

    pub(in crate::vault) fn refuse(&mut self, why: impl Into<String>) {
        self.0.push(Exit::Refused.because(why));
    }

    /// All of them, a line each. What is wrong in the file decides on the exit code: to try again later would not mend it.
    ///
    /// # Errors
    /// Something was found.
    pub(in crate::vault) fn end(mut self) -> anyhow::Result<()> {
        if self.0.len() < 2 {
            return self.0.pop().map_or(Ok(()), Err);
        }
        let codes: Vec<Option<Exit>> = self.0.iter().map(Exit::of).collect();
        let exit = if codes.iter().all(|code| *code == codes[0]) { codes[0] } else { Some(Exit::Refused) };
        let lines: Vec<String> = self.0.iter().map(|error| format!("{error:#}")).collect();
        Err(exit.unwrap_or(Exit::Refused).because(lines.join("\nkeyfob: ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_told_and_what_only_time_mends_is_told_apart() {
        let told = |errors: Vec<anyhow::Error>| {
            let mut findings = Findings::default();
            for error in errors {
                assert_eq!(findings.keep::<()>(Err(error)), None);
            }
            findings.end().map_err(|error| (Exit::of(&error), format!("{error:#}"))).err()
        };
        let (down, wrong) = (|| Exit::Unavailable.because("down"), || Exit::Refused.because("wrong"));
        assert_eq!(told(Vec::new()), None);
        assert_eq!(told(vec![down()]), Some((Some(Exit::Unavailable), "down".to_owned())));
        assert_eq!(told(vec![down(), down()]), Some((Some(Exit::Unavailable), "down\nkeyfob: down".to_owned())));
        assert_eq!(told(vec![down(), wrong()]), Some((Some(Exit::Refused), "down\nkeyfob: wrong".to_owned())));
    }
}

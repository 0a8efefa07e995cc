//! `keyfob vault import`: the words around `keyfob_vault::import`.

use crate::exit::Exit;
use crate::output;
use anyhow::Context as _;
use clap::Args;
use keyfob_vault::import::{Compared, Export, Importer, Line, Mapping, Outcome, Untried};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// More than a million connections.
const LARGEST: u64 = 1 << 30;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The export: JSON (an array, or one object a line) or CSV with a heading. `-` reads standard input.
    file: PathBuf,
    /// The app, by its name in the configuration, that the users have connected.
    #[arg(long)]
    pub(crate) app: String,
    /// Which column is which, where that cannot be told from its name: --map token=access_token
    #[arg(long, value_name = "COLUMN=NAME")]
    map: Vec<Mapping>,
    /// Read the file and say what would be done. Changes nothing and asks nobody.
    #[arg(long)]
    dry_run: bool,
}

/// Imports into the app's connections and reports line by line.
///
/// # Errors
/// The file cannot be read, or not every line is in the vault and works.
pub(crate) async fn run(args: ImportArgs, importer: &Importer, json: bool) -> anyhow::Result<()> {
    let bytes = read(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    if others_can_read(&args.file) {
        output::say(&format!(
            "keyfob: {} holds tokens, and every user of this machine can read it: chmod 600, and remove it when all is imported",
            args.file.display()
        ));
    }
    let mapping = args.map.into_iter().collect();
    let export = Export::read(&bytes, &mapping)
        .map_err(|error| Exit::Refused.because(format!("{}: {error}", args.file.display())))?;
    let mut lines = Vec::with_capacity(export.len());
    importer
        .run(export, args.dry_run, |line| {
            if !json {
                output::say(&sentence(&line));
            }
            lines.push(line);
        })
        .await;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    lines.iter().for_each(|line| *counts.entry(word(&line.outcome)).or_default() += 1);
    let document = json!({ "lines": lines.iter().map(document).collect::<Vec<_>>(), "counts": counts });
    output::data(json, &document, || {
        let counts = counts.iter().map(|(word, count)| format!("{count} {}", word.replace('_', " ")));
        counts.collect::<Vec<_>>().join(", ")
    })?;
    verdict(&lines)
}

fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = match file.to_str() {
        Some("-") => std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes)?,
        _ => std::fs::File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?,
    };
    match count as u64 > LARGEST {
        true => Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is larger than 1 GiB; split it")),
        false => Ok(bytes),
    }
}

#[cfg(unix)]
fn others_can_read(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &Path) -> bool {
    false
}

/// The outcome in one word, for programs.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Imported | Outcome::ImportedWithoutRefresh { .. } => "imported",
        Outcome::Locked => "account_locked",
        Outcome::WouldBeImported => "would_be_imported",
        Outcome::AlreadyThere(Compared::SamePerson) => "already_there_same_person",
        Outcome::AlreadyThere(Compared::NotCompared) => "already_there",
        Outcome::OtherPerson => "other_person",
        Outcome::Dead { .. } | Outcome::WithoutUse => "dead",
        Outcome::DeadThere { .. } => "already_there_dead",
        Outcome::NotVerified { .. } => "not_verified",
        Outcome::NotKept { .. } => "not_kept",
        Outcome::Repeated { .. } | Outcome::SameTokens { .. } | Outcome::SameTokensThere { .. } => "repeated",
        Outcome::Unreadable { .. } => "unreadable",
    }
}

/// Why, where there is more to say than the word.
fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Imported | Outcome::WouldBeImported | Outcome::AlreadyThere(Compared::SamePerson) => None,
        Outcome::AlreadyThere(Compared::NotCompared) => {
            Some("whose the line's tokens are was not asked: a dry run asks nobody, and a token that has ended cannot be asked with".to_owned())
        }
        Outcome::Locked => Some(
            "it is in the vault and kept alive; the API refuses everything with 403, so the account has expired or is locked"
                .to_owned(),
        ),
        Outcome::OtherPerson => Some("the connection of this name is somebody else's and was left as it is".to_owned()),
        Outcome::Dead { reason } | Outcome::NotVerified { reason } | Outcome::NotKept { reason } => {
            Some(reason.clone())
        }
        Outcome::WithoutUse => Some(
            "its access token is not good any more, and there is no refresh token; it was not kept".to_owned(),
        ),
        Outcome::DeadThere { reason, untried } => {
            let by_hand = "Its user connects again, or: DELETE /connections/APP/ID?local=true, and this again";
            let (why, next) = match untried {
                Untried::SameTokens => {
                    ("this line has the tokens that it died with, so they were not tried", by_hand)
                }
                Untried::OwnerUnknown => (
                    "whose tokens this line has cannot be asked, since its access token has ended or the API does not say, so they were not tried",
                    by_hand,
                ),
                // A DELETE would drop those tokens.
                Untried::StoppedJustNow => (
                    "it stopped working just now, and a node that could not write may still have newer tokens of it, so this line was not tried",
                    "Run this again in ten minutes",
                ),
                Untried::Declined => ("this line was not tried", by_hand),
            };
            Some(format!("the vault's connection of this name works no more ({reason}); {why}. {next}"))
        }
        Outcome::ImportedWithoutRefresh { until: Some(until) } => {
            Some(format!("it has no refresh token, so it ends with its access token, on {}", until.to_utc()))
        }
        Outcome::ImportedWithoutRefresh { until: None } => {
            Some("it has no refresh token, so it ends with its access token".to_owned())
        }
        Outcome::Repeated { first } => Some(format!("{first} has the same name")),
        Outcome::SameTokens { first } => {
            Some(format!("{first} has the same refresh token under another name; two connections would end each other"))
        }
        Outcome::SameTokensThere { id } => Some(format!(
            "the vault has the same refresh token as connection {id:?}; two connections would end each other"
        )),
        Outcome::Unreadable { column: Some(column), reason } => Some(format!("column {column}: {reason}")),
        Outcome::Unreadable { column: None, reason } => Some(reason.clone()),
    }
}

fn sentence(line: &Line) -> String {
    let name = line.id.as_deref().map(|id| format!(" {id:?}")).unwrap_or_default();
    let word = word(&line.outcome).replace('_', " ").replace("there same", "there, same");
    match reason(&line.outcome) {
        Some(reason) => format!("{}{name}: {word}: {reason}", line.place),
        None => format!("{}{name}: {word}", line.place),
    }
}

fn document(line: &Line) -> Value {
    json!({
        "place": line.place.to_string(),
        "id": line.id,
        "outcome": word(&line.outcome),
        "reason": reason(&line.outcome),
    })
}

/// What a script has to know: try again, look at the file, or nothing.
fn verdict(lines: &[Line]) -> anyhow::Result<()> {
    let count = |of: fn(&Outcome) -> bool| lines.iter().filter(|line| of(&line.outcome)).count();
    let later = count(is_for_later);
    let wrong = count(|outcome| {
        matches!(
            outcome,
            Outcome::Unreadable { .. }
                | Outcome::OtherPerson
                | Outcome::Repeated { .. }
                | Outcome::SameTokens { .. }
                | Outcome::SameTokensThere { .. }
        )
    });
    let dead = count(|outcome| {
        matches!(outcome, Outcome::Dead { .. } | Outcome::WithoutUse | Outcome::DeadThere { .. })
            && !is_for_later(outcome)
    });
    let parts = [
        (later, Exit::Unavailable, "could not be finished: run this again with the same file"),
        (wrong, Exit::Refused, "were left out: correct them and run this again"),
        (dead, Exit::Reconnect, "are dead: their users have to connect again"),
    ];
    let mut parts = parts.into_iter().filter(|(count, ..)| *count > 0).peekable();
    let Some((_, exit, _)) = parts.peek().copied() else { return Ok(()) };
    let told: Vec<String> = parts.map(|(count, _, what)| format!("{count} {what}")).collect();
    Err(exit.because(told.join("; ")))
}

/// Whether the next run may do what this one could not.
fn is_for_later(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::NotVerified { .. }
            | Outcome::NotKept { .. }
            | Outcome::DeadThere { untried: Untried::StoppedJustNow, .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_vault::import::Place;

    fn line(outcome: Outcome) -> Line {
        Line { place: Place::Line(7), id: Some("u".to_owned()), outcome }
    }

    #[test]
    fn each_line_says_what_became_of_it_and_why() {
        let unreadable =
            Outcome::Unreadable { column: Some("expires_at".to_owned()), reason: "this is no time".to_owned() };
        assert_eq!(sentence(&line(unreadable)), "line 7 \"u\": unreadable: column expires_at: this is no time");
        let there = Outcome::AlreadyThere(Compared::SamePerson);
        assert_eq!(sentence(&line(there)), "line 7 \"u\": already there, same person");
        assert_eq!(sentence(&line(Outcome::Imported)), "line 7 \"u\": imported");
        let ends = Outcome::ImportedWithoutRefresh { until: Some(keyfob_client::Timestamp(1_800_000_000)) };
        let told = "line 7 \"u\": imported: it has no refresh token, so it ends with its access token, on 2027-01-15T08:00:00Z";
        assert_eq!(sentence(&line(ends)), told);
        let same = sentence(&line(Outcome::SameTokens { first: Place::Line(3) }));
        assert!(same.starts_with("line 7 \"u\": repeated: line 3 has the same refresh token"), "{same}");
        let just_now = Outcome::DeadThere { reason: String::new(), untried: Untried::StoppedJustNow };
        let told = sentence(&line(just_now));
        assert!(told.contains("Run this again in ten minutes") && !told.contains("DELETE"), "{told}");
    }

    #[test]
    fn the_exit_code_says_what_to_do_next() {
        let code = |outcomes: Vec<Outcome>| {
            let lines: Vec<Line> = outcomes.into_iter().map(line).collect();
            verdict(&lines).err().and_then(|error| Exit::of(&error))
        };
        let (dead, later) = (Outcome::Dead { reason: String::new() }, Outcome::NotVerified { reason: String::new() });
        assert_eq!(code(vec![Outcome::Imported]), None);
        assert_eq!(code(vec![Outcome::Imported, dead.clone()]), Some(Exit::Reconnect));
        assert_eq!(code(vec![dead.clone(), Outcome::OtherPerson]), Some(Exit::Refused));
        assert_eq!(code(vec![Outcome::OtherPerson, later.clone()]), Some(Exit::Unavailable));
        let there = |untried| Outcome::DeadThere { reason: String::new(), untried };
        assert_eq!(code(vec![there(Untried::StoppedJustNow)]), Some(Exit::Unavailable));
        assert_eq!(code(vec![there(Untried::SameTokens)]), Some(Exit::Reconnect));
        let all = [Outcome::WithoutUse, Outcome::OtherPerson, later, Outcome::OtherPerson].map(line);
        let told = verdict(&all).expect_err("something is left to do").to_string();
        let parts = ["1 could not be finished", "2 were left out", "1 are dead"];
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    }
}

//! `keyfob explain`: says what is wrong with a message of the flow. Reads, prints, sends nothing; the knowledge is the client library's.

use crate::args::ExplainArgs;
use crate::exit::Exit;
use crate::output;
use anyhow::Context;
use keyfob_client::explain::{Authority, ExplainOptions, Explanation, Severity, explain};
use std::fmt::Write;
use std::io::Read;

/// Longest input that is read, in bytes; a token reply is a few kilobytes.
const MOST: u64 = 1024 * 1024;

/// Explains arguments, or standard input.
pub(crate) fn run(args: ExplainArgs, json: bool) -> anyhow::Result<()> {
    let mut inputs = args.inputs;
    if inputs.is_empty() || inputs == ["-"] {
        let mut text = Vec::new();
        std::io::stdin().take(MOST).read_to_end(&mut text).context("standard input")?;
        inputs = vec![String::from_utf8_lossy(&text).into_owned()];
    }
    if inputs.iter().all(|input| input.trim().is_empty()) {
        return Err(Exit::Refused.because(
            "nothing to explain: give a URL, a curl command or an answer, as an argument or on standard input",
        ));
    }
    let options = ExplainOptions { authority: args.authority.unwrap_or_default(), redirect_uri: args.redirect_uri };
    let explanation = explain(&inputs.iter().map(String::as_str).collect::<Vec<_>>(), &options);
    output::data(json, &explanation, || text(&explanation))?;
    let wrong = explanation.findings.iter().filter(|finding| finding.severity > Severity::Note).count();
    match wrong {
        0 => Ok(()),
        1 => Err(Exit::Refused.because("1 thing to correct")),
        wrong => Err(Exit::Refused.because(format!("{wrong} things to correct"))),
    }
}

/// The value of `--authority`.
pub(crate) fn authority(text: &str) -> Result<Authority, String> {
    match text {
        "followupboss" => Ok(Authority::FollowUpBoss),
        "keyfob" => Ok(Authority::Keyfob),
        url => match keyfob_client::safe_url::parse(url) {
            Ok(url) => Ok(Authority::At(url)),
            Err(error) => Err(format!("followupboss, keyfob or a URL: {error}")),
        },
    }
}

fn text(explanation: &Explanation) -> String {
    let mut text = String::new();
    let several = explanation.kinds.len() > 1;
    for (index, kind) in explanation.kinds.iter().enumerate() {
        let number = if several { format!("{}: ", index + 1) } else { String::new() };
        let _ = writeln!(text, "{number}This is {}.", kind.name());
        let mut findings = explanation.findings.iter().filter(|finding| finding.input == index).peekable();
        if findings.peek().is_none() {
            text.push_str("Nothing wrong found.\n");
        }
        let mut sound = true;
        for finding in findings {
            let severity = match finding.severity {
                Severity::Wrong => "wrong",
                Severity::Risky => "risky",
                Severity::Note => "note",
            };
            sound &= finding.severity == Severity::Note;
            let _ = writeln!(
                text,
                "\n{severity}  {} (byte {})\n    {}\n    instead: {}",
                finding.what, finding.at, finding.why, finding.write
            );
        }
        if sound && explanation.findings.iter().any(|finding| finding.input == index) {
            text.push_str("\nNothing wrong found.\n");
        }
        if let Some(Some(instead)) = explanation.instead.get(index) {
            let _ = writeln!(text, "\nWhole, corrected:\n{instead}");
        }
        if several {
            text.push('\n');
        }
    }
    text
}

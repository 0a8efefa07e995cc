//! `keyfob record`: asks an authority what nobody wrote down about it, and compares two recordings. The script, and what may stand in a transcript, is
//! the client library's; here are arguments, the person at the terminal, and files.

mod at_sandbox;
mod at_terminal;

use super::app_flags::AppFlags;
use super::authority::{Misnamed, NamedAuthority};
use super::input::Lines;
use super::opened::surroundings;
use crate::exit::Exit;
use crate::output;
use at_sandbox::SandboxConsent;
use at_terminal::TerminalConsent;
use clap::{Args, Subcommand};
use keyfob_client::record::{self, Consent, Difference, PROBES, Probe, Telling, Transcript};
use keyfob_client::{App, Surroundings};
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyfob record --questions
  keyfob record followupboss --sandbox http://127.0.0.1:4180 > sandbox.json     nobody is asked
  keyfob record followupboss --client-id ID --redirect-uri https://app.example.com/callback > ours.json
  keyfob record diff sandbox.json ours.json
Use a trial account and a user whose connection nobody needs: an authority may end it when the same user consents again.
The client secret comes from --client-secret-file, KEYFOB_CLIENT_SECRET or the first line of standard input; the system key from
--system-key-file or KEYFOB_SYSTEM_KEY. Exit code of diff: 0 nothing differs, 1 something does.")]
pub(crate) struct RecordArgs {
    #[command(subcommand)]
    command: Option<RecordCommand>,
    /// List the probes with their questions and send nothing.
    #[arg(long)]
    questions: bool,
    /// followupboss, keyfob, or the issuer of an authority that publishes its metadata (RFC 8414).
    #[arg(value_name = "AUTHORITY")]
    authority: Option<String>,
    /// With keyfob: its issuer.
    url: Option<String>,
    /// With followupboss: this sandbox in its place, which consents and moves its clock by itself.
    #[arg(long, value_name = "URL")]
    sandbox: Option<String>,
    /// The base of the API, the only place the token goes to. Needed with an issuer.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// The app's client id, else that of the environment (KEYFOB_CLIENT_ID). With --sandbox alone, the sandbox's own app is used.
    // Not read by the parser, which does not tell a flag from an export that was meant for another command.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    #[command(flatten)]
    app: AppFlags,
    /// As registered, byte for byte.
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<String>,
    /// Also the probes that wait for more than seconds, use up a rate limit or may end a connection.
    #[arg(long)]
    all: bool,
    /// Only this probe, whatever it demands; may be given again.
    #[arg(long, value_name = "PROBE", conflicts_with = "all", value_parser = probe)]
    only: Vec<&'static Probe>,
}

#[derive(Debug, Subcommand)]
enum RecordCommand {
    /// Say per question what two transcripts answer differently.
    Diff {
        /// A transcript.
        first: PathBuf,
        /// Another.
        second: PathBuf,
    },
}

/// Tells the person at the terminal.
struct Terminal;

impl Telling for Terminal {
    fn begins(&self, probe: &Probe) {
        output::say(&format!("keyfob: {}: sends {}", probe.id, probe.sends));
    }

    fn waits(&self, seconds: u32) {
        output::say(&format!("keyfob: waits {seconds} s"));
    }
}

pub(crate) async fn run(args: RecordArgs, json: bool) -> anyhow::Result<()> {
    if let Some(RecordCommand::Diff { first, second }) = &args.command {
        return diff(first, second, json);
    }
    if args.questions {
        return output::data(json, &PROBES, questions);
    }
    let Some(authority) = args.authority.clone() else {
        return Err(Exit::Refused.because("name the authority: keyfob record followupboss --client-id ID …"));
    };
    let sandbox = args.sandbox.clone();
    let named = NamedAuthority { authority, url: args.url.clone(), sandbox: sandbox.clone(), api: args.api.clone() };
    let authority = named.find(Misnamed::in_flags).await?;
    let mut lines = Lines::default();
    let (app, system, user) = match &sandbox {
        Some(sandbox) if args.client_id.is_none() && args.redirect_uri.is_none() => {
            at_sandbox::own_app(sandbox).await?
        }
        _ => {
            let (app, system) = (app(&args, &mut lines).await?, args.app.system()?);
            let user = match &sandbox {
                Some(sandbox) => at_sandbox::own_app(sandbox).await?.2,
                None => String::new(),
            };
            (app, system, user)
        }
    };
    let provider = args.app.applied(authority.provider(&app)?, system.as_ref())?;
    let outside = surroundings(&provider)?;
    let recording = match sandbox {
        Some(sandbox) => {
            let consent = SandboxConsent::new(sandbox, user, outside.transport.clone());
            let outside = Surroundings { pause: consent.clone(), ..outside };
            recorded((&provider, &app), &outside, consent.as_ref(), &args).await
        }
        None => {
            output::say("keyfob: the user who consents should be one of a trial account whose connection nobody needs");
            let consent = TerminalConsent::new(lines, &app.redirect_uri, provider.authorize_endpoint());
            recorded((&provider, &app), &outside, &consent, &args).await
        }
    };
    if !recording.unlisted_keys.is_empty() {
        let keys: Vec<String> = recording.unlisted_keys.iter().map(|key| format!("{key:?}")).collect();
        output::say(&format!("keyfob: keys that the transcript shows as <key:…>: {}", keys.join(", ")));
    }
    let unanswered = &recording.transcript.unanswered;
    for (question, why) in unanswered.iter().filter(|(_, why)| why.as_str() != "not asked") {
        output::say(&format!("keyfob: {question} is open: {why}"));
    }
    let pretty = serde_json::to_string_pretty(&recording.transcript)?;
    output::data(json, &recording.transcript, || pretty)?;
    match recording.transcript.answers.is_empty() {
        false => Ok(()),
        true => Err(Exit::Unavailable.because("no question was answered")),
    }
}

async fn recorded(
    at: (&keyfob_client::Provider, &App),
    outside: &Surroundings,
    consent: &dyn Consent,
    args: &RecordArgs,
) -> record::Recording {
    let chosen = |probe: &Probe| match args.only.is_empty() {
        true => args.all || !probe.is_asked_for(),
        false => args.only.contains(&probe),
    };
    record::record(at, outside, (consent, &Terminal), chosen).await
}

async fn app(args: &RecordArgs, lines: &mut Lines) -> anyhow::Result<App> {
    let client_id = args.client_id.clone().or_else(|| std::env::var("KEYFOB_CLIENT_ID").ok());
    let (Some(client_id), Some(redirect_uri)) = (client_id, args.redirect_uri.clone()) else {
        return Err(Exit::Refused.because("say which app: --client-id ID --redirect-uri URI, as registered"));
    };
    let client_secret = args.app.client_secret(lines).await?;
    Ok(App { client_id, client_secret, redirect_uri })
}

fn probe(name: &str) -> Result<&'static Probe, String> {
    let names = || PROBES.iter().map(|probe| probe.id).collect::<Vec<_>>().join(", ");
    PROBES.iter().find(|probe| probe.id == name).ok_or_else(|| format!("one of {}", names()))
}

fn questions() -> String {
    let mut text = String::new();
    for probe in PROBES {
        let demand = probe.demand;
        let mut marks = vec![match demand.consents {
            0 => "asks no user".to_owned(),
            1 => "1 consent".to_owned(),
            consents => format!("{consents} consents"),
        }];
        marks.extend((demand.waits > 0).then(|| format!("waits {} s", demand.waits)));
        marks.extend(demand.may_harm.then(|| "may end a connection or use up a rate limit".to_owned()));
        marks.extend(probe.is_asked_for().then(|| "only with --all or --only".to_owned()));
        let _ = writeln!(text, "{} ({})\n  sends {}", probe.id, marks.join("; "), probe.sends);
        for question in probe.questions {
            let _ = writeln!(text, "  {}: {}", question.id, question.asks);
        }
    }
    text
}

fn diff(first: &Path, second: &Path, json: bool) -> anyhow::Result<()> {
    let read = |path: &Path| {
        let text =
            std::fs::read(path).map_err(|error| Exit::NotFound.because(format!("{}: {error}", path.display())))?;
        Transcript::parse(&text).map_err(|error| Exit::Refused.because(format!("{}: {error}", path.display())))
    };
    let (first, second) = (read(first)?, read(second)?);
    let differences = record::differences(&first, &second);
    output::data(json, &json!({ "differences": differences }), || difference_text(&differences))?;
    match differences.len() {
        0 => Ok(()),
        1 => anyhow::bail!("1 question is answered differently"),
        count => anyhow::bail!("{count} questions are answered differently"),
    }
}

fn difference_text(differences: &[Difference]) -> String {
    let mut text = String::new();
    for Difference { question, asks, first, second } in differences {
        let told =
            |answer: &Option<serde_json::Value>| answer.as_ref().map_or("no answer".to_owned(), ToString::to_string);
        let asks = asks.unwrap_or("a question that this version does not know");
        let _ = writeln!(text, "{question}: {asks}\n  - {}\n  + {}", told(first), told(second));
    }
    if text.is_empty() { "Nothing differs.".to_owned() } else { text }
}

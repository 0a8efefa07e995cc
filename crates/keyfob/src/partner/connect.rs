//! `keyfob connect`: an attempt, the user's consent, the exchange, and who it was.
//!
//! The library writes nothing until it is known whose connection it is: a reconnect that comes back as somebody else must not take the place
//! of the first. Until then the tokens are in memory, and a crash there costs another consent, as a code that was never redeemed does.

use super::app_flags::AppFlags;
use super::authority::{Authority, Misnamed, NamedAuthority};
use super::callback::{Came, Waiting, pasted_query};
use super::failure;
use super::file_store::FileTokenStore;
use super::files::{StoreDir, check_name};
use super::input::{self, Lines};
use super::kept::{Kept, Place};
use super::loopback::{Loopback, Serving};
use super::opened::surroundings;
use super::{browser, connections};
use crate::exit::Exit;
use crate::output;
use clap::Args;
use keyfob_client::{
    ATTEMPT_LIFETIME, App, Attempt, AuthorizeOptions, BrowserSession, CallbackOutcome, ConnectionError, Connections,
    Prompt, Provider, ReadyExchange, Surroundings, safe_url,
};
use keyfob_protocol::entropy;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyfob connect followupboss --client-id ID --redirect-uri https://app.example.com/callback --system NAME
  keyfob connect keyfob https://id.example.com --client-id ID --redirect-uri http://127.0.0.1:8976/callback
  keyfob connect https://login.example.com --api https://api.example.com/v1 --client-id ID --public
The client secret comes from --client-secret-file, KEYFOB_CLIENT_SECRET or the first line of standard input; the system key from
--system-key-file or KEYFOB_SYSTEM_KEY. Exit code 8: the user declined.")]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    authority: NamedAuthority,
    /// The app's client id.
    #[arg(long, value_name = "ID", env = "KEYFOB_CLIENT_ID")]
    client_id: String,
    #[command(flatten)]
    app: AppFlags,
    /// As registered, byte for byte. Default: http://127.0.0.1/callback with a free port, for authorities that allow any port there.
    #[arg(long, value_name = "URI")]
    redirect_uri: Option<String>,
    /// A narrower scope than the app's default.
    #[arg(long)]
    scope: Option<String>,
    /// Make the user sign in, also where the browser has a session.
    #[arg(long)]
    login: bool,
    /// What to call the connection. The same name again replaces its tokens, if the same user consents. Default: after the authority.
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Paste the callback's address instead of listening for it. Follow Up Boss refuses redirects to this machine, so there it is the default.
    #[arg(long)]
    paste: bool,
    /// Print the address to open and open nothing.
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    store_dir: StoreDir,
}

/// What the end of the pasted lines means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AtEnd {
    /// Nothing comes any more.
    GiveUp,
    /// A browser may still bring the answer.
    WaitForBrowser,
}

/// How the answer comes back.
enum Return {
    Browser(Serving),
    Pasted,
}

pub(crate) async fn run(args: ConnectArgs, json: bool) -> anyhow::Result<()> {
    let files = args.store_dir.open()?;
    let authority = args.authority.clone().find(Misnamed::in_flags).await?;
    let name = args.name.clone().unwrap_or_else(|| authority.default_name());
    check_name(&name)?;
    let earlier = files.read(&name)?;
    if let Some(earlier) = &earlier {
        same_authority(earlier, &authority, &name)?;
    }
    // A directory that cannot be written to is better found out before the user is asked.
    drop(files.locked().await?);
    let mut lines = Lines::default();
    let system = args.app.system()?;
    let client_secret = args.app.client_secret(&mut lines).await?;
    let loopback = listen(&args, &authority).await?;
    let redirect_uri = match (&loopback, &args.redirect_uri) {
        (Some(loopback), _) => loopback.redirect_uri.clone(),
        (None, Some(redirect_uri)) => redirect_uri.clone(),
        (None, None) => {
            return Err(Exit::Refused.because("say where the answer goes: --redirect-uri URI, as registered"));
        }
    };
    let app = App { client_id: args.client_id.clone(), client_secret, redirect_uri };
    let provider = args.app.applied(authority.provider(&app)?, system.as_ref())?;
    let outside = surroundings(&provider)?;

    let ready = consent(&args, &provider, &app, loopback, &mut lines, &outside).await?;
    let App { client_id, client_secret, redirect_uri } = app.clone();
    let place = Place { authority, client_id, client_secret, redirect_uri, system };
    let store = Arc::new(FileTokenStore::new(files.clone(), place));
    let connections = Connections::new(provider, app, store, outside);
    let connection = connections.connect(&name, ready).await.map_err(|error| failure::of_connect(&error, &name))?;
    let (name, kept) = files.meant(Some(name))?;
    if kept.identity.is_none()
        && let Err(error) = connection.identity().await
    {
        output::say(&format!("keyfob: connected, but it is not known to whom: {}", explained(&error)));
    }
    output::data(json, &connections::document(&name, &kept), || connections::sentence(&name, &kept))
}

/// A listener, where the redirect URI leads to this machine and nobody wants to paste.
async fn listen(args: &ConnectArgs, authority: &Authority) -> anyhow::Result<Option<Loopback>> {
    let here = |uri: &str| Url::parse(uri).is_ok_and(|url| url.scheme() == "http" && safe_url::is_loopback(&url));
    let redirect_uri = match &args.redirect_uri {
        Some(uri) if here(uri) && authority.refuses_loopback() => {
            let message = "Follow Up Boss refuses a redirect URI on this machine; name the registered, public one and paste the address that the browser ends on";
            return Err(Exit::Refused.because(message));
        }
        Some(uri) if !args.paste && here(uri) => uri.as_str(),
        Some(_) => return Ok(None),
        None if args.paste || authority.pastes_by_default() => return Ok(None),
        None => "http://127.0.0.1/callback",
    };
    Loopback::bind(redirect_uri).await.map(Some)
}

/// Sends the user away and waits for what comes back.
async fn consent(
    args: &ConnectArgs,
    provider: &Provider,
    app: &App,
    loopback: Option<Loopback>,
    lines: &mut Lines,
    outside: &Surroundings,
) -> anyhow::Result<ReadyExchange> {
    let prompt = if args.login { Prompt::Login } else { Prompt::IfNeeded };
    let options = AuthorizeOptions { prompt, scope: args.scope.clone() };
    // There is one user here; the state alone tells attempts apart.
    let session = entropy::random::<32>(outside.entropy.as_ref())?;
    let session = BrowserSession::from_value(&keyfob_protocol::base62::encode(&session));
    let now = outside.clock.now();
    let Attempt { url, pending } =
        Attempt::begin_with(&options, provider, app, session, now, outside.entropy.as_ref())?;
    let waiting = Arc::new(Waiting::new(pending, session, outside.clock.clone()));
    output::say("keyfob: open this address and let the user decide:\n");
    output::say(url.expose());
    let mut back = match loopback {
        Some(loopback) => Return::Browser(loopback.serve(waiting.clone())),
        None => Return::Pasted,
    };
    match &back {
        Return::Browser(_) => output::say(&format!("\nkeyfob: waiting at {} for 15 minutes", app.redirect_uri)),
        Return::Pasted => output::say(&format!(
            "\nkeyfob: then paste the address of the page that the browser ends on (it begins with {}) and press Enter",
            app.redirect_uri
        )),
    }
    if !args.no_browser && matches!(back, Return::Browser(_)) && !browser::open(url.expose()) {
        output::say("keyfob: no browser could be opened from here; open the address yourself");
    }
    let lifetime = Duration::from_secs(ATTEMPT_LIFETIME.unsigned_abs());
    let answer = async {
        match &mut back {
            Return::Pasted => pasted(&waiting, lines, provider, app, AtEnd::GiveUp).await,
            Return::Browser(serving) => tokio::select! {
                came = serving.next() => Ok(came),
                // Where the browser is on another machine its address can be carried over by hand.
                came = pasted(&waiting, lines, provider, app, AtEnd::WaitForBrowser), if input::is_terminal() => came,
            },
        }
    };
    let came = match tokio::time::timeout(lifetime, answer).await {
        Ok(came) => came?,
        Err(_) => Err(CallbackOutcome::Expired),
    };
    if let Return::Browser(serving) = back {
        serving.finish().await;
    }
    came.map(|ready| *ready).map_err(|outcome| failure::of_callback(&outcome))
}

/// Reads lines until one ends the attempt.
async fn pasted(
    waiting: &Waiting,
    lines: &mut Lines,
    provider: &Provider,
    app: &App,
    at_end: AtEnd,
) -> anyhow::Result<Result<Box<ReadyExchange>, CallbackOutcome>> {
    let mut last = "nothing was pasted, so nothing was connected".to_owned();
    loop {
        let Some(line) = lines.next().await else {
            return match at_end {
                AtEnd::GiveUp => Err(Exit::Refused.because(last)),
                AtEnd::WaitForBrowser => std::future::pending().await,
            };
        };
        if line.trim().is_empty() {
            continue;
        }
        let why = match pasted_query(&line, &app.redirect_uri, provider.authorize_endpoint()) {
            Err(not) => not.0,
            Ok(query) => match waiting.take(&query) {
                Came::Answer(came) => return Ok(came),
                Came::Foreign(outcome) => failure::words_while_waiting(&outcome),
            },
        };
        output::say(&format!("keyfob: {why} Nothing was sent; paste again, or end with Ctrl-D."));
        last = format!("no callback of this attempt was pasted, so nothing was connected; the last one: {why}");
    }
}

fn explained(error: &ConnectionError) -> String {
    match error {
        ConnectionError::Unexpected { status: 403, .. } => {
            format!("{error}; the account may be locked or expired, connecting again does not change that")
        }
        _ => error.to_string(),
    }
}

/// A connection stays at its authority.
fn same_authority(earlier: &Kept, authority: &Authority, name: &str) -> anyhow::Result<()> {
    match earlier.place.authority.is_same(authority) {
        true => Ok(()),
        false => {
            let at = earlier.place.authority.described();
            Err(Exit::Conflict.because(format!("connection {name} is at {at}; choose another name by --as NAME")))
        }
    }
}

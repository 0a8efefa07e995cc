//! What a person reads when the sandbox has started.

use std::fmt::Write;

use super::{Addresses, Announcement};
use crate::seed::{AccountStatus, Seed};

/// Everything that is worth a line, in the order in which somebody new needs it.
pub(super) fn welcome(seed: &Seed, addresses: &Addresses, announcement: &Announcement, kept: bool) -> String {
    let mut text = String::new();
    write(&mut text, seed, addresses, announcement, kept).expect("invariant: a String takes every write");
    text
}

fn write(
    text: &mut String,
    seed: &Seed,
    addresses: &Addresses,
    announcement: &Announcement,
    kept: bool,
) -> std::fmt::Result {
    writeln!(text, "Keyfob sandbox: everything is made up, everybody knows the passwords.\n")?;
    writeln!(text, "  Open        {}", announcement.demo)?;
    writeln!(text, "  Authorize   {}/oauth/authorize", addresses.authority)?;
    writeln!(text, "  Token       {}/oauth/token", addresses.authority)?;
    writeln!(text, "  API         {}", announcement.api)?;
    let system = &announcement.system;
    writeln!(text, "\nSystem\n  X-System: {}\n  X-System-Key: {}", system.name, system.key)?;
    writeln!(text, "\nApps")?;
    for (app, announced) in seed.apps.iter().zip(&announcement.apps) {
        let policy = &announced.policy;
        let kind = if policy.public { ", public: PKCE, no secret" } else { "" };
        let state = if policy.state_at_token == "present" { ", state at the exchange" } else { "" };
        writeln!(text, "  {} ({}): {} refresh token{state}{kind}", app.key, app.name, policy.refresh)?;
        writeln!(text, "    client id      {}", announced.client_id)?;
        if let Some(secret) = &announced.client_secret {
            writeln!(text, "    client secret  {secret}")?;
        }
        for uri in &announced.redirect_uris {
            writeln!(text, "    redirect URI   {uri}")?;
        }
    }
    writeln!(text, "\nSign in as")?;
    let widest = announcement.users.iter().map(|user| user.email.len()).max().unwrap_or_default();
    for user in &announcement.users {
        let account = seed.accounts.iter().find(|account| account.id == user.account_id);
        let name = account.map(|account| account.name.as_str()).unwrap_or_default();
        let expired = account.is_some_and(|account| account.status == AccountStatus::Expired);
        let expired = if expired { " (subscription expired: the API answers 403)" } else { "" };
        writeln!(text, "  {:widest$}  {:<20}  {:<6}  {name}{expired}", user.email, user.password, user.role)?;
    }
    if let Some(owner) = seed.users.first() {
        writeln!(text, "  API key of the first (HTTP Basic, no password)  {}", owner.api_key.expose())?;
    }
    writeln!(text, "\nWithout a browser")?;
    writeln!(text, "  curl -s {}/sandbox/authorize -H 'Content-Type: application/json' \\", addresses.authority)?;
    let (app, announced) = (&seed.apps[0], &announcement.apps[0]);
    let url = format!(
        "{}/oauth/authorize?response_type={}&client_id={}&redirect_uri={}&state=s1",
        addresses.authority,
        app.dialect.response_type(),
        announced.client_id,
        announced.redirect_uris[0],
    );
    let user = &announcement.users[0].email;
    writeln!(text, "    -d '{{\"url\":\"{url}\",\"user\":\"{user}\",\"decision\":\"approve\"}}'")?;
    writeln!(
        text,
        "  The answer holds the redirect with the code. POST /sandbox/clock {{\"advance\":\"61m\"}} lets time pass."
    )?;
    writeln!(text, "\nUnlike Follow Up Boss, the sandbox takes http://localhost:PORT as a redirect URI.")?;
    let data = match kept {
        true => "The data is kept; the same --seed continues it.",
        false => "Nothing is kept; --data DIR keeps it. The credentials are the same at every start.",
    };
    writeln!(text, "{data}")
}

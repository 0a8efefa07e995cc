//! `keyfob account …`

use super::{changed, done, may_link, missing, not_named, one_of};
use crate::composition::authority::{Absent, Opened};
use crate::exit::Exit;
use crate::output::{self, table};
use clap::Subcommand;
use keyfob_authority::model::{Account, AccountId, AccountStatus};
use keyfob_authority::store::Replacement;
use keyfob_protocol::Timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add an account.
    Add {
        #[arg(long)]
        name: String,
        /// A short name, unique.
        #[arg(long)]
        domain: String,
    },
    /// List all accounts.
    List,
    /// Show one account.
    Show {
        /// Number or domain.
        account: String,
    },
    /// Change name or domain.
    Update {
        /// Number or domain.
        account: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        domain: Option<String>,
    },
    /// Join an account to the one that the platform, or the OpenID provider, knows by this id.
    Link {
        /// Number or domain.
        account: String,
        /// The platform's id, `account.id` in its assertions; or what `account_claim` has at an OpenID provider.
        #[arg(long)]
        external: String,
        /// Also where it is joined to another id of the platform's already.
        #[arg(long)]
        replace: bool,
    },
    /// Let its users sign in and be acted for again.
    Enable {
        /// Number or domain.
        account: String,
    },
    /// Suspend it: nothing is issued and its users' tokens are refused within a second.
    Disable {
        /// Number or domain.
        account: String,
    },
    /// Remove an account that has no users.
    Remove {
        /// Number or domain.
        account: String,
    },
}

impl Command {
    /// The first of its kind may begin the data.
    pub(crate) fn where_absent(&self) -> Absent {
        if matches!(self, Command::Add { .. }) { Absent::Make } else { Absent::Refuse }
    }
}

const TAKEN: &str = "an account with this domain exists already";

pub(crate) async fn run(command: Command, opened: &Opened, json: bool) -> anyhow::Result<()> {
    let (authority, now) = (&opened.authority, opened.now());
    match command {
        Command::Add { name, domain } => {
            let (name, domain) = (checked_name(name)?, checked_domain(domain)?);
            let account = Account {
                id: AccountId(0),
                name,
                domain,
                status: AccountStatus::Active,
                tokens_after: Timestamp(0),
                created_at: now,
                external: None,
                followed_at: None,
            };
            let id = done(authority.add_account(account, now).await?, "account", TAKEN)?;
            show(opened, AccountId(id), json).await
        }
        Command::List => {
            let accounts = opened.store.accounts().await?;
            output::data(json, &accounts, || table(&["ID", "STATUS", "DOMAIN", "NAME"], accounts.iter().map(row)))
        }
        Command::Show { account } => show(opened, find(opened, &account).await?.id, json).await,
        Command::Update { account, name, domain } => {
            let (name, domain) = (name.map(checked_name).transpose()?, domain.map(checked_domain).transpose()?);
            let read_at = opened.store.settings_version().await?;
            let account = find(opened, &account).await?;
            let id = account.id;
            let row =
                Account { name: name.unwrap_or(account.name), domain: domain.unwrap_or(account.domain), ..account };
            done(authority.update_account(Replacement { row, read_at }, now).await?, "account", TAKEN)?;
            show(opened, id, json).await
        }
        Command::Link { account, external, replace } => {
            let read_at = opened.store.settings_version().await?;
            let account = find(opened, &account).await?;
            let id = account.id.0;
            may_link("account", id, account.external.as_deref(), &external, replace)?;
            let row = Account { external: Some(external), ..account };
            let linked = authority.link_account(Replacement { row, read_at }, now).await?;
            done(linked, "account", "another account has this id of the platform")?;
            changed(json, "account", id, "linked")
        }
        Command::Enable { account } => {
            let id = find(opened, &account).await?.id;
            done(authority.set_account_enabled(id, true, now).await?, "account", TAKEN)?;
            changed(json, "account", id.0, "enabled")
        }
        Command::Disable { account } => {
            let id = find(opened, &account).await?.id;
            done(authority.set_account_enabled(id, false, now).await?, "account", TAKEN)?;
            changed(json, "account", id.0, "disabled")
        }
        Command::Remove { account } => {
            let id = find(opened, &account).await?.id;
            let in_use = "this account has users; remove them first, or disable the account";
            done(authority.remove_account(id, now).await?, "account", in_use)?;
            changed(json, "account", id.0, "removed")
        }
    }
}

/// By number or domain.
pub(super) async fn find(opened: &Opened, named: &str) -> anyhow::Result<Account> {
    let found = one_of(opened.store.accounts().await?, named, |account| (account.id.0, &account.domain));
    found.ok_or_else(|| not_named("account", named, "number or domain"))
}

fn checked_name(name: String) -> anyhow::Result<String> {
    match !name.trim().is_empty() && name.chars().count() <= 100 && !name.chars().any(char::is_control) {
        true => Ok(name),
        false => Err(Exit::Refused.because("a name has 1 to 100 characters and no control characters")),
    }
}

/// It stands in URLs.
fn checked_domain(domain: String) -> anyhow::Result<String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=63).contains(&domain.len()) && domain.bytes().all(fits) {
        true => Ok(domain),
        false => {
            Err(Exit::Refused.because(format!("{domain:?}: a domain has 1 to 63 small letters, digits and hyphens")))
        }
    }
}

async fn show(opened: &Opened, id: AccountId, json: bool) -> anyhow::Result<()> {
    let account = opened.store.account(id).await?.ok_or_else(|| missing("account"))?;
    output::data(json, &account, || row(&account).join("  "))
}

fn row(account: &Account) -> Vec<String> {
    let status = match account.status {
        AccountStatus::Active => "active",
        AccountStatus::Suspended => "suspended",
    };
    vec![account.id.to_string(), status.to_owned(), account.domain.clone(), account.name.clone()]
}

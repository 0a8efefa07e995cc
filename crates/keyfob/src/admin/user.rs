//! `keyfob user …`

use super::{changed, done, may_link, missing, password};
use crate::composition::authority::Opened;
use crate::exit::Exit;
use crate::output::{self, table};
use clap::{Subcommand, ValueEnum};
use keyfob_authority::model::{AccountId, Role, User, UserId, UserStatus};
use keyfob_authority::store::Replacement;
use keyfob_protocol::Timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a user. Their password is read from standard input.
    Add {
        /// The account's number.
        #[arg(long)]
        account: i64,
        #[arg(long)]
        email: String,
        #[arg(long)]
        name: String,
        #[arg(long, value_enum, default_value = "agent")]
        role: RoleName,
        /// They cannot sign in until `keyfob user password` gives them one.
        #[arg(long)]
        without_password: bool,
    },
    /// List users.
    List {
        /// Of this account only.
        #[arg(long)]
        account: Option<i64>,
    },
    /// Show one user.
    Show { id: i64 },
    /// Change name, e-mail or role.
    Update {
        id: i64,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        email: Option<String>,
        #[arg(long, value_enum)]
        role: Option<RoleName>,
    },
    /// Set a password, read from standard input.
    Password { id: i64 },
    /// Join a user to the one whom the platform, or the OpenID provider, knows by this id: from then on its login signs them in.
    Link {
        id: i64,
        /// The platform's id, the `sub` of its assertions; or that of an OpenID provider's ID tokens.
        #[arg(long)]
        external: String,
        /// Also where it is joined to another id of the platform's already.
        #[arg(long)]
        replace: bool,
    },
    /// Let them sign in and be acted for again.
    Enable { id: i64 },
    /// Nothing is issued and their tokens are refused within a second.
    Disable { id: i64 },
    /// Remove a user; apps can no longer act for them.
    Remove { id: i64 },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    Owner,
    Admin,
    Agent,
    Lender,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Owner => Role::Owner,
            RoleName::Admin => Role::Admin,
            RoleName::Agent => Role::Agent,
            RoleName::Lender => Role::Lender,
        }
    }
}

const TAKEN: &str = "a user with this e-mail address exists already";

pub(crate) async fn run(command: Command, opened: &Opened, json: bool) -> anyhow::Result<()> {
    let (authority, now) = (&opened.authority, opened.now());
    match command {
        Command::Add { account, email, name, role, without_password } => {
            opened.store.account(AccountId(account)).await?.ok_or_else(|| missing("account"))?;
            let email = checked_email(&email)?;
            if opened.store.user_by_email(&email).await?.is_some() {
                return Err(Exit::Conflict.because(TAKEN));
            }
            let password_hash = if without_password { None } else { Some(password::hashed(opened).await?) };
            let user = User {
                id: UserId(0),
                account: AccountId(account),
                email,
                name,
                role: role.into(),
                status: UserStatus::Active,
                password_hash,
                tokens_after: Timestamp(0),
                created_at: now,
                external: None,
                followed_at: None,
            };
            let id = done(authority.add_user(user, now).await?, "account", TAKEN)?;
            show(opened, UserId(id), json).await
        }
        Command::List { account } => {
            let users = opened.store.users(account.map(AccountId)).await?;
            output::data(json, &users, || {
                table(&["ID", "ACCOUNT", "STATUS", "ROLE", "E-MAIL", "NAME"], users.iter().map(row))
            })
        }
        Command::Show { id } => show(opened, UserId(id), json).await,
        Command::Update { id, name, email, role } => {
            let read_at = opened.store.settings_version().await?;
            let user = opened.store.user(UserId(id)).await?.ok_or_else(|| missing("user"))?;
            let email = email.map(|email| checked_email(&email)).transpose()?;
            let row = User {
                name: name.unwrap_or(user.name),
                email: email.unwrap_or(user.email),
                role: role.map_or(user.role, Role::from),
                ..user
            };
            done(authority.update_user(Replacement { row, read_at }, "changed", now).await?, "user", TAKEN)?;
            show(opened, UserId(id), json).await
        }
        Command::Password { id } => {
            opened.store.user(UserId(id)).await?.ok_or_else(|| missing("user"))?;
            let password_hash = Some(password::hashed(opened).await?);
            // Somebody may have typed for a minute; the user is read as they are now.
            let read_at = opened.store.settings_version().await?;
            let user = opened.store.user(UserId(id)).await?.ok_or_else(|| missing("user"))?;
            let row = User { password_hash, ..user };
            done(authority.update_user(Replacement { row, read_at }, "password set", now).await?, "user", TAKEN)?;
            changed(json, "user", id, "password set")
        }
        Command::Link { id, external, replace } => {
            let read_at = opened.store.settings_version().await?;
            let user = opened.store.user(UserId(id)).await?.ok_or_else(|| missing("user"))?;
            may_link("user", id, user.external.as_deref(), &external, replace)?;
            // Who signs in at the platform has no second way in.
            let row = User { external: Some(external), password_hash: None, ..user };
            let linked = authority.link_user(Replacement { row, read_at }, now).await?;
            done(linked, "user", "another user has this id of the platform")?;
            changed(json, "user", id, "linked")
        }
        Command::Enable { id } => {
            done(authority.set_user_enabled(UserId(id), true, now).await?, "user", TAKEN)?;
            changed(json, "user", id, "enabled")
        }
        Command::Disable { id } => {
            done(authority.set_user_enabled(UserId(id), false, now).await?, "user", TAKEN)?;
            changed(json, "user", id, "disabled")
        }
        Command::Remove { id } => {
            done(authority.remove_user(UserId(id), now).await?, "user", TAKEN)?;
            changed(json, "user", id, "removed")
        }
    }
}

/// E-mail addresses are compared in lower case; more than that only a message to them could tell.
fn checked_email(text: &str) -> anyhow::Result<String> {
    let email = text.trim().to_lowercase();
    let plausible = email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    match plausible && !email.contains(char::is_whitespace) && email.len() <= 254 {
        true => Ok(email),
        false => Err(Exit::Refused.because(format!("{text:?} is not an e-mail address"))),
    }
}

async fn show(opened: &Opened, id: UserId, json: bool) -> anyhow::Result<()> {
    let user = opened.store.user(id).await?.ok_or_else(|| missing("user"))?;
    output::data(json, &user, || row(&user).join("  "))
}

fn row(user: &User) -> Vec<String> {
    let status = match user.status {
        UserStatus::Active => "active",
        UserStatus::Disabled => "disabled",
    };
    vec![
        user.id.to_string(),
        user.account.to_string(),
        status.to_owned(),
        user.role.name().to_owned(),
        user.email.clone(),
        user.name.clone(),
    ]
}

//! `keyfob user …`

use super::{changed, done, may_link, missing, not_named, password};
use crate::composition::authority::Opened;
use crate::exit::Exit;
use crate::output::{self, table};
use clap::{Subcommand, ValueEnum};
use keyfob_authority::model::{Role, User, UserId, UserStatus};
use keyfob_authority::sign_in::SignInPlace;
use keyfob_authority::store::Replacement;
use keyfob_protocol::Timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a user. Their password is read from standard input.
    Add {
        /// The account's number or domain.
        #[arg(long)]
        account: String,
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
        /// Of this account (number or domain) only.
        #[arg(long)]
        account: Option<String>,
    },
    /// Show one user.
    Show {
        /// Number or e-mail address.
        user: String,
    },
    /// Change name, e-mail or role.
    Update {
        /// Number or e-mail address.
        user: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        email: Option<String>,
        #[arg(long, value_enum)]
        role: Option<RoleName>,
    },
    /// Set a password, read from standard input.
    Password {
        /// Number or e-mail address.
        user: String,
    },
    /// Join a user to the one whom the platform, or the OpenID provider, knows by this id: from then on its login signs them in.
    Link {
        /// Number or e-mail address.
        user: String,
        /// The platform's id, the `sub` of its assertions; or that of an OpenID provider's ID tokens.
        #[arg(long)]
        external: String,
        /// Also where it is joined to another id of the platform's already.
        #[arg(long)]
        replace: bool,
    },
    /// Let them sign in and be acted for again.
    Enable {
        /// Number or e-mail address.
        user: String,
    },
    /// Nothing is issued and their tokens are refused within a second.
    Disable {
        /// Number or e-mail address.
        user: String,
    },
    /// Remove a user; apps can no longer act for them.
    Remove {
        /// Number or e-mail address.
        user: String,
    },
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
            let account = super::account::find(opened, &account).await?.id;
            let email = checked_email(&email)?;
            if opened.store.user_by_email(&email).await?.is_some() {
                return Err(Exit::Conflict.because(TAKEN));
            }
            let password_hash = if without_password { None } else { Some(password::hashed(opened).await?) };
            let user = User {
                id: UserId(0),
                account,
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
            let account = match account {
                Some(account) => Some(super::account::find(opened, &account).await?.id),
                None => None,
            };
            let users = opened.store.users(account).await?;
            output::data(json, &users, || {
                table(&["ID", "ACCOUNT", "STATUS", "ROLE", "E-MAIL", "NAME"], users.iter().map(row))
            })
        }
        Command::Show { user } => show(opened, find(opened, &user).await?.id, json).await,
        Command::Update { user, name, email, role } => {
            let read_at = opened.store.settings_version().await?;
            let user = find(opened, &user).await?;
            let id = user.id;
            let email = email.map(|email| checked_email(&email)).transpose()?;
            let row = User {
                name: name.unwrap_or(user.name),
                email: email.unwrap_or(user.email),
                role: role.map_or(user.role, Role::from),
                ..user
            };
            done(authority.update_user(Replacement { row, read_at }, now).await?, "user", TAKEN)?;
            show(opened, id, json).await
        }
        Command::Password { user } => {
            let id = find(opened, &user).await?.id;
            let password_hash = Some(password::hashed(opened).await?);
            // Somebody may have typed for a minute; the user is read as they are now.
            let read_at = opened.store.settings_version().await?;
            let user = opened.store.user(id).await?.ok_or_else(|| missing("user"))?;
            let row = User { password_hash, ..user };
            done(authority.update_user(Replacement { row, read_at }, now).await?, "user", TAKEN)?;
            changed(json, "user", id.0, "password set")
        }
        Command::Link { user, external, replace } => {
            let read_at = opened.store.settings_version().await?;
            let user = find(opened, &user).await?;
            let id = user.id.0;
            may_link("user", id, user.external.as_deref(), &external, replace)?;
            // Who signs in at the platform has no second way in.
            let row = User { external: Some(external), password_hash: None, ..user };
            if matches!(authority.settings().sign_in, SignInPlace::Here) {
                output::say(
                    "note: people sign in with passwords here as long as there is no [sign_in.platform] or [sign_in.openid], and this one has none any more.",
                );
            }
            let linked = authority.link_user(Replacement { row, read_at }, now).await?;
            done(linked, "user", "another user has this id of the platform")?;
            changed(json, "user", id, "linked")
        }
        Command::Enable { user } => {
            let id = find(opened, &user).await?.id;
            done(authority.set_user_enabled(id, true, now).await?, "user", TAKEN)?;
            changed(json, "user", id.0, "enabled")
        }
        Command::Disable { user } => {
            let id = find(opened, &user).await?.id;
            done(authority.set_user_enabled(id, false, now).await?, "user", TAKEN)?;
            changed(json, "user", id.0, "disabled")
        }
        Command::Remove { user } => {
            let id = find(opened, &user).await?.id;
            done(authority.remove_user(id, now).await?, "user", TAKEN)?;
            changed(json, "user", id.0, "removed")
        }
    }
}

/// By number or e-mail address.
pub(super) async fn find(opened: &Opened, named: &str) -> anyhow::Result<User> {
    let found = match named.parse() {
        Ok(id) => opened.store.user(UserId(id)).await?,
        Err(_) => opened.store.user_by_email(&named.trim().to_lowercase()).await?,
    };
    found.ok_or_else(|| not_named("user", named, "number or e-mail address"))
}

/// The number of whoever is named. One that is given is taken as it is: it may be of somebody who was removed.
pub(super) async fn id(opened: &Opened, named: &str) -> anyhow::Result<UserId> {
    match named.parse() {
        Ok(number) => Ok(UserId(number)),
        Err(_) => Ok(find(opened, named).await?.id),
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

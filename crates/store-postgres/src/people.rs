//! Accounts and their users.

use keyfob_authority::model::{Account, AccountId, AccountStatus, Role, User, UserId, UserStatus};
use keyfob_authority::store::Administered;
use keyfob_protocol::Timestamp;
use tokio_postgres::Row;

use crate::administration::{added, changed, make_room};
use crate::columns::{get, is_storable, named, optional_time, seconds, time};
use crate::engine::{Engine, Fault, Session};

fn account_status_name(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "active",
        AccountStatus::Suspended => "suspended",
    }
}

pub(crate) fn account_status(text: &str) -> Result<AccountStatus, Fault> {
    named("accounts.status", text, [AccountStatus::Active, AccountStatus::Suspended], account_status_name)
}

fn user_status_name(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Disabled => "disabled",
    }
}

pub(crate) fn user_status(text: &str) -> Result<UserStatus, Fault> {
    named("users.status", text, [UserStatus::Active, UserStatus::Disabled], user_status_name)
}

macro_rules! select_accounts {
    ($place:literal) => {
        concat!(
            "SELECT id, name, domain, status, tokens_after, created_at, external, followed_at FROM accounts ",
            $place
        )
    };
}

pub(crate) async fn account(engine: &Engine, id: AccountId) -> Result<Option<Account>, Fault> {
    let row = engine.read_opt(select_accounts!("WHERE id = $1"), &[&id.0]).await?;
    row.as_ref().map(read_account).transpose()
}

pub(crate) async fn account_by_external(engine: &Engine, external: &str) -> Result<Option<Account>, Fault> {
    if !is_storable(external) {
        return Ok(None);
    }
    let row = engine.read_opt(select_accounts!("WHERE external = $1"), &[&external]).await?;
    row.as_ref().map(read_account).transpose()
}

pub(crate) async fn accounts(engine: &Engine) -> Result<Vec<Account>, Fault> {
    engine.long(select_accounts!("ORDER BY id"), &[]).await?.iter().map(read_account).collect()
}

fn read_account(row: &Row) -> Result<Account, Fault> {
    Ok(Account {
        id: AccountId(get(row, "id")?),
        name: get(row, "name")?,
        domain: get(row, "domain")?,
        status: account_status(get(row, "status")?)?,
        tokens_after: time(row, "tokens_after")?,
        created_at: time(row, "created_at")?,
        external: get(row, "external")?,
        followed_at: optional_time(row, "followed_at")?,
    })
}

pub(crate) async fn add_account(session: &Session, account: &Account) -> Result<Administered, Fault> {
    make_room(session, "SELECT setval('accounts_id_seq', GREATEST($1, last_value)) FROM accounts_id_seq", account.id.0)
        .await?;
    let rows = session
        .query(
            "INSERT INTO accounts (id, name, domain, status, tokens_after, created_at, external, followed_at) \
             VALUES (COALESCE(NULLIF($1::bigint, 0), nextval('accounts_id_seq')), $2, $3, $4, $5, $6, $7, $8) \
             ON CONFLICT DO NOTHING RETURNING id",
            &[
                &account.id.0,
                &account.name,
                &account.domain,
                &account_status_name(account.status),
                &account.tokens_after.0,
                &account.created_at.0,
                &account.external,
                &seconds(account.followed_at),
            ],
        )
        .await?;
    added(&rows)
}

pub(crate) async fn update_account(session: &Session, account: &Account) -> Result<Administered, Fault> {
    let said = session.query_opt("SELECT followed_at FROM accounts WHERE id = $1 FOR UPDATE", &[&account.id.0]).await?;
    if is_said_later(said.as_ref(), account.followed_at)? {
        return Ok(Administered::Outdated);
    }
    let rows = session
        .execute(
            "UPDATE accounts SET name = $2, domain = $3, status = $4, tokens_after = $5, created_at = $6, \
             external = $7, followed_at = $8 WHERE id = $1",
            &[
                &account.id.0,
                &account.name,
                &account.domain,
                &account_status_name(account.status),
                &account.tokens_after.0,
                &account.created_at.0,
                &account.external,
                &seconds(account.followed_at),
            ],
        )
        .await?;
    Ok(changed(account.id.0, rows))
}

/// Whether the platform's word was followed since the row was read. It is held meanwhile, for that is no administration.
fn is_said_later(said: Option<&Row>, read: Option<Timestamp>) -> Result<bool, Fault> {
    Ok(said.map(|row| optional_time(row, "followed_at")).transpose()?.flatten() > read)
}

macro_rules! follow {
    ($table:literal) => {
        concat!("UPDATE ", $table, " SET followed_at = $2 WHERE external = $1 AND coalesce(followed_at < $2, TRUE)")
    };
}

pub(crate) async fn follow_user(engine: &Engine, external: &str, said_at: Timestamp) -> Result<(), Fault> {
    engine.write_again(follow!("users"), &[&external, &said_at.0]).await.map(drop)
}

pub(crate) async fn follow_account(engine: &Engine, external: &str, said_at: Timestamp) -> Result<(), Fault> {
    engine.write_again(follow!("accounts"), &[&external, &said_at.0]).await.map(drop)
}

pub(crate) async fn remove_account(session: &Session, id: AccountId) -> Result<Administered, Fault> {
    if session.query_opt("SELECT 1 FROM users WHERE account = $1 LIMIT 1", &[&id.0]).await?.is_some() {
        return Ok(Administered::Conflict);
    }
    let rows = session.execute("DELETE FROM accounts WHERE id = $1", &[&id.0]).await?;
    Ok(changed(id.0, rows))
}

macro_rules! select_users {
    ($place:literal) => {
        concat!(
            "SELECT id, account, email, name, role, status, password_hash, tokens_after, created_at, external, followed_at \
             FROM users ",
            $place
        )
    };
}

pub(crate) async fn user(engine: &Engine, id: UserId) -> Result<Option<User>, Fault> {
    let row = engine.read_opt(select_users!("WHERE id = $1"), &[&id.0]).await?;
    row.as_ref().map(read_user).transpose()
}

pub(crate) async fn user_by_email(engine: &Engine, email: &str) -> Result<Option<User>, Fault> {
    if !is_storable(email) {
        return Ok(None);
    }
    let row = engine.read_opt(select_users!("WHERE email_folded = $1"), &[&email]).await?;
    row.as_ref().map(read_user).transpose()
}

pub(crate) async fn user_by_external(engine: &Engine, external: &str) -> Result<Option<User>, Fault> {
    if !is_storable(external) {
        return Ok(None);
    }
    let row = engine.read_opt(select_users!("WHERE external = $1"), &[&external]).await?;
    row.as_ref().map(read_user).transpose()
}

pub(crate) async fn users(engine: &Engine, account: Option<AccountId>) -> Result<Vec<User>, Fault> {
    let rows = match account {
        Some(account) => engine.long(select_users!("WHERE account = $1 ORDER BY id"), &[&account.0]).await?,
        None => engine.long(select_users!("ORDER BY id"), &[]).await?,
    };
    rows.iter().map(read_user).collect()
}

fn read_user(row: &Row) -> Result<User, Fault> {
    let roles = [Role::Lender, Role::Agent, Role::Admin, Role::Owner];
    Ok(User {
        id: UserId(get(row, "id")?),
        account: AccountId(get(row, "account")?),
        email: get(row, "email")?,
        name: get(row, "name")?,
        role: named("users.role", get(row, "role")?, roles, Role::name)?,
        status: user_status(get(row, "status")?)?,
        password_hash: get(row, "password_hash")?,
        tokens_after: time(row, "tokens_after")?,
        created_at: time(row, "created_at")?,
        external: get(row, "external")?,
        followed_at: optional_time(row, "followed_at")?,
    })
}

async fn account_exists(session: &Session, id: AccountId) -> Result<bool, Fault> {
    Ok(session.query_opt("SELECT 1 FROM accounts WHERE id = $1", &[&id.0]).await?.is_some())
}

pub(crate) async fn add_user(session: &Session, user: &User) -> Result<Administered, Fault> {
    if !account_exists(session, user.account).await? {
        return Ok(Administered::Missing);
    }
    make_room(session, "SELECT setval('users_id_seq', GREATEST($1, last_value)) FROM users_id_seq", user.id.0).await?;
    let rows = session
        .query(
            "INSERT INTO users (id, account, email, email_folded, name, role, status, password_hash, tokens_after, created_at, \
             external, followed_at) \
             VALUES (COALESCE(NULLIF($1::bigint, 0), nextval('users_id_seq')), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT DO NOTHING RETURNING id",
            &[
                &user.id.0,
                &user.account.0,
                &user.email,
                &user.email.to_lowercase(),
                &user.name,
                &user.role.name(),
                &user_status_name(user.status),
                &user.password_hash,
                &user.tokens_after.0,
                &user.created_at.0,
                &user.external,
                &seconds(user.followed_at),
            ],
        )
        .await?;
    added(&rows)
}

pub(crate) async fn update_user(session: &Session, user: &User) -> Result<Administered, Fault> {
    if !account_exists(session, user.account).await? {
        return Ok(Administered::Missing);
    }
    let said = session.query_opt("SELECT followed_at FROM users WHERE id = $1 FOR UPDATE", &[&user.id.0]).await?;
    if is_said_later(said.as_ref(), user.followed_at)? {
        return Ok(Administered::Outdated);
    }
    let rows = session
        .execute(
            "UPDATE users SET account = $2, email = $3, email_folded = $4, name = $5, role = $6, status = $7, \
             password_hash = $8, tokens_after = $9, created_at = $10, external = $11, followed_at = $12 WHERE id = $1",
            &[
                &user.id.0,
                &user.account.0,
                &user.email,
                &user.email.to_lowercase(),
                &user.name,
                &user.role.name(),
                &user_status_name(user.status),
                &user.password_hash,
                &user.tokens_after.0,
                &user.created_at.0,
                &user.external,
                &seconds(user.followed_at),
            ],
        )
        .await?;
    Ok(changed(user.id.0, rows))
}

pub(crate) async fn remove_user(session: &Session, id: UserId) -> Result<Administered, Fault> {
    let rows = session.execute("DELETE FROM users WHERE id = $1", &[&id.0]).await?;
    Ok(changed(id.0, rows))
}

//! Accounts and their users.

use keyfob_authority::model::{Account, AccountId, AccountStatus, Role, User, UserId, UserStatus};
use keyfob_authority::store::Administered;
use keyfob_protocol::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, Result, Row};

use crate::administration::changed;
use crate::columns::{named, optional_time, seconds, senseless, time};
use crate::whole_rows::Table;

fn account_status_name(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "active",
        AccountStatus::Suspended => "suspended",
    }
}

pub(crate) fn account_status(text: &str) -> Result<AccountStatus> {
    [AccountStatus::Active, AccountStatus::Suspended]
        .into_iter()
        .find(|status| account_status_name(*status) == text)
        .ok_or_else(|| senseless("accounts.status", text))
}

fn user_status_name(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Disabled => "disabled",
    }
}

pub(crate) fn user_status(text: &str) -> Result<UserStatus> {
    [UserStatus::Active, UserStatus::Disabled]
        .into_iter()
        .find(|status| user_status_name(*status) == text)
        .ok_or_else(|| senseless("users.status", text))
}

pub(crate) fn account(connection: &Connection, id: AccountId) -> Result<Option<Account>> {
    connection.prepare_cached("SELECT * FROM accounts WHERE id = ?")?.query_row([id.0], read_account).optional()
}

pub(crate) fn account_by_external(connection: &Connection, external: &str) -> Result<Option<Account>> {
    let sql = "SELECT * FROM accounts WHERE external = ?";
    connection.prepare_cached(sql)?.query_row([external], read_account).optional()
}

pub(crate) fn accounts(connection: &Connection) -> Result<Vec<Account>> {
    connection.prepare_cached("SELECT * FROM accounts ORDER BY id")?.query_map([], read_account)?.collect()
}

fn read_account(row: &Row<'_>) -> Result<Account> {
    Ok(Account {
        id: AccountId(row.get("id")?),
        name: row.get("name")?,
        domain: row.get("domain")?,
        status: account_status(row.get_ref("status")?.as_str()?)?,
        tokens_after: time(row, "tokens_after")?,
        created_at: time(row, "created_at")?,
        external: row.get("external")?,
        followed_at: optional_time(row, "followed_at")?,
    })
}

const ACCOUNTS: Table =
    Table { name: "accounts", columns: "name, domain, status, tokens_after, created_at, external, followed_at" };

fn account_row(account: &Account) -> impl Params {
    let Account { id, name, domain, status, tokens_after, created_at, external, followed_at } = account;
    let status = account_status_name(*status);
    (id.0, name, domain, status, tokens_after.0, created_at.0, external, seconds(*followed_at))
}

pub(crate) fn add_account(connection: &Connection, account: &Account) -> Result<Administered> {
    ACCOUNTS.add(connection, account_row(account))
}

pub(crate) fn update_account(connection: &Connection, account: &Account) -> Result<Administered> {
    match is_said_later(connection, "accounts", account.id.0, account.followed_at)? {
        true => Ok(Administered::Outdated),
        false => ACCOUNTS.replace(connection, account.id.0, account_row(account)),
    }
}

pub(crate) fn remove_account(connection: &Connection, id: AccountId) -> Result<Administered> {
    let rows = connection.execute(
        "DELETE FROM accounts WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM users WHERE account = ?1)",
        [id.0],
    )?;
    changed(connection, "accounts", id.0, rows)
}

pub(crate) fn user(connection: &Connection, id: UserId) -> Result<Option<User>> {
    connection.prepare_cached("SELECT * FROM users WHERE id = ?")?.query_row([id.0], read_user).optional()
}

pub(crate) fn user_by_email(connection: &Connection, email: &str) -> Result<Option<User>> {
    connection.prepare_cached("SELECT * FROM users WHERE email_folded = ?")?.query_row([email], read_user).optional()
}

pub(crate) fn user_by_external(connection: &Connection, external: &str) -> Result<Option<User>> {
    connection.prepare_cached("SELECT * FROM users WHERE external = ?")?.query_row([external], read_user).optional()
}

pub(crate) fn users(connection: &Connection, account: Option<AccountId>) -> Result<Vec<User>> {
    match account {
        Some(account) => connection
            .prepare_cached("SELECT * FROM users WHERE account = ? ORDER BY id")?
            .query_map([account.0], read_user)?
            .collect(),
        None => connection.prepare_cached("SELECT * FROM users ORDER BY id")?.query_map([], read_user)?.collect(),
    }
}

fn read_user(row: &Row<'_>) -> Result<User> {
    Ok(User {
        id: UserId(row.get("id")?),
        account: AccountId(row.get("account")?),
        email: row.get("email")?,
        name: row.get("name")?,
        role: named(row, "role", [Role::Lender, Role::Agent, Role::Admin, Role::Owner], Role::name)?,
        status: user_status(row.get_ref("status")?.as_str()?)?,
        password_hash: row.get("password_hash")?,
        tokens_after: time(row, "tokens_after")?,
        created_at: time(row, "created_at")?,
        external: row.get("external")?,
        followed_at: optional_time(row, "followed_at")?,
    })
}

const USERS: Table = Table {
    name: "users",
    columns: "account, email, email_folded, name, role, status, password_hash, tokens_after, created_at, external, followed_at",
};

fn user_row(user: &User) -> impl Params {
    let User { id, account, email, name, role, status, password_hash, tokens_after, created_at, external, followed_at } =
        user;
    let (folded, status, role) = (email.to_lowercase(), user_status_name(*status), role.name());
    let (tokens_after, created_at, followed_at) = (tokens_after.0, created_at.0, seconds(*followed_at));
    (id.0, account.0, email, folded, name, role, status, password_hash, tokens_after, created_at, external, followed_at)
}

pub(crate) fn add_user(connection: &Connection, user: &User) -> Result<Administered> {
    if account(connection, user.account)?.is_none() {
        return Ok(Administered::Missing);
    }
    USERS.add(connection, user_row(user))
}

pub(crate) fn update_user(connection: &Connection, user: &User) -> Result<Administered> {
    if account(connection, user.account)?.is_none() {
        return Ok(Administered::Missing);
    }
    match is_said_later(connection, "users", user.id.0, user.followed_at)? {
        true => Ok(Administered::Outdated),
        false => USERS.replace(connection, user.id.0, user_row(user)),
    }
}

/// Whether the platform's word was followed since the row was read.
fn is_said_later(connection: &Connection, table: &'static str, id: i64, read: Option<Timestamp>) -> Result<bool> {
    let sql = format!("SELECT followed_at FROM {table} WHERE id = ?");
    let said = connection.prepare_cached(&sql)?.query_row([id], |row| optional_time(row, "followed_at")).optional()?;
    Ok(said.flatten() > read)
}

const FOLLOW: &str = "SET followed_at = ?2 WHERE external = ?1 AND coalesce(followed_at < ?2, TRUE)";

pub(crate) fn follow_user(connection: &Connection, external: &str, said_at: Timestamp) -> Result<()> {
    connection.prepare_cached(&format!("UPDATE users {FOLLOW}"))?.execute((external, said_at.0)).map(drop)
}

pub(crate) fn follow_account(connection: &Connection, external: &str, said_at: Timestamp) -> Result<()> {
    connection.prepare_cached(&format!("UPDATE accounts {FOLLOW}"))?.execute((external, said_at.0)).map(drop)
}

pub(crate) fn remove_user(connection: &Connection, id: UserId) -> Result<Administered> {
    let rows = connection.execute("DELETE FROM users WHERE id = ?", [id.0])?;
    changed(connection, "users", id.0, rows)
}

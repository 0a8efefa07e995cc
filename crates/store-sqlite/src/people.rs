//! Accounts and their users.

use keyfob_authority::model::{Account, AccountId, AccountStatus, Role, User, UserId, UserStatus};
use keyfob_authority::store::Administered;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use crate::administration::{added, changed};
use crate::columns::{named, senseless, time};

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
    })
}

pub(crate) fn add_account(connection: &Connection, account: &Account) -> Result<Administered> {
    let rows = connection.execute(
        "INSERT INTO accounts (id, name, domain, status, tokens_after, created_at) \
         VALUES (NULLIF(?, 0), ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        params![
            account.id.0,
            account.name,
            account.domain,
            account_status_name(account.status),
            account.tokens_after.0,
            account.created_at.0
        ],
    )?;
    Ok(added(connection, rows))
}

pub(crate) fn update_account(connection: &Connection, account: &Account) -> Result<Administered> {
    let rows = connection.execute(
        "UPDATE OR IGNORE accounts SET name = ?2, domain = ?3, status = ?4, tokens_after = ?5, created_at = ?6 WHERE id = ?1",
        params![
            account.id.0,
            account.name,
            account.domain,
            account_status_name(account.status),
            account.tokens_after.0,
            account.created_at.0
        ],
    )?;
    changed(connection, "accounts", account.id.0, rows)
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
    })
}

pub(crate) fn add_user(connection: &Connection, user: &User) -> Result<Administered> {
    if account(connection, user.account)?.is_none() {
        return Ok(Administered::Missing);
    }
    let rows = connection.execute(
        "INSERT INTO users (id, account, email, email_folded, name, role, status, password_hash, tokens_after, created_at) \
         VALUES (NULLIF(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        params![
            user.id.0,
            user.account.0,
            user.email,
            user.email.to_lowercase(),
            user.name,
            user.role.name(),
            user_status_name(user.status),
            user.password_hash,
            user.tokens_after.0,
            user.created_at.0
        ],
    )?;
    Ok(added(connection, rows))
}

pub(crate) fn update_user(connection: &Connection, user: &User) -> Result<Administered> {
    if account(connection, user.account)?.is_none() {
        return Ok(Administered::Missing);
    }
    let rows = connection.execute(
        "UPDATE OR IGNORE users SET account = ?2, email = ?3, email_folded = ?4, name = ?5, role = ?6, status = ?7, \
         password_hash = ?8, tokens_after = ?9, created_at = ?10 WHERE id = ?1",
        params![
            user.id.0,
            user.account.0,
            user.email,
            user.email.to_lowercase(),
            user.name,
            user.role.name(),
            user_status_name(user.status),
            user.password_hash,
            user.tokens_after.0,
            user.created_at.0
        ],
    )?;
    changed(connection, "users", user.id.0, rows)
}

pub(crate) fn remove_user(connection: &Connection, id: UserId) -> Result<Administered> {
    let rows = connection.execute("DELETE FROM users WHERE id = ?", [id.0])?;
    changed(connection, "users", id.0, rows)
}

//! Who stands behind a grant, kept in memory: read with every grant, changed rarely.
//!
//! An entry is good while the settings version is the one it was read under. That version is read with the grant, in one
//! statement, so a change counts from its commit on, whichever process made it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use keyfob_authority::model::{AccountId, AccountStatus, Holder, UserId};
use keyfob_protocol::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row};

use crate::people;

/// Most holders kept, in 8 MiB; beyond them the memory starts anew.
const CAPACITY: usize = 114_688;

#[derive(Debug, Default)]
pub(crate) struct Holders {
    known: RwLock<HashMap<UserId, Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    version: i64,
    holder: Holder,
}

impl Holders {
    /// The holder as of `version`, the settings version that was read just now on this connection.
    pub(crate) fn holder(&self, connection: &Connection, user: UserId, version: i64) -> Result<Holder> {
        // No code of others runs under this lock, so a poisoned map is still a consistent one.
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&user).copied();
        if let Some(known) = known.filter(|known| known.version == version) {
            return Ok(known.holder);
        }
        // May be younger than `version`; then the next reader, who sees a later version, reads again.
        let holder = read(connection, user)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(user, Known { version, holder });
        Ok(holder)
    }
}

fn read(connection: &Connection, user: UserId) -> Result<Holder> {
    let holder = connection
        .prepare_cached(
            "SELECT u.status, u.tokens_after, a.id, a.status, a.tokens_after \
             FROM users u LEFT JOIN accounts a ON a.id = u.account WHERE u.id = ?",
        )?
        .query_row([user.0], |row| {
            let account = row.get::<_, Option<i64>>(2)?.map(|id| read_account(row, AccountId(id))).transpose()?;
            Ok(Holder {
                user: Some(people::user_status(row.get_ref(0)?.as_str()?)?),
                account,
                user_tokens_after: Timestamp(row.get(1)?),
                account_tokens_after: Timestamp(row.get::<_, Option<i64>>(4)?.unwrap_or(0)),
            })
        })
        .optional()?;
    Ok(holder.unwrap_or(Holder {
        user: None,
        account: None,
        user_tokens_after: Timestamp(0),
        account_tokens_after: Timestamp(0),
    }))
}

fn read_account(row: &Row<'_>, id: AccountId) -> Result<(AccountId, AccountStatus)> {
    Ok((id, people::account_status(row.get_ref(3)?.as_str()?)?))
}

//! Opening a database with a vault's tables: its first node makes keys, every later one must have the same master key.

use super::{Inside, keys};
use crate::store::data_keys::KeyError;
use crate::store::open::OpenError;
use crate::store::vault_id;
use keyfob_postgres::{Engine, Fault, Patience};
use std::sync::Arc;

/// A vault that is ours.
pub(super) struct Claimed {
    /// Whether this opening has made it.
    pub(super) is_new: bool,
    pub(super) id: String,
}

/// Makes the keys of a new vault, or checks ours against those of an old one.
pub(super) async fn claim_or_judge(engine: &Arc<Engine>, inside: &Arc<Inside>) -> Result<Claimed, OpenError> {
    // Before the tries, so that all of them name the vault alike.
    let id = vault_id::fresh(inside.entropy.as_ref()).map_err(KeyError::from)?;
    // In a task that nobody drops, so that the transaction is ended.
    let (engine, inside) = (Arc::clone(engine), Arc::clone(inside));
    let judged = tokio::spawn(async move {
        let mut patience = Patience::new();
        loop {
            match attempt(&engine, &inside, &id).await {
                // If the answer of the commit was lost, the next attempt finds a vault under our own key.
                Err(fault) => patience.after(fault).await?,
                outcome => return outcome,
            }
        }
    });
    let judged = judged.await.unwrap_or(Err(Fault::Panicked));
    judged.map_err(|fault| OpenError::Unavailable(fault.to_string()))?
}

/// `fresh` names the vault if it has no name yet.
async fn attempt(engine: &Engine, inside: &Inside, fresh: &str) -> Result<Result<Claimed, OpenError>, Fault> {
    let check = inside.keys.master().check();
    let transaction = engine.begin().await?;
    let session = transaction.session();
    let claim = "INSERT INTO vault (one, key_check) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
    let is_new = session.execute(claim, &[&check.as_slice()]).await? == 1;
    let judged: Result<(), KeyError> = match is_new {
        true => keys::add(session, inside).await?,
        false => {
            let found = session.query_opt("SELECT key_check FROM vault", &[]).await?;
            let found: Option<Vec<u8>> = found.map(|row| row.try_get(0)).transpose()?;
            match found.as_deref() == Some(&check) {
                true => current(session, inside).await?,
                false => Err(KeyError::OtherMasterKey),
            }
        }
    };
    if let Err(error) = judged {
        transaction.roll_back().await?;
        return Ok(Err(error.into()));
    }
    let id = named(session, fresh).await?;
    transaction.commit().await?;
    Ok(Ok(Claimed { is_new, id }))
}

/// The vault's id. One that was made before there were ids gets its own here, from the first node that opens it.
async fn named(session: &keyfob_postgres::Session, fresh: &str) -> Result<String, Fault> {
    const ID: &str = "SELECT id FROM vault WHERE id IS NOT NULL";
    if let Some(row) = session.query_opt(ID, &[]).await? {
        return Ok(row.try_get(0)?);
    }
    session.execute("UPDATE vault SET id = $1 WHERE id IS NULL", &[&fresh]).await?;
    let row = session.query_opt(ID, &[]).await?;
    row.map(|row| row.try_get(0)).transpose()?.ok_or_else(|| Fault::Statement("the vault has no row".to_owned()))
}

/// Whether the key that seals now is there and whole.
async fn current(session: &keyfob_postgres::Session, inside: &Inside) -> Result<Result<(), KeyError>, Fault> {
    let newest = "SELECT number, sealed FROM data_keys ORDER BY number DESC LIMIT 1";
    let Some(row) = session.query_opt(newest, &[]).await? else { return Ok(Err(KeyError::Missing(1))) };
    let number = super::number::<_, i64>("data_keys.number", row.try_get(0)?)?;
    Ok(inside.keys.learn(number, row.try_get(1)?).map(drop))
}

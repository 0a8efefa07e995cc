//! Many grants with their holders in one statement: what every refresh asks first. A statement costs the database more than a row does.

use std::collections::HashMap;

use keyfob_authority::store::HeldGrant;
use keyfob_protocol::token_name::GrantId;

use super::row;
use crate::engine::{Fault, Session, Work};

/// The work of the lanes that read.
pub(crate) struct HeldGrants;

impl Work for HeldGrants {
    type Job = GrantId;
    type Answer = Option<HeldGrant>;
    type Name = ();

    fn name(_: &GrantId) -> Option<()> {
        None
    }

    async fn run(session: &Session, jobs: &[GrantId]) -> Result<Vec<Option<HeldGrant>>, Fault> {
        let ids: Vec<&[u8]> = jobs.iter().map(|id| id.0.as_slice()).collect();
        let rows = session.query(SELECT, &[&ids]).await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            let held = HeldGrant { grant: row::read(row)?, holder: row::read_holder(row)? };
            found.insert(held.grant.id, held);
        }
        Ok(jobs.iter().map(|id| found.get(id).cloned()).collect())
    }
}

const SELECT: &str = concat!(
    "SELECT ",
    columns!(),
    ", u.status, u.tokens_after, a.id, a.status, a.tokens_after FROM unnest($1::bytea[]) AS w(id) JOIN grants g ON g.id = w.id \
     LEFT JOIN users u ON u.id = g.user_id LEFT JOIN accounts a ON a.id = u.account"
);

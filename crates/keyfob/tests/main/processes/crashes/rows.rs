//! The rows themselves, read beside the server: nothing half done.

use keyfob_protocol::token_name::GrantId;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags};
use std::collections::HashSet;
use std::hash::Hash;
use std::path::Path;

pub(super) struct Rows(Connection);

impl Rows {
    pub(super) fn open(database: &Path) -> Rows {
        Rows(Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE).expect("a database"))
    }

    /// Each grant agrees with its ledger and with the revocation feed; if `deeply`, the file with itself.
    pub(super) fn must_be_whole(&self, deeply: bool, when: &str) {
        if deeply {
            let found: String = self.0.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
            assert_eq!(found, "ok", "{when}");
        }
        // The stage of each grant, and how often the ledger says that it was approved, redeemed and ended.
        self.must_be_none(
            when,
            "SELECT hex(g.id) || ' stage ' || stage || ': ' || group_concat(kind)
             FROM grants g LEFT JOIN ledger l ON l.grant_id = g.id GROUP BY g.id
             HAVING sum(kind = 'consented') != 1 OR sum(kind = 'redeemed') > 1
                 OR (stage = 0 AND sum(kind IN ('redeemed', 'grant_ended')) != 0)
                 OR (stage = 1 AND (sum(kind = 'redeemed') != 1 OR sum(kind = 'grant_ended') != 0))
                 OR (stage = 2 AND sum(kind = 'grant_ended') != 1)",
        );
        // No entry without its grant, and none that says that the store went back or that an old token came.
        self.must_be_none(
            when,
            "SELECT kind || ' ' || coalesce(hex(grant_id), '') FROM ledger
             WHERE kind IN ('store_behind', 'healed', 'contested', 'code_reused', 'refresh_reused', 'code_burned')
                OR (grant_id IS NOT NULL AND grant_id NOT IN (SELECT id FROM grants))",
        );
        // Tokens that were taken back in the last half hour are in the feed.
        let ended = "SELECT g.id FROM grants g JOIN ledger l ON l.grant_id = g.id AND l.kind = 'redeemed'
                     WHERE stage = 2 AND ended_at > unixepoch() - 1800";
        let feed: HashSet<String> = self.all("SELECT id FROM revocations WHERE kind = 'grant'");
        for id in self.all::<[u8; 16]>(ended) {
            assert!(feed.contains(&GrantId(id).to_text()), "{when}: {} is not in the feed", GrantId(id));
        }
    }

    #[track_caller]
    fn must_be_none(&self, when: &str, query: &str) {
        let found: HashSet<String> = self.all(query);
        assert!(found.is_empty(), "{when}: {found:#?}");
    }

    fn all<T: FromSql + Eq + Hash>(&self, query: &str) -> HashSet<T> {
        let mut statement = self.0.prepare(query).expect("a query");
        let found = statement.query_map([], |row| row.get(0)).expect("rows");
        found.map(|row| row.expect("a value")).collect()
    }
}

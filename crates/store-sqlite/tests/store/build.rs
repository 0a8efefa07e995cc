//! Builders with valid defaults, and stores in directories that go away.

use keyfob_authority::model::{
    Account, AccountId, AccountStatus, ActiveGrant, App, AppId, AppPolicy, ApprovedGrant, Grant, GrantState, Role,
    System, SystemId, User, UserId, UserStatus,
};
use keyfob_authority::store::{GrantChange, GrantWrite};
use keyfob_protocol::redirect_uri::RegisteredRedirectUri;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Dialect, Timestamp};
use keyfob_store_sqlite::engine::Engine;
use keyfob_store_sqlite::{Options, SqliteStore};
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp(1_790_000_000);

/// A directory with a path for a database in it.
pub(crate) struct Place {
    directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn store(&self) -> SqliteStore {
        SqliteStore::open(self.file("keyfob.db"), &Options::default()).unwrap()
    }

    /// An engine with one table: `counters (name TEXT UNIQUE, value INTEGER)`.
    pub(crate) fn engine(&self, options: &Options) -> Engine {
        Engine::open(&self.file("engine.db"), options, |connection| {
            connection
                .execute_batch(
                    "CREATE TABLE IF NOT EXISTS counters (name TEXT NOT NULL UNIQUE, value INTEGER NOT NULL)",
                )
                .unwrap();
            Ok(())
        })
        .unwrap()
    }
}

pub(crate) fn id(number: u8) -> GrantId {
    GrantId::new(NOW, [number; 11])
}

pub(crate) fn approved(number: u8) -> Grant {
    Grant {
        id: id(number),
        app: AppId(1),
        user: UserId(1),
        root_key: 7,
        salt: [number; 16],
        dialect: Dialect::FollowUpBoss,
        scope: Scope::parse("people notes").unwrap(),
        created_at: NOW,
        state: GrantState::Approved(ApprovedGrant {
            code_expires_at: NOW.plus(900),
            redirect_uri: "https://app.example.com/callback?x=1".to_owned(),
            state_digest: Some([3; 16]),
            code_challenge: None,
        }),
    }
}

pub(crate) fn active(generation: u32, branch: u32) -> GrantState {
    GrantState::Active(ActiveGrant {
        generation,
        branch,
        parent_branch: 0,
        rotated_at: NOW,
        last_used_at: NOW,
        code: None,
    })
}

pub(crate) fn insert(nonce: u64, grant: Grant) -> GrantWrite {
    GrantWrite { nonce, what: GrantChange::Insert(grant), ledger: vec![], revocations: vec![] }
}

pub(crate) fn update(nonce: u64, id: GrantId, from: &GrantState, to: GrantState) -> GrantWrite {
    let what = GrantChange::Update { id, expected: from.version(), next: to };
    GrantWrite { nonce, what, ledger: vec![], revocations: vec![] }
}

pub(crate) fn account() -> Account {
    Account {
        id: AccountId(0),
        name: "Harbour Homes".to_owned(),
        domain: "harbour".to_owned(),
        status: AccountStatus::Active,
        tokens_after: Timestamp(0),
        created_at: NOW,
    }
}

pub(crate) fn user(account: i64) -> User {
    User {
        id: UserId(0),
        account: AccountId(account),
        email: "Olive.Owner@example.com".to_owned(),
        name: "Olive Owner".to_owned(),
        role: Role::Owner,
        status: UserStatus::Active,
        password_hash: Some("$argon2id$v=19$…".to_owned()),
        tokens_after: Timestamp(5),
        created_at: NOW,
    }
}

pub(crate) fn system() -> System {
    System { id: SystemId(0), name: "Acme".to_owned(), key_digest: [9; 32], enabled: true, created_at: NOW }
}

pub(crate) fn app(system: i64) -> App {
    App {
        id: AppId(0),
        system: SystemId(system),
        system_name: "Acme".to_owned(),
        name: "Acme Dialer".to_owned(),
        client_id: "acme-dialer".to_owned(),
        enabled: true,
        redirect_uris: vec![
            RegisteredRedirectUri::from_store("https://b.example.com/cb".to_owned()),
            RegisteredRedirectUri::from_store("https://a.example.com/cb".to_owned()),
        ],
        policy: AppPolicy { replay_window: 17, ..AppPolicy::default() },
        secrets: vec![],
        tokens_after: Timestamp(0),
        created_at: NOW,
        updated_at: NOW,
    }
}

//! Builders with valid defaults: a case states only what it is about.

use crate::model::{
    Account, AccountId, AccountStatus, ActiveGrant, App, AppId, AppPolicy, AppSecret, ApprovedGrant, Grant, GrantState,
    LedgerEntry, LedgerKind, Role, System, SystemId, User, UserId, UserStatus,
};
use crate::store::{Administered, Administration, GrantChange, GrantWrite, NewRevocation, Replacement, Store, Written};
use keyfob_protocol::redirect_uri::RegisteredRedirectUri;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::revocation::RevokedKind;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Dialect, Timestamp};

/// The time of every test.
pub const NOW: Timestamp = Timestamp(1_790_000_000);

/// The id of a test's grant: a higher number is a later grant.
pub fn id(number: u32) -> GrantId {
    let mut noise = [0; 11];
    noise[7..].copy_from_slice(&number.to_be_bytes());
    GrantId::new(NOW, noise)
}

/// A grant whose code is out.
pub fn approved(number: u32) -> Grant {
    Grant {
        id: id(number),
        app: AppId(1),
        user: UserId(1),
        root_key: 7,
        salt: [9; 16],
        dialect: Dialect::FollowUpBoss,
        scope: Scope::parse("people notes").unwrap(),
        resources: Resources::parse(["https://notes.example.com", "urn:example:people"]).unwrap(),
        created_at: NOW,
        state: GrantState::Approved(ApprovedGrant {
            code_expires_at: NOW.plus(900),
            redirect_uri: "https://app.example.com/callback?x=1".to_owned(),
            state_digest: Some([3; 16]),
            code_challenge: None,
        }),
    }
}

/// A state in which tokens are out.
pub fn active(generation: u32, branch: u32) -> GrantState {
    GrantState::Active(ActiveGrant {
        generation,
        branch,
        parent_branch: 0,
        rotated_at: NOW,
        last_used_at: NOW,
        code: None,
    })
}

/// The write that makes a grant.
pub fn insert(nonce: u64, grant: Grant) -> GrantWrite {
    GrantWrite { nonce, what: GrantChange::Insert(grant), ledger: vec![], revocations: vec![] }
}

/// The write that changes a grant.
pub fn update(nonce: u64, id: GrantId, from: &GrantState, to: GrantState) -> GrantWrite {
    let what = GrantChange::Update { id, expected: from.version(), next: to };
    GrantWrite { nonce, what, ledger: vec![], revocations: vec![] }
}

/// Writes what must win.
pub async fn win(store: &dyn Store, write: GrantWrite) {
    assert_eq!(store.write_grant(write).await.unwrap(), Written::Won);
}

/// A row to put in the place of the one that is there.
pub async fn replacing<T>(store: &dyn Store, row: T) -> Replacement<T> {
    Replacement { row, read_at: store.settings_version().await.unwrap() }
}

/// The grant as it is stored.
pub async fn stored(store: &dyn Store, number: u32) -> Grant {
    store.held_grant(id(number)).await.unwrap().unwrap().grant
}

/// The revocation of a grant.
pub fn revocation(grant: GrantId) -> NewRevocation {
    NewRevocation { kind: RevokedKind::Grant, id: grant.to_text(), not_before: NOW, until: NOW.plus(3600) }
}

/// A company.
pub fn account() -> Account {
    Account {
        id: AccountId(0),
        name: "Harbour Homes".to_owned(),
        domain: "harbour".to_owned(),
        status: AccountStatus::Active,
        tokens_after: Timestamp(0),
        created_at: NOW,
        external: None,
        followed_at: None,
    }
}

/// Its owner.
pub fn user(account: i64) -> User {
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
        external: None,
        followed_at: None,
    }
}

/// A partner.
pub fn system() -> System {
    System { id: SystemId(0), name: "Acme".to_owned(), key_digest: [9; 32], enabled: true, created_at: NOW }
}

/// An app of the partner.
pub fn app(system: i64) -> App {
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

/// A secret of an app.
pub fn secret(name: &str) -> AppSecret {
    AppSecret {
        id: 0,
        name: name.to_owned(),
        digest: [4; 32],
        created_at: NOW,
        expires_at: Some(NOW.plus(5)),
        last_used_at: None,
    }
}

/// One change with one entry in the ledger.
pub async fn administer(store: &dyn Store, change: Administration) -> Administered {
    let entry = LedgerEntry::new(NOW, LedgerKind::AppChanged);
    store.administer(change, vec![entry], vec![]).await.unwrap()
}

/// Adds one account, its owner, a system and its app, each with number 1.
pub async fn populate(store: &dyn Store) {
    assert_eq!(administer(store, Administration::AddAccount(account())).await, Administered::Done(1));
    assert_eq!(administer(store, Administration::AddUser(user(1))).await, Administered::Done(1));
    assert_eq!(administer(store, Administration::AddSystem(system())).await, Administered::Done(1));
    assert_eq!(administer(store, Administration::AddApp(app(1))).await, Administered::Done(1));
}

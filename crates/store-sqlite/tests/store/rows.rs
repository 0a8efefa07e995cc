//! What rarely changes, sessions, the ledger, revocations, the store's own row.

use keyfob_authority::model::{
    Account, AccountId, AccountStatus, App, AppId, AppSecret, LedgerEntry, LedgerKind, Session, SessionId, System,
    SystemId, User, UserId, UserStatus,
};
use keyfob_authority::store::{
    Administered, Administration, LedgerFilter, NewRevocation, SealedKey, Store as _, StoreIdentity, StoreTick, Written,
};
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::RevokedKind;
use keyfob_store_sqlite::SqliteStore;

use super::build::{NOW, account, app, approved, insert, system, user};

async fn administer(store: &SqliteStore, change: Administration) -> Administered {
    let entry = LedgerEntry::new(NOW, LedgerKind::AppChanged);
    store.administer(change, vec![entry], vec![]).await.unwrap()
}

async fn populated() -> SqliteStore {
    let store = SqliteStore::ephemeral().unwrap();
    assert_eq!(administer(&store, Administration::AddAccount(account())).await, Administered::Done(1));
    assert_eq!(administer(&store, Administration::AddUser(user(1))).await, Administered::Done(1));
    assert_eq!(administer(&store, Administration::AddSystem(system())).await, Administered::Done(1));
    assert_eq!(administer(&store, Administration::AddApp(app(1))).await, Administered::Done(1));
    store
}

fn secret(name: &str) -> AppSecret {
    AppSecret {
        id: 0,
        name: name.to_owned(),
        digest: [4; 32],
        created_at: NOW,
        expires_at: Some(NOW.plus(5)),
        last_used_at: None,
    }
}

#[tokio::test]
async fn what_was_added_is_read_back() {
    let store = populated().await;
    assert_eq!(store.settings_version().await.unwrap(), 4);
    let account = Account { id: AccountId(1), ..account() };
    assert_eq!(store.account(AccountId(1)).await.unwrap(), Some(account.clone()));
    assert_eq!(store.accounts().await.unwrap(), [account]);
    let user = User { id: UserId(1), ..user(1) };
    assert_eq!(store.user(UserId(1)).await.unwrap(), Some(user.clone()));
    assert_eq!(store.user_by_email("olive.owner@example.com").await.unwrap(), Some(user.clone()));
    assert_eq!(store.users(Some(AccountId(1))).await.unwrap(), [user]);
    assert_eq!(store.users(Some(AccountId(2))).await.unwrap(), []);
    let system = System { id: SystemId(1), ..system() };
    assert_eq!(store.system_by_name("Acme").await.unwrap(), Some(system.clone()));
    assert_eq!(store.systems().await.unwrap(), [system]);
    let app = App { id: AppId(1), ..app(1) };
    assert_eq!(store.app_by_client_id("acme-dialer").await.unwrap(), Some(app.clone()));
    assert_eq!(store.app(AppId(1)).await.unwrap(), Some(app.clone()));
    assert_eq!(store.apps(None).await.unwrap(), [app]);
    assert_eq!(store.apps(Some(SystemId(2))).await.unwrap(), []);
}

#[tokio::test]
async fn a_refused_change_leaves_nothing_and_raises_no_version() {
    let store = populated().await;
    let taken_secret = AppSecret { id: 1, ..secret("given") };
    assert_eq!(administer(&store, Administration::AddSecret(AppId(1), secret("first"))).await, Administered::Done(1));
    let before = (store.settings_version().await.unwrap(), store.ledger(LedgerFilter::default(), 100).await.unwrap());
    let conflicts = [
        Administration::AddAccount(account()),
        Administration::AddAccount(Account { id: AccountId(1), domain: "other".to_owned(), ..account() }),
        Administration::AddUser(User { email: "olive.OWNER@example.com".to_owned(), ..user(1) }),
        Administration::AddSystem(system()),
        Administration::AddApp(app(1)),
        // The app itself would do; the number of its secret is taken.
        Administration::AddApp(App { client_id: "other".to_owned(), secrets: vec![taken_secret], ..app(1) }),
        Administration::RemoveAccount(AccountId(1)),
        Administration::RemoveSystem(SystemId(1)),
    ];
    for change in conflicts {
        assert_eq!(administer(&store, change.clone()).await, Administered::Conflict, "{change:?}");
    }
    let missing = [
        Administration::UpdateAccount(Account { id: AccountId(9), ..account() }),
        Administration::AddUser(User { email: "new@example.com".to_owned(), ..user(9) }),
        Administration::UpdateUser(User { id: UserId(9), ..user(1) }),
        Administration::RemoveUser(UserId(9)),
        Administration::UpdateSystem(System { id: SystemId(9), ..system() }),
        Administration::RemoveSystem(SystemId(9)),
        Administration::AddApp(App { client_id: "other".to_owned(), ..app(9) }),
        Administration::UpdateApp(App { id: AppId(9), ..app(1) }),
        Administration::RemoveApp(AppId(9)),
        Administration::AddSecret(AppId(9), secret("no app")),
        Administration::ExpireSecret { app: AppId(2), secret: 1, at: NOW },
    ];
    for change in missing {
        assert_eq!(administer(&store, change.clone()).await, Administered::Missing, "{change:?}");
    }
    assert_eq!(
        before,
        (store.settings_version().await.unwrap(), store.ledger(LedgerFilter::default(), 100).await.unwrap())
    );
    assert_eq!(store.apps(None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_update_that_would_take_a_name_is_a_conflict() {
    let store = populated().await;
    let second = Account { domain: "second".to_owned(), ..account() };
    assert_eq!(administer(&store, Administration::AddAccount(second.clone())).await, Administered::Done(2));
    let clash = Account { id: AccountId(2), ..account() };
    assert_eq!(administer(&store, Administration::UpdateAccount(clash)).await, Administered::Conflict);
    let renamed = Account { id: AccountId(2), name: "Renamed".to_owned(), ..second };
    assert_eq!(administer(&store, Administration::UpdateAccount(renamed.clone())).await, Administered::Done(2));
    assert_eq!(store.account(AccountId(2)).await.unwrap(), Some(renamed));
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    let store = populated().await;
    assert_eq!(administer(&store, Administration::RemoveUser(UserId(1))).await, Administered::Done(1));
    assert_eq!(administer(&store, Administration::AddUser(user(1))).await, Administered::Done(2));
    assert_eq!(administer(&store, Administration::RemoveApp(AppId(1))).await, Administered::Done(1));
    assert_eq!(administer(&store, Administration::AddApp(app(1))).await, Administered::Done(2));
    let given = App { id: AppId(40), client_id: "given".to_owned(), ..app(1) };
    assert_eq!(administer(&store, Administration::AddApp(given)).await, Administered::Done(40));
}

#[tokio::test]
async fn several_secrets_live_side_by_side() {
    let store = populated().await;
    for (number, name) in (1..).zip(["blue", "green"]) {
        assert_eq!(
            administer(&store, Administration::AddSecret(AppId(1), secret(name))).await,
            Administered::Done(number)
        );
    }
    let expire = Administration::ExpireSecret { app: AppId(1), secret: 1, at: NOW.plus(60) };
    assert_eq!(administer(&store, expire).await, Administered::Done(1));
    let version = store.settings_version().await.unwrap();
    store.touch_secret(2, NOW.plus(7)).await.unwrap();
    assert_eq!(store.settings_version().await.unwrap(), version, "use is no change");
    // Replacing the app does not touch its secrets.
    assert_eq!(
        administer(&store, Administration::UpdateApp(App { id: AppId(1), enabled: false, ..app(1) })).await,
        Administered::Done(1)
    );
    let stored = store.app(AppId(1)).await.unwrap().unwrap();
    assert!(!stored.enabled);
    assert_eq!(
        stored.secrets,
        [
            AppSecret { id: 1, expires_at: Some(NOW.plus(60)), ..secret("blue") },
            AppSecret { id: 2, last_used_at: Some(NOW.plus(7)), ..secret("green") },
        ]
    );
}

#[tokio::test]
async fn a_grant_is_read_with_its_holder() {
    let store = populated().await;
    assert_eq!(store.write_grant(insert(1, approved(1))).await.unwrap(), Written::Won);
    let holder = store.held_grant(approved(1).id).await.unwrap().unwrap().holder;
    assert_eq!(holder.user, Some(UserStatus::Active));
    assert_eq!(holder.account, Some((AccountId(1), AccountStatus::Active)));
    assert_eq!((holder.user_tokens_after, holder.account_tokens_after), (Timestamp(5), Timestamp(0)));

    let suspended = Account { id: AccountId(1), status: AccountStatus::Suspended, tokens_after: NOW, ..account() };
    administer(&store, Administration::UpdateAccount(suspended)).await;
    let holder = store.held_grant(approved(1).id).await.unwrap().unwrap().holder;
    assert_eq!(holder.account, Some((AccountId(1), AccountStatus::Suspended)));
    assert_eq!((holder.user_tokens_after, holder.account_tokens_after), (Timestamp(5), NOW));

    administer(&store, Administration::RemoveUser(UserId(1))).await;
    let holder = store.held_grant(approved(1).id).await.unwrap().unwrap().holder;
    assert_eq!((holder.user, holder.account), (None, None));
}

#[tokio::test]
async fn sessions_come_and_go() {
    let store = SqliteStore::ephemeral().unwrap();
    let session = |number: u8| Session {
        id: SessionId([number; 32]),
        user: UserId(1),
        authenticated_at: NOW,
        last_seen_at: NOW.plus(number.into()),
    };
    let entry = LedgerEntry::new(NOW, LedgerKind::SignedIn);
    store.open_session(session(1), None, vec![entry.clone()]).await.unwrap();
    store.open_session(session(2), Some(session(1).id), vec![entry.clone()]).await.unwrap();
    assert_eq!(store.session(session(1).id).await.unwrap(), None);
    assert_eq!(store.session(session(2).id).await.unwrap(), Some(session(2)));
    store.touch_session(session(2).id, NOW.plus(50)).await.unwrap();
    assert_eq!(store.session(session(2).id).await.unwrap().unwrap().last_seen_at, NOW.plus(50));
    assert_eq!(store.sweep_rest(NOW.plus(50), NOW, NOW, 10).await.unwrap(), 0);
    assert_eq!(store.sweep_rest(NOW.plus(51), NOW, NOW, 10).await.unwrap(), 1);
    store.open_session(session(3), None, vec![]).await.unwrap();
    store.close_session(session(3).id, vec![LedgerEntry::new(NOW, LedgerKind::SignedOut)]).await.unwrap();
    assert_eq!(store.session(session(3).id).await.unwrap(), None);
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn the_ledger_is_read_newest_first_and_keeps_one_of_a_kind() {
    let store = SqliteStore::ephemeral().unwrap();
    let once = LedgerEntry {
        once: Some("refused/g1/expired/12".to_owned()),
        ..LedgerEntry::about(NOW, LedgerKind::Refused, &approved(1))
    };
    store.record(vec![once.clone(), once.clone()]).await.unwrap();
    store.record(vec![once.clone()]).await.unwrap();
    let other = LedgerEntry {
        user: Some(UserId(8)),
        app: Some(AppId(3)),
        account: Some(AccountId(4)),
        system: Some(SystemId(5)),
        ..LedgerEntry::new(NOW.plus(1), LedgerKind::SignedIn).with_detail("by password")
    };
    store.record(vec![other.clone()]).await.unwrap();
    let list = async |filter: LedgerFilter| store.ledger(filter, 10).await.unwrap();
    assert_eq!(list(LedgerFilter::default()).await, [other.clone(), once.clone()]);
    assert_eq!(list(LedgerFilter { grant: once.grant, ..LedgerFilter::default() }).await, std::slice::from_ref(&once));
    assert_eq!(
        list(LedgerFilter { user: Some(UserId(8)), ..LedgerFilter::default() }).await,
        std::slice::from_ref(&other)
    );
    assert_eq!(
        list(LedgerFilter { app: Some(AppId(3)), ..LedgerFilter::default() }).await,
        std::slice::from_ref(&other)
    );
    assert_eq!(list(LedgerFilter { app: Some(AppId(3)), grant: once.grant, user: once.user }).await, []);
    assert_eq!(store.sweep_rest(NOW, NOW, NOW.plus(1), 10).await.unwrap(), 1);
    assert_eq!(list(LedgerFilter::default()).await, [other]);
}

#[tokio::test]
async fn revocations_are_numbered_once_and_for_all() {
    let store = SqliteStore::ephemeral().unwrap();
    let revoke = async |kind, until| {
        let entry = NewRevocation { kind, id: "7".to_owned(), not_before: NOW, until };
        let change = Administration::AddAccount(Account { domain: format!("{kind:?}"), ..account() });
        store.administer(change, vec![], vec![entry]).await.unwrap();
    };
    let kinds = [RevokedKind::Grant, RevokedKind::Token, RevokedKind::App, RevokedKind::User, RevokedKind::Account];
    for (seconds, kind) in (0..).zip(kinds) {
        revoke(kind, NOW.plus(seconds)).await;
    }
    let all = store.revocations(0, 100).await.unwrap();
    assert_eq!(all.iter().map(|entry| entry.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(all.iter().map(|entry| entry.kind).collect::<Vec<_>>(), kinds);
    assert_eq!(store.revocations(2, 2).await.unwrap(), all[2..4]);
    assert_eq!(store.sweep_rest(NOW, NOW.plus(5), NOW, 100).await.unwrap(), 5);
    assert_eq!(store.revocations(0, 100).await.unwrap(), []);
    let entry = NewRevocation { kind: RevokedKind::Token, id: "8".to_owned(), not_before: NOW, until: NOW };
    store.administer(Administration::AddAccount(account()), vec![], vec![entry]).await.unwrap();
    assert_eq!(store.revocations(0, 100).await.unwrap()[0].number, 6);
}

#[tokio::test]
async fn a_store_is_claimed_once() {
    let store = SqliteStore::ephemeral().unwrap();
    let identity = StoreIdentity { issuer: "https://id.example.com".to_owned(), key_check: [2; 32], sandbox: true };
    let key = SealedKey {
        id: u32::MAX,
        purpose: "token".to_owned(),
        sealed: vec![1, 2, 3],
        created_at: NOW,
        retired_at: Some(NOW.plus(1)),
    };
    assert_eq!(store.identity().await.unwrap(), None);
    assert_eq!(store.claim(identity.clone(), vec![key.clone()]).await.unwrap(), Written::Won);
    let other = StoreIdentity { issuer: "https://other.example.com".to_owned(), ..identity.clone() };
    assert_eq!(store.claim(other, vec![SealedKey { id: 2, ..key.clone() }]).await.unwrap(), Written::Lost);
    assert_eq!(store.identity().await.unwrap(), Some(identity));
    assert_eq!(store.keys().await.unwrap(), [key]);
    assert_eq!(store.settings_version().await.unwrap(), 1);
}

#[tokio::test]
async fn the_tick_only_grows() {
    let store = SqliteStore::ephemeral().unwrap();
    assert_eq!(store.tick().await.unwrap(), StoreTick { tick: 0, at: Timestamp(0) });
    assert_eq!(store.raise_tick(NOW).await.unwrap(), StoreTick { tick: 1, at: NOW });
    assert_eq!(store.raise_tick(NOW.plus(60)).await.unwrap(), StoreTick { tick: 2, at: NOW.plus(60) });
    assert_eq!(store.tick().await.unwrap(), StoreTick { tick: 2, at: NOW.plus(60) });
    store.probe().await.unwrap();
    assert_eq!(store.tick().await.unwrap().tick, 2);
    administer(&store, Administration::AddAccount(account())).await;
    assert_eq!(store.tick().await.unwrap(), StoreTick { tick: 3, at: NOW.plus(60) }, "so does an administration");
}

//! Changes of what rarely changes: accounts, users, systems, apps, secrets.

use super::Place;
use super::build::{NOW, account, administer, app, populate, replacing, revocation, secret, system, user};
use crate::model::{
    Account, AccountId, App, AppId, AppSecret, LedgerEntry, LedgerKind, System, SystemId, User, UserId, UserStatus,
};
use crate::store::{Administered, Administration, LedgerFilter, Store};
use keyfob_protocol::token_name::GrantId;
use std::sync::Arc;
use tokio::task::JoinSet;

/// What was added is read back, by every way of reading it.
pub async fn what_was_added_is_read_back(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    assert_eq!(store.settings_version().await.unwrap(), 4);
    let account = Account { id: AccountId(1), ..account() };
    assert_eq!(store.account(AccountId(1)).await.unwrap(), Some(account.clone()));
    assert_eq!(store.accounts().await.unwrap(), [account]);
    let user = User { id: UserId(1), ..user(1) };
    assert_eq!(store.user(UserId(1)).await.unwrap(), Some(user.clone()));
    assert_eq!(store.user_by_email("olive.owner@example.com").await.unwrap(), Some(user.clone()));
    assert_eq!(store.users(Some(AccountId(1))).await.unwrap(), std::slice::from_ref(&user));
    assert_eq!(store.users(None).await.unwrap(), [user]);
    assert_eq!(store.users(Some(AccountId(2))).await.unwrap(), []);
    let system = System { id: SystemId(1), ..system() };
    assert_eq!(store.system_by_name("Acme").await.unwrap(), Some(system.clone()));
    assert_eq!(store.systems().await.unwrap(), [system]);
    let app = App { id: AppId(1), ..app(1) };
    assert_eq!(store.app_by_client_id("acme-dialer").await.unwrap(), Some(app.clone()));
    assert_eq!(store.app(AppId(1)).await.unwrap(), Some(app.clone()));
    assert_eq!(store.apps(None).await.unwrap(), std::slice::from_ref(&app));
    assert_eq!(store.apps(Some(SystemId(1))).await.unwrap(), [app]);
    assert_eq!(store.apps(Some(SystemId(2))).await.unwrap(), []);
    assert_eq!(store.account(AccountId(2)).await.unwrap(), None);
    assert_eq!(store.app(AppId(2)).await.unwrap(), None);
}

/// A conflict, or a row that is missing, undoes the whole change.
pub async fn a_refused_change_leaves_nothing_and_raises_no_version(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    let taken_secret = AppSecret { id: 1, ..secret("given") };
    assert_eq!(administer(&*store, Administration::AddSecret(AppId(1), secret("first"))).await, Administered::Done(1));
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
        assert_eq!(administer(&*store, change.clone()).await, Administered::Conflict, "{change:?}");
    }
    let missing = [
        Administration::UpdateAccount(replacing(&*store, Account { id: AccountId(9), ..account() }).await),
        Administration::RemoveAccount(AccountId(9)),
        Administration::AddUser(User { email: "new@example.com".to_owned(), ..user(9) }),
        Administration::UpdateUser(replacing(&*store, User { id: UserId(9), ..user(1) }).await),
        Administration::UpdateUser(replacing(&*store, User { id: UserId(1), ..user(9) }).await),
        Administration::RemoveUser(UserId(9)),
        Administration::UpdateSystem(replacing(&*store, System { id: SystemId(9), ..system() }).await),
        Administration::RemoveSystem(SystemId(9)),
        Administration::AddApp(App { client_id: "other".to_owned(), ..app(9) }),
        Administration::UpdateApp(replacing(&*store, App { id: AppId(9), ..app(1) }).await),
        Administration::RemoveApp(AppId(9)),
        Administration::AddSecret(AppId(9), secret("no app")),
        Administration::ExpireSecret { app: AppId(2), secret: 1, at: NOW },
        Administration::ExpireSecret { app: AppId(1), secret: 9, at: NOW },
    ];
    for change in missing {
        assert_eq!(administer(&*store, change.clone()).await, Administered::Missing, "{change:?}");
    }
    assert_eq!(
        before,
        (store.settings_version().await.unwrap(), store.ledger(LedgerFilter::default(), 100).await.unwrap())
    );
    assert_eq!(store.apps(None).await.unwrap().len(), 1);
}

/// Replacing a row keeps what is unique.
pub async fn an_update_that_would_take_a_name_is_a_conflict(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    let second = Account { domain: "second".to_owned(), ..account() };
    let Administered::Done(number) = administer(&*store, Administration::AddAccount(second.clone())).await else {
        panic!("a free name")
    };
    let id = AccountId(number);
    let clash = Account { id, ..account() };
    let clash = Administration::UpdateAccount(replacing(&*store, clash).await);
    assert_eq!(administer(&*store, clash).await, Administered::Conflict);
    let renamed = Account { id, name: "Renamed".to_owned(), ..second };
    let rename = Administration::UpdateAccount(replacing(&*store, renamed.clone()).await);
    assert_eq!(administer(&*store, rename).await, Administered::Done(number));
    assert_eq!(store.account(id).await.unwrap(), Some(renamed));
    for (clash, other) in [
        (Administration::AddSystem(System { name: "Other".to_owned(), ..system() }), "system"),
        (Administration::AddApp(App { client_id: "other".to_owned(), ..app(1) }), "app"),
        (Administration::AddUser(User { email: "other@example.com".to_owned(), ..user(1) }), "user"),
    ] {
        let Administered::Done(number) = administer(&*store, clash).await else { panic!("a free name: {other}") };
        let clash = match other {
            "system" => {
                Administration::UpdateSystem(replacing(&*store, System { id: SystemId(number), ..system() }).await)
            }
            "app" => Administration::UpdateApp(replacing(&*store, App { id: AppId(number), ..app(1) }).await),
            _ => Administration::UpdateUser(replacing(&*store, User { id: UserId(number), ..user(1) }).await),
        };
        assert_eq!(administer(&*store, clash).await, Administered::Conflict, "{other}");
    }
}

/// Whoever had not seen a change does not undo it.
pub async fn a_row_that_was_read_before_a_change_replaces_nothing(place: &impl Place) {
    let (store, other) = (place.open().await, place.open().await);
    populate(&*store).await;
    let renamed = replacing(&*store, User { id: UserId(1), name: "Renamed".to_owned(), ..user(1) }).await;
    let disabled = User { id: UserId(1), status: UserStatus::Disabled, ..user(1) };
    let disable = Administration::UpdateUser(replacing(&*other, disabled.clone()).await);
    assert_eq!(administer(&*other, disable).await, Administered::Done(1));
    let before = (store.settings_version().await.unwrap(), store.tick().await.unwrap());
    for _ in 0..2 {
        let rename = Administration::UpdateUser(renamed.clone());
        assert_eq!(administer(&*store, rename).await, Administered::Outdated);
    }
    assert_eq!((store.settings_version().await.unwrap(), store.tick().await.unwrap()), before);
    assert_eq!(store.user(UserId(1)).await.unwrap(), Some(disabled));
    let rename = Administration::UpdateUser(replacing(&*store, renamed.row.clone()).await);
    assert_eq!(administer(&*store, rename).await, Administered::Done(1));
    assert_eq!(store.user(UserId(1)).await.unwrap(), Some(renamed.row));
}

/// A grant outlives its user and its app, so a number must not come to mean somebody else.
pub async fn numbers_are_never_used_again(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    assert_eq!(administer(&*store, Administration::RemoveUser(UserId(1))).await, Administered::Done(1));
    assert_eq!(administer(&*store, Administration::AddUser(user(1))).await, Administered::Done(2));
    assert_eq!(administer(&*store, Administration::RemoveApp(AppId(1))).await, Administered::Done(1));
    assert_eq!(administer(&*store, Administration::AddApp(app(1))).await, Administered::Done(2));
}

/// A number that was given is taken as it is, and the store's own choice goes on after the highest.
pub async fn a_given_number_is_kept_and_later_ones_are_free(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    let given = App { id: AppId(40), client_id: "given".to_owned(), ..app(1) };
    assert_eq!(administer(&*store, Administration::AddApp(given)).await, Administered::Done(40));
    let chosen = App { client_id: "chosen".to_owned(), ..app(1) };
    assert_eq!(administer(&*store, Administration::AddApp(chosen)).await, Administered::Done(41));
    let below = App { id: AppId(20), client_id: "below".to_owned(), ..app(1) };
    assert_eq!(administer(&*store, Administration::AddApp(below)).await, Administered::Done(20));
    let chosen = App { client_id: "chosen again".to_owned(), ..app(1) };
    assert_eq!(administer(&*store, Administration::AddApp(chosen)).await, Administered::Done(42));
    assert_eq!(administer(&*store, Administration::RemoveApp(AppId(42))).await, Administered::Done(42));
    let secrets = vec![AppSecret { id: 7, ..secret("given") }, secret("chosen")];
    let with_secrets = App { client_id: "with secrets".to_owned(), secrets, ..app(1) };
    assert_eq!(administer(&*store, Administration::AddApp(with_secrets)).await, Administered::Done(43));
    let secrets = store.app(AppId(43)).await.unwrap().unwrap().secrets;
    assert_eq!(secrets.iter().map(|secret| secret.id).collect::<Vec<_>>(), [7, 8]);
}

/// Secrets are added, expired and touched one by one.
pub async fn several_secrets_live_side_by_side(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    for (number, name) in (1..).zip(["blue", "green"]) {
        let add = Administration::AddSecret(AppId(1), secret(name));
        assert_eq!(administer(&*store, add).await, Administered::Done(number));
    }
    let expire = Administration::ExpireSecret { app: AppId(1), secret: 1, at: NOW.plus(60) };
    assert_eq!(administer(&*store, expire).await, Administered::Done(1));
    let version = store.settings_version().await.unwrap();
    store.touch_secret(2, NOW.plus(7)).await.unwrap();
    assert_eq!(store.settings_version().await.unwrap(), version, "use is no change");
    // Replacing the app does not touch its secrets.
    let replace = replacing(&*store, App { id: AppId(1), enabled: false, ..app(1) }).await;
    let replace = Administration::UpdateApp(replace);
    assert_eq!(administer(&*store, replace).await, Administered::Done(1));
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

/// A removed app's secrets go with it, and only those.
pub async fn an_app_leaves_with_its_secrets(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    let other = App { client_id: "other".to_owned(), secrets: vec![secret("kept")], ..app(1) };
    assert_eq!(administer(&*store, Administration::AddApp(other)).await, Administered::Done(2));
    let add = Administration::AddSecret(AppId(1), secret("removed"));
    assert_eq!(administer(&*store, add).await, Administered::Done(2));
    assert_eq!(administer(&*store, Administration::RemoveApp(AppId(1))).await, Administered::Done(1));
    let apps = store.apps(None).await.unwrap();
    assert_eq!(apps.len(), 1);
    assert_eq!(apps[0].secrets, [AppSecret { id: 1, ..secret("kept") }]);
    let expire = Administration::ExpireSecret { app: AppId(1), secret: 2, at: NOW };
    assert_eq!(administer(&*store, expire).await, Administered::Missing);
}

/// The row, the settings version, the ledger and the revocations stand together.
pub async fn a_change_stands_with_its_records(place: &impl Place) {
    let store = place.open().await;
    let entry = LedgerEntry::new(NOW, LedgerKind::AccountChanged).with_detail("added");
    let revoked = revocation(GrantId([1; 16]));
    let change = Administration::AddAccount(account());
    let done = store.administer(change, vec![entry.clone()], vec![revoked.clone()]).await.unwrap();
    assert_eq!(done, Administered::Done(1));
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap(), std::slice::from_ref(&entry));
    assert_eq!(store.revocations(0, 10).await.unwrap()[0].id, revoked.id);
    let change = Administration::AddAccount(account());
    assert_eq!(store.administer(change, vec![entry.clone()], vec![revoked]).await.unwrap(), Administered::Conflict);
    assert_eq!(store.ledger(LedgerFilter::default(), 10).await.unwrap(), [entry]);
    assert_eq!(store.revocations(0, 10).await.unwrap().len(), 1);
    assert_eq!(store.settings_version().await.unwrap(), 1);
}

/// What is unique stays unique under concurrency, and every success is one version.
pub async fn sixteen_tasks_add_one_name_and_one_succeeds(place: &impl Place) {
    let stores = [place.open().await, place.open().await];
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let store: Arc<dyn Store> = Arc::clone(&stores[task % 2]);
        tasks.spawn(async move { administer(&*store, Administration::AddAccount(account())).await });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Administered::Done(_))).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Administered::Conflict).count(), 15, "{outcomes:?}");
    assert_eq!(stores[0].settings_version().await.unwrap(), 1);
    assert_eq!(stores[1].ledger(LedgerFilter::default(), 100).await.unwrap().len(), 1);
}

/// Strangers look things up by whatever they like; that is an answer and never a fault.
pub async fn a_text_that_nobody_could_have_stored_finds_nothing(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    let long = "x".repeat(100_000);
    for text in ["", "\0", "acme-dialer\0", "Acme\0", "olive.owner@example.com\0", "\u{10ffff}", "'; --", &long] {
        assert_eq!(store.app_by_client_id(text).await.unwrap(), None, "{text:?}");
        assert_eq!(store.user_by_email(text).await.unwrap(), None, "{text:?}");
        assert_eq!(store.system_by_name(text).await.unwrap(), None, "{text:?}");
    }
}

/// What the platform said last is kept, whatever arrives last; and who read a row before replaces it no more.
pub async fn the_platforms_word_only_grows_and_makes_what_was_read_outdated(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    let external = || Some("x-1".to_owned());
    let person = User { id: UserId(1), external: external(), ..user(1) };
    let company = Account { id: AccountId(1), external: external(), ..account() };
    let link = Administration::UpdateUser(replacing(&*store, person.clone()).await);
    assert_eq!(administer(&*store, link).await, Administered::Done(1));
    let link = Administration::UpdateAccount(replacing(&*store, company.clone()).await);
    assert_eq!(administer(&*store, link).await, Administered::Done(1));
    let before = store.settings_version().await.unwrap();
    for (said_at, followed_at) in [(NOW, NOW), (NOW.plus(-1), NOW), (NOW.plus(2), NOW.plus(2)), (NOW, NOW.plus(2))] {
        store.follow_user("x-1", said_at).await.unwrap();
        store.follow_account("x-1", said_at).await.unwrap();
        assert_eq!(store.user(UserId(1)).await.unwrap().unwrap().followed_at, Some(followed_at));
        assert_eq!(store.account(AccountId(1)).await.unwrap().unwrap().followed_at, Some(followed_at));
    }
    store.follow_user("nobody", NOW).await.unwrap();
    store.follow_account("nobody", NOW).await.unwrap();
    assert_eq!(store.settings_version().await.unwrap(), before, "no administration");
    for (followed_at, becomes) in [
        (None, Administered::Outdated),
        (Some(NOW), Administered::Outdated),
        (Some(NOW.plus(2)), Administered::Done(1)),
        (Some(NOW.plus(3)), Administered::Done(1)),
    ] {
        let person = User { followed_at, ..person.clone() };
        let company = Account { followed_at, ..company.clone() };
        let change = Administration::UpdateUser(replacing(&*store, person).await);
        assert_eq!(administer(&*store, change).await, becomes, "{followed_at:?}");
        let change = Administration::UpdateAccount(replacing(&*store, company).await);
        assert_eq!(administer(&*store, change).await, becomes, "{followed_at:?}");
    }
    assert_eq!(store.user(UserId(1)).await.unwrap().unwrap().followed_at, Some(NOW.plus(3)));
}

/// The platform's ids are unique per kind, and those without one do not collide.
pub async fn a_platforms_id_names_one_user_and_one_account(place: &impl Place) {
    let store = place.open().await;
    populate(&*store).await;
    assert_eq!(store.user_by_external("u-1").await.unwrap(), None);
    let external = || Some("u-1".to_owned());
    let company = Account { domain: "second".to_owned(), external: external(), ..account() };
    let Administered::Done(id) = administer(&*store, Administration::AddAccount(company.clone())).await else {
        panic!("a free id")
    };
    assert_eq!(store.account_by_external("u-1").await.unwrap(), Some(Account { id: AccountId(id), ..company.clone() }));
    let person = User { email: "second@example.com".to_owned(), external: external(), ..user(id) };
    let Administered::Done(number) = administer(&*store, Administration::AddUser(person.clone())).await else {
        panic!("a free id")
    };
    let stored = User { id: UserId(number), ..person.clone() };
    assert_eq!(store.user_by_external("u-1").await.unwrap(), Some(stored.clone()));
    assert_eq!(store.user(UserId(number)).await.unwrap(), Some(stored));
    assert_eq!(store.user_by_external("u-1\0").await.unwrap(), None);
    for clash in [
        Administration::AddAccount(Account { domain: "third".to_owned(), ..company }),
        Administration::AddUser(User { email: "third@example.com".to_owned(), ..person }),
        Administration::UpdateUser(replacing(&*store, User { id: UserId(1), external: external(), ..user(1) }).await),
        Administration::UpdateAccount(
            replacing(&*store, Account { id: AccountId(1), external: external(), ..account() }).await,
        ),
    ] {
        assert_eq!(administer(&*store, clash).await, Administered::Conflict);
    }
    let linked = User { id: UserId(1), external: Some("u-2".to_owned()), ..user(1) };
    let link = Administration::UpdateUser(replacing(&*store, linked.clone()).await);
    assert_eq!(administer(&*store, link).await, Administered::Done(1));
    assert_eq!(store.user_by_external("u-2").await.unwrap(), Some(linked));
}

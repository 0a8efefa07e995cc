//! Row BR-09 where the clock stands: who is disabled and enabled within one second keeps no token from before, and gets one that works.

use super::watched_store::WatchedStore;
use super::{Connected, HOUR, connect, connected, identity};
use keyfob_authority::model::{Account, AccountStatus, AppId, User, UserStatus};
use keyfob_authority::store::{Administered, Replacement, StoreError};
use keyfob_testkit::{START, TestApp, TestServer, TestServerOptions};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wide {
    App,
    User,
    Account,
}

const WIDE: [Wide; 3] = [Wide::App, Wide::User, Wide::Account];

/// One connection on a node whose clock stands.
struct Second {
    server: TestServer,
    app: TestApp,
    first: Connected,
}

impl Second {
    async fn begin() -> Second {
        let server = TestServer::start().await;
        let app = server.confidential_app("Listing Lantern").await;
        let first = connect(&server, &app).await;
        Second { server, app, first }
    }

    async fn set_enabled(&self, wide: Wide, enabled: bool) {
        let (authority, now, user) = (self.server.authority(), self.server.clock_now(), &self.server.owner.user);
        let done = match wide {
            Wide::App => authority.set_app_enabled(self.app.app.id, enabled, now).await,
            Wide::User => authority.set_user_enabled(user.id, enabled, now).await,
            Wide::Account => authority.set_account_enabled(user.account, enabled, now).await,
        };
        assert!(matches!(done.expect("no fault"), Administered::Done(_)));
    }

    async fn off_and_on(&self, wide: Wide) {
        self.set_enabled(wide, false).await;
        self.set_enabled(wide, true).await;
    }

    async fn another_token(&self) -> String {
        connected(&self.app.refresh(&self.server, &self.first.refresh_token).await).access_token
    }

    async fn identity(&self, access_token: &str) -> u16 {
        identity(&self.server, access_token).await
    }
}

#[tokio::test]
async fn br_09_each_disabling_of_a_second_refuses_all_tokens_before_it_and_none_after() {
    for wide in WIDE {
        let second = Second::begin().await;
        let mut before = vec![second.first.access_token.clone()];
        for _ in 0..3 {
            second.off_and_on(wide).await;
            for token in &before {
                assert_eq!(second.identity(token).await, 401, "{wide:?}");
            }
            let token = second.another_token().await;
            assert_eq!(second.identity(&token).await, 200, "{wide:?}");
            before.push(token);
        }
        let last = before.pop().expect("the last one");
        assert_eq!(second.server.clock_now(), START, "the clock stands");
        // As the seconds pass nothing of it changes, up to the end of all these tokens.
        for seconds in [1, 60, HOUR - 62] {
            second.server.clock.advance(seconds);
            second.server.doorway.gate.forget_expired();
            for token in &before {
                assert_eq!(second.identity(token).await, 401, "{wide:?}");
            }
            assert_eq!(second.identity(&last).await, 200, "{wide:?}");
        }
        second.server.clock.advance(1);
        assert_eq!(second.identity(&last).await, 401, "{wide:?}: an hour after its issue, to the second");
    }
}

#[tokio::test]
async fn br_09_a_token_issued_after_one_disabling_does_not_outlive_another_of_that_second() {
    for one in WIDE {
        for other in WIDE.into_iter().filter(|other| *other != one) {
            let second = Second::begin().await;
            for _ in 0..3 {
                second.off_and_on(one).await;
            }
            let between = second.another_token().await;
            assert_eq!(second.identity(&between).await, 200, "{one:?}");
            second.off_and_on(other).await;
            assert_eq!(second.identity(&between).await, 401, "{one:?}, then {other:?}");
            let after = second.another_token().await;
            assert_eq!(second.identity(&after).await, 200, "{one:?}, then {other:?}");
            second.set_enabled(one, false).await;
            assert_eq!(second.identity(&after).await, 401, "{one:?} again");
        }
    }
}

#[tokio::test]
async fn br_09_what_is_removed_keeps_no_token_of_that_second() {
    for wide in [Wide::App, Wide::User] {
        let second = Second::begin().await;
        second.off_and_on(wide).await;
        let token = second.another_token().await;
        assert_eq!(second.identity(&token).await, 200, "{wide:?}");
        let (authority, now) = (second.server.authority(), second.server.clock_now());
        let removed = match wide {
            Wide::App => authority.remove_app(second.app.app.id, now).await,
            _ => authority.remove_user(second.server.owner.user.id, now).await,
        };
        assert!(matches!(removed.expect("no fault"), Administered::Done(_)));
        assert_eq!(second.identity(&token).await, 401, "{wide:?}");
        let missing = authority.remove_app(AppId(4711), now).await.expect("no fault");
        assert_eq!(missing, Administered::Missing);
    }
}

#[tokio::test]
async fn br_09_no_number_of_disablings_dates_a_token_ahead_of_the_clock() {
    let second = Second::begin().await;
    for _ in 0..100 {
        second.off_and_on(Wide::User).await;
    }
    let answer = second.app.refresh_by_get(&second.server, &second.first.refresh_token).await;
    assert_eq!(answer.at("data.issued_at"), START.to_utc());
    assert_eq!(answer.at("data.expires_at"), START.plus(HOUR).to_utc());
    let token = answer.at("data.access_token");
    assert_eq!(second.identity(&token).await, 200, "at once, not when the clock has caught up");
    second.server.clock.advance(50);
    second.set_enabled(Wide::User, false).await;
    assert_eq!(second.identity(&token).await, 401);
}

#[tokio::test]
async fn br_09_a_node_that_has_not_heard_of_a_disabling_issues_nothing_that_lasts() {
    let (store, two) = WatchedStore::serve(TestServerOptions::default()).await;
    let one = store.another_node(&two).await;
    let app = one.confidential_app("Listing Lantern").await;
    let tokens = connect(&two, &app).await;
    // From here on the second node does not follow the store, and goes by what it has cached of the app.
    store.fail("settings_version", StoreError::Unavailable("no news".to_owned()));
    let disabled = one.authority().set_app_enabled(app.app.id, false, one.clock_now()).await.expect("no fault");
    assert!(matches!(disabled, Administered::Done(_)));
    for _ in 0..3 {
        one.clock.advance(1);
        let late = connected(&app.refresh(&two, &tokens.refresh_token).await).access_token;
        assert_eq!(identity(&one, &late).await, 401, "issued on old news");
    }
    let enabled = one.authority().set_app_enabled(app.app.id, true, one.clock_now()).await.expect("no fault");
    assert!(matches!(enabled, Administered::Done(_)));
    let token = connected(&app.refresh(&one, &tokens.refresh_token).await).access_token;
    assert_eq!(identity(&one, &token).await, 200, "issued on the news");
}

#[tokio::test]
async fn rf_10_who_had_not_seen_a_disabling_does_not_undo_it() {
    let second = Second::begin().await;
    let (server, now) = (&second.server, second.server.clock_now());
    let (store, authority) = (server.store(), server.authority());
    let read_at = store.settings_version().await.expect("no fault");
    let user = store.user(server.owner.user.id).await.expect("no fault").expect("a user");
    let account = store.account(user.account).await.expect("no fault").expect("an account");
    second.set_enabled(Wide::User, false).await;
    second.set_enabled(Wide::Account, false).await;

    let row = User { name: "Another Name".to_owned(), ..user.clone() };
    let updated = authority.update_user(Replacement { row, read_at }, now).await.expect("no fault");
    assert_eq!(updated, Administered::Outdated);
    let row = Account { name: "Another Name".to_owned(), ..account };
    let updated = authority.update_account(Replacement { row, read_at }, now).await.expect("no fault");
    assert_eq!(updated, Administered::Outdated);

    let stored = store.user(user.id).await.expect("no fault").expect("a user");
    assert_eq!((stored.status, stored.name), (UserStatus::Disabled, user.name));
    let account = store.account(user.account).await.expect("no fault").expect("an account");
    assert_eq!(account.status, AccountStatus::Suspended);
}

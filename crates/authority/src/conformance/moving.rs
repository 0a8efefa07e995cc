//! Moving: rows as plain values, and a move from one place to another of the same kind. Moves between kinds are beside the store that
//! knows both.

mod actors;

use super::Place;
use super::build::{NOW, account, administer, approved, id, insert, populate, replacing, stored, win};
use crate::model::{Account, AccountId, Session, SessionId, UserId};
use crate::moving::{Column, Kind, Mark, MoveError, Row, Rows, Side, TABLES, Table, Value};
use crate::open::OpenError;
use crate::store::{Administered, Administration, StoreError, Written};
pub use actors::{Faulty, Quiet, another, claimed, move_to, opener};
use actors::{move_named, whose};
use std::sync::atomic::Ordering;

/// Rows of a table with values that break careless code. They satisfy the schema and nothing else: no law could read them.
pub fn hostile_rows(table: &Table) -> Vec<Row> {
    (1..=6).map(|number| table.columns.iter().map(|column| hostile(table, *column, number)).collect()).collect()
}

fn hostile(table: &Table, column: Column, number: i64) -> Value {
    const REFERENCES: [&str; 3] = ["account", "system", "app"];
    // Also those that a plain index holds: it takes no large text.
    const UNIQUE: [&str; 8] = ["domain", "email_folded", "name", "client_id", "once", "external", "request_id", "what"];
    let is_key = column == table.key();
    let at = number as usize;
    if !is_key && number % 2 == 0 && is_nullable(table, column) {
        return Value::Null;
    }
    match column.kind {
        Kind::Bool => Value::Bool(number % 2 == 0),
        Kind::Int if is_key => Value::Int(number),
        Kind::Int if REFERENCES.contains(&column.name) => Value::Int(1),
        Kind::Int => Value::Int([0, -1, i64::MAX, i64::MIN, 1 << 53, 4_102_444_800][at % 6]),
        Kind::Blob if is_key => Value::Blob(vec![[0, 255, 127, 128, 1, 39][at % 6]; 16]),
        Kind::Blob => Value::Blob([vec![], vec![0; 3], vec![255; 1000], b"\\x00'".to_vec()][at % 4].clone()),
        Kind::Text => {
            let text =
                ["", "'; DROP TABLE grants; --", "é\u{301}\u{10FFFF}\u{202e}\"\\", "a\r\n\tb ", "{NULL}", "%s ? $1"];
            let text = text[at % 6];
            Value::Text(match UNIQUE.contains(&column.name) {
                true => format!("{text}{number}"),
                // More than a page of a move holds, in each table with a text.
                false if number == 3 => "x\u{1F511}".repeat(1 << 18),
                false => text.to_owned(),
            })
        }
    }
}

fn is_nullable(table: &Table, column: Column) -> bool {
    match table.name {
        "grants" => !["stage", "generation", "branch", "parent_branch", "nonce", "app", "user_id", "root_key", "salt"]
            .into_iter()
            .chain(["dialect", "scope", "resources", "created_at"])
            .any(|name| name == column.name),
        "ledger" => !["at", "kind", "detail"].contains(&column.name),
        _ => ["password_hash", "expires_at", "last_used_at", "retired_at", "resource", "external", "followed_at"]
            .contains(&column.name),
    }
}

/// Empty, huge and quoted texts, all kinds of numbers and bytes, and nothing at all.
pub async fn values_that_break_careless_code_arrive_as_they_left(place: &impl Place) {
    let to = another(place).await;
    claimed(place).await;
    let source = place.rows().await;
    source.clear().await.unwrap();
    for table in TABLES {
        source.add(table, hostile_rows(table)).await.unwrap();
    }
    let target = to.rows().await;
    let moved = move_to(&*source, &*target, false).await.unwrap();
    assert_eq!(moved.tables.len(), TABLES.len());
    for table in TABLES {
        let mut expected = hostile_rows(table);
        expected.sort_by(|one, other| match (&one[0], &other[0]) {
            (Value::Int(one), Value::Int(other)) => one.cmp(other),
            (Value::Blob(one), Value::Blob(other)) => one.cmp(other),
            keys => panic!("{keys:?}"),
        });
        assert!(all(&*target, table, 1000).await == expected, "{} is not as it left", table.name);
    }
}

async fn all(rows: &dyn Rows, table: &'static Table, limit: u32) -> Vec<Row> {
    let mut found: Vec<Row> = Vec::new();
    loop {
        let after = found.last().map(|row| row[0].clone());
        let page = rows.rows(table, after, limit).await.unwrap();
        assert!(page.len() <= limit as usize);
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

/// However large the pages, all rows come, once and in order.
pub async fn rows_come_in_pages_and_in_the_order_of_their_keys(place: &impl Place) {
    let rows = place.rows().await;
    for table in TABLES.iter().filter(|table| ["sessions", "accounts", "revocations"].contains(&table.name)) {
        assert_eq!(rows.last_key(table).await.unwrap(), None);
        let mut hostile = hostile_rows(table);
        hostile.reverse();
        rows.add(table, hostile).await.unwrap();
        let whole = all(&*rows, table, 1000).await;
        assert_eq!(whole.len(), 6);
        assert_eq!(rows.count(table).await.unwrap(), 6);
        assert_eq!(rows.last_key(table).await.unwrap().as_ref(), whole.last().map(|row| &row[0]));
        for limit in [1, 2, 5] {
            assert!(all(&*rows, table, limit).await == whole, "{} in pages of {limit}", table.name);
        }
        // One that is there already: none of them is added.
        let mut twice = vec![whole[0].clone(), whole[1].clone()];
        twice[0][0] = match &whole[0][0] {
            Value::Blob(_) => Value::Blob(vec![77; 16]),
            _ => Value::Int(77),
        };
        assert!(rows.add(table, twice).await.is_err());
        assert_eq!(rows.count(table).await.unwrap(), 6);
    }
}

/// A number that was given once is not given again, even where its row is gone; the feed's positions among them.
pub async fn whoever_follows_a_move_finds_every_row_and_takes_no_number_twice(place: &impl Place) {
    let to = another(place).await;
    let store = claimed(place).await;
    populate(&*store).await;
    win(&*store, insert(1, approved(1))).await;
    let late = Account { domain: "late".to_owned(), ..account() };
    assert_eq!(administer(&*store, Administration::AddAccount(late.clone())).await, Administered::Done(2));
    assert_eq!(administer(&*store, Administration::RemoveAccount(AccountId(2))).await, Administered::Done(2));
    let revoked = vec![super::build::revocation(id(1)); 3];
    let rename = Account { id: AccountId(1), name: "Renamed".to_owned(), ..account() };
    let rename = Administration::UpdateAccount(replacing(&*store, rename).await);
    assert_eq!(store.administer(rename, vec![], revoked).await.unwrap(), Administered::Done(1));
    // The feed's entries are over and swept; their positions were given all the same.
    store.sweep_rest(NOW, NOW.plus(1 << 30), NOW, 100).await.unwrap();
    assert_eq!(store.revocations(0, 10).await.unwrap(), []);
    let (tick, keys) = (store.tick().await.unwrap(), store.keys().await.unwrap());
    store.close().await;

    let moved = move_to(&*place.rows().await, &*to.rows().await, false).await.unwrap();
    assert!(moved.tick > tick.tick + 1, "above what the source shows now");
    let store = to.open().await;
    whose(&*store).await.unwrap();
    assert_eq!(store.keys().await.unwrap(), keys);
    assert_eq!(store.tick().await.unwrap().at, tick.at);
    assert_eq!(stored(&*store, 1).await, approved(1));
    assert_eq!(store.account(AccountId(1)).await.unwrap().unwrap().name, "Renamed");
    assert_eq!(store.apps(None).await.unwrap().len(), 1);
    assert_eq!(administer(&*store, Administration::AddAccount(late)).await, Administered::Done(3));
    let change = Administration::UpdateAccount(replacing(&*store, Account { id: AccountId(1), ..account() }).await);
    let revoked = vec![super::build::revocation(id(1))];
    assert_eq!(store.administer(change, vec![], revoked).await.unwrap(), Administered::Done(1));
    let feed = store.revocations(0, 10).await.unwrap();
    assert_eq!(feed.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4]);
    let refused = whose(&*place.open().await).await;
    assert!(matches!(&refused, Err(OpenError::Moved(name)) if name == actors::TARGET), "{refused:?}");
}

/// More sessions than fit into a page.
async fn with_sessions(place: &impl Place, count: u32) {
    let store = claimed(place).await;
    store.close().await;
    let table = TABLES.iter().find(|table| table.name == "sessions").unwrap();
    let session = |number: u32| {
        let mut key = vec![0; 28];
        key.extend(number.to_be_bytes());
        vec![Value::Blob(key), Value::Int(1), Value::Int(NOW.0), Value::Int(NOW.0)]
    };
    place.rows().await.add(table, (0..count).map(session).collect()).await.unwrap();
}

/// What has arrived is not written again; what a crash left is refused until it is whole.
pub async fn an_interrupted_move_goes_on_where_it_stopped(place: &impl Place) {
    let to = another(place).await;
    with_sessions(place, 2500).await;
    // Keys, then two of three pages of sessions.
    let faulty = Faulty::failing_after(3, to.rows().await);
    let error = move_to(&*place.rows().await, &faulty, false).await.unwrap_err();
    assert!(matches!(error, MoveError::Store { side: Side::Target, .. }), "{error}");
    let refused = whose(&*to.open().await).await;
    assert!(matches!(refused, Err(OpenError::Unfinished(_))), "{refused:?}");
    whose(&*place.open().await).await.unwrap();
    drop(faulty);

    let counting = Faulty::failing_after(1000, to.rows().await);
    let moved = move_to(&*place.rows().await, &counting, false).await.unwrap();
    assert_eq!(counting.added.load(Ordering::Relaxed), 500);
    let sessions = moved.tables.iter().find(|table| table.name == "sessions").unwrap();
    assert_eq!(sessions.rows, 2500);
    let again = move_to(&*place.rows().await, &counting, false).await.unwrap();
    assert!(again.already);
    assert_eq!(counting.added.load(Ordering::Relaxed), 500);
}

/// Rows below the highest that arrived may have changed: none of them is trusted.
pub async fn a_source_that_was_written_to_since_is_moved_anew(place: &impl Place) {
    let to = another(place).await;
    with_sessions(place, 2500).await;
    let faulty = Faulty::failing_after(3, to.rows().await);
    move_to(&*place.rows().await, &faulty, false).await.unwrap_err();
    drop(faulty);
    let store = place.open().await;
    store.raise_tick(NOW).await.unwrap();
    let mut first = [0; 32];
    first[31] = 7;
    store.close_session(SessionId(first), vec![]).await.unwrap();
    store.close().await;
    move_to(&*place.rows().await, &*to.rows().await, false).await.unwrap();
    let store = to.open().await;
    assert_eq!(store.session(SessionId(first)).await.unwrap(), None);
    first[31] = 8;
    let other = Session { id: SessionId(first), user: UserId(1), authenticated_at: NOW, last_seen_at: NOW };
    assert_eq!(store.session(SessionId(first)).await.unwrap(), Some(other));
}

/// One bit of one row. The next run does not trust what is there.
pub async fn a_changed_value_in_the_target_is_found_and_nothing_is_switched_over(place: &impl Place) {
    let to = another(place).await;
    with_sessions(place, 3).await;
    let faulty = Faulty::flipping(to.rows().await);
    let error = move_to(&*place.rows().await, &faulty, false).await.unwrap_err();
    assert!(matches!(error, MoveError::Differs { table: "sessions", source_rows: 3, target_rows: 3 }), "{error}");
    drop(faulty);
    whose(&*place.open().await).await.unwrap();
    assert!(whose(&*to.open().await).await.is_err());
    move_to(&*place.rows().await, &*to.rows().await, false).await.unwrap();
    whose(&*to.open().await).await.unwrap();
}

/// The source is left and the target not yet open: nobody serves, and the same command goes on.
pub async fn a_move_that_stopped_between_the_two_marks_is_finished_by_the_next(place: &impl Place) {
    let to = another(place).await;
    with_sessions(place, 3).await;
    // Its second replacement of the store's row is the one that opens the target.
    let faulty = Faulty::failing_to_open(to.rows().await);
    move_to(&*place.rows().await, &faulty, false).await.unwrap_err();
    drop(faulty);
    for (place, moved) in [(place.open().await, true), (to.open().await, false)] {
        let refused = whose(&*place).await;
        assert!(matches!(refused, Err(OpenError::Moved(_))) == moved, "{refused:?}");
        assert!(matches!(refused, Err(OpenError::Unfinished(_))) != moved, "{refused:?}");
    }
    let moved = move_to(&*place.rows().await, &*to.rows().await, false).await.unwrap();
    assert!(!moved.already);
    whose(&*to.open().await).await.unwrap();
}

/// And before anything is written.
pub async fn what_is_not_ours_to_move_or_no_new_place_is_refused(place: &impl Place) {
    let (to, third) = (another(place).await, another(place).await);
    let [source, target, other] = [place.rows().await, to.rows().await, third.rows().await];
    let refused = async |from: &dyn Rows, to: &dyn Rows| move_named(from, to, actors::TARGET).await.unwrap_err();
    assert!(matches!(refused(&*source, &*target).await, MoveError::Empty));
    claimed(place).await.close().await;
    let mut foreign = source.store_row().await.unwrap();
    assert!(matches!(foreign.mark(), Some(Mark::Issuer(_))));
    let issuer = foreign.issuer();
    for (name, value) in
        [("issuer", Value::Text("https://other.example".to_owned())), ("key_check", Value::Blob(vec![0; 32]))]
    {
        let place = crate::moving::STORE.columns.iter().position(|column| column.name == name).unwrap();
        let mut values = foreign.values().clone();
        values[place] = value;
        let changed = crate::moving::StoreRow::read(vec![values]).unwrap();
        assert_eq!(source.replace_store_row(issuer.clone(), changed.clone()).await.unwrap(), Written::Won);
        assert!(matches!(refused(&*source, &*target).await, MoveError::NotOurs(_)));
        assert_eq!(
            source.replace_store_row(issuer.clone(), foreign.clone()).await.unwrap(),
            match name {
                // Conditional on the issuer that is there.
                "issuer" => Written::Lost,
                _ => Written::Won,
            }
        );
        assert_eq!(source.replace_store_row(changed.issuer(), foreign.clone()).await.unwrap(), Written::Won);
        foreign = source.store_row().await.unwrap();
    }
    assert_eq!(target.store_row().await.unwrap().mark(), None, "nothing was written");
    claimed(&third).await.close().await;
    assert!(matches!(refused(&*source, &*other).await, MoveError::Taken(_)));
    let accounts = TABLES.iter().find(|table| table.name == "accounts").unwrap();
    target.add(accounts, hostile_rows(accounts)).await.unwrap();
    assert!(matches!(refused(&*source, &*target).await, MoveError::NotEmpty("accounts")));
    target.clear().await.unwrap();
    move_named(&*source, &*target, actors::TARGET).await.unwrap();
    let error = move_named(&*source, &*other, "elsewhere").await.unwrap_err();
    assert!(matches!(error, MoveError::MovedElsewhere(_)), "{error}");
}

/// For a rehearsal.
pub async fn a_source_that_is_kept_can_be_served_again(place: &impl Place) {
    let to = another(place).await;
    with_sessions(place, 3).await;
    move_to(&*place.rows().await, &*to.rows().await, true).await.unwrap();
    for place in [place.open().await, to.open().await] {
        whose(&*place).await.unwrap();
        let refused: Result<_, StoreError> = place.raise_tick(NOW).await;
        assert!(refused.is_ok(), "{refused:?}");
    }
}

//! A move that is cut off or finds something wrong, and a node that runs on the source meanwhile.

use super::super::partner::{Shape, call, tokens};
use super::super::place::{People, Place, told};
use super::super::serving::Serving;
use super::super::visitor::{Visitor, http_client, send};
use super::{database, migrate, moved, on, refused};
use keyfob_testkit::PostgresDatabase;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Makes the tables of a database that nobody has claimed, and lets whoever adds a ledger entry wait there: after all grants.
fn slow_target(place: &Place, database: &PostgresDatabase, url: &str) {
    let checked = told(on(place, url, &["config", "check"]), "");
    assert_eq!(checked.code, Some(0), "{checked:?}");
    database.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$; \
         CREATE TRIGGER slow BEFORE INSERT ON ledger FOR EACH STATEMENT EXECUTE FUNCTION slow()",
    );
}

fn fast_again(database: &PostgresDatabase) {
    database.sql("DROP FUNCTION slow CASCADE");
}

/// A move that has come as far as the ledger.
fn half_moved(place: &Place, from: &str, to: &str, target: &PostgresDatabase) -> Child {
    let mut command = migrate(place, from, to, &[]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary");
    let since = Instant::now();
    while target.sql("SELECT count(*) FROM grants") == "0" {
        assert!(since.elapsed() < Duration::from_secs(30), "it does not come so far");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn kill(mut child: Child, database: &PostgresDatabase) {
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    // The server works on a statement to its end, whoever has gone.
    database.end_connections();
}

/// Grants of nobody, for the mass of them; copies of one that is there.
fn multiply_grants(place: &Place, count: u32) {
    let rows = rusqlite::Connection::open(place.database()).expect("a database");
    let columns: Vec<String> = {
        let mut names =
            rows.prepare("SELECT name FROM pragma_table_info('grants') WHERE name != 'id'").expect("a query");
        let found = names.query_map([], |row| row.get(0)).expect("rows");
        found.map(|name| name.expect("a name")).collect()
    };
    let columns = columns.join(", ");
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         INSERT INTO grants (id, {columns}) SELECT randomblob(16), {columns} FROM n, (SELECT * FROM grants LIMIT 1)"
    );
    rows.execute(&sql, []).expect("rows");
}

/// People with one connection of each kind: the refresh tokens of the fixed and the rotating one.
async fn connected(place: &Place, serving: &Serving) -> (People, String, String) {
    let people = place.people();
    let http = http_client();
    let mut visitor = Visitor::new(&http);
    let mut refresh = Vec::new();
    for partner in [&people.fixed, &people.rotating] {
        let code = visitor.connect(&serving.base(), partner, "s").await.expect("a code");
        let answer = partner.redeem(&http, &serving.base(), Shape::Post, &code, "s").await.expect("an answer");
        refresh.push(tokens(&answer).1);
    }
    let [fixed, rotating] = refresh.try_into().expect("two");
    (people, fixed, rotating)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_is_refused_by_serve_and_goes_on_when_it_is_run_again() {
    let place = Place::new();
    let here = format!("sqlite:{}", place.data().display());
    let (target, url) = database();
    let serving = place.serve();
    let (people, refresh, _) = connected(&place, &serving).await;
    serving.stop();
    multiply_grants(&place, 5000);
    slow_target(&place, &target, &url);
    kill(half_moved(&place, &here, &url, &target), &target);
    let arrived: u32 = target.sql("SELECT count(*) FROM grants").parse().expect("a number");
    assert!((1..=5002).contains(&arrived), "{arrived}");
    let (code, said) = Serving::refused(on(&place, &url, &["serve"]));
    assert!(code == Some(3) && said.contains("was not finished") && said.contains("keyfob migrate"), "{code:?} {said}");
    assert_eq!(told(on(&place, &url, &["account", "list"]), "").code, Some(3));

    // Somebody touches what has arrived: it is found, and not believed again.
    fast_again(&target);
    target.sql("UPDATE grants SET nonce = nonce # 1 WHERE id = (SELECT id FROM grants ORDER BY id LIMIT 1)");
    let found = told(migrate(&place, &here, &url, &[]), "");
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.stderr.contains("going on with") && found.stderr.contains("grants has 5002 rows"), "{found:?}");
    let again = told(migrate(&place, &here, &url, &[]), "");
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stderr.contains("starting over"), "{again:?}");
    let serving = super::serve(&place, &url);
    let answer = people.fixed.refresh(&http_client(), &serving.base(), Shape::Post, &refresh).await.expect("an answer");
    assert_eq!(tokens(&answer).1, refresh);
    serving.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_on_the_source_waits_goes_on_after_a_failed_move_and_gives_up_after_a_finished_one() {
    let (source, from) = database();
    let (target, to) = database();
    let node = Place::on(&from);
    let serving = node.serve();
    let (people, fixed, rotating) = connected(&node, &serving).await;
    let (http, base) = (http_client(), serving.base());
    slow_target(&node, &target, &to);
    let child = half_moved(&node, &from, &to, &target);
    refused(&node, &from, &to, 3, &["another move"]);
    let attempt = |token: String| {
        let (http, base, partner) = (http.clone(), base.clone(), people.rotating.clone());
        async move { partner.refresh(&http, &base, Shape::Post, &token).await.expect("an answer") }
    };
    let held = attempt(rotating.clone()).await;
    assert_eq!(held.status, 503, "{}", held.body);
    assert!(!held.header("retry-after").is_empty(), "{:?}", held.headers);
    kill(child, &target);
    let since = Instant::now();
    let (access, successor) = loop {
        let answer = attempt(rotating.clone()).await;
        if answer.status == 200 {
            break tokens(&answer);
        }
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(since.elapsed() < Duration::from_secs(30), "it does not go on");
    };
    println!("went on after {:?}", since.elapsed());

    fast_again(&target);
    moved(&node, &from, &to);
    serving.says("the rows of this store were moved away; this node is not ready");
    let ready = send(http.get(format!("{base}/readyz"))).await.expect("an answer");
    assert!(ready.status == 503 && ready.body.contains("moved"), "{ready:?}");
    // Nothing comes from rows that may no longer be true; not even what needs no write.
    let late = attempt(successor.clone()).await;
    assert_eq!(late.status, 503, "{}", late.body);
    let late = people.fixed.refresh(&http, &base, Shape::Get, &fixed).await.expect("an answer");
    assert!(late.status == 503 && !late.header("retry-after").is_empty(), "{}", late.body);
    assert_eq!(call(&http, &base, &access).await, Ok(503));
    let count = source.sql("SELECT count(*) FROM grants");
    assert_eq!(count, target.sql("SELECT count(*) FROM grants"));
    assert!(!serving.said().contains("panicked"), "{}", serving.said());
    serving.terminate();
    let elsewhere = super::serve(&node, &to);
    let answer = people.fixed.refresh(&http, &elsewhere.base(), Shape::Post, &fixed).await.expect("an answer");
    assert_eq!(tokens(&answer).1, fixed);
    let answer = people.rotating.refresh(&http, &elsewhere.base(), Shape::Post, &successor).await.expect("an answer");
    tokens(&answer);
    assert_eq!(call(&http, &elsewhere.base(), &access).await, Ok(200));
    elsewhere.stop();
}

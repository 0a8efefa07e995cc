use std::collections::BTreeSet;

use keyfob_sandbox::seed::Role;
use serde_json::{Value, json};

use crate::calls::{ORIGIN, Sandbox};

/// Every page from a path on, as lists of ids.
async fn walk(sandbox: &Sandbox, path: &str) -> Vec<Vec<i64>> {
    let mut pages = Vec::new();
    let mut path = path.to_owned();
    loop {
        let answer = sandbox.get(&path, sandbox.owner()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        sandbox.advance(1);
        let ids = answer.ids("people");
        let metadata = answer.json()["_metadata"].clone();
        assert_eq!(metadata["offset"], json!(pages.iter().map(Vec::len).sum::<usize>()));
        pages.push(ids);
        match (&metadata["next"], &metadata["nextLink"]) {
            (Value::String(next), Value::String(link)) => {
                assert!(link.contains("&&next=") && link.ends_with(next.as_str()), "{link}");
                path = link.strip_prefix(ORIGIN).expect("an absolute link").to_owned();
            }
            (Value::Null, Value::Null) => return pages,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn sb_03_a_walk_meets_every_person_once_newest_first() {
    let sandbox = Sandbox::new();
    let mut expected: Vec<i64> =
        sandbox.seed.people.iter().filter(|held| held.account == 1).map(|held| held.record.id).collect();
    expected.reverse();
    let pages = walk(&sandbox, "/v1/people").await;
    assert_eq!(pages[0].len(), 10);
    assert_eq!(pages.concat(), expected);
    let pages = walk(&sandbox, "/v1/people?limit=100").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 40]);
    assert_eq!(pages.concat(), expected);
}

#[tokio::test]
async fn sb_03_a_walk_in_any_order_meets_every_person_once() {
    let sandbox = Sandbox::new();
    let all: BTreeSet<i64> =
        sandbox.seed.people.iter().filter(|held| held.account == 1).map(|held| held.record.id).collect();
    for sort in ["id", "-created", "updated", "-price", "stage", "-lastName", "name"] {
        let walked = walk(&sandbox, &format!("/v1/people?limit=37&sort={sort}")).await.concat();
        assert_eq!((walked.len(), walked.into_iter().collect::<BTreeSet<_>>()), (all.len(), all.clone()), "{sort}");
    }
    let answer = sandbox.get("/v1/people?sort=lastName&limit=100", sandbox.owner()).await.json();
    let names: Vec<String> = answer["people"]
        .as_array()
        .unwrap()
        .iter()
        .map(|person| person["lastName"].as_str().unwrap().to_lowercase())
        .collect();
    assert!(names.is_sorted());
}

#[tokio::test]
async fn sb_03_people_added_during_a_walk_shift_nothing() {
    let sandbox = Sandbox::new();
    let first = sandbox.get("/v1/people?limit=3&stage=Lead", sandbox.owner()).await;
    let next = first.json()["_metadata"]["next"].as_str().unwrap().to_owned();
    assert_eq!(sandbox.post("/v1/people", sandbox.owner(), json!({ "name": "New Person" })).await.status, 201);
    // The cursor alone carries the filter on.
    let second = sandbox.get(&format!("/v1/people?limit=3&next={next}"), sandbox.owner()).await;
    let last = *first.ids("people").last().unwrap();
    assert!(second.ids("people").iter().all(|id| *id < last), "{:?}", second.ids("people"));
    assert!(second.json()["people"].as_array().unwrap().iter().all(|person| person["stage"] == "Lead"));
}

#[tokio::test]
async fn sb_03_bad_parameters_are_400_and_say_what_is_allowed() {
    let sandbox = Sandbox::new();
    for (query, says) in [
        ("limit=0", "\"limit\" must be a whole number from 1 to 100, not \"0\"."),
        ("limit=101", "\"limit\" must be a whole number from 1 to 100, not \"101\"."),
        ("limit=abc", "\"limit\" must be a whole number from 1 to 100, not \"abc\"."),
        ("limit=-1", "not \"-1\""),
        ("limit=%2B5", "not \"+5\""),
        ("limit=99999999999999999999", "from 1 to 100"),
        ("limit=5&limit=6", "\"limit\" may appear only once"),
        ("offset=-1", "\"offset\" must be"),
        ("next=xyz", "_metadata.next"),
        ("next=e30", "_metadata.next"),
        ("sort=shoesize", "\"sort\" must be one of id, created"),
        ("fields=id,shoesize", "\"fields\" may name allFields or id, created"),
        ("assignedUserId=me", "\"assignedUserId\" must be a whole number"),
        ("name=%zz", "percent sign"),
        ("name=%ff", "UTF-8"),
    ] {
        let (status, message) = sandbox.get(&format!("/v1/people?{query}"), sandbox.owner()).await.refusal();
        assert!(status == 400 && message.contains(says), "{query}: {status} {message}");
    }
}

#[tokio::test]
async fn sb_03_limit_offset_fields_and_empty_values() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    let answer =
        sandbox.get("/v1/people?limit=&&offset=230&fields=firstName,customShoeSize&unknown=1&unknown=2", owner).await;
    assert_eq!(answer.ids("people"), (1..=10).rev().collect::<Vec<_>>());
    let json = answer.json();
    assert_eq!(
        json["_metadata"],
        json!({ "collection": "people", "offset": 230, "limit": 10, "total": 240, "next": null, "nextLink": null })
    );
    let mut names: Vec<_> = json["people"][0].as_object().unwrap().keys().cloned().collect();
    names.sort_unstable();
    assert_eq!(names, ["firstName", "id"]);
    let beyond = sandbox.get("/v1/people?offset=100000", owner).await;
    assert_eq!((beyond.status.as_u16(), beyond.ids("people").len()), (200, 0));
}

#[tokio::test]
async fn people_are_found_by_what_is_known_of_them() {
    let sandbox = Sandbox::new();
    let person = &sandbox.seed.people[99].record;
    let path = |query: String| format!("/v1/people?{query}");
    let phone = person.phones[0].value.replace(' ', "%20");
    for query in [
        format!("email={}", person.emails[0].value.to_uppercase()),
        format!("phone=%2B1{phone}"),
        format!("firstName={}&lastName={}", person.first_name, person.last_name),
        format!("name={}+{}", person.first_name, person.last_name),
    ] {
        assert_eq!(sandbox.get(&path(query.clone()), sandbox.owner()).await.ids("people"), [person.id], "{query}");
    }
    let answer = sandbox.get("/v1/people?tags=Luxury,investor&limit=100", sandbox.owner()).await.json();
    let tagged = answer["people"].as_array().unwrap();
    let fits =
        |person: &Value| person["tags"].as_array().unwrap().iter().any(|tag| tag == "Luxury" || tag == "Investor");
    assert!(tagged.len() > 5 && tagged.iter().all(fits));
}

#[tokio::test]
async fn a_person_is_created_and_changed() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    sandbox.advance(60);
    let made = sandbox
        .post(
            "/v1/people",
            owner,
            json!({ "name": "Ada Lund", "emails": [{ "value": "ada@example.org", "type": "work" }], "tags": ["A"], "unknown": 1 }),
        )
        .await;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!((&made["id"], &made["firstName"], &made["lastName"]), (&json!(321), &json!("Ada"), &json!("Lund")));
    assert_eq!(made["created"], json!("2026-11-16T17:01:00Z"));
    assert_eq!(made["stage"], json!("Lead"));

    sandbox.advance(60);
    let agent = sandbox.user(1, Role::Agent, 0).id;
    let change = json!({ "stage": "Hot Prospect", "assignedUserId": agent, "tags": ["B", "A"] });
    let changed = sandbox.put("/v1/people/321?mergeTags=true", owner, change).await;
    assert_eq!(changed.status, 200);
    let changed = changed.json();
    assert_eq!((&changed["stageId"], &changed["tags"]), (&json!(3), &json!(["A", "B"])));
    assert_eq!(changed["assignedTo"], json!(sandbox.user(1, Role::Agent, 0).name()));
    assert_eq!(changed["updated"], json!("2026-11-16T17:02:00Z"));
    let replaced = sandbox.put("/v1/people/321", owner, json!({ "tags": ["C"], "assignedUserId": null })).await.json();
    assert_eq!(
        (&replaced["tags"], &replaced["assignedTo"], &replaced["emails"][0]["value"]),
        (&json!(["C"]), &Value::Null, &json!("ada@example.org"))
    );
    assert_eq!(sandbox.get("/v1/people/321", owner).await.json(), replaced);
}

#[tokio::test]
async fn bad_bodies_are_400_and_name_the_field() {
    let sandbox = Sandbox::new();
    let lender = sandbox.user(1, Role::Lender, 0).id;
    for (body, says) in [
        (json!({}), "at least one of"),
        (json!([]), "JSON object"),
        (json!({ "firstName": 7 }), "\"firstName\" must be text"),
        (json!({ "firstName": "x".repeat(501) }), "at most 500 characters"),
        (json!({ "firstName": "A", "stage": "Nowhere" }), "\"stage\" must be one of Lead"),
        (json!({ "firstName": "A", "price": -1 }), "\"price\" must be a whole number"),
        (json!({ "firstName": "A", "tags": "x" }), "\"tags\" must be a list"),
        (json!({ "firstName": "A", "tags": vec!["x"; 101] }), "\"tags\" must be a list"),
        (json!({ "emails": [{ "value": "nobody" }] }), "\"emails[0].value\" must be an e-mail address"),
        (json!({ "emails": [{ "value": "a@example.com", "type": "x" }] }), "\"emails[0].type\" must be one of"),
        (json!({ "phones": [{ "value": "12" }] }), "\"phones[0].value\" must be a telephone number"),
        (json!({ "phones": [7] }), "\"phones\" must be a list of at most 100 objects"),
        (json!({ "firstName": "A", "assignedUserId": 9 }), "\"assignedUserId\" must be the id of a user"),
        (json!({ "firstName": "A", "assignedUserId": lender }), "\"assignedUserId\" must be the id of a user"),
    ] {
        let (status, message) = sandbox.post("/v1/people", sandbox.owner(), body.clone()).await.refusal();
        assert!(status == 400 && message.contains(says), "{body}: {status} {message}");
    }
    for (body, says) in [("", "empty"), ("{", "not JSON"), ("\u{0}", "not JSON"), ("firstName=A", "not JSON")] {
        let answer = sandbox.call(http::Method::POST, "/v1/people", sandbox.owner(), body).await;
        let (status, message) = answer.refusal();
        assert!(status == 400 && message.contains(says), "{body}: {status} {message}");
    }
    let nested = "[".repeat(200_000);
    assert_eq!(sandbox.call(http::Method::POST, "/v1/people", sandbox.owner(), nested).await.refusal().0, 400);
    let large = " ".repeat(256 * 1024 + 1);
    assert_eq!(sandbox.call(http::Method::POST, "/v1/people", sandbox.owner(), large).await.refusal().0, 413);
    assert_eq!(sandbox.get("/v1/people", sandbox.owner()).await.json()["_metadata"]["total"], json!(240));
}

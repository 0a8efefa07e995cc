use keyfob_sandbox::seed::{ARCHIVED_SOURCE, Role};
use serde_json::{Value, json};

use crate::calls::Sandbox;

fn inquiry(person: Value) -> Value {
    json!({
        "type": "Property Inquiry",
        "source": "Company Website",
        "system": "Test",
        "message": "Is it still available?",
        "person": person,
        "property": { "street": "1 Elm St", "price": 300_000 },
    })
}

#[tokio::test]
async fn a_new_lead_is_201_and_a_known_one_200() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    let lead = json!({ "firstName": "Ada", "emails": [{ "value": "Ada@Example.org" }], "phones": [{ "value": "(206) 555-0100 " }] });
    let new = sandbox.post("/v1/events", owner, inquiry(lead)).await;
    assert_eq!(new.status, 201);
    let id = new.json()["id"].as_i64().unwrap();
    assert_eq!((id, new.json()["source"].clone()), (321, json!("Company Website")));

    let again = json!({ "firstName": "Adele", "emails": [{ "value": "ada@example.ORG" }, { "value": "second@example.org" }], "tags": ["Hot"] });
    let known = sandbox.post("/v1/events", owner, inquiry(again)).await;
    assert_eq!(known.status, 200);
    let known = known.json();
    assert_eq!((&known["id"], &known["firstName"], &known["tags"]), (&json!(id), &json!("Ada"), &json!(["Hot"])));
    assert_eq!(known["emails"].as_array().unwrap().len(), 2);

    let events = sandbox.get(&format!("/v1/events?personId={id}"), owner).await.json();
    assert_eq!(events["_metadata"]["total"], json!(2));
    assert_eq!(events["events"][0]["property"]["street"], json!("1 Elm St"));
    // In another account the same person is unknown.
    let other = sandbox.user(2, Role::Owner, 0);
    let lead = json!({ "emails": [{ "value": "ada@example.org" }] });
    assert_eq!(sandbox.post("/v1/events", other, inquiry(lead)).await.status, 201);
}

#[tokio::test]
async fn a_lead_is_known_by_telephone_in_any_spelling() {
    let sandbox = Sandbox::new();
    let person = &sandbox.seed.people[10].record;
    let digits = &person.phones[0].normalized;
    let spelled = format!("+1 {}.{}.{}", &digits[..3], &digits[3..6], &digits[6..]);
    let answer =
        sandbox.post("/v1/events", sandbox.owner(), inquiry(json!({ "phones": [{ "value": spelled }] }))).await;
    assert_eq!((answer.status.as_u16(), answer.json()["id"].clone()), (200, json!(person.id)));
    assert_eq!(answer.json()["phones"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_archived_source_is_204_and_nothing_is_kept() {
    let sandbox = Sandbox::new();
    let mut event = inquiry(json!({ "emails": [{ "value": "nobody@example.org" }] }));
    event["source"] = json!(ARCHIVED_SOURCE);
    let answer = sandbox.post("/v1/events", sandbox.owner(), event).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("x-ratelimit-context"), Some("events"));
    assert_eq!(
        sandbox.get("/v1/people?email=nobody@example.org", sandbox.owner()).await.ids("people"),
        Vec::<i64>::new()
    );
}

#[tokio::test]
async fn bad_events_are_400_and_keep_nothing() {
    let sandbox = Sandbox::new();
    let good = inquiry(json!({ "emails": [{ "value": "a@example.org" }] }));
    for (field, value, says) in [
        ("person", Value::Null, "\"person\" must be an object"),
        ("person", json!("Ada"), "\"person\" must be an object"),
        ("person", json!({ "firstName": "Ada" }), "\"emails\" or \"phones\""),
        ("person", json!({ "emails": [{ "value": 1 }] }), "\"person.emails[0].value\" must be text"),
        ("type", json!("Dance"), "\"type\" must be one of Registration"),
        ("property", json!("house"), "\"property\" must be an object"),
        ("occurredAt", json!("yesterday"), "\"occurredAt\" must be a past time"),
        ("occurredAt", json!("2099-01-01T00:00:00Z"), "\"occurredAt\" must be a past time"),
    ] {
        let mut event = good.clone();
        event[field] = value;
        let (status, message) = sandbox.post("/v1/events", sandbox.owner(), event).await.refusal();
        assert!(status == 400 && message.contains(says), "{field}: {status} {message}");
    }
    assert_eq!(sandbox.get("/v1/people", sandbox.owner()).await.json()["_metadata"]["total"], json!(240));
}

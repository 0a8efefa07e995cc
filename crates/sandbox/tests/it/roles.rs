use std::collections::BTreeSet;

use http::Method;
use keyfob_sandbox::seed::{Person, Role};
use serde_json::json;

use crate::calls::Sandbox;

#[tokio::test]
async fn sb_04_each_role_sees_its_own_people_by_key_and_by_token() {
    let sandbox = Sandbox::new();
    for user in sandbox.seed.users.iter().filter(|user| user.account != 3) {
        let sees = |person: &Person| match user.role {
            Role::Owner | Role::Admin => true,
            Role::Agent => person.assigned_user_id == Some(user.id),
            Role::Lender => person.assigned_lender_id == Some(user.id),
        };
        let of_account =
            || sandbox.seed.people.iter().filter(|held| held.account == user.account).map(|held| &held.record);
        let expected: BTreeSet<i64> = of_account().filter(|person| sees(person)).map(|person| person.id).collect();
        assert!(!expected.is_empty(), "{:?}", user.role);

        let bearer = format!("Bearer {}", sandbox.token(user));
        let mut seen = BTreeSet::new();
        let mut path = "/v1/people?limit=100".to_owned();
        loop {
            let answer = sandbox.send(Method::GET, &path, &[("authorization", &bearer)], "").await;
            seen.extend(answer.ids("people"));
            match answer.json()["_metadata"]["next"].as_str() {
                Some(next) => path = format!("/v1/people?limit=100&next={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{:?}", user.role);

        for person in of_account().step_by(9) {
            let status = if sees(person) { 200 } else { 403 };
            assert_eq!(sandbox.get(&format!("/v1/people/{}", person.id), user).await.status, status, "{:?}", user.role);
        }
        let foreign = sandbox.seed.people.iter().find(|held| held.account != user.account).unwrap().record.id;
        assert_eq!(sandbox.get(&format!("/v1/people/{foreign}"), user).await.refusal().0, 404);
        sandbox.advance(10);
    }
}

#[tokio::test]
async fn sb_04_nobody_writes_to_people_they_do_not_see() {
    let sandbox = Sandbox::new();
    let (agent, other, lender) =
        (sandbox.user(1, Role::Agent, 0), sandbox.user(1, Role::Agent, 1), sandbox.user(1, Role::Lender, 0));
    let person =
        |fits: &dyn Fn(&Person) -> bool| sandbox.seed.people.iter().map(|held| &held.record).find(|p| fits(p)).unwrap();
    let theirs = person(&|person| person.assigned_user_id == Some(other.id) && person.assigned_lender_id.is_none());
    let own = person(&|person| person.assigned_user_id == Some(agent.id));
    let lent = person(&|person| person.assigned_lender_id == Some(lender.id));

    let stage = json!({ "stage": "Closed" });
    assert_eq!(sandbox.put(&format!("/v1/people/{}", theirs.id), agent, stage.clone()).await.refusal().0, 403);
    assert_eq!(sandbox.put(&format!("/v1/people/{}", own.id), agent, stage.clone()).await.status, 200);
    assert_eq!(sandbox.put(&format!("/v1/people/{}", lent.id), lender, stage.clone()).await.refusal().0, 403);
    assert_eq!(sandbox.post("/v1/people", lender, json!({ "name": "A B" })).await.refusal().0, 403);
    let reassign = json!({ "assignedUserId": other.id });
    assert_eq!(sandbox.put(&format!("/v1/people/{}", own.id), agent, reassign).await.refusal().0, 403);

    let note = |id: i64| json!({ "personId": id, "body": "hello" });
    assert_eq!(sandbox.post("/v1/notes", agent, note(theirs.id)).await.refusal().0, 403);
    assert_eq!(sandbox.post("/v1/notes", lender, note(theirs.id)).await.refusal().0, 403);
    assert_eq!(sandbox.post("/v1/notes", lender, note(lent.id)).await.status, 201);

    // What an agent creates is their own.
    let made = sandbox.post("/v1/people", agent, json!({ "name": "A B" })).await.json();
    assert_eq!(made["assignedUserId"], json!(agent.id));
    let lead = json!({ "person": { "emails": [{ "value": theirs.emails[0].value }] } });
    assert_eq!(sandbox.post("/v1/events", agent, lead).await.refusal().0, 403);
}

#[tokio::test]
async fn sb_04_only_the_owner_manages_webhooks() {
    let sandbox = Sandbox::new();
    let hook = json!({ "event": "peopleCreated", "url": "https://partner.example.com/hook" });
    for role in [Role::Admin, Role::Agent, Role::Lender] {
        let user = sandbox.user(1, role, 0);
        assert_eq!(sandbox.get("/v1/webhooks", user).await.refusal().0, 403);
        assert_eq!(sandbox.get("/v1/webhooks/1", user).await.refusal().0, 403);
        assert_eq!(sandbox.post("/v1/webhooks", user, hook.clone()).await.refusal().0, 403);
        assert_eq!(sandbox.call(Method::DELETE, "/v1/webhooks/1", user, "").await.refusal().0, 403);
    }
    let owner = sandbox.owner();
    assert_eq!(sandbox.post("/v1/webhooks", owner, hook).await.status, 201);
    let stranger = sandbox.user(2, Role::Owner, 0);
    assert_eq!(sandbox.call(Method::DELETE, "/v1/webhooks/1", stranger, "").await.refusal().0, 404);
    assert_eq!(sandbox.get("/v1/webhooks", owner).await.ids("webhooks"), [1]);
}

use http::Method;
use keyfob_sandbox::seed::Role;
use serde_json::json;

use crate::calls::Sandbox;

#[tokio::test]
async fn br_13_identity_is_the_user_and_account_of_the_credentials() {
    let sandbox = Sandbox::new();
    for user in sandbox.seed.users.iter().filter(|user| user.account != 3) {
        let account = sandbox.seed.accounts.iter().find(|account| account.id == user.account).unwrap();
        let owner = sandbox.user(account.id, Role::Owner, 0);
        let expected = json!({
            "account": {
                "id": account.id,
                "name": account.name,
                "domain": account.domain,
                "owner": { "name": owner.name(), "email": owner.email },
            },
            "user": {
                "id": user.id,
                "name": user.name(),
                "email": user.email,
                "role": user.role.name(),
                "isOwner": user.role == Role::Owner,
                "isAdmin": matches!(user.role, Role::Owner | Role::Admin),
            },
        });
        let bearer = format!("Bearer {}", sandbox.token(user));
        let by_token = sandbox.send(Method::GET, "/v1/identity", &[("authorization", &bearer)], "").await;
        assert_eq!((by_token.status.as_u16(), by_token.json()), (200, expected.clone()));
        assert_eq!(by_token.header("fub-user-id"), Some(user.id.to_string().as_str()));
        assert_eq!(by_token.header("fub-account-id"), Some(account.id.to_string().as_str()));
        assert_eq!(sandbox.get("/v1/identity", user).await.json(), expected);
    }
}

#[tokio::test]
async fn me_holds_the_users_secrets_and_users_does_not() {
    let sandbox = Sandbox::new();
    let owner = sandbox.owner();
    let me = sandbox.get("/v1/me", owner).await.json();
    assert_eq!(me["apiKey"], json!(owner.api_key.expose()));
    assert_eq!(me["email"], json!(owner.email));

    let users = sandbox.get("/v1/users?sort=id", owner).await;
    let of_account: Vec<i64> = sandbox.seed.users.iter().filter(|user| user.account == 1).map(|user| user.id).collect();
    assert_eq!(users.ids("users"), of_account);
    for user in &sandbox.seed.users {
        assert!(!users.text.contains(user.api_key.expose()) && !users.text.contains(user.password.expose()));
        assert!(!me.to_string().contains(user.password.expose()));
    }
    let admin = sandbox.user(1, Role::Admin, 0);
    let found = sandbox.get(&format!("/v1/users?email={}", admin.email.to_uppercase()), owner).await;
    assert_eq!(found.ids("users"), [admin.id]);
    assert_eq!(sandbox.get(&format!("/v1/users/{}", admin.id), owner).await.json()["name"], json!(admin.name()));

    let stranger = sandbox.user(2, Role::Owner, 0);
    for id in [stranger.id.to_string(), "0".to_owned(), "abc".to_owned(), "99999999999999999999".to_owned()] {
        assert_eq!(sandbox.get(&format!("/v1/users/{id}"), owner).await.refusal().0, 404, "{id}");
    }
}

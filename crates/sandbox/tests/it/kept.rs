use std::fs;
use std::sync::Arc;

use keyfob_gate::{Gate, GateConfig};
use keyfob_protocol::{Clock, Timestamp};
use keyfob_sandbox::api::{ApiOptions, ApiState, SavedError};
use keyfob_sandbox::seed::{AccountStatus, Seed};
use serde_json::json;

use crate::calls::Sandbox;

struct Never;

impl Clock for Never {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

fn open(seed: u64, file: &std::path::Path) -> Result<ApiState, SavedError> {
    let clock = Arc::new(Never);
    ApiState::open(ApiOptions {
        seed: Arc::new(Seed::new(seed)),
        gate: Arc::new(Gate::new(GateConfig::new("i", "a"), clock.clone())),
        clock,
        origin: String::new(),
        file: Some(file.to_owned()),
    })
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was_and_a_reset_goes_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("api.json");
    let first = Sandbox::kept_in(Some(file.clone()));
    assert!(!file.exists(), "nothing has changed, nothing is written");
    assert_eq!(first.post("/v1/people", first.owner(), json!({ "name": "Ada Lund" })).await.status, 201);
    first.state.set_account_status(2, AccountStatus::Expired).await.unwrap();
    drop(first);

    let second = Sandbox::kept_in(Some(file.clone()));
    assert_eq!(second.get("/v1/people/321", second.owner()).await.json()["name"], json!("Ada Lund"));
    assert_eq!(second.state.account_status(2), AccountStatus::Expired);
    second.state.reset().await.unwrap();
    assert_eq!(second.get("/v1/people/321", second.owner()).await.status, 404);
    assert_eq!(second.state.account_status(2), AccountStatus::Active);
    drop(second);

    let third = Sandbox::kept_in(Some(file));
    assert_eq!(third.get("/v1/people", third.owner()).await.json()["_metadata"]["total"], json!(240));
}

#[tokio::test]
async fn a_reset_forgets_the_rates_too() {
    let sandbox = Sandbox::new();
    for _ in 0..10 {
        sandbox.get("/v1/notes", sandbox.owner()).await;
    }
    assert_eq!(sandbox.get("/v1/notes", sandbox.owner()).await.status, 429);
    sandbox.state.reset().await.unwrap();
    assert_eq!(sandbox.get("/v1/notes", sandbox.owner()).await.status, 200);
}

#[tokio::test]
async fn what_cannot_be_kept_does_not_happen() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gone").join("api.json");
    let sandbox = Sandbox::kept_in(Some(file));
    let answer = sandbox.post("/v1/people", sandbox.owner(), json!({ "name": "Ada Lund" })).await;
    assert_eq!(answer.refusal().0, 503);
    assert_eq!(sandbox.get("/v1/people/321", sandbox.owner()).await.status, 404);
}

#[test]
fn a_foreign_or_broken_file_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("api.json");
    for (text, says) in [
        ("", "not the data"),
        ("{}", "not the data"),
        (r#"{"version":2,"seed":1}"#, "version 2"),
        (r#"{"version":1,"seed":1,"data":{}}"#, "not the data"),
        (r#"{"version":1,"seed":7}"#, "--seed 7"),
    ] {
        fs::write(&file, text).unwrap();
        let error = open(1, &file).err().expect("refused").to_string();
        assert!(error.contains(says), "{text}: {error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}

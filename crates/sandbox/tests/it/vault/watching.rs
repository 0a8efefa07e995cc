//! What whoever watches over a vault sees: its log and its metrics.

use super::desk::{Desk, refusal};
use super::logs::Captured;
use crate::raw::{clear, fired, set};
use keyfob_client::Method;
use serde_json::json;

#[tokio::test]
async fn a_secret_that_expired_is_told_loudly_once_each_time_the_authority_was_asked() {
    let (captured, _guard) = Captured::begin();
    let desk = Desk::new().await;
    for id in ["u1", "u2"] {
        desk.connect(id).await;
    }
    assert_eq!(desk.counted("keyfob_vault_app_refused_total{app=\"fub\"}"), "0", "there before it is needed");
    set(&desk.running, json!({ "fault": "expired-secret", "times": "always" })).await;
    desk.passes(61).await;
    for round in 1..=2 {
        for id in ["u1", "u2", "u1"] {
            let refused = desk.get(&format!("/proxy/fub/{id}/v1/identity")).await;
            assert_eq!(refusal(&refused), (502, "app_refused".to_owned()));
            assert_eq!(refused.header("retry-after"), Some("60"), "{}", refused.text);
        }
        let log = captured.text();
        let told: Vec<&str> = log.lines().filter(|line| line.contains("the authority refuses the app")).collect();
        assert_eq!((told.len(), fired(&desk.running).await.0), (round, round as u64), "{told:?}");
        let line = told[round - 1];
        for part in ["ERROR", "app=\"fub\"", "401 invalid", "next_try="] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert_eq!(desk.counted("keyfob_vault_app_refused_total{app=\"fub\"}"), round.to_string());
        desk.passes(1).await;
    }
    assert_eq!(desk.counted("keyfob_vault_app_refused_total{app=\"other\"}"), "0");
    clear(&desk.running).await;
    assert_eq!(desk.get("/proxy/fub/u1/v1/identity").await.status, 200);
}

#[tokio::test]
async fn connections_are_counted_as_they_come_and_go() {
    let desk = Desk::new().await;
    let counted = async || {
        desk.service().count_connections().await;
        desk.counted("keyfob_vault_connections")
    };
    assert_eq!(counted().await, "0");
    for id in ["u1", "u2"] {
        desk.connect(id).await;
    }
    // Of an app that nobody keeps alive.
    desk.connect("u3").await;
    desk.renamed("fub/u3", "gone/u3");
    assert_eq!(counted().await, "2");
    assert_eq!(desk.ask(Method::Delete, "/connections/fub/u1", "").await.status, 200);
    assert_eq!(counted().await, "1");
}

//! What a gate tells about itself.

use crate::issuer::claims;
use crate::scripted::{Scripted, listen};
use axum::body::Body;
use http::{Request, StatusCode};
use keyfob_gate::front::{Checkpoint, ForwardAuth, GateMetrics, admin};
use keyfob_protocol::revocation::RevokedKind;
use std::sync::Arc;
use tower::ServiceExt;

#[tokio::test]
async fn readiness_and_numbers_follow_what_the_gate_can_do() {
    let authority = Scripted::start(|_| ()).await;
    authority.revoke(RevokedKind::User, "43");
    authority.script().ahead = 90;
    let metrics = Arc::new(GateMetrics::default());
    let gate = authority.world.gate.clone();
    let check = ForwardAuth::new(Arc::new(Checkpoint::new(gate.clone(), metrics.clone())), StatusCode::OK).router();
    let call = async |token: &str| {
        let request = Request::get("/check").header("authorization", token).body(Body::empty()).unwrap();
        check.clone().oneshot(request).await.unwrap().status()
    };
    let bearer = format!("Bearer {}", authority.world.token(&claims()));

    assert_eq!(call(&bearer).await, StatusCode::SERVICE_UNAVAILABLE);
    let following = authority.follow();
    let (address, _server) = listen(admin::router(gate, metrics, following.status.clone())).await;
    let get = async |path: &str| {
        let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    crate::scripted::until("the gate is ready", || authority.world.gate.is_ready()).await;
    assert_eq!(get("/readyz").await.0, 200);
    assert_eq!(get("/healthz").await.0, 200);
    assert_eq!(call(&bearer).await, StatusCode::OK);
    assert_eq!(call("Bearer nonsense").await, StatusCode::UNAUTHORIZED);
    let (_, text) = get("/metrics").await;
    for line in [
        "keyfob_gate_checks_total{outcome=\"passed\"} 1",
        "keyfob_gate_checks_total{outcome=\"invalid_token\"} 1",
        "keyfob_gate_checks_total{outcome=\"cannot_decide\"} 1",
        "keyfob_gate_revocations 1",
        "keyfob_gate_revocation_lag_seconds 0",
        "keyfob_gate_clock_skew_seconds -90",
        "keyfob_gate_ready 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    authority.answers(StatusCode::BAD_GATEWAY, &[], "");
    let failed = following.status.failures();
    crate::scripted::until("it is cut off", || following.status.failures() > failed).await;
    authority.world.clock.set(crate::issuer::ISSUED.plus(31));
    assert_eq!(get("/readyz").await.0, 503);
    assert!(get("/metrics").await.1.contains("keyfob_gate_ready 0"));
    assert_eq!(get("/healthz").await.0, 200);
}

//! The gate as a tower layer.

use crate::issuer::{World, claims};
use futures_util::FutureExt;
use http::{Request, Response, StatusCode, header};
use keyfob_gate::{Caller, GateLayer};
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};

/// Sends a request through the layer to a service that answers who called and what it saw.
fn send(world: &World, request: Request<String>) -> Response<String> {
    let service = service_fn(|request: Request<String>| async move {
        let caller = Caller::of(request.extensions()).expect("the layer lets no one else through");
        let authorized = request.headers().contains_key(header::AUTHORIZATION);
        let text = format!(
            "user {} at {} with {}, header {authorized}",
            caller.holder.expect("a user").user,
            request.uri(),
            request.body()
        );
        Ok::<_, Infallible>(Response::new(text))
    });
    let guarded = GateLayer::new(world.gate.clone()).layer(service);
    guarded.oneshot(request).now_or_never().expect("nothing here waits").unwrap()
}

#[test]
fn jw_02_a_caller_passes_the_layer_with_the_request_untouched() {
    let world = World::new();
    let request = Request::get("/v1/people?limit=1")
        .header(header::AUTHORIZATION, format!("Bearer {}", world.token(&claims())))
        .body("a body".to_owned())
        .unwrap();
    assert_eq!(send(&world, request).body(), "user 42 at /v1/people?limit=1 with a body, header true");
}

#[test]
fn br_05_a_token_in_query_or_form_is_treated_as_absent() {
    let world = World::new();
    let token = world.token(&claims());
    world.call(&token).unwrap();
    let query = Request::get(format!("/v1/me?access_token={token}")).body(String::new()).unwrap();
    let form = Request::post("/v1/me")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("access_token={token}"))
        .unwrap();
    for request in [query, form] {
        let response = send(&world, request);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"api\"");
    }
}

#[test]
fn br_04_the_layer_answers_several_credentials_itself() {
    let world = World::new();
    let bearer = format!("Bearer {}", world.token(&claims()));
    let request = Request::get("/v1/me")
        .header(header::AUTHORIZATION, &bearer)
        .header(header::AUTHORIZATION, &bearer)
        .body(String::new())
        .unwrap();
    let response = send(&world, request);
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"api\", error=\"invalid_request\"");
}

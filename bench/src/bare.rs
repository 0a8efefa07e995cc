//! The yardstick: axum behind the same listener, answering with fixed bytes as long as Keyfob's.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use axum::routing::{get, post};
use bytes::Bytes;

/// Serves until standard input ends.
pub(crate) async fn serve(post_bytes: usize, get_bytes: usize) -> anyhow::Result<()> {
    let answer = |length: usize| {
        let body = Bytes::from(vec![b'x'; length]);
        // The headers of a token reply.
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store"), (PRAGMA, "no-cache")];
        (headers, body)
    };
    let (to_post, to_get) = (answer(post_bytes), answer(get_bytes));
    let router = Router::new()
        // Reading the body is part of answering a POST.
        .route("/oauth/token", post(async move |_: Bytes| to_post.clone()))
        .route("/bench/gate", get(async move || to_get.clone()));
    crate::serve::listen(router).await
}

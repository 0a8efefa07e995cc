//! The demo integration: the app's side of the flow. Its pages come with the next commit.
use crate::seed::Seed;
use crate::start::seeding::RedirectUris;
use crate::start::{Addresses, SandboxError};
use axum::Router;
use keyfob_protocol::{Clock, Entropy};
use std::sync::Arc;
pub(crate) struct Demo;
impl Demo {
    pub(crate) fn new(
        _: &Seed,
        _: &Addresses,
        _: &RedirectUris,
        _: Arc<dyn Clock>,
        _: Arc<dyn Entropy>,
    ) -> Result<Demo, SandboxError> {
        Ok(Demo)
    }
    pub(crate) fn forget(&self) {}
}
pub(crate) fn router(_: Arc<Demo>) -> Router {
    Router::new()
}

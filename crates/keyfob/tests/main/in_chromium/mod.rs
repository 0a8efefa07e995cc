//! The pages as people meet them, in Debian's Chromium.
//!
//! `browser`, `app`, `serving` and `sandbox` are the actors, `audit` is what every page must pass; the other files are the tests. The
//! browser, the servers and the app all live on free ports of 127.0.0.1. Without `chromium` and `chromium-driver` the tests fail and say so.

#![expect(
    clippy::disallowed_methods,
    reason = "browsers and servers are processes, and waiting for them has an end by the clock"
)]

mod app;
mod audit;
mod browser;
mod sandbox;
mod serving;

mod appearance;
mod connections;
mod decisions;
mod demo;
mod error_pages;
mod sign_in;
mod terminal;
mod without;

//! The pages as people meet them, in Debian's Chromium.
//!
//! `browser`, `app`, `serving` and `sandbox` are the actors, `audit` is what every page must pass; the other files are the tests. The
//! browser, the servers and the app all live on free ports of 127.0.0.1. Without `chromium` and `chromium-driver` the tests fail and say so.

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
mod without;

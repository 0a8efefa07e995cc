//! For tests of the whole: a clock moved by hand, seeded entropy, an authority over a real store, and a client like a browser.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use keyfob_testkit::{Browser, TestServer};
//!
//! let server = TestServer::start().await;
//! let app = server.confidential_app("Listing Lantern").await;
//! let code = Browser::new(&server).connect(&app.authorize_url()).await.code();
//! let tokens = app.exchange(&server, &code).await;
//! assert_eq!(tokens.status(), 200);
//! # });
//! ```

mod answer;
mod app;
mod browser;
mod clock;
mod entropy;
mod postgres;
mod server;
mod wire;

pub use answer::Answer;
pub use app::TestApp;
pub use browser::{Browser, Landing, Page};
pub use clock::ManualClock;
pub use entropy::SeededEntropy;
pub use postgres::{PostgresCluster, PostgresDatabase, PostgresReplica};
pub use server::{ADDRESS, MASTER_KEY, Person, REDIRECT_URI, START, TestServer, TestServerOptions};
pub use wire::{Cut, PostgresWire};

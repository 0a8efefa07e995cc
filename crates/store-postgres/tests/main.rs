//! The store through its public door, on a real PostgreSQL: the suite of its contract, batches, connections that fail, schemas.
#![expect(clippy::unwrap_used, reason = "a test may end at a surprise")]

mod store {
    mod batches;
    mod conformance;
    mod connections;
    mod hangs;
    mod lost_answers;
    mod migrations;
    mod moved_tables;
    mod moving;
    mod news;
    mod outages;
    mod place;
    mod schemas;
    mod tls;
}

//! The store for several nodes passes the suite of its contract.

use crate::place::Database;

keyfob_client::token_store_conformance!(Database);

//! The embedded store passes the suite of its contract.

use crate::place::Directory;

keyfob_client::token_store_conformance!(Directory);

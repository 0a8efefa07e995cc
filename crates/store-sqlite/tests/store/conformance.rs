//! What every store must do.

use super::place::Place;

keyfob_authority::store_conformance!(Place);

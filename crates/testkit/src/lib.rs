//! keyfob-testkit

//! keyfob-client

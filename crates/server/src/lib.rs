//! keyfob-server

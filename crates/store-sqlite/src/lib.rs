//! keyfob-store-sqlite

//! keyfob-sandbox

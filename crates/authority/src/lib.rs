//! keyfob-authority

//! `keyfob vault …`

#![expect(dead_code, reason = "the group of commands is made elsewhere and calls this")]

pub(crate) mod import;

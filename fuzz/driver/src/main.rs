//! libFuzzer on one target, which the environment names.
#![no_main]

use keyfob_fuzz::{Target, find};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("KEYFOB_FUZZ_TARGET").expect("KEYFOB_FUZZ_TARGET names the target");
    find(&name).expect("a target of this name")
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));

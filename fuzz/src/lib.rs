//! Fuzz targets: every parser that reads what a stranger wrote, each with what must hold for any input (matrix OP-04).
//!
//! `tests/replay.rs` runs all of `corpus/` on every test run, on stable Rust and without a fuzzer; `./fuzz.sh SECONDS` looks for new inputs with
//! libFuzzer (`driver/`, a package of its own, which the workspace does not build). What it finds goes into the corpus and stays there.
//! A target that panics has found something: a crash, or a promise that does not hold.

mod authorize;
mod credentials;
mod discovery;
mod explain;
mod form;
mod jwt;
mod redirect_uri;
mod replies;
mod sign_in;
mod token_name;
mod token_request;

/// A parser under test.
pub struct Target {
    /// Its name; its corpus is the directory of this name.
    pub name: &'static str,
    /// Feeds it one input.
    pub run: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 14] = [
    Target { name: "form", run: form::run },
    Target { name: "authorize", run: authorize::run },
    Target { name: "callback", run: replies::callback },
    Target { name: "token_request", run: token_request::run },
    Target { name: "token_reply", run: replies::token },
    Target { name: "basic", run: credentials::basic },
    Target { name: "bearer", run: credentials::bearer },
    Target { name: "redirect_uri", run: redirect_uri::run },
    Target { name: "token_name", run: token_name::run },
    Target { name: "jwt", run: jwt::run },
    Target { name: "assertion", run: sign_in::assertion },
    Target { name: "id_token", run: sign_in::id_token },
    Target { name: "discovery", run: discovery::run },
    Target { name: "explain", run: explain::run },
];

/// The target of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Cuts the input at its line ends into `N` parts; the last one takes the rest. How one input becomes several arguments.
fn parts<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut rest = bytes.splitn(N, |byte| *byte == b'\n');
    std::array::from_fn(|_| rest.next().unwrap_or_default())
}

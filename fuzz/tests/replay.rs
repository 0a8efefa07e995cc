//! Every input that was ever worth keeping, again.
#![expect(clippy::disallowed_methods, reason = "how long a parser takes is what is asked")]

use keyfob_fuzz::TARGETS;
use std::path::Path;
use std::time::{Duration, Instant};

/// An input that takes longer than this is a hang for whoever waits for the answer.
const PATIENCE: Duration = Duration::from_secs(2);

#[test]
fn op_04_every_kept_input_is_survived_by_its_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in &TARGETS {
        let directory = corpus.join(target.name);
        let inputs = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let mut count = 0;
        for input in inputs {
            let path = input.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("an input");
            let begun = Instant::now();
            (target.run)(&bytes);
            assert!(begun.elapsed() < PATIENCE, "{} took {:?}", path.display(), begun.elapsed());
            count += 1;
        }
        assert!(count >= 5, "{} has {count} inputs: too few to mean anything", target.name);
    }
}

#[test]
fn op_04_inputs_at_and_over_every_limit_are_survived() {
    let long = 1 << 18;
    for target in &TARGETS {
        for unit in [&b"a"[..], b"&", b"%", b"%00", b"=&", b"\n", b"{", b"[", b"\"", b"\\", b"\xff", b".", b"://", b"'"]
        {
            let bytes: Vec<u8> = unit.iter().copied().cycle().take(long).collect();
            let begun = Instant::now();
            (target.run)(&bytes);
            assert!(begun.elapsed() < 5 * PATIENCE, "{}: {:?} of {unit:?}", target.name, begun.elapsed());
        }
    }
}

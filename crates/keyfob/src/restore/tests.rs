//! Row OP-02: a restore that stops between any two of its steps is finished later, and nothing is lost.

use super::*;
use keyfob_server::follow::TickMark;

fn place() -> (tempfile::TempDir, Config) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keyfob.toml");
    fs::write(&file, "issuer = \"http://127.0.0.1\"").expect("written");
    let config = Config::read(Some(&file), Some(directory.path().join("data")), None).expect("a configuration");
    private_directory(&config.data).expect("a directory");
    (directory, config)
}

fn write(path: &Path, content: &str) {
    fs::write(path, content).expect("written");
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[test]
fn op_02_a_restore_that_stops_between_two_steps_is_finished_by_the_next_one_who_comes() {
    for present in [true, false] {
        for done in 0..=SUFFIXES.len() + 1 {
            let (_directory, config) = place();
            let database = config.database();
            let swap = Swap::free(&config);
            if present {
                for suffix in SUFFIXES {
                    write(&with_suffix(&database, suffix), &format!("old{suffix}"));
                }
            }
            write(&swap.ready(), "new");
            for (from, to) in swap.steps().into_iter().take(done).filter(|(from, _)| from.exists()) {
                fs::rename(from, to).expect("renamed");
            }
            let begun = Swap::interrupted(&config).expect("a directory");
            assert_eq!(begun.is_some(), done <= SUFFIXES.len(), "after {done} steps");

            finish_interrupted(&config).expect("finished");
            assert_eq!(read(&database).as_deref(), Some("new"), "after {done} steps");
            for suffix in ["-wal", "-shm"] {
                assert!(!with_suffix(&database, suffix).exists(), "after {done} steps: a log of another store");
            }
            for suffix in SUFFIXES {
                let old = present.then(|| format!("old{suffix}"));
                assert_eq!(read(&swap.kept(suffix)), old, "after {done} steps");
            }
            assert!(Swap::interrupted(&config).expect("a directory").is_none());
            finish_interrupted(&config).expect("nothing to do");
            assert_eq!(read(&database).as_deref(), Some("new"), "once is enough");
        }
    }
}

#[test]
fn op_02_a_restore_that_stops_before_its_copy_is_checked_changes_nothing() {
    let (_directory, config) = place();
    write(&config.database(), "old");
    for suffix in SUFFIXES {
        write(&with_suffix(&unchecked(&config), suffix), "half a copy");
    }
    finish_interrupted(&config).expect("undone");
    assert_eq!(read(&config.database()).as_deref(), Some("old"));
    for suffix in SUFFIXES {
        assert!(!with_suffix(&unchecked(&config), suffix).exists(), "{suffix}");
    }
}

#[test]
fn op_02_a_restore_takes_no_number_that_is_taken_and_no_file_that_is_not_its_own() {
    let (_directory, config) = place();
    let first = Swap::free(&config);
    assert_eq!(first.number, 1);
    // Only its log is left of the first one.
    write(&first.kept("-wal"), "kept");
    assert_eq!(Swap::free(&config).number, 2);
    for foreign in ["keyfob.db.restore-x", "keyfob.db.restore-01", "other.db.restore-1", "keyfob.db.before-restore-3"] {
        write(&config.data.join(foreign), "foreign");
    }
    crate::composition::tick_mark::FileMark::in_directory(&config.data).note(1);
    assert!(Swap::interrupted(&config).expect("a directory").is_none());
    finish_interrupted(&config).expect("nothing to do");
    assert!(!config.database().exists());
}

#[test]
fn op_02_a_restore_that_is_going_on_is_not_taken_for_an_interrupted_one() {
    let (_directory, config) = place();
    let swap = Swap::free(&config);
    write(&swap.ready(), "new");
    let lock = lock::alone(&config).expect("a lock").expect("nobody has it");
    finish_interrupted(&config).expect("left alone");
    assert!(swap.ready().exists());
    assert!(lock::shared(&config).is_err(), "and nobody opens the store meanwhile");
    drop(lock);
    finish_interrupted(&config).expect("finished");
    assert!(!swap.ready().exists());
    assert!(lock::shared(&config).is_ok());
}

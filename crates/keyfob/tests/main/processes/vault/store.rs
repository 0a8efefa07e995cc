//! Which store a vault begins, and which it refuses to take.

use super::Vault;
use crate::processes::serving::Serving;
use keyfob_testkit::PostgresCluster;

/// A store that has gone, where its key is still there, is not replaced by an empty one: every user would seem to be gone.
#[test]
fn a_store_that_is_missing_is_not_replaced() {
    let vault = Vault::on("vault.db");
    std::fs::write(vault.path("users.csv"), "id,refresh_token\n").expect("a file");
    let import = |more: &[&str]| vault.run(&[&["import", "users.csv", "--app", "fub"], more].concat());
    let first = import(&[]);
    assert!(first.stderr.contains("made a new, empty vault in vault.db\n"), "{first:?}");
    assert!(!import(&[]).stderr.contains("made a new"), "it is there");
    let place = std::path::absolute(vault.path("vault.db")).expect("a path");
    let database = PostgresCluster::shared().database();
    let gone = |store: &str| {
        vault.configure(&format!("store = {store:?}"));
        vault.refuses(&[
            "there is no vault in",
            "one was begun under its master key, in ",
            &place.display().to_string(),
            "keyfob vault --new-store",
        ]);
        assert_eq!(import(&[]).code, Some(3));
    };
    std::fs::write(vault.path("vault.db"), "").expect("a file");
    gone("vault.db");
    std::fs::remove_file(vault.path("vault.db")).expect("there");
    gone("vault.db");
    assert!(!vault.path("vault.db").exists(), "a file was made");
    gone(&database.url());
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(database.sql(tables), "0", "tables were made");
    // Whoever means it says so, once.
    let meant = vault.run(&["reseal", "data", "--new-store"]);
    assert!(meant.code == Some(0) && meant.stderr.contains("made a new, empty vault in postgres://"), "{meant:?}");
    vault.serve().stop();
    // Without the key nothing that was sealed under it is worth anything.
    vault.configure("store = \"vault.db\"");
    std::fs::remove_file(vault.path("vault.master-key")).expect("there");
    vault.serve().stop();
    vault.serve().stop();
}

/// The key has taken the place of the one that the store was begun under, and its mark with it.
#[test]
fn a_store_that_is_missing_under_a_new_master_key_is_not_replaced() {
    let vault = Vault::on("vault.db");
    vault.serve().stop();
    vault.does(&["reseal", "master", "--new", "new.master-key"]);
    vault.configure("store = \"vault.db\"\nmaster_key_file = \"new.master-key\"");
    std::fs::remove_file(vault.path("vault.db")).expect("made by the first start");
    vault.refuses(&["there is no vault in vault.db", "(says new.master-key.begun)"]);
}

/// Where the key is handed out before the first start, nothing tells that from a store that is gone but the operator.
#[test]
fn a_key_that_is_there_before_the_first_start_begins_a_store() {
    let key = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";
    let vault = Vault::on("vault.db");
    vault.secret("vault.master-key", key, 0o600);
    let odd = "made a new, empty vault in vault.db; its master key was there before";
    let serving = vault.serve();
    let line = serving.said().lines().find(|line| line.contains(odd)).map(str::to_owned);
    assert!(line.as_deref().is_some_and(|line| line.contains("WARN")), "{line:?} in {}", serving.said());
    serving.stop();
    // From the environment, each time, and never a mark for it.
    let vault = Vault::on("vault.db");
    let in_environment = || {
        let mut command = vault.command(&[]);
        command.env("KEYFOB_VAULT_MASTER_KEY", key);
        command
    };
    for _ in 0..2 {
        Serving::start(in_environment()).stop();
        std::fs::remove_file(vault.path("vault.db")).expect("made");
    }
    vault.configure("store = \"vault.db\"\nstore_must_exist = true");
    let (code, said) = Serving::refused(in_environment());
    assert!(code == Some(3) && said.contains("store_must_exist is set"), "{said}");
}

/// A mark that cannot be read may be one.
#[test]
fn a_mark_that_cannot_be_read_is_taken_for_one() {
    let vault = Vault::on("vault.db");
    vault.secret("vault.master-key", "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=", 0o600);
    let mark = vault.path("vault.master-key.begun");
    std::fs::create_dir(&mark).expect("a directory");
    vault.refuses(&[
        "there is no vault in vault.db",
        "vault.master-key.begun cannot be read",
        "keyfob vault --new-store",
    ]);
    assert!(!vault.path("vault.db").exists(), "a file was made");
    std::fs::remove_dir(&mark).expect("there");
    vault.serve().stop();
}

/// As beside a secret that is mounted read-only.
#[test]
fn a_mark_that_cannot_be_written_is_told_until_the_settings_stand_in_for_it() {
    let vault = Vault::on("vault.db");
    std::os::unix::fs::symlink("nowhere/mark", vault.path("vault.master-key.begun")).expect("a link");
    vault.secret("vault.master-key", "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=", 0o600);
    let told = |serving: Serving| {
        let told = serving.said().lines().any(|line| line.contains("WARN") && line.contains("store_must_exist"));
        serving.stop();
        told
    };
    assert!(told(vault.serve()) && told(vault.serve()));
    vault.configure("store = \"vault.db\"\nstore_must_exist = true");
    assert!(!told(vault.serve()));
}

/// The second node of a vault, started without the key of the first.
#[test]
fn a_vault_on_postgresql_without_its_key_gets_no_other_one() {
    let database = PostgresCluster::shared().database();
    let vault = Vault::on(&database.url());
    vault.serve().stop();
    std::fs::remove_file(vault.path("vault.master-key")).expect("made by the first start");
    vault.refuses(&["is there and its master key file vault.master-key is not; put the file back"]);
    assert!(!vault.path("vault.master-key").exists(), "another key was made");
}

/// Tables alone are no vault: a restore of the schema leaves them, or a truncation.
#[test]
fn a_database_that_was_emptied_is_not_begun_anew() {
    let database = PostgresCluster::shared().database();
    let vault = Vault::on(&database.url());
    vault.serve().stop();
    database.sql("TRUNCATE vault, data_keys, connections");
    vault.refuses(&["there is no vault in postgres://", "one was begun under its master key"]);
    std::fs::remove_file(vault.path("vault.master-key.begun")).expect("written by the first start");
    vault.configure(&format!("store = {:?}\nstore_must_exist = true", database.url()));
    vault.refuses(&["there is no vault in postgres://", "store_must_exist is set"]);
    assert_eq!(database.sql("SELECT count(*) FROM vault"), "0", "a vault was begun");
    let meant = vault.run(&["reseal", "data", "--new-store"]);
    assert!(meant.code == Some(0) && meant.stderr.contains("made a new, empty vault in postgres://"), "{meant:?}");
    vault.serve().stop();
    // A schema that was restored alone has no version either.
    database.sql("TRUNCATE vault, data_keys, connections, schema_version");
    vault.refuses(&["there is no vault in postgres://"]);
}

/// A second one started by mistake, or by a supervisor before the first had stopped.
#[test]
fn one_process_at_a_time_serves_a_file() {
    let vault = Vault::on("vault.db");
    let serving = vault.serve();
    let (code, said) = Serving::refused(vault.command(&[]));
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("another keyfob vault serves the store vault.db; stop it first"), "{said}");
    // Commands go on beside it.
    std::fs::write(vault.path("users.csv"), "id,refresh_token\n").expect("a file");
    for command in [&["check"][..], &["reseal", "data"], &["import", "users.csv", "--app", "fub"]] {
        let told = vault.run(command);
        assert_eq!(told.code, Some(0), "{command:?}: {told:?}");
    }
    // Whoever was killed holds nothing.
    serving.kill();
    vault.serve().stop();
    let database = PostgresCluster::shared().database();
    vault.configure(&format!("store = {:?}\nmaster_key_file = \"nodes.master-key\"", database.url()));
    let (one, two) = (vault.serve(), vault.serve());
    one.stop();
    two.stop();
}

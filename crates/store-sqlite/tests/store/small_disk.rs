//! A file system that is really full. Needs one of some 24 MiB, which only root can make:
//! `mount -t tmpfs -o size=24m tmpfs DIR; KEYFOB_TEST_SMALL_DIRECTORY=DIR cargo test -p keyfob-store-sqlite -- --ignored`

use std::path::PathBuf;

use keyfob_authority::conformance::build::{NOW, approved, insert};
use keyfob_authority::model::Grant;
use keyfob_authority::store::{GrantFilter, Store as _, StoreError, Written};
use keyfob_protocol::token_name::GrantId;
use keyfob_store_sqlite::{Options, SqliteStore};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a small file system"]
async fn a_full_file_system_is_a_clear_fault_and_heals_without_a_restart() {
    let directory = PathBuf::from(std::env::var("KEYFOB_TEST_SMALL_DIRECTORY").unwrap());
    let (filler, file) = (directory.join("filler"), directory.join("keyfob.db"));
    std::fs::write(&filler, vec![1; 8 << 20]).unwrap();
    let store = SqliteStore::open(&file, &Options::default()).unwrap();
    let grant = |number: u64| {
        let mut noise = [0; 11];
        noise[..8].copy_from_slice(&number.to_be_bytes());
        Grant { id: GrantId::new(NOW, noise), ..approved(1) }
    };
    let mut stored = 0;
    let full = loop {
        match store.write_grant(insert(stored, grant(stored))).await {
            Ok(written) => assert_eq!(written, Written::Won),
            Err(error) => break error,
        }
        stored += 1;
    };
    assert!(matches!(full, StoreError::Unavailable(_)), "{full}");
    for number in 0..100 {
        assert!(store.write_grant(insert(number, grant(stored + number))).await.is_err());
    }
    assert_eq!(store.held_grant(grant(stored - 1).id).await.unwrap().unwrap().grant, grant(stored - 1));
    std::fs::remove_file(&filler).unwrap();
    for _ in 0..500 {
        assert_eq!(store.write_grant(insert(stored, grant(stored))).await.unwrap(), Written::Won);
        stored += 1;
    }
    store.close().await;
    drop(store);
    let store = SqliteStore::open(&file, &Options::default()).unwrap();
    let grants = store.grants(GrantFilter::default(), u32::MAX).await.unwrap();
    assert_eq!(grants.len(), usize::try_from(stored).unwrap(), "what was answered is there, and nothing else");
    drop(store);
    for name in ["keyfob.db", "keyfob.db-wal", "keyfob.db-shm"] {
        let _ = std::fs::remove_file(directory.join(name));
    }
}

//! A wire between a store and its database that can be cut just after the database has answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::place::Place;

/// Passes bytes on until it is told to lose the next answer.
pub(crate) struct Wire {
    url: String,
    lose: Arc<AtomicBool>,
    lost: Arc<AtomicU32>,
}

impl Wire {
    pub(crate) async fn to(place: &Place) -> Self {
        let url = place.database.url();
        let (place, name) = url.strip_prefix("postgres://postgres@").unwrap().rsplit_once('/').unwrap();
        let (directory, port) = place.rsplit_once(':').unwrap();
        let socket = format!("{}/.s.PGSQL.{port}", directory.replace("%2F", "/"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://postgres@{}/{name}", listener.local_addr().unwrap());
        let wire = Self { url, lose: Arc::default(), lost: Arc::default() };
        let (lose, lost) = (Arc::clone(&wire.lose), Arc::clone(&wire.lost));
        tokio::spawn(async move {
            while let Ok((store, _)) = listener.accept().await {
                let database = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(pass(store, database, Arc::clone(&lose), Arc::clone(&lost)));
            }
        });
        wire
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The next answer is lost, and its connection with it.
    pub(crate) fn lose_next_answer(&self) {
        self.lose.store(true, Ordering::SeqCst);
    }

    /// How many were lost.
    pub(crate) fn lost(&self) -> u32 {
        self.lost.load(Ordering::SeqCst)
    }
}

async fn pass(store: TcpStream, database: UnixStream, lose: Arc<AtomicBool>, lost: Arc<AtomicU32>) {
    let (mut from_store, mut to_store) = store.into_split();
    let (mut from_database, mut to_database) = database.into_split();
    let asking = tokio::spawn(async move { tokio::io::copy(&mut from_store, &mut to_database).await });
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from_database.read(&mut bytes).await {
        if lose.swap(false, Ordering::SeqCst) {
            lost.fetch_add(1, Ordering::SeqCst);
            break;
        }
        if to_store.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    asking.abort();
}

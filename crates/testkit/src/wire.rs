//! A wire between a store and its database that can be cut: for a while, with or without a word, or just after the database has answered.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

use crate::postgres::PostgresDatabase;

/// How a wire is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Every connection is reset, and new ones as well: the database's machine is up and refuses.
    Reset,
    /// Nothing passes and nothing is said: a network that swallows packets. What was sent meanwhile arrives when the wire is mended.
    Silent,
}

/// Passes bytes between TCP on 127.0.0.1 and the sockets of a database. It needs a runtime that runs while a test blocks.
pub struct PostgresWire {
    url: String,
    cut: watch::Sender<Option<Cut>>,
    losses: Arc<Losses>,
}

#[derive(Default)]
struct Losses {
    /// Answers that pass before one is lost, and one; 0: none is to be lost.
    in_answers: AtomicU32,
    lost: AtomicU32,
}

impl Losses {
    fn is_this_one(&self) -> bool {
        let counted = |left: u32| left.checked_sub(1);
        self.in_answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted) == Ok(1)
    }
}

impl PostgresWire {
    /// A wire to each server that the database may be on.
    pub async fn to(database: &PostgresDatabase) -> Self {
        let (cut, is_cut) = watch::channel(None);
        let losses = Arc::new(Losses::default());
        let mut hosts = Vec::new();
        for socket in database.sockets() {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            hosts.push(listener.local_addr().expect("an address").to_string());
            tokio::spawn(listen(listener, socket, is_cut.clone(), Arc::clone(&losses)));
        }
        let url = format!("postgres://postgres@{}/{}", hosts.join(","), database.name());
        Self { url, cut, losses }
    }

    /// The database at the other end, as a URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next answer is lost, and its connection with it.
    pub fn lose_next_answer(&self) {
        self.lose_answer_after(0);
    }

    /// So many pieces pass, and the next is lost with its connection. What the database sends without a pause is one piece.
    pub fn lose_answer_after(&self, pass: u32) {
        self.losses.in_answers.store(pass + 1, Ordering::SeqCst);
    }

    /// How many were lost.
    pub fn lost(&self) -> u32 {
        self.losses.lost.load(Ordering::SeqCst)
    }

    /// Cuts it until it is mended.
    pub fn cut(&self, how: Cut) {
        self.cut.send_replace(Some(how));
    }

    /// Bytes pass again.
    pub fn mend(&self) {
        self.cut.send_replace(None);
    }
}

/// Ends with its wire.
async fn listen(listener: TcpListener, socket: PathBuf, mut is_cut: watch::Receiver<Option<Cut>>, losses: Arc<Losses>) {
    loop {
        let store = tokio::select! {
            accepted = listener.accept() => accepted,
            () = wire_is_gone(&mut is_cut) => return,
        };
        let Ok((store, _)) = store else { continue };
        // A pipeline must not wait for acknowledgements on this machine; a socket that is gone already is found out by what follows.
        let _ = store.set_nodelay(true);
        // A database that is down refuses, and so does this end.
        if *is_cut.borrow() != Some(Cut::Reset)
            && let Ok(database) = UnixStream::connect(&socket).await
        {
            tokio::spawn(pass(store, database, is_cut.clone(), Arc::clone(&losses)));
        }
    }
}

async fn wire_is_gone(is_cut: &mut watch::Receiver<Option<Cut>>) {
    while is_cut.changed().await.is_ok() {}
}

/// Until either end closes, or the wire is cut or gone.
async fn pass(store: TcpStream, database: UnixStream, is_cut: watch::Receiver<Option<Cut>>, losses: Arc<Losses>) {
    let (from_store, to_store) = store.into_split();
    let (from_database, to_database) = database.into_split();
    let mut broken = is_cut.clone();
    tokio::select! {
        () = carry(from_store, to_database, is_cut.clone(), None) => {}
        () = carry(from_database, to_store, is_cut, Some(losses)) => {}
        // An error: the wire is gone.
        _ = broken.wait_for(|cut| *cut == Some(Cut::Reset)) => {}
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut is_cut: watch::Receiver<Option<Cut>>,
    losses: Option<Arc<Losses>>,
) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if is_cut.wait_for(|cut| *cut != Some(Cut::Silent)).await.is_err() {
            return;
        }
        if let Some(losses) = &losses
            && losses.is_this_one()
        {
            losses.lost.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

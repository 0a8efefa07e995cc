//! What nodes tell each other: that there is something to read. By LISTEN and NOTIFY on a connection of its own.
//!
//! It is said after the commit, beside the transaction: an engine that does not know NOTIFY fails nothing, and commits do not queue for
//! PostgreSQL's one lock on its queue of notifications. So a word can be lost, with its speaker or with a connection; who must not miss
//! anything looks by themselves now and then.

use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::link::{Dialer, Link};
use crate::session::Purpose;

/// Whatever nodes say, and what is heard of it.
pub struct News {
    link: Arc<Link>,
    heard: Arc<Notify>,
    to_say: Arc<Notify>,
    speaker: AbortHandle,
}

impl News {
    pub(crate) fn start(dialer: Dialer) -> Self {
        let (heard, to_say) = (Arc::clone(&dialer.heard), Arc::new(Notify::new()));
        let link = Arc::new(Link::start(dialer, Purpose::News));
        let speaker = tokio::spawn(speak(Arc::clone(&link), Arc::clone(&to_say))).abort_handle();
        Self { link, heard, to_say, speaker }
    }

    /// Tells every node, this one as well, soon. Several calls may become one word.
    pub fn tell(&self) {
        self.to_say.notify_one();
    }

    /// Until somebody said something since the last call. One caller at a time.
    pub async fn heard(&self) {
        self.heard.notified().await;
    }

    pub(crate) fn close(&self) {
        self.speaker.abort();
        self.link.close();
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.close();
    }
}

async fn speak(link: Arc<Link>, to_say: Arc<Notify>) {
    loop {
        to_say.notified().await;
        let said = match link.session().await {
            Ok(session) => session.run("NOTIFY keyfob").await,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = said {
            tracing::debug!(%fault, "other nodes could not be told; they will look");
        }
    }
}

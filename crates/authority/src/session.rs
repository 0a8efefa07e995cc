//! Sessions of signed-in users. The cookie is 256 random bits; the store holds its digest (matrix SE-01, IN-05).

use crate::authority::{Authority, Fault};
use crate::model::{Account, LedgerEntry, LedgerKind, Session, SessionId, User};
use aws_lc_rs::digest;
use keyfob_protocol::time::MINUTE;
use keyfob_protocol::{Entropy, EntropyFailed, Secret, Timestamp, base62, entropy};

/// When a user was last seen is written in steps of this (seconds).
const TOUCH_EVERY: i64 = 5 * MINUTE;

/// A signed-in user, with everything a page needs to name them.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// The user.
    pub user: User,
    /// Their account, if it exists.
    pub account: Option<Account>,
}

/// A fresh opaque cookie value of 256 bits.
pub fn fresh_cookie(entropy: &dyn Entropy) -> Result<Secret<String>, EntropyFailed> {
    let bytes: [u8; 32] = entropy::random(entropy)?;
    Ok(Secret::new(base62::encode(&bytes)))
}

/// What is stored of a cookie.
pub fn cookie_digest(cookie: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, cookie.as_bytes());
    digest.as_ref().try_into().expect("invariant: SHA-256 has 32 bytes")
}

impl Authority {
    /// Who is signed in with this cookie, if anybody still is.
    pub async fn signed_in(&self, cookie: &str, now: Timestamp) -> Result<Option<SignedIn>, Fault> {
        let id = SessionId(cookie_digest(cookie));
        let Some(session) = self.store.session(id).await? else { return Ok(None) };
        let idle_at = session.last_seen_at.plus(self.settings.session_idle);
        let ends_at = session.authenticated_at.plus(self.settings.session_absolute);
        if now >= idle_at || now >= ends_at {
            return Ok(None);
        }
        let Some(user) = self.store.user(session.user).await? else { return Ok(None) };
        let account = self.store.account(user.account).await?;
        if now.since(session.last_seen_at) >= TOUCH_EVERY {
            self.store.touch_session(id, now).await?;
        }
        Ok(Some(SignedIn { session, user, account }))
    }

    /// Opens a session for a user who proved who they are; the browser's earlier session ends with it. Returns the cookie.
    pub async fn open_session(
        &self,
        user: &User,
        earlier_cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<(Secret<String>, Session), Fault> {
        let cookie = fresh_cookie(&*self.entropy)?;
        let id = SessionId(cookie_digest(cookie.expose()));
        let session = Session { id, user: user.id, authenticated_at: now, last_seen_at: now };
        let replaces = earlier_cookie.map(|cookie| SessionId(cookie_digest(cookie)));
        let entry = about_user(LedgerEntry::new(now, LedgerKind::SignedIn), user);
        self.store.open_session(session.clone(), replaces, vec![entry]).await?;
        Ok((cookie, session))
    }

    /// Ends a session.
    pub async fn sign_out(&self, signed_in: &SignedIn, now: Timestamp) -> Result<(), Fault> {
        let entry = about_user(LedgerEntry::new(now, LedgerKind::SignedOut), &signed_in.user);
        Ok(self.store.close_session(signed_in.session.id, vec![entry]).await?)
    }
}

fn about_user(entry: LedgerEntry, user: &User) -> LedgerEntry {
    LedgerEntry { user: Some(user.id), account: Some(user.account), ..entry }
}

//! The row as this process last saw it, and tokens that the store did not take yet.
//!
//! Between the authority's answer and its durable write the new tokens exist here and nowhere else. They stay here, in use,
//! until the store has them or has something better.

use crate::connection::{ConnectionError, Held};
use crate::connections::SAVE_TRIES;
use crate::events::Event;
use crate::fail_points::reach;
use crate::identity::Identity;
use crate::refreshing::LEASE;
use crate::store::{Fence, IntentFate, LeaseAnswer, Saved, StoreUnavailable};
use crate::stored::{Standing, State, StoredConnection, Trouble, TroubleKind};
use crate::tokens::{TokenDigest, TokenSet};
use std::sync::MutexGuard;
use std::time::Duration;

/// Between tries of a durable write.
const SAVE_PAUSE: Duration = Duration::from_millis(200);

/// The row as last seen, or what is newer than the store.
#[derive(Default)]
pub(crate) struct Seen {
    row: Option<StoredConnection>,
    unwritten: Option<Unwritten>,
}

/// What came of redeeming the tokens of `redeemed`, and is not in the store.
#[derive(Clone)]
struct Unwritten {
    redeemed: u64,
    /// The refresh token that was redeemed. Generations begin anew after a removal; a token does not come again.
    spent: Option<TokenDigest>,
    from: State,
    row: StoredConnection,
    /// The lease under which it came. The store may still know it.
    fence: Option<Fence>,
    /// Whether somebody was told.
    told: bool,
}

/// What the answer to a call may settle about a connection as last seen.
pub(crate) struct OpenQuestions {
    /// Something is wrong with it. Not the last refresh, which is not a call's to judge.
    pub(crate) troubled: bool,
    /// Nobody knows yet whose it is.
    pub(crate) unidentified: bool,
}

/// What became of a try to write.
enum Wrote {
    Stored(StoredConnection),
    /// What stands there is newer, or nothing stands there any more.
    Theirs(Option<StoredConnection>),
    /// Somebody else has the lease.
    NotNow,
}

impl Held {
    /// The row as last seen, or else as stored. A connection that waits for its user is looked up each time: the user may have been here.
    pub(crate) async fn current(&self) -> Result<(u64, TokenSet), ConnectionError> {
        {
            let seen = self.seen();
            if let (Some(StoredConnection { generation, standing: Standing::Live(tokens), .. }), None) =
                (&seen.row, &seen.unwritten)
            {
                return Ok((*generation, tokens.clone()));
            }
        }
        live(self.reload().await?)
    }

    /// Reads the store, after writing what could not be written before.
    pub(crate) async fn reload(&self) -> Result<Option<StoredConnection>, StoreUnavailable> {
        let unwritten = self.seen().unwritten.clone();
        if let Some(unwritten) = unwritten {
            // What stands in the store is the truth, or else what this process alone knows.
            return match self.write(unwritten.clone()).await {
                Ok(Wrote::Stored(row)) => Ok(Some(row)),
                Ok(Wrote::Theirs(row)) => Ok(row),
                Ok(Wrote::NotNow) | Err(_) => Ok(Some(unwritten.row)),
            };
        }
        let row = self.shared.store.load(&self.id).await?;
        self.see(row.clone());
        Ok(row)
    }

    /// Remembers a row that was read from or written to the store. It displaces unwritten tokens only if it is not older.
    pub(crate) fn see(&self, row: Option<StoredConnection>) {
        let generation = row.as_ref().map_or(0, |row| row.generation);
        let newer_unwritten =
            self.seen().unwritten.as_ref().is_some_and(|unwritten| unwritten.row.generation > generation);
        if !newer_unwritten {
            self.set_seen(Seen { row, unwritten: None });
        }
    }

    /// As long as something is unwritten the app need not hold a handle: what only this memory has outlives them all.
    fn set_seen(&self, seen: Seen) {
        let is_unwritten = seen.unwritten.is_some();
        *self.seen() = seen;
        let mut unwritten = self.shared.unwritten();
        match self.me.upgrade().filter(|_| is_unwritten) {
            Some(me) => drop(unwritten.insert(self.id.clone(), me)),
            None => drop(unwritten.remove(&self.id)),
        }
    }

    pub(crate) fn last_seen(&self) -> Option<StoredConnection> {
        self.seen().row.clone()
    }

    /// Without a copy of the row: every call asks.
    pub(crate) fn open_questions(&self) -> OpenQuestions {
        let seen = self.seen();
        let row = seen.row.as_ref();
        let trouble = row.and_then(|row| row.trouble.as_ref());
        OpenQuestions {
            troubled: trouble.is_some_and(|trouble| trouble.kind != TroubleKind::Degraded),
            unidentified: row.is_some_and(|row| row.identity.is_none()),
        }
    }

    pub(crate) fn is_unwritten(&self) -> bool {
        self.seen().unwritten.is_some()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("invariant: nothing panics while the lock is held")
    }

    /// Keeps what came of redeeming the tokens of `before`: in memory at once, then durably. If the store fails it stays in memory, in
    /// use, and is written as soon as the store is back. Gives what stands then; [`ConnectionError::NotConnected`] if
    /// the connection was removed meanwhile, which stays so.
    pub(crate) async fn keep(
        &self,
        fence: Fence,
        before: &StoredConnection,
        row: StoredConnection,
    ) -> Result<StoredConnection, ConnectionError> {
        let unwritten = Unwritten {
            redeemed: before.generation,
            spent: before.tokens().and_then(TokenSet::refresh_digest),
            from: before.status().state,
            row: row.clone(),
            fence: Some(fence),
            told: false,
        };
        self.set_seen(Seen { row: Some(row.clone()), unwritten: Some(unwritten.clone()) });
        reach("refresh.before_finish");
        let mut refused = StoreUnavailable("another node is refreshing at the same time".to_owned());
        for tried in 1..=SAVE_TRIES {
            match self.write(unwritten.clone()).await {
                Ok(Wrote::Stored(row)) => {
                    reach("refresh.finished");
                    return Ok(row);
                }
                Ok(Wrote::Theirs(row)) => return row.ok_or(ConnectionError::NotConnected),
                Ok(Wrote::NotNow) => {}
                Err(unavailable) => refused = unavailable,
            }
            if tried < SAVE_TRIES {
                self.shared.outside.pause.pause(SAVE_PAUSE).await;
            }
        }
        if let Some(unwritten) = &mut self.seen().unwritten {
            unwritten.told = true;
        }
        self.shared.events.unwritten(&self.id, &refused);
        Ok(row)
    }

    /// One try. First under the lease it came under; if that is over, under a new one and only over what it is the successor of.
    async fn write(&self, unwritten: Unwritten) -> Result<Wrote, StoreUnavailable> {
        let store = &self.shared.store;
        let Unwritten { redeemed, spent, row, from, fence, .. } = unwritten;
        if let Some(fence) = fence
            && store.finish(&self.id, fence, redeemed, &row).await? == Saved::Stored
        {
            return Ok(self.written(Some(from), row));
        }
        let now = self.now();
        let leased = match store.take_lease(&self.id, now, now.plus(LEASE)).await? {
            LeaseAnswer::Taken(leased) => leased,
            LeaseAnswer::Held { .. } => return Ok(Wrote::NotNow),
        };
        // Another node may have been told that the token is dead, because ours had just replaced it.
        let replaceable = |there: &StoredConnection| {
            spent.is_some_and(|spent| {
                there.tokens().and_then(TokenSet::refresh_digest) == Some(spent)
                    || (row.tokens().is_some() && there.gave_up_on(spent))
            })
        };
        match leased.row {
            Some(there) if replaceable(&there) => {
                let next = StoredConnection { generation: there.generation + 1, ..row };
                match store.finish(&self.id, leased.fence, there.generation, &next).await? {
                    Saved::Stored => Ok(self.written(Some(there.status().state), next)),
                    Saved::Conflict => Ok(Wrote::NotNow),
                }
            }
            there => {
                store.release(&self.id, leased.fence, IntentFate::StaysOpen).await?;
                self.set_seen(Seen { row: there.clone(), unwritten: None });
                Ok(Wrote::Theirs(there))
            }
        }
    }

    fn written(&self, from: Option<State>, row: StoredConnection) -> Wrote {
        let was_told = self.seen().unwritten.as_ref().is_some_and(|unwritten| unwritten.told);
        self.set_seen(Seen { row: Some(row.clone()), unwritten: None });
        if was_told {
            self.shared.events.written(&self.id);
        }
        self.tell(from, &row);
        Wrote::Stored(row)
    }

    /// Tells of a change that is durable, if it is one.
    pub(crate) fn tell(&self, from: Option<State>, row: &StoredConnection) {
        let to = row.status();
        if from != Some(to.state) {
            self.shared.events.changed(&Event { id: self.id.clone(), generation: row.generation, from, to });
        }
    }

    /// Notes that only the user can help, where the tokens of a row have no refresh token and the access token is over: by its age, or because the
    /// API has refused it.
    pub(crate) async fn note_unrenewable(&self, row: &StoredConnection, was_refused: bool) {
        let Some(tokens) = row.tokens().filter(|tokens| tokens.refresh_token.is_none()) else { return };
        if was_refused || !tokens.is_alive(self.now()) {
            self.see(Some(row.clone()));
            let reason = "the access token has ended, and the authority gave no refresh token".to_owned();
            self.note(row.generation, TroubleKind::Unrenewable, reason).await;
        }
    }

    /// The API works with these tokens: takes back what was wrong, and pins the connection to whoever the API says it is where nobody is known yet.
    /// That the store fails here loses nothing: the next call sees the same.
    pub(crate) async fn works(&self, generation: u64, identity: Option<&Identity>) {
        drop(self.try_works(generation, identity).await);
    }

    /// Under the lease, so that no refresh that another node has sent loses its write.
    async fn try_works(&self, generation: u64, identity: Option<&Identity>) -> Result<(), StoreUnavailable> {
        let (store, now) = (&self.shared.store, self.now());
        if self.is_unwritten() {
            return Ok(());
        }
        let LeaseAnswer::Taken(leased) = store.take_lease(&self.id, now, now.plus(LEASE)).await? else { return Ok(()) };
        let is_news = |row: &StoredConnection| row.trouble.is_some() || (row.identity.is_none() && identity.is_some());
        let row = leased.row.filter(|row| {
            row.generation == generation && row.tokens().is_some() && leased.open.is_none() && is_news(row)
        });
        let Some(row) = row else { return store.release(&self.id, leased.fence, IntentFate::StaysOpen).await };
        let next = StoredConnection {
            generation: generation + 1,
            since: if row.trouble.is_some() { now } else { row.since },
            trouble: None,
            identity: row.identity.clone().or(identity.cloned()),
            ..row.clone()
        };
        if store.finish(&self.id, leased.fence, generation, &next).await? == Saved::Stored {
            self.see(Some(next.clone()));
            self.tell(Some(row.status().state), &next);
        }
        Ok(())
    }

    /// Notes trouble. One node of several that see it writes it and tells of it. That the store fails here loses
    /// nothing: the next call sees the same.
    pub(crate) async fn note(&self, generation: u64, kind: TroubleKind, reason: String) {
        let Some(mut row) = self.last_seen().filter(|row| row.generation == generation) else { return };
        if self.is_unwritten() || row.trouble.as_ref().is_some_and(|trouble| trouble.kind == kind) {
            return;
        }
        let from = row.status().state;
        row.trouble = Some(Trouble { kind, since: self.now(), reason });
        let noted = self.shared.store.note(&self.id, generation, row.trouble.as_ref()).await;
        match noted {
            Ok(Saved::Stored) => {
                self.see(Some(row.clone()));
                self.tell(Some(from), &row);
            }
            Ok(Saved::Conflict) => drop(self.reload().await),
            Err(_) => {}
        }
    }
}

/// The tokens of a row that can be used.
pub(crate) fn live(row: Option<StoredConnection>) -> Result<(u64, TokenSet), ConnectionError> {
    let row = row.ok_or(ConnectionError::NotConnected)?;
    match row.standing {
        Standing::Live(tokens) => Ok((row.generation, tokens)),
        Standing::ReauthRequired(why) => Err(ConnectionError::ReauthRequired(Box::new(why))),
        Standing::LostReply(why) => Err(ConnectionError::LostReply(Box::new(why))),
        Standing::Denied => Err(ConnectionError::Denied { since: row.since }),
    }
}

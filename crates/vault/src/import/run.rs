//! One line after the other: put in, verified, told.

use super::again::Again;
use super::lines::{Export, Place, Unreadable};
use super::person::Person;
use keyfob_client::{
    Clock, Connection, ConnectionError, ConnectionState, Connections, Evidence, Pause, Saved, StoreUnavailable,
    StoredConnection, Timestamp, TokenDigest, TokenSet, TokenStore, Trouble, TroubleKind,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Lines that are verified at once: few enough for an API's rate limit to last.
const AT_ONCE: usize = 8;
/// Rows that are read at once.
const PAGE: usize = 200;
/// How often a line waits for the API's rate limit.
const RATE_TRIES: u32 = 5;

/// Imports into one app's connections. Cheap to clone.
#[derive(Clone)]
pub struct Importer {
    /// The app's connections.
    pub connections: Connections,
    /// The store that they are in.
    pub store: Arc<dyn TokenStore>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Waits for rate limits.
    pub pause: Arc<dyn Pause>,
}

/// What became of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub place: Place,
    /// The connection's name, where it could be read.
    pub id: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a line, and why. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the vault and works, and is pinned to its account and user.
    Imported,
    /// The same without a refresh token: nobody can keep it alive, and it ends with its access token.
    ImportedWithoutRefresh {
        /// When that is, where the export says it.
        until: Option<Timestamp>,
    },
    /// It is in the vault, its tokens are good and are kept alive, and the API refuses everything with 403: the account has expired or is locked.
    Locked,
    /// It would be put in and verified, were this not a dry run.
    WouldBeImported,
    /// The vault has a connection of this name, which was left as it is.
    AlreadyThere(Compared),
    /// The vault has a connection of this name, and it belongs to somebody else, as the API says; it was left as it is.
    OtherPerson,
    /// It is in the vault, and its tokens are not good any more; only the user can help, by connecting again.
    Dead {
        /// What was said.
        reason: String,
    },
    /// Its access token is not good any more and it has no refresh token; it was not kept.
    WithoutUse,
    /// The vault has a connection of this name that works no more; it was left as it is, and the line's tokens were not tried.
    DeadThere {
        /// What was said of it.
        reason: String,
        /// Why they were not.
        untried: Untried,
    },
    /// It is in the vault, and could not be verified in passing. The next run tries again.
    NotVerified {
        /// What stood in the way.
        reason: String,
    },
    /// It is not in the vault, since that takes nothing at present. The next run tries again.
    NotKept {
        /// What stood in the way.
        reason: String,
    },
    /// An earlier line has the same name; this one was not looked at.
    Repeated {
        /// That line.
        first: Place,
    },
    /// An earlier line has the same refresh token under another name; this one was not looked at. Two connections would refresh one grant, and an
    /// authority that takes a refresh token once would end it for both.
    SameTokens {
        /// That line.
        first: Place,
    },
    /// The vault has the same refresh token under another name; this one was not put in.
    SameTokensThere {
        /// That name.
        id: String,
    },
    /// It cannot be read.
    Unreadable {
        /// The column, where one is to blame.
        column: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
}

/// What is known of whose tokens the line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The same person's.
    SamePerson,
    /// The API does not say, or the line's access token has ended; a refresh would spend a token that the vault may be using.
    NotCompared,
}

/// Why the tokens of a line do not take the place of a connection that works no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untried {
    /// They are those that it died with.
    SameTokens,
    /// The connection is somebody's, and whose the line's tokens are cannot be asked: their access token has ended, or the API does not say now.
    OwnerUnknown,
    /// It stopped working less than ten minutes ago: a node that could not write them may have newer tokens of it, and writes them yet.
    StoppedJustNow,
    /// Its user declined, and has to be asked.
    Declined,
}

impl Importer {
    /// Imports an export and tells what became of each line, in their order.
    pub async fn run(&self, export: Export, dry_run: bool, mut tell: impl FnMut(Line)) {
        let mut first: HashMap<String, Place> = HashMap::new();
        let mut tokens: HashMap<TokenDigest, Place> = HashMap::new();
        let there = Arc::new(self.refresh_tokens().await);
        let mut waiting = export.0.into_iter();
        loop {
            let mut done = Vec::new();
            let mut working = JoinSet::new();
            for (number, (place, values)) in waiting.by_ref().take(AT_ONCE).enumerate() {
                let person = values.and_then(|values| Person::read(&values, self.clock.now()));
                match person {
                    Err(Unreadable { column, reason }) => {
                        let outcome = Outcome::Unreadable { column, reason };
                        done.push((number, Line { place, id: None, outcome }));
                    }
                    Ok(person) => {
                        let digest = person.tokens.refresh_digest();
                        let same_name = first.get(&person.id).map(|first| Outcome::Repeated { first: *first });
                        let same_tokens = digest.and_then(|digest| tokens.get(&digest));
                        let same_tokens = same_tokens.map(|first| Outcome::SameTokens { first: *first });
                        if let Some(outcome) = same_name.or(same_tokens) {
                            done.push((number, Line { place, id: Some(person.id), outcome }));
                            continue;
                        }
                        first.insert(person.id.clone(), place);
                        tokens.extend(digest.map(|digest| (digest, place)));
                        let (importer, there) = (self.clone(), there.clone());
                        working.spawn(async move {
                            let id = Some(person.id.clone());
                            let known = digest.and_then(|digest| there.get(&digest));
                            let outcome = importer.bring_in(person, known, dry_run).await;
                            (number, Line { place, id, outcome })
                        });
                    }
                }
            }
            if done.is_empty() && working.is_empty() {
                return;
            }
            done.extend(working.join_all().await);
            done.sort_by_key(|(number, _)| *number);
            done.into_iter().for_each(|(_, line)| tell(line));
        }
    }

    /// The refresh tokens that the vault has, by name: a second's walk through a hundred thousand. What cannot be read now is not looked at; whatever
    /// keeps the store from being read will keep it from being written.
    async fn refresh_tokens(&self) -> HashMap<TokenDigest, String> {
        let mut known = HashMap::new();
        let mut after: Option<String> = None;
        while let Ok(page) = self.store.page(after.as_deref(), PAGE).await
            && let Some(last) = page.last()
        {
            after = Some(last.id.clone());
            for listed in page {
                let digest = listed.row.ok().and_then(|row| row.tokens()?.refresh_digest());
                known.extend(digest.map(|digest| (digest, listed.id)));
            }
        }
        known
    }

    /// `known`: the name under which the vault has the same refresh token.
    async fn bring_in(&self, person: Person, known: Option<&String>, dry_run: bool) -> Outcome {
        let ends = person.tokens.refresh_token.is_none().then_some(person.tokens.expires_at);
        match (self.bring_in_or_fail(person, known, dry_run).await, ends) {
            (Ok(Outcome::Imported), Some(until)) => Outcome::ImportedWithoutRefresh { until },
            (Ok(outcome), _) => outcome,
            (Err(unavailable), _) => Outcome::NotKept { reason: unavailable.to_string() },
        }
    }

    async fn bring_in_or_fail(
        &self,
        person: Person,
        known: Option<&String>,
        dry_run: bool,
    ) -> Result<Outcome, StoreUnavailable> {
        let Person { id, tokens } = person;
        if let Some(there) = self.store.load(&id).await? {
            return self.bring_in_again(Again { id: &id, tokens: &tokens, known, dry_run }, there).await;
        }
        if let Some(other) = known {
            return Ok(Outcome::SameTokensThere { id: other.clone() });
        }
        if dry_run {
            return Ok(Outcome::WouldBeImported);
        }
        let now = self.clock.now();
        if tokens.refresh_token.is_none() && !tokens.is_alive(now) {
            return Ok(Outcome::WithoutUse);
        }
        let row = unverified(1, tokens.clone(), now);
        match self.store.save(&id, None, &row).await? {
            Saved::Stored => self.verify(&id).await,
            // Somebody was faster: the user has just connected, or another import runs.
            Saved::Conflict => match self.store.load(&id).await? {
                Some(there) => self.bring_in_again(Again { id: &id, tokens: &tokens, known, dry_run }, there).await,
                None => Ok(Outcome::NotKept { reason: "it was removed at the same moment".to_owned() }),
            },
        }
    }

    /// Asks the API whose it is, by the connection's ordinary call: refreshed first where it is time to, journaled like any refresh.
    ///
    /// Without a refresh token, one that the API refuses is worth nothing and is not kept.
    pub(super) async fn verify(&self, id: &str) -> Result<Outcome, StoreUnavailable> {
        let outcome = self.ask(id).await?;
        if outcome == Outcome::WithoutUse {
            self.store.remove(id).await?;
        }
        Ok(outcome)
    }

    pub(super) async fn ask(&self, id: &str) -> Result<Outcome, StoreUnavailable> {
        let connection = self.connections.open(id);
        let mut tries = 0;
        let answer = loop {
            match connection.identity().await {
                Err(ConnectionError::RateLimited { retry_at }) if tries < RATE_TRIES => {
                    tries += 1;
                    let seconds = retry_at.since(self.clock.now()).max(1);
                    self.pause.pause(Duration::from_secs(seconds.unsigned_abs())).await;
                }
                answer => break answer,
            }
        };
        Ok(match answer {
            // The call has pinned it to whom it belongs.
            Ok(Some(_)) => match self.store.load(id).await?.is_some_and(|row| row.identity.is_some()) {
                true => Outcome::Imported,
                false => Outcome::NotVerified { reason: "another node is refreshing it at this moment".to_owned() },
            },
            // Where the API says nothing about people, a token that can be had is all there is to see.
            Ok(None) => match connection.fresh_tokens().await {
                Ok(_) => {
                    self.is_good(id).await?;
                    Outcome::Imported
                }
                Err(error) => failed(&error),
            },
            Err(ConnectionError::Unexpected { status: 403, .. }) if is_locked(&connection).await => Outcome::Locked,
            Err(error) => failed(&error),
        })
    }

    /// Takes back what was said of it until it was verified. A refresh that went well has done so.
    async fn is_good(&self, id: &str) -> Result<(), StoreUnavailable> {
        let row = self.store.load(id).await?;
        if let Some(row) = row.filter(is_unverified) {
            // A conflict: somebody has replaced it, and knows better.
            let _: Saved = self.store.note(id, row.generation, None).await?;
        }
        Ok(())
    }
}

/// A row whose tokens may be dead.
pub(super) fn unverified(generation: u64, tokens: TokenSet, now: Timestamp) -> StoredConnection {
    let reason = "it was imported and is not verified yet".to_owned();
    let trouble = Trouble { kind: TroubleKind::Unverified, since: now, reason };
    StoredConnection { trouble: Some(trouble), ..StoredConnection::live(generation, tokens, now, None) }
}

pub(super) fn is_unverified(row: &StoredConnection) -> bool {
    row.trouble.as_ref().is_some_and(|trouble| trouble.kind == TroubleKind::Unverified)
}

async fn is_locked(connection: &Connection) -> bool {
    matches!(connection.state().await, Ok(ConnectionState::AccountLocked { .. }))
}

fn failed(error: &ConnectionError) -> Outcome {
    match error {
        ConnectionError::ReauthRequired(why) => dead(&why.evidence),
        ConnectionError::LostReply(why) => dead(&why.evidence),
        ConnectionError::NoRefreshToken(_) => Outcome::WithoutUse,
        ConnectionError::RefreshFailed { .. } => {
            Outcome::NotVerified { reason: "the authority did not refresh it in passing".to_owned() }
        }
        ConnectionError::AppRefused { evidence, .. } => {
            let reason = format!("the authority refuses the app ({}); check client id and secret", evidence.in_short());
            Outcome::NotVerified { reason }
        }
        ConnectionError::Unexpected { status: 403, .. } => {
            Outcome::NotVerified { reason: "the API refuses with 403: the account may be locked".to_owned() }
        }
        ConnectionError::Unexpected { status, .. } => {
            Outcome::NotVerified { reason: format!("the API does not say whose it is (status {status})") }
        }
        // These hold no text of the other end.
        ConnectionError::NotConnected
        | ConnectionError::Denied { .. }
        | ConnectionError::RefreshElsewhere { .. }
        | ConnectionError::Unauthorized(_)
        | ConnectionError::RateLimited { .. }
        | ConnectionError::OtherOrigin { .. }
        | ConnectionError::NoAnswer(_)
        | ConnectionError::NotRevoked(_)
        | ConnectionError::Store(_) => Outcome::NotVerified { reason: error.to_string() },
    }
}

fn dead(evidence: &Evidence) -> Outcome {
    Outcome::Dead { reason: format!("the authority said {}; its user has to connect again", evidence.in_short()) }
}

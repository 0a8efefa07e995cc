//! A line whose name the vault has already: whose its tokens are, and whether they may take the place of a connection that works no more.
//!
//! A live connection is never replaced: its tokens are newer than any export's. A dead one may have newer ones too, in the memory of a node that could not
//! write them, and that node puts them over what was given up on; so a connection has been dead for a while before it is replaced. The write names the
//! generation that was found dead, so that a user who consents at the same moment wins. Whoever it belonged to is asked for before: a refresh token shows
//! its owner only by being spent, and would then be lost if it were somebody else's.

use super::run::{Compared, Importer, Outcome, Untried, is_unverified, unverified};
use keyfob_client::{
    ApiShape, LostReply, ReauthRequired, Saved, Standing, StoreUnavailable, StoredConnection, Timestamp, TokenDigest,
    TokenSet,
};

/// Seconds that a connection has been dead before it is replaced. A node tries every few seconds to write what was not taken; one that cannot for
/// longer than this, while this import can, loses it.
const DEAD_FOR: i64 = 600;

/// The line.
#[derive(Clone, Copy)]
pub(super) struct Again<'a> {
    pub(super) id: &'a str,
    pub(super) tokens: &'a TokenSet,
    /// The name under which the vault has the same refresh token.
    pub(super) known: Option<&'a String>,
    pub(super) dry_run: bool,
}

/// What is known of a connection that works no more.
struct Dead {
    reason: String,
    refused: Option<TokenDigest>,
    since: Timestamp,
}

impl Importer {
    /// The vault has a connection of this name.
    pub(super) async fn bring_in_again(
        &self,
        line: Again<'_>,
        there: StoredConnection,
    ) -> Result<Outcome, StoreUnavailable> {
        match &there.standing {
            Standing::Live(kept) => {
                let compared = self.compare(line, kept, &there).await?;
                // An earlier run put it in, and its tokens have turned out dead; the line may have others.
                if !matches!(compared, Outcome::Dead { .. }) || is_same(kept, line.tokens) {
                    return Ok(compared);
                }
                let Some(there) = self.store.load(line.id).await? else { return Ok(compared) };
                match dead(&there.standing) {
                    Some(dead) => self.replace(line, dead, &there).await,
                    None => Ok(compared),
                }
            }
            Standing::Denied => {
                Ok(Outcome::DeadThere { reason: "its user declined".to_owned(), untried: Untried::Declined })
            }
            standing => match dead(standing) {
                Some(dead) => self.replace(line, dead, &there).await,
                None => Ok(Outcome::AlreadyThere(Compared::NotCompared)),
            },
        }
    }

    /// Whose the line's tokens are, beside a connection that is alive and stays as it is.
    async fn compare(
        &self,
        line: Again<'_>,
        kept: &TokenSet,
        there: &StoredConnection,
    ) -> Result<Outcome, StoreUnavailable> {
        let Again { id, tokens, dry_run, .. } = line;
        let the_same = is_same(kept, tokens);
        let is_unverified = is_unverified(there);
        let is_known = there.identity.is_some() || self.connections.provider().api_shape() == ApiShape::Unknown;
        let was = match there.identity.clone() {
            Some(was) => was,
            // An earlier run was interrupted behind putting it in.
            None if !is_known && !dry_run => {
                let verified = self.verify(id).await?;
                let now_known = self.store.load(id).await?.and_then(|row| row.identity);
                match now_known.filter(|_| verified == Outcome::Imported && !the_same) {
                    Some(was) => was,
                    None => return Ok(verified),
                }
            }
            None if the_same && (is_unverified || kept.is_due(self.clock.now())) && !dry_run => {
                return self.verify(id).await;
            }
            None if the_same => return Ok(Outcome::AlreadyThere(Compared::SamePerson)),
            None => return Ok(Outcome::AlreadyThere(Compared::NotCompared)),
        };
        if the_same {
            return Ok(Outcome::AlreadyThere(Compared::SamePerson));
        }
        let is = match !dry_run && can_be_asked(tokens, self.clock.now()) {
            true => self.connections.identify(tokens).await,
            false => None,
        };
        Ok(match is {
            Some(is) if is.is_same(&was) => Outcome::AlreadyThere(Compared::SamePerson),
            Some(_) => Outcome::OtherPerson,
            None => Outcome::AlreadyThere(Compared::NotCompared),
        })
    }

    /// Puts the line's tokens in the place of a connection that works no more.
    async fn replace(
        &self,
        line: Again<'_>,
        dead: Dead,
        there: &StoredConnection,
    ) -> Result<Outcome, StoreUnavailable> {
        let Again { id, tokens, known, dry_run } = line;
        let digest = tokens.refresh_digest();
        let untried = |untried| Ok(Outcome::DeadThere { reason: dead.reason.clone(), untried });
        if digest.is_some() && digest == dead.refused {
            return untried(Untried::SameTokens);
        }
        if let Some(other) = known {
            return Ok(Outcome::SameTokensThere { id: other.clone() });
        }
        let now = self.clock.now();
        if now.since(dead.since) < DEAD_FOR {
            return untried(Untried::StoppedJustNow);
        }
        // Without a refresh token nothing but an answer shows that it is good for anything.
        let must_be_asked = there.identity.is_some() || digest.is_none();
        if must_be_asked && !can_be_asked(tokens, now) {
            return untried(Untried::OwnerUnknown);
        }
        if dry_run {
            return Ok(Outcome::WouldBeImported);
        }
        let mut row = unverified(there.generation + 1, tokens.clone(), now);
        if must_be_asked {
            let Some(is) = self.connections.identify(tokens).await else { return untried(Untried::OwnerUnknown) };
            if there.identity.as_ref().is_some_and(|was| !is.is_same(was)) {
                return Ok(Outcome::OtherPerson);
            }
            row.identity = Some(is);
        }
        match self.store.save(id, Some(there.generation), &row).await? {
            Saved::Stored => Ok(match self.ask(id).await? {
                // The row stays, unlike that of a line which nobody knew: it says whose it is.
                Outcome::WithoutUse => Outcome::Dead {
                    reason: "its access token is not good any more, and there is no refresh token; its user has to connect again"
                        .to_owned(),
                },
                outcome => outcome,
            }),
            Saved::Conflict => Ok(Outcome::AlreadyThere(Compared::NotCompared)),
        }
    }
}

fn is_same(kept: &TokenSet, tokens: &TokenSet) -> bool {
    kept.access_token.expose() == tokens.access_token.expose()
        || (kept.refresh_digest().is_some() && kept.refresh_digest() == tokens.refresh_digest())
}

/// Whether the API can say whose they are without a refresh.
fn can_be_asked(tokens: &TokenSet, now: Timestamp) -> bool {
    !tokens.access_token.expose().is_empty() && tokens.is_alive(now)
}

fn dead(standing: &Standing) -> Option<Dead> {
    match standing {
        Standing::ReauthRequired(ReauthRequired { evidence, refused, since })
        | Standing::LostReply(LostReply { evidence, refused, since, .. }) => {
            Some(Dead { reason: evidence.in_short(), refused: *refused, since: *since })
        }
        Standing::Live(_) | Standing::Denied => None,
    }
}

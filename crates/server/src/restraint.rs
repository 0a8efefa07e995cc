//! Restraint towards those who fail again and again, and towards more work than this node can do (matrix RL-01 to RL-03).
//!
//! Everything is counted in this node's memory, which is bounded: a limit that writes to the store would be an attack of its own. A delay
//! grows with each failure and ends by itself.
//!
//! Nobody is held up by somebody else's guesses in a browser that they have used; in one that is new to them, by those from their own address, and
//! while a botnet guesses at them, from their own network. So guesses at one person from everywhere close nothing: they make each network that
//! comes after be content with three, and then with fewer and fewer. Where nobody says who is connected, only what needs no address is counted,
//! and anybody can hold up browsers that are new to their users, for a minute at a time.

mod failures;
mod load;
mod peer;

pub(crate) use failures::{Failures, Key, Rule};
pub(crate) use load::Load;
pub(crate) use peer::Peer;

use keyfob_protocol::Timestamp;
use keyfob_protocol::time::{DAY, HOUR, MINUTE};
use keyfob_protocol::token_refusal::TokenRefusal;

/// Passwords of one person from one address: the sixth guess in an hour waits two seconds, the next four, and so on.
const LOGIN: Rule = Rule { free: 5, longest: 15 * MINUTE, forget: HOUR };
/// Sign-ins from one address, behind which an office may sit.
const LOGIN_ADDRESS: Rule = Rule { free: 30, longest: 5 * MINUTE, forget: HOUR };
/// Passwords of one person from anywhere, in browsers that are new to them. More are a botnet; it closes the door to nobody ([`LOGIN_NETWORK`]).
const LOGIN_ANYWHERE: Rule = Rule { free: 50, longest: 0, forget: HOUR };
/// Passwords of one person from one network, while a botnet guesses at them: addresses are cheap, networks less so.
const LOGIN_NETWORK: Rule = Rule { free: 2, longest: HOUR, forget: DAY };
/// Passwords of one person in a browser that is new to them, where nobody says who is connected.
const LOGIN_UNADDRESSED: Rule = Rule { free: 50, longest: MINUTE, forget: HOUR };
/// Secrets of one client from one address. They have 256 bits; this is about the work.
const CLIENT: Rule = Rule { free: 30, longest: MINUTE, forget: 5 * MINUTE };
/// Secrets of any client from one address.
const CLIENT_ADDRESS: Rule = Rule { free: 100, longest: MINUTE, forget: 5 * MINUTE };
/// Codes and refresh tokens that a client which proved itself is refused: a program in a loop. A vault that learns of a thousand ended grants at once
/// is not that.
const GRANT: Rule = Rule { free: 1000, longest: 10, forget: MINUTE };

/// What is counted.
#[derive(Debug)]
pub(crate) struct Restraint {
    /// Whether anybody is held back.
    holds_back: bool,
    logins: Failures,
    /// Apart, so that a token request asks nothing where only sign-ins fail.
    clients: Failures,
    pub(crate) load: Load,
}

/// One try to sign in, counted as a failure until it is known to be none.
#[derive(Default)]
pub(crate) struct LoginAttempt {
    /// Failures of this person here, which a success makes good.
    here: Vec<Key>,
    /// Failures of others as well.
    wider: Vec<Key>,
}

impl Restraint {
    /// With nothing counted yet.
    pub(crate) fn new(holds_back: bool) -> Restraint {
        Restraint { holds_back, logins: Failures::default(), clients: Failures::default(), load: Load::default() }
    }

    /// Counts a try to sign in before the password is looked at, so that a thousand at once are a thousand. `known` is the browser, if its owner has
    /// signed in with it before.
    ///
    /// # Errors
    /// Seconds to wait; the password is not looked at.
    pub(crate) fn login(
        &self,
        email: &str,
        known: Option<&str>,
        peer: Peer,
        now: Timestamp,
    ) -> Result<LoginAttempt, u32> {
        if !self.holds_back {
            return Ok(LoginAttempt::default());
        }
        let email = email.trim().to_lowercase();
        let anywhere = Key::of("login anywhere", &[&email]);
        let botnet = known.is_none() && self.logins.exceed(&anywhere, LOGIN_ANYWHERE, now);
        let (here, wider) = match (known, peer.address()) {
            // By itself alone: whoever copied its cookie gains nothing by bringing addresses.
            (Some(browser), _) => (vec![(Key::of("login known", &[&email, browser]), LOGIN)], Vec::new()),
            (None, None) => (Vec::new(), vec![(anywhere, LOGIN_UNADDRESSED)]),
            (None, Some(address)) => {
                let mut here = vec![(Key::of("login", &[&email, &address]), LOGIN)];
                if botnet {
                    let network = peer.network().unwrap_or_default();
                    here.push((Key::of("login network", &[&email, &network]), LOGIN_NETWORK));
                }
                (here, vec![(Key::of("login address", &[&address]), LOGIN_ADDRESS), (anywhere, LOGIN_ANYWHERE)])
            }
        };
        self.logins.count_all(here.iter().chain(&wider), now)?;
        if known.is_none() && !botnet && self.logins.exceed(&anywhere, LOGIN_ANYWHERE, now) {
            tracing::warn!(
                "more than fifty wrong passwords of one person: from now on each network has three tries, then fewer"
            );
        }
        let keys = |counted: Vec<(Key, Rule)>| counted.into_iter().map(|(key, _)| key).collect();
        Ok(LoginAttempt { here: keys(here), wider: keys(wider) })
    }

    /// The password was right: this person may mistype again here, and the try was none of the failures.
    pub(crate) fn logged_in(&self, attempt: LoginAttempt) {
        attempt.here.iter().for_each(|key| self.logins.forget(key));
        attempt.wider.iter().for_each(|key| self.logins.take_back(key));
    }

    /// The password was not looked at after all.
    pub(crate) fn not_tried(&self, attempt: LoginAttempt) {
        attempt.here.iter().chain(&attempt.wider).for_each(|key| self.logins.take_back(key));
    }

    /// Whether a client's request is looked at now.
    ///
    /// # Errors
    /// Row T-03.
    pub(crate) fn client(&self, client_id: &str, peer: Peer, now: Timestamp) -> Result<(), TokenRefusal> {
        if !self.clients.any() {
            return Ok(());
        }
        let Some(address) = peer.address() else { return Ok(()) };
        let keys = client_keys(client_id, &address).into_iter().map(|(key, _)| key);
        let waits = keys.chain([grant_key(client_id, &address)]).filter_map(|key| self.clients.wait(&key, now));
        waits.max().map_or(Ok(()), |retry_after| Err(TokenRefusal::Overloaded { retry_after }))
    }

    /// Counts what a client's request was refused for, where that is somebody trying.
    pub(crate) fn refused(&self, client_id: &str, peer: Peer, refusal: &TokenRefusal, now: Timestamp) {
        let Some(address) = peer.address().filter(|_| self.holds_back) else { return };
        match refusal {
            TokenRefusal::ClientAuthenticationFailed => {
                client_keys(client_id, &address).iter().for_each(|(key, rule)| self.clients.count(key, *rule, now));
            }
            TokenRefusal::InvalidCode | TokenRefusal::InvalidRefreshToken => {
                self.clients.count(&grant_key(client_id, &address), GRANT, now);
            }
            _ => {}
        }
    }
}

fn client_keys(client_id: &str, address: &str) -> [(Key, Rule); 2] {
    [(Key::of("client", &[client_id, address]), CLIENT), (Key::of("client address", &[address]), CLIENT_ADDRESS)]
}

fn grant_key(client_id: &str, address: &str) -> Key {
    Key::of("grant", &[client_id, address])
}

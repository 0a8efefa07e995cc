//! A node put together: law, gate and doorway over one store, and the tasks that keep it in step with that store.
//!
//! Who serves an authority hands in what only they can make or choose; how the parts know each other is said here, once. People sign
//! in at the platform or the OpenID provider where the settings name one, otherwise with the passwords of the store. The gate of a node is told of each revocation at its commit, and of other processes' by following
//! the store. Whether it goes on with what it knows while there is no news is an option: yes where the store is this process's own.

use crate::clock_health::ClockHealth;
use crate::doorway::{Doorway, GateSink, Options, Readiness};
use crate::feed::Feed;
use crate::follow::{FollowError, Followed, Follower, TickMark};
use crate::metrics::Metrics;
use crate::restraint::Restraint;
use keyfob_authority::open::{OpenError, Opener};
use keyfob_authority::passwords::Passwords;
use keyfob_authority::sign_in::{LocalPasswords, SignInPlace, SignInWay};
use keyfob_authority::store::Store;
use keyfob_authority::{Authority, Fault, Settings};
use keyfob_gate::{Gate, GateConfig, ProtectedResource};
use keyfob_protocol::{Clock, Entropy};
use std::sync::Arc;

/// What a node is made of.
pub struct NodeParts {
    /// Rows: a new store, or one that the opener may open.
    pub store: Arc<dyn Store>,
    /// Opens the store's keys, now and whenever they may have changed.
    pub opener: Opener,
    /// Of the law.
    pub settings: Settings,
    /// Of the doorway.
    pub options: Options,
    /// The time of every request.
    pub clock: Arc<dyn Clock>,
    /// The judge of that clock.
    pub clock_health: Arc<dyn ClockHealth>,
    /// Keys, tokens, cookies and request ids come from here.
    pub entropy: Arc<dyn Entropy>,
    /// Where it remembers the store's tick.
    pub tick_mark: Arc<dyn TickMark>,
}

/// A node that does not follow its store yet: its doorway answers that it is starting, and its gate decides nothing.
pub struct Node {
    /// What every handler shares; [`crate::router::router`] answers from it.
    pub doorway: Arc<Doorway>,
    /// Hashes the passwords of people who are added here.
    pub passwords: Arc<Passwords>,
    follower: Follower,
}

impl Node {
    /// Opens the store, or makes a new one ours, and puts the parts together.
    ///
    /// # Errors
    /// [`OpenError`] where the store is another's or its keys do not open.
    pub async fn open(parts: NodeParts) -> Result<Node, OpenError> {
        let NodeParts { store, opener, settings, options, clock, clock_health, entropy, tick_mark } = parts;
        let keyring = opener.open(&*store, clock.now(), &*entropy).await?;
        let passwords = Arc::new(Passwords::new(&*entropy).map_err(Fault::from)?);
        // Announced where it is: a client must not use a document that it did not find beside what it called (RFC 9728 section 3.3).
        let is_here = options.api.as_ref().unwrap_or(&settings.issuer) == &settings.audience;
        let scopes: Vec<String> = settings.scopes.iter().map(|scope| scope.name.clone()).collect();
        let announced = ProtectedResource::new(&settings.issuer, &settings.audience, &scopes).filter(|_| is_here);
        let gate_config = GateConfig {
            announced,
            fub_status: options.fub_status,
            without_news: options.without_news,
            ..GateConfig::new(&settings.issuer, &settings.audience)
        };
        let gate = Arc::new(Gate::new(gate_config, clock.clone()));
        let feed = Arc::new(Feed::default());
        let sink = Arc::new(GateSink { gate: gate.clone(), feed: feed.clone() });
        let restraint = Restraint::new(options.holds_back);
        let doorway = Arc::new(Doorway {
            sign_in: match &settings.sign_in {
                SignInPlace::Platform(platform) => SignInWay::Platform(platform.clone()),
                SignInPlace::OpenId(openid) => SignInWay::OpenId(openid.clone()),
                SignInPlace::Here => {
                    let local = LocalPasswords::new(store.clone(), passwords.clone(), entropy.clone());
                    SignInWay::Passwords(Arc::new(local))
                }
            },
            authority: Arc::new(Authority::new(store, keyring, settings, entropy.clone(), sink)),
            gate,
            clock,
            entropy,
            options,
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            feed,
            restraint,
        });
        let follower = Follower { doorway: doorway.clone(), opener, clock_health, tick_mark };
        Ok(Node { doorway, passwords, follower })
    }

    /// Reads the store completely once, and follows it until the returned tasks are dropped. From here on the node is ready.
    ///
    /// # Errors
    /// [`FollowError`] if the first reading fails; then the node must not serve.
    pub async fn follow(self) -> Result<Followed, FollowError> {
        self.follower.start().await
    }
}

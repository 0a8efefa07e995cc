//! A whole authority over a real SQLite store, answering without sockets.

use crate::answer::Answer;
use crate::app::TestApp;
use crate::clock::ManualClock;
use crate::entropy::SeededEntropy;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use http_body_util::BodyExt;
use keyfob_authority::keys::MasterKey;
use keyfob_authority::model::{
    Account, AccountId, AccountStatus, AppPolicy, RefreshPolicy, Role, System, SystemId, User, UserId, UserStatus,
};
use keyfob_authority::open::Opener;
use keyfob_authority::passwords::Passwords;
use keyfob_authority::register::NewApp;
use keyfob_authority::secrets;
use keyfob_authority::store::{Administered, Store};
use keyfob_authority::{Authority, Decision, Settings};
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_protocol::{Clock, Entropy, Secret, Timestamp};
use keyfob_server::follow::{Followed, MemoryMark};
use keyfob_server::{Doorway, Node, NodeParts, Options, clock_health::Believed};
use keyfob_store_sqlite::SqliteStore;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tower::ServiceExt;

/// Where requests come from.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// When every test begins: 2026-11-23T12:00:00Z.
pub const START: Timestamp = Timestamp(1_795_435_200);
/// The redirect URI of apps that a test does not care about.
pub const REDIRECT_URI: &str = "https://app.example.com/callback";

/// What a test may want different.
pub struct TestServerOptions {
    /// Of the doorway.
    pub doorway: Options,
    /// Of the law.
    pub settings: Settings,
    /// Of access tokens.
    pub algorithm: SigningAlgorithm,
    /// The store; a new one of its own if `None`.
    pub store: Option<Arc<dyn Store>>,
    /// The clock; one of its own that starts at [`START`] if `None`.
    pub clock: Option<Arc<ManualClock>>,
    /// Two servers on one store must not draw the same bytes.
    pub entropy_seed: u64,
}

impl Default for TestServerOptions {
    fn default() -> Self {
        TestServerOptions {
            doorway: Options::plain_loopback(),
            settings: Settings::new("https://auth.example.com"),
            algorithm: SigningAlgorithm::EdDsa,
            store: None,
            clock: None,
            entropy_seed: 1,
        }
    }
}

/// A user with a password that a test can type.
#[derive(Clone, Debug)]
pub struct Person {
    /// As stored.
    pub user: User,
    /// In clear.
    pub password: String,
}

/// A whole authority with one account, one user and one system.
pub struct TestServer {
    /// Everything handlers share.
    pub doorway: Arc<Doorway>,
    /// Moved by hand.
    pub clock: Arc<ManualClock>,
    /// Fails on request.
    pub entropy: Arc<SeededEntropy>,
    /// Counts and hashes.
    pub passwords: Arc<Passwords>,
    /// Partner One.
    pub system: System,
    /// Partner One's key.
    pub system_key: String,
    /// The owner of the account.
    pub owner: Person,
    router: Router,
    _followed: Followed,
}

/// The master key of every test server: two of them can share a store.
pub const MASTER_KEY: &str = "q1Zk0c7mJ2sY9uVn4bXw8eRt5aLo3iPd6gHf+CjKxQM=";

impl TestServer {
    /// With defaults.
    pub async fn start() -> TestServer {
        TestServer::start_with(TestServerOptions::default()).await
    }

    /// With options.
    pub async fn start_with(options: TestServerOptions) -> TestServer {
        let clock = options.clock.unwrap_or_else(|| Arc::new(ManualClock::new(START)));
        let entropy = Arc::new(SeededEntropy::new(options.entropy_seed));
        let store = options.store.unwrap_or_else(|| Arc::new(SqliteStore::ephemeral().expect("a store")));
        let opener = Opener {
            master: Arc::new(MasterKey::parse(MASTER_KEY).expect("a key")),
            issuer: options.settings.issuer.clone(),
            sandbox: false,
            algorithm: options.algorithm,
        };
        let node = Node::open(NodeParts {
            store,
            opener,
            settings: options.settings,
            options: options.doorway,
            clock: clock.clone(),
            clock_health: Arc::new(Believed),
            entropy: entropy.clone(),
            tick_mark: Arc::new(MemoryMark::default()),
        });
        let node = node.await.expect("a store of ours");
        let (doorway, passwords) = (node.doorway.clone(), node.passwords.clone());
        let followed = node.follow().await.expect("a store that can be read");
        let (system, system_key, owner) = people(&doorway.authority, &passwords, &*entropy, clock.now()).await;
        let router = keyfob_server::router::router(doorway.clone());
        TestServer { doorway, clock, entropy, passwords, system, system_key, owner, router, _followed: followed }
    }

    /// The law.
    pub fn authority(&self) -> &Authority {
        &self.doorway.authority
    }

    /// The rows.
    pub fn store(&self) -> &Arc<dyn Store> {
        self.doorway.authority.store()
    }

    /// Where the clock stands.
    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The router, to serve on a socket or to nest.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Sends one request, from [`ADDRESS`] unless it says from where.
    pub async fn send<B: Into<Body>>(&self, mut request: Request<B>) -> Answer {
        let default = ConnectInfo(SocketAddr::new(ADDRESS, 4711));
        request.extensions_mut().get_or_insert_with(|| default);
        let response = self.router.clone().oneshot(request.map(Into::into)).await.expect("handlers do not fail");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a body from memory").to_bytes();
        Answer { code: parts.status, headers: parts.headers, body }
    }

    /// `GET` without anything.
    pub async fn get(&self, uri: &str) -> Answer {
        self.send(Request::get(uri).body(Body::empty()).expect("a request")).await
    }

    /// `GET` with a Bearer token.
    pub async fn call(&self, uri: &str, access_token: &str) -> Answer {
        let request = Request::get(uri).header("authorization", format!("Bearer {access_token}"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    /// A confidential app with fixed refresh tokens: the default policy.
    pub async fn confidential_app(&self, name: &str) -> TestApp {
        self.app(name, AppPolicy::default()).await
    }

    /// A confidential app whose refresh tokens rotate.
    pub async fn rotating_app(&self, name: &str) -> TestApp {
        self.app(name, AppPolicy { refresh: RefreshPolicy::Rotating, ..AppPolicy::default() }).await
    }

    /// A public app: PKCE, rotation.
    pub async fn public_app(&self, name: &str) -> TestApp {
        self.app(name, AppPolicy { public: true, ..AppPolicy::default() }).await
    }

    /// An app of Partner One with this policy and [`REDIRECT_URI`].
    pub async fn app(&self, name: &str, policy: AppPolicy) -> TestApp {
        self.app_at(name, policy, &[REDIRECT_URI]).await
    }

    /// An app with these redirect URIs.
    pub async fn app_at(&self, name: &str, policy: AppPolicy, redirect_uris: &[&str]) -> TestApp {
        let redirect_uris = redirect_uris.iter().map(|uri| (*uri).to_owned()).collect();
        let new = NewApp { name: name.to_owned(), redirect_uris, policy };
        match self.authority().register_app(&self.system, new, self.clock.now()).await.expect("no fault") {
            Decision::Granted(registered) => TestApp { app: registered.app, secret: registered.client_secret },
            Decision::Refused(refusal) => panic!("{refusal}"),
        }
    }

    /// Another user of the owner's account.
    pub async fn person(&self, email: &str, role: Role) -> Person {
        add_person(
            self.authority(),
            &self.passwords,
            &*self.entropy,
            self.owner.user.account,
            email,
            role,
            self.clock.now(),
        )
        .await
    }
}

async fn people(
    authority: &Authority,
    passwords: &Passwords,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> (System, String, Person) {
    let system_key = secrets::system_key(&[7; 16]).expose().clone();
    let mut system = System {
        id: SystemId(0),
        name: "Partner One".to_owned(),
        key_digest: secrets::digest(&system_key),
        enabled: true,
        created_at: now,
    };
    // A second server on the same store finds what the first one added.
    let store = authority.store();
    if let Some(system) = store.system_by_name(&system.name).await.expect("no fault") {
        let user = store.user_by_email("owner@example.com").await.expect("no fault").expect("added with the system");
        return (system, system_key, Person { user, password: PASSWORD.to_owned() });
    }
    system.id = SystemId(done(authority.add_system(system.clone(), now).await.expect("no fault")));
    let mut account = Account {
        id: AccountId(0),
        name: "Maple Street Realty".to_owned(),
        domain: "maple-street".to_owned(),
        status: AccountStatus::Active,
        tokens_after: Timestamp(0),
        created_at: now,
        external: None,
        followed_at: None,
    };
    account.id = AccountId(done(authority.add_account(account.clone(), now).await.expect("no fault")));
    let owner = add_person(authority, passwords, entropy, account.id, "owner@example.com", Role::Owner, now).await;
    (system, system_key, owner)
}

const PASSWORD: &str = "maple-otter-41";

async fn add_person(
    authority: &Authority,
    passwords: &Passwords,
    entropy: &dyn Entropy,
    account: AccountId,
    email: &str,
    role: Role,
    now: Timestamp,
) -> Person {
    let hash = passwords.hash(Secret::from(PASSWORD), entropy).await.expect("entropy");
    let mut user = User {
        id: UserId(0),
        account,
        email: email.to_owned(),
        name: format!("{} {}", role.name(), email.split('@').next().unwrap_or_default()),
        role,
        status: UserStatus::Active,
        password_hash: Some(hash),
        tokens_after: Timestamp(0),
        created_at: now,
        external: None,
        followed_at: None,
    };
    user.id = UserId(done(authority.add_user(user.clone(), now).await.expect("no fault")));
    Person { user, password: PASSWORD.to_owned() }
}

fn done(administered: Administered) -> i64 {
    match administered {
        Administered::Done(id) => id,
        other => panic!("{other:?}"),
    }
}

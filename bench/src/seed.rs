//! Writes grants through the store, and beside them the tokens and codes that present them: rows alone cannot be presented, only
//! the authority's keys can compute what was handed out.

use crate::compose::Parts;
use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfob_authority::authority::NoGate;
use keyfob_authority::keys::Keyring;
use keyfob_authority::model::{
    Account, AccountId, AccountStatus, ActiveGrant, App, AppPolicy, ApprovedGrant, Grant, GrantState, RefreshPolicy,
    ResourceServer, ResourceServerId, Role, System, SystemId, User, UserId, UserStatus,
};
use keyfob_authority::register::NewApp;
use keyfob_authority::store::{Administered, Administration, GrantChange, GrantWrite, Store, Written};
use keyfob_authority::{Authority, Decision, Settings, secrets};
use keyfob_protocol::pkce::CodeVerifier;
use keyfob_protocol::redirect_uri::RedirectUriRules;
use keyfob_protocol::resource::Resources;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::time::DAY;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{Dialect, Timestamp, entropy};
use keyfob_store_sqlite::SqliteStore;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Of every code.
pub(crate) const REDIRECT_URI: &str = "https://app.example.com/callback";
/// Of every code.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Users an account has.
const USERS_AN_ACCOUNT: u64 = 10;
/// Grants a user has given.
const GRANTS_A_USER: u64 = 10;
/// Writes under way at once; the writer makes few transactions of them.
const AT_ONCE: usize = 4096;

/// The apps, in order of their files.
const APPS: [(&str, RefreshPolicy); 4] = [
    // Refreshed within the hour: nothing is written.
    ("fixed", RefreshPolicy::Fixed),
    // Not refreshed for an hour: the use is noted.
    ("touched", RefreshPolicy::Fixed),
    ("rotating", RefreshPolicy::Rotating),
    ("codes", RefreshPolicy::Rotating),
];

/// The name of the one that introspects.
pub(crate) const RESOURCE_SERVER: &str = "resource-server";

/// What `seed` wrote, as `run` needs it. The files beside the database:
/// `NAME.basic` holds an app's credentials, `NAME.tokens` its refresh tokens (or codes), one a line.
pub(crate) struct Seeded {
    pub(crate) grants: u64,
    pub(crate) bytes_a_grant: f64,
}

impl Seeded {
    /// Reads what an earlier seeding noted, if it was completed.
    pub(crate) fn find(data: &Path) -> Option<Seeded> {
        let text = std::fs::read_to_string(data.join("seeded")).ok()?;
        // An earlier bench seeded no such.
        Seeded::basic(data, RESOURCE_SERVER).ok()?;
        let (grants, bytes) = text.trim().split_once(' ')?;
        Some(Seeded { grants: grants.parse().ok()?, bytes_a_grant: bytes.parse().ok()? })
    }

    /// An app's credentials, for Basic.
    pub(crate) fn basic(data: &Path, app: &str) -> anyhow::Result<String> {
        let path = data.join(format!("{app}.basic"));
        std::fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    /// An app's tokens or codes.
    pub(crate) fn tokens(data: &Path, app: &str) -> anyhow::Result<Vec<String>> {
        let path = data.join(format!("{app}.tokens"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// Seeds an empty directory.
pub(crate) async fn seed(data: &Path, grants: u64, codes: u64) -> anyhow::Result<()> {
    std::fs::create_dir_all(data)?;
    let parts = Parts::open(data)?;
    let keyring = parts.keyring().await?;
    let now = parts.clock.now();
    let apps = apps(&parts, data, now).await?;
    resource_server(&parts, data, now).await?;
    let users = people(&parts.sqlite, (grants / GRANTS_A_USER).max(1), now).await?;
    let mut random = Random(u64::from_be_bytes(entropy::random(&*parts.entropy)?));

    let before = size(&parts.sqlite)?;
    // 45 % rotating, 35 % fixed, 20 % fixed and not used for an hour.
    let share = [(0, grants * 35 / 100), (1, grants * 20 / 100), (2, grants - grants * 35 / 100 - grants * 20 / 100)];
    let mut sowing = Sowing { parts: &parts, keyring: &keyring, now, users, random: &mut random };
    let mut texts = APPS.map(|_| String::new());
    let mut order: Vec<usize> = Vec::new();
    for (app, count) in share {
        order.extend(std::iter::repeat_n(app, count as usize));
    }
    sowing.random.shuffle(&mut order);
    sowing.sow(&apps, &order, &mut texts).await?;
    let after = size(&parts.sqlite)?;
    sowing.sow(&apps, &vec![3; codes as usize], &mut texts).await?;
    parts.sqlite.close().await;
    for ((name, _), text) in APPS.iter().zip(&texts) {
        std::fs::write(data.join(format!("{name}.tokens")), text)?;
    }
    // Last: it says that everything else is there.
    std::fs::write(data.join("seeded"), format!("{grants} {}", (after - before) as f64 / grants as f64))?;
    Ok(())
}

async fn apps(parts: &Parts, data: &Path, now: Timestamp) -> anyhow::Result<Vec<App>> {
    let settings = Settings::new(crate::compose::ISSUER);
    let keyring = parts.keyring().await?;
    let authority = Authority::new(parts.store.clone(), keyring, settings, parts.entropy.clone(), Arc::new(NoGate));
    let key_digest = secrets::digest(secrets::system_key(&entropy::random(&*parts.entropy)?).expose());
    let mut system = System { id: SystemId(0), name: "Bench".to_owned(), key_digest, enabled: true, created_at: now };
    system.id = SystemId(added(&*parts.store, Administration::AddSystem(system.clone())).await?);
    let mut apps = Vec::new();
    for (name, refresh) in APPS {
        let policy = AppPolicy { refresh, redirect_uris: RedirectUriRules::Web, ..AppPolicy::default() };
        let new = NewApp { name: name.to_owned(), redirect_uris: vec![REDIRECT_URI.to_owned()], policy };
        let Decision::Granted(registered) = authority.register_app(&system, new, now).await? else {
            bail!("the app {name} was refused");
        };
        let secret = registered.client_secret.context("a confidential app has a secret")?;
        let basic = STANDARD.encode(format!("{}:{}", registered.app.client_id, secret.expose()));
        std::fs::write(data.join(format!("{name}.basic")), basic)?;
        apps.push(registered.app);
    }
    Ok(apps)
}

/// One that introspects tokens of the authority's own API.
async fn resource_server(parts: &Parts, data: &Path, now: Timestamp) -> anyhow::Result<()> {
    let secret = secrets::system_key(&entropy::random(&*parts.entropy)?);
    let server = ResourceServer {
        id: ResourceServerId(0),
        name: RESOURCE_SERVER.to_owned(),
        secret_digest: secrets::digest(secret.expose()),
        enabled: true,
        resource: None,
        created_at: now,
    };
    added(&*parts.store, Administration::AddResourceServer(server)).await?;
    let basic = STANDARD.encode(format!("{RESOURCE_SERVER}:{}", secret.expose()));
    Ok(std::fs::write(data.join(format!("{RESOURCE_SERVER}.basic")), basic)?)
}

/// Adds users with their accounts; both are numbered from 1.
async fn people(store: &Arc<SqliteStore>, users: u64, now: Timestamp) -> anyhow::Result<u64> {
    let accounts = (0..users.div_ceil(USERS_AN_ACCOUNT)).map(|number| {
        Administration::AddAccount(Account {
            id: AccountId(0),
            name: format!("Company {number}"),
            domain: format!("company-{number}"),
            status: AccountStatus::Active,
            tokens_after: Timestamp(0),
            created_at: now,
            external: None,
            followed_at: None,
        })
    });
    add_all(store, accounts).await?;
    let people = (0..users).map(|number| {
        Administration::AddUser(User {
            id: UserId(0),
            account: AccountId((number / USERS_AN_ACCOUNT + 1).cast_signed()),
            email: format!("user{number}@example.com"),
            name: format!("User {number}"),
            role: if number % USERS_AN_ACCOUNT == 0 { Role::Owner } else { Role::Agent },
            status: UserStatus::Active,
            password_hash: None,
            tokens_after: Timestamp(0),
            created_at: now,
            external: None,
            followed_at: None,
        })
    });
    add_all(store, people).await?;
    Ok(users)
}

async fn add_all(store: &Arc<SqliteStore>, additions: impl Iterator<Item = Administration>) -> anyhow::Result<()> {
    let mut adding = JoinSet::new();
    for addition in additions {
        let store = store.clone();
        adding.spawn(async move { added(&*store, addition).await });
        if adding.len() >= AT_ONCE
            && let Some(one) = adding.join_next().await
        {
            one??;
        }
    }
    for one in adding.join_all().await {
        one?;
    }
    Ok(())
}

async fn added(store: &dyn Store, addition: Administration) -> anyhow::Result<i64> {
    match store.administer(addition, Vec::new(), Vec::new()).await? {
        Administered::Done(id) => Ok(id),
        other => bail!("{other:?}"),
    }
}

/// What new grants are made of.
struct Sowing<'s> {
    parts: &'s Parts,
    keyring: &'s Keyring,
    now: Timestamp,
    users: u64,
    random: &'s mut Random,
}

impl Sowing<'_> {
    /// Writes one grant to the app of each index, and appends what presents it to the app's text.
    async fn sow(&mut self, apps: &[App], order: &[usize], texts: &mut [String]) -> anyhow::Result<()> {
        let mut writes = JoinSet::new();
        for (number, app) in order.iter().enumerate() {
            // Made over the last half year, in that order.
            let made =
                self.now.plus(-180 * DAY + (180 * DAY as u64 * number as u64 / order.len() as u64).cast_signed());
            let grant = self.grant(&apps[*app], *app == 3, made);
            let key = self.keyring.grant_key(&grant).context("made under the current root key")?;
            let text = match &grant.state {
                GrantState::Approved(_) => key.code(),
                _ => key.refresh_token(1, 0),
            };
            writeln!(texts[*app], "{}", text.expose())?;
            let store = self.parts.sqlite.clone();
            let nonce = self.random.next();
            writes.spawn(async move {
                let what = GrantChange::Insert(grant);
                store.write_grant(GrantWrite { nonce, what, ledger: vec![], revocations: vec![] }).await
            });
            if writes.len() >= AT_ONCE
                && let Some(written) = writes.join_next().await
            {
                anyhow::ensure!(written?? == Written::Won, "a grant's id was taken");
            }
        }
        for written in writes.join_all().await {
            anyhow::ensure!(written? == Written::Won, "a grant's id was taken");
        }
        Ok(())
    }

    fn grant(&mut self, app: &App, approved: bool, made: Timestamp) -> Grant {
        let mut bytes = [0; 32];
        for word in bytes.chunks_mut(8) {
            word.copy_from_slice(&self.random.next().to_be_bytes());
        }
        let (salt, rest) = bytes.split_at(16);
        let state = if approved {
            GrantState::Approved(ApprovedGrant {
                // Far ahead, so that a seeding serves for long.
                code_expires_at: self.now.plus(3650 * DAY),
                redirect_uri: REDIRECT_URI.to_owned(),
                state_digest: Some([7; 16]),
                code_challenge: CodeVerifier::parse(VERIFIER).map(|verifier| verifier.challenge()),
            })
        } else {
            GrantState::Active(ActiveGrant {
                generation: 1,
                branch: 0,
                parent_branch: 0,
                rotated_at: self.now.plus(-DAY),
                last_used_at: self.now,
                code: None,
            })
        };
        Grant {
            id: GrantId::new(made, rest[..11].try_into().expect("invariant: 11 of 16 bytes")),
            app: app.id,
            user: UserId((self.random.next() % self.users + 1).cast_signed()),
            root_key: self.keyring.current_root(),
            salt: salt.try_into().expect("invariant: half of 32 bytes"),
            dialect: Dialect::OAuth,
            scope: Scope::empty(),
            resources: Resources::none(),
            created_at: made,
            state,
        }
    }
}

/// The size of the database, whether its pages have left the log or not.
fn size(store: &SqliteStore) -> anyhow::Result<u64> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let size: i64 = store.engine().read_long(|connection| connection.query_row(sql, [], |row| row.get(0)))?;
    Ok(size.cast_unsigned())
}

/// A small generator (splitmix64) for ids and salts of grants that guard nothing.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn shuffle(&mut self, items: &mut [usize]) {
        for last in (1..items.len()).rev() {
            items.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}

//! The demo's apps: the seeded ones, each with the way it speaks to the authority.

use keyfob_client::{App, AttemptStore, Provider, System};
use keyfob_protocol::Dialect;

use crate::seed::{self, Seed};
use crate::start::seeding::{RedirectUris, client_secret};
use crate::start::{Addresses, SandboxError};

/// Attempts that wait at the same time, per app.
const ATTEMPTS: usize = 500;

/// One app.
pub(super) struct DemoApp {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) provider: Provider,
    pub(super) app: App,
    /// Of its own: an answer that belongs to another app's attempt finds nothing here.
    pub(super) attempts: AttemptStore,
}

/// All of them, in the order of the seed.
pub(super) struct DemoApps(Vec<DemoApp>);

impl DemoApps {
    pub(super) fn new(seed: &Seed, addresses: &Addresses, redirects: &RedirectUris) -> Result<DemoApps, SandboxError> {
        let system = &seed.systems[0];
        let system = System::new(&system.name, system.key.clone()).expect("invariant: seeded keys are hexadecimal");
        let app = |app: &seed::App| {
            Ok(DemoApp {
                key: app.key,
                name: app.name,
                description: description(app),
                provider: provider(app, addresses)?.with_system(system.clone()),
                app: App {
                    client_id: app.client_id.clone(),
                    client_secret: client_secret(seed, app),
                    redirect_uri: redirects.demo(app),
                },
                attempts: AttemptStore::with_capacity(ATTEMPTS),
            })
        };
        Ok(DemoApps(seed.apps.iter().map(app).collect::<Result<_, SandboxError>>()?))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &DemoApp> {
        self.0.iter()
    }

    pub(super) fn find(&self, key: &str) -> Option<&DemoApp> {
        self.0.iter().find(|app| app.key == key)
    }
}

/// The first app shows the older documents' GET, the second the POST, the third standard OAuth.
fn provider(app: &seed::App, addresses: &Addresses) -> Result<Provider, SandboxError> {
    let authority = &addresses.authority;
    let provider = Provider::new(
        &format!("{authority}/oauth/authorize"),
        &format!("{authority}/oauth/token"),
        &format!("{}/v1", addresses.api),
        app.dialect,
    )?;
    Ok(if app.key == "followupboss" { provider.legacy() } else { provider })
}

fn description(app: &seed::App) -> &'static str {
    match (app.key, app.dialect) {
        ("followupboss", _) => {
            "The documented partner flow: response_type=auth_code, the exchange by GET with HTTP Basic, a refresh token that stays the same."
        }
        (_, Dialect::FollowUpBoss) => {
            "The same flow with the exchange by POST and a refresh token that changes at every refresh."
        }
        (_, Dialect::OAuth) => {
            "A public client without a secret: authorization code with PKCE, as the current standards describe it."
        }
    }
}

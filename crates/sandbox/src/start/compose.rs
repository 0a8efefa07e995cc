//! Putting the parts together, in the order in which they need each other.

use std::path::Path;
use std::sync::Arc;

use axum::{Router, middleware};
use keyfob_authority::open::{OpenError, Opener};
use keyfob_authority::{Fault, Settings};
use keyfob_pages::Brand;
use keyfob_protocol::Clock;
use keyfob_protocol::access_token::SigningAlgorithm;
use keyfob_server::{Node, NodeParts, Options};

use super::addresses::{Addresses, Listeners};
use super::hosts::{Part, only};
use super::seeding::{RedirectUris, Seeding};
use super::welcome::welcome;
use super::{Announcement, Parts, RunningSandbox, SandboxError, SandboxOptions};
use crate::api::{self, ApiOptions, ApiState};
use crate::clock::SandboxClock;
use crate::control::{self, Control};
use crate::demo::{self, Demo};
use crate::faults::{self, Faults, Scenario};
use crate::seed::Seed;

/// The API's data, in the data directory.
const API_FILE: &str = "api.json";

pub(super) async fn compose(options: SandboxOptions, parts: Parts) -> Result<RunningSandbox, SandboxError> {
    let identity = parts.store.identity().await.map_err(Fault::from)?;
    // Before anything is written beside it.
    if identity.as_ref().is_some_and(|identity| !identity.sandbox) {
        return Err(OpenError::Sandbox(false).into());
    }
    let scenario = options.scenario.as_deref().map(scenario).transpose()?;
    let issuer = identity.map(|identity| identity.issuer);
    if let Some(path) = &options.data {
        std::fs::create_dir_all(path).map_err(|source| SandboxError::Directory { path: path.clone(), source })?;
    }
    let listeners = Listeners::open(&options, issuer.as_deref()).await?;
    let addresses = Arc::new(listeners.addresses(options.listen)?);
    let seed = Arc::new(Seed::new(options.seed));
    let clock = Arc::new(SandboxClock::open(parts.clock.clone(), options.seed, options.data.as_deref())?);

    let opener = Opener {
        master: Arc::new(parts.master),
        issuer: addresses.authority.clone(),
        sandbox: true,
        algorithm: SigningAlgorithm::EdDsa,
    };
    let node = Node::open(NodeParts {
        store: parts.store,
        opener,
        settings: Settings { audience: addresses.api.clone(), ..Settings::new(&addresses.authority) },
        options: Options {
            brand: brand(),
            fub_status: options.fub_status,
            api: Some(addresses.api.clone()),
            holds_back: false,
            ..Options::plain_loopback()
        },
        clock: clock.clone(),
        clock_health: parts.clock_health,
        entropy: parts.entropy.clone(),
        tick_mark: parts.tick_mark,
    });
    let node = node.await?;
    let doorway = node.doorway.clone();
    let authority = doorway.authority.clone();

    let redirect_uris = RedirectUris::new(&addresses.demo, options.redirect_uris.clone());
    let seeding = Seeding { authority: authority.clone(), seed: seed.clone(), redirect_uris: redirect_uris.clone() };
    seeding.complete(node.passwords.clone(), parts.entropy.clone(), clock.now()).await?;

    let followed = node.follow().await?;

    let api = ApiState::open(ApiOptions {
        seed: seed.clone(),
        clock: clock.clone(),
        gate: doorway.gate.clone(),
        origin: addresses.api.clone(),
        file: options.data.as_ref().map(|directory| directory.join(API_FILE)),
    })?;
    let announcement = Announcement::new(&seed, &addresses, &redirect_uris);
    let faults = Faults::new(seeding.clone(), clock.clone(), options.fub_status);
    let faults = Arc::new(faults);
    if let (Some(path), Some(scenario)) = (&options.scenario, scenario) {
        let refused = |what| SandboxError::Scenario { path: path.clone(), what };
        faults.add(scenario).await.map_err(refused)?;
    }
    let demo =
        Arc::new(Demo::new(&seed, &addresses, &redirect_uris, clock.clone(), parts.entropy.clone(), faults.clone())?);
    let control = Arc::new(Control {
        authority,
        clock,
        entropy: parts.entropy,
        api: api.clone(),
        seeding,
        demo: demo.clone(),
        faults: faults.clone(),
        addresses: addresses.clone(),
        announcement: announcement.clone(),
        resetting: tokio::sync::Mutex::default(),
    });
    let whole = keyfob_server::router::router_without_identity(doorway.clone())
        .merge(api::router(api))
        .merge(control::router(control))
        .merge(demo::router(demo))
        .layer(middleware::from_fn_with_state(faults, faults::around));

    let welcome = welcome(&seed, &addresses, &announcement, options.data.is_some());
    Ok(RunningSandbox { announcement, welcome, served: served(listeners, whole, &addresses), doorway, followed })
}

fn scenario(path: &Path) -> Result<Scenario, SandboxError> {
    let text = std::fs::read(path).map_err(|error| error.to_string());
    let read = text.and_then(|text| Scenario::parse(&text));
    read.map_err(|what| SandboxError::Scenario { path: path.to_owned(), what })
}

fn served(listeners: Listeners, whole: Router, addresses: &Arc<Addresses>) -> Vec<(tokio::net::TcpListener, Router)> {
    match listeners.own {
        None => vec![(listeners.authority, only(Part::Whole, whole, addresses))],
        Some(own) => vec![
            (listeners.authority, only(Part::Authority, whole.clone(), addresses)),
            (own.api, only(Part::Api, whole.clone(), addresses)),
            (own.demo, only(Part::Demo, whole, addresses)),
        ],
    }
}

/// Whose pages these are: nobody should take them for a real platform's.
pub(crate) fn brand() -> Brand {
    Brand { name: "Keyfob Sandbox".to_owned(), ..Brand::default() }
}

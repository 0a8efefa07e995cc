//! `keyfob vault check`: reads everything as the service would, looks at the store and asks the authorities whether they are there. Makes nothing,
//! and tries neither client id nor secret: only a user's trip does.

use super::notes;
use super::opened::{Found, Opened, look};
use super::settings::{Findings, VaultSettings};
use crate::exit::Exit;
use crate::output;
use crate::partner::opened::surroundings;
use keyfob_client::{ApiShape, CallbackIssuer, Header, HttpRequest, Method, Secret, Transport, discover};
use keyfob_server::listen::tls::Tls;
use keyfob_vault::AppSettings;
use serde_json::{Value, json};
use url::Url;

pub(super) async fn check(settings: &VaultSettings, json: bool) -> anyhow::Result<()> {
    let mut findings = Findings::default();
    let mut notes = notes::of_settings(settings);
    if let Some(tls) = &settings.tls {
        let loaded = Tls::load(&tls.certificate, &tls.key);
        findings.keep(loaded.map_err(|error| Exit::Refused.because(format!("tls: {error}"))));
    }
    let store = match findings.keep(look(settings).await) {
        Some(Found::Nothing) => "nothing there yet; made at the first start",
        Some(Found::Store) => match findings.keep(Opened::as_it_is(settings).await) {
            Some(opened) => {
                notes.extend(notes::of_store(&opened.vault).await);
                opened.close().await;
                "can be opened"
            }
            None => "cannot be opened",
        },
        None => "cannot be used",
    };
    for app in &settings.apps {
        findings.keep(answers(app).await);
    }
    tell(settings, store, &notes, json)?;
    for note in notes {
        output::say(&format!("keyfob: {note}"));
    }
    findings.end()
}

fn tell(settings: &VaultSettings, store: &str, notes: &[String], json: bool) -> anyhow::Result<()> {
    let app = |app: &AppSettings| json!({ "name": app.name, "redirectUri": app.app.redirect_uri, "api": app.provider.api_base() });
    let callers: Vec<&str> = settings.callers.iter().map(|caller| caller.name.as_str()).collect();
    let webhooks: Vec<&str> = settings.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
    let found = json!({
        "listen": settings.listen,
        "publicUrl": settings.public_url,
        "store": settings.store.to_string(),
        "storeState": store,
        "apps": settings.apps.iter().map(app).collect::<Vec<Value>>(),
        "callers": callers,
        "webhooks": webhooks,
        "notes": notes,
    });
    output::data(json, &found, || {
        let apps = settings.apps.iter().map(|app| {
            format!(
                "app {}: API {}, redirect URI to register: {}\n",
                app.name,
                app.provider.api_base(),
                app.app.redirect_uri
            )
        });
        format!(
            "listen {}\npublic URL {}\nstore {} ({store})\n{}callers {}\nwebhooks {}",
            settings.listen,
            settings.public_url,
            settings.store,
            apps.collect::<String>(),
            callers.join(", "),
            webhooks.join(", "),
        )
    })
}

/// Asks the token endpoint for nothing and the API without a token. Whatever they say, they are there; that there is no such page says that they are
/// somewhere else.
async fn answers(app: &AppSettings) -> anyhow::Result<()> {
    let transport = surroundings(&app.provider)?.transport;
    let section = format!("apps.{}", app.name);
    let endpoint = app.provider.token_endpoint();
    let status = ask(&*transport, endpoint, &section, "the authority").await?;
    if status == 404 {
        let message = format!(
            "{section}: there is no token endpoint at {endpoint} (status 404); is the issuer written as the authority writes it?"
        );
        return Err(Exit::Refused.because(message));
    }
    // Who it says it is: a callback of another issuer is refused, every user's.
    if let CallbackIssuer::Required(issuer) | CallbackIssuer::IfPresent(issuer) = app.provider.callback_issuer() {
        let found = discover(issuer, &*transport).await;
        found.map_err(|error| Exit::Refused.because(format!("{section}: {error}")))?;
    }
    let base = app.provider.api_base();
    let identity = match app.provider.api_shape() {
        ApiShape::FollowUpBoss => base.join("identity").unwrap_or_else(|_| base.clone()),
        ApiShape::Unknown => base.clone(),
    };
    let status = ask(&*transport, &identity, &section, "the API").await?;
    if status == 404 && app.provider.api_shape() == ApiShape::FollowUpBoss {
        return Err(
            Exit::Refused.because(format!("{section}: there is no API at {identity} (status 404); is api right?"))
        );
    }
    Ok(())
}

async fn ask(transport: &dyn Transport, url: &Url, section: &str, who: &str) -> anyhow::Result<u16> {
    let request = HttpRequest {
        method: Method::Get,
        url: Secret::from(url.as_str()),
        headers: vec![Header::plain("Accept", "application/json")],
        body: Secret::new(Vec::new()),
    };
    match transport.send(&request).await {
        Ok(answer) if answer.status >= 500 => {
            Err(Exit::Unavailable.because(format!("{section}: {who} answers {} at {url}", answer.status)))
        }
        Ok(answer) => Ok(answer.status),
        Err(error) => Err(Exit::Unavailable.because(format!("{section}: {who} does not answer at {url}: {error}"))),
    }
}

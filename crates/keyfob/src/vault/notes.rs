//! What may be right and is more often a mistake: told by `keyfob vault check` and at each start, and in nobody's way.

use super::settings::VaultSettings;
use keyfob_client::CallbackIssuer;
use keyfob_vault::callers::Caller;
use keyfob_vault::{AppSettings, Vault};
use url::Url;

/// Of the configuration alone.
pub(super) fn of_settings(settings: &VaultSettings) -> Vec<String> {
    let own = settings.callback();
    let elsewhere = settings.apps.iter().filter_map(|app| elsewhere(app, &own));
    let idle = settings.callers.iter().flat_map(|caller| rules_without_effect(caller, &settings.apps));
    let wide = settings.callers.iter().flat_map(|caller| rules_that_spill(caller, &settings.apps));
    let shared = settings.apps.iter().filter_map(|app| shares_with_another_authority(app, &settings.apps, &own));
    elsewhere.chain(shared).chain(idle).chain(wide).collect()
}

/// Where an authority names itself in no callback, only a redirect URI of its own tells whose answer it is (RFC 9700 section 4.4.2).
fn shares_with_another_authority(app: &AppSettings, apps: &[AppSettings], own: &Url) -> Option<String> {
    let endpoint = |app: &AppSettings| app.provider.token_endpoint().clone();
    let is_anonymous = *app.provider.callback_issuer() == CallbackIssuer::Unknown;
    let shares =
        |other: &&AppSettings| other.app.redirect_uri == app.app.redirect_uri && endpoint(other) != endpoint(app);
    let other = apps.iter().filter(|_| is_anonymous).find(shares)?;
    let (name, other) = (&app.name, &other.name);
    Some(format!(
        "apps.{name} and apps.{other} have one redirect URI and different authorities, and that of {name} names itself in no callback: unless you trust \
         both, register {own}/{name} and set apps.{name}.redirect_uri to it"
    ))
}

/// Of the store under this configuration. Nothing where it cannot be read: others tell of that.
pub(super) async fn of_store(vault: &Vault) -> Vec<String> {
    let forgotten = vault.forgotten_apps().await.unwrap_or_default().into_iter();
    let told = |app| {
        format!(
            "the store has connections of an app {app} that the configuration does not name: nobody keeps them alive"
        )
    };
    forgotten.map(told).collect()
}

/// A redirect URI that is not this vault's may be right, where something in front of it passes callbacks on.
fn elsewhere(app: &AppSettings, own: &Url) -> Option<String> {
    let uri = &app.app.redirect_uri;
    let of_app = format!("{own}/{}", app.name);
    (uri != own.as_str() && *uri != of_app).then(|| {
        format!("apps.{}.redirect_uri is {uri}, and this vault takes users back at {own}: what answers there must pass them on", app.name)
    })
}

fn rules_without_effect<'a>(caller: &'a Caller, apps: &'a [AppSettings]) -> impl Iterator<Item = String> + 'a {
    caller.rules_without_effect(apps).map(move |rule| {
        let apps = apps.iter().filter(|app| caller.may_use(&app.name));
        let bases = apps.map(|app| format!("the API of {} begins with {}", app.name, app.provider.api_base().path()));
        format!("callers.{}.proxy: \"{rule}\" allows no call: {}", caller.name, bases.collect::<Vec<_>>().join(", "))
    })
}

fn rules_that_spill<'a>(caller: &'a Caller, apps: &'a [AppSettings]) -> impl Iterator<Item = String> + 'a {
    caller.rules_that_spill(apps).map(|rule| {
        let (name, rule) = (&caller.name, rule.to_string());
        let alone = rule.trim_end_matches('*');
        format!("callers.{name}.proxy: \"{rule}\" allows every path that begins so, {alone}X too; for this one and what is below it: \"{alone}\", \"{alone}/*\"")
    })
}

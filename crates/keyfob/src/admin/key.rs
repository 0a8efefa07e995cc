//! `keyfob key …`

use super::missing;
use crate::composition::authority::{Opened, ours};
use crate::composition::master_key;
use crate::config::Config;
use crate::exit::Exit;
use crate::output::{self, table};
use clap::Subcommand;
use keyfob_authority::keys::{KeyStage, SigningKey};
use keyfob_authority::rotation::{KeyRetirement, LEAST_PUBLISHED_AHEAD, PUBLISHED_AHEAD};
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the keys that sign access tokens, in the order in which they sign.
    List,
    /// Add a signing key. It is published at once and signs later; the earlier one stays published until its last token has ended.
    Rotate {
        /// Seconds until it signs. Whoever keeps a copy of the key set must have fetched it by then.
        #[arg(long, value_name = "SECONDS", default_value_t = PUBLISHED_AHEAD)]
        after: i64,
    },
    /// Take a signing key out of use, with every token that it signed: for one that others may know. Clients refresh and go on.
    Retire {
        /// As `keyfob key list` shows it.
        id: u32,
    },
    /// Make another master key beside the present one, in a file that ends in .next. Copy that to every node, then run `keyfob key reseal`.
    NewMaster,
    /// Put the keys in the store under the other master key, while nodes run. Tokens stay as they are.
    Reseal,
}

pub(crate) async fn run(command: Command, opened: &Opened, config: &Config, json: bool) -> anyhow::Result<()> {
    match command {
        Command::List => list(opened, json),
        Command::Rotate { after } => rotate(opened, after, json).await,
        Command::Retire { id } => retire(opened, id, json).await,
        Command::NewMaster => new_master(opened, config, json).await,
        Command::Reseal => reseal(opened, config, json).await,
    }
}

fn list(opened: &Opened, json: bool) -> anyhow::Result<()> {
    let linger = opened.authority.settings().key_linger();
    let (keyring, now) = (opened.authority.keys(), opened.now());
    let keys: Vec<_> = keyring.signing_keys(now, linger).collect();
    let documents: Vec<Value> = keys.iter().map(|(key, stage)| document(key, *stage)).collect();
    output::data(json, &documents, || {
        table(&["ID", "KID", "ALG", "STAGE", "SIGNS FROM"], keys.iter().map(|(key, stage)| row(key, *stage)))
    })
}

async fn rotate(opened: &Opened, after: i64, json: bool) -> anyhow::Result<()> {
    if !(LEAST_PUBLISHED_AHEAD..=365 * 24 * 3600).contains(&after) {
        let message = format!("--after must be {LEAST_PUBLISHED_AHEAD} seconds to a year");
        return Err(Exit::Refused.because(message));
    }
    let now = opened.now();
    let starts_at = now.plus(after);
    let added = opened.opener.add_signing_key(&*opened.store, starts_at, now, &*opened.entropy).await;
    let id = ours(added)?;
    let document = json!({ "id": id, "signsFrom": starts_at.to_utc() });
    output::data(json, &document, || format!("key {id}: published, signs from {}", starts_at.to_utc()))
}

async fn retire(opened: &Opened, id: u32, json: bool) -> anyhow::Result<()> {
    match ours(opened.opener.retire_signing_key(&*opened.store, id, opened.now()).await)? {
        KeyRetirement::Retired => super::changed(json, "key", id, "retired"),
        KeyRetirement::Missing => Err(missing("signing key in use")),
        KeyRetirement::StillSigning => Err(Exit::Conflict.because(format!(
            "key {id} signs at the moment; run `keyfob key rotate --after {LEAST_PUBLISHED_AHEAD}`, wait for it, then retire this one"
        ))),
    }
}

async fn new_master(opened: &Opened, config: &Config, json: bool) -> anyhow::Result<()> {
    let file = master_key::next_file(&config.master_key_file);
    let (made, key) = (!file.exists(), master_key::kept(&file, &*opened.entropy)?);
    let in_use = opened.store.identity().await?.is_some_and(|identity| identity.key_check == key.check(&config.issuer));
    if in_use {
        let (next, present) = (file.display(), config.master_key_file.display());
        let message = format!("{next} is the key that the data is under already; first rename it to {present}");
        return Err(Exit::Conflict.because(message));
    }
    output::data(json, &json!({ "file": file, "made": made }), || {
        format!(
            "the other master key {} {}\nCopy it to the same place on every node, and keep a copy apart from the data. Then: keyfob key reseal",
            if made { "is in" } else { "was made before, and is in" },
            file.display()
        )
    })
}

async fn reseal(opened: &Opened, config: &Config, json: bool) -> anyhow::Result<()> {
    let file = master_key::next_file(&config.master_key_file);
    if !file.exists() {
        let message = format!("there is no other master key in {}; make one: keyfob key new-master", file.display());
        return Err(Exit::NotFound.because(message));
    }
    let next = master_key::kept(&file, &*opened.entropy)?;
    let count = ours(opened.opener.reseal(&*opened.store, &next, opened.now(), &*opened.entropy).await)?;
    let earlier = master_key::take_up_next(config, opened.now())?;
    let kept = earlier.as_ref().map(|path| path.display().to_string());
    output::data(json, &json!({ "keys": count, "earlierMasterKey": kept }), || {
        let present = config.master_key_file.display();
        if count == 0 {
            return format!("nothing was put: the data is under this master key already. It is now in {present}");
        }
        let mut text = format!("{count} keys were put under the other master key, which is now in {present}");
        if let Some(kept) = kept {
            text.push_str(&format!("\nEarlier backups need the earlier one: it is kept in {kept}"));
        }
        text.push_str(
            "\nOn every other node, rename its .next file to the present one's name; where it was not copied, copy this one there.",
        );
        text
    })
}

fn row(key: &SigningKey, stage: KeyStage) -> Vec<String> {
    let jwk = key.public_jwk();
    vec![
        key.id.to_string(),
        jwk.kid.clone(),
        jwk.alg.name().to_owned(),
        format!("{stage:?}").to_lowercase(),
        key.starts_at.to_utc(),
    ]
}

fn document(key: &SigningKey, stage: KeyStage) -> Value {
    let jwk = key.public_jwk();
    json!({ "id": key.id, "kid": jwk.kid, "alg": jwk.alg, "stage": stage, "signsFrom": key.starts_at.to_utc() })
}

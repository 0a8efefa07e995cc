//! Webhooks: every event to every receiver, in order, signed, again and again until it is taken.
//!
//! How far a receiver has got stands in the store, so that a restart goes on there; one node at a time delivers, by a lease like that of a refresh.
//! A receiver that is dead costs one row and nothing else. An event may come twice (a receiver that answered too late): its number tells.

use crate::service::Service;
use crate::service::events::document;
use crate::service::metrics::Delivered;
use crate::store::StoredEvent;
use aws_lc_rs::hmac;
use keyfob_client::{
    Fence, Header, HttpRequest, IntentFate, LeaseAnswer, Method, Saved, Secret, StoreUnavailable, UnsafeUrl, safe_url,
};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use url::Url;

/// Events that are read at once.
const BATCH: usize = 100;
/// Seconds that a node may deliver without a sign of life.
const LEASE: i64 = 120;
/// Between looks for what other nodes have written, and at their lease.
const LOOK: Duration = Duration::from_secs(2);
/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Shortest secret, in bytes: 128 bits in base64 have more. What is shorter can be tried out by whoever has seen one signature.
const SHORTEST_SECRET: usize = 16;

/// Why there is no such receiver.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnfitWebhook {
    /// An address that would show events to the network.
    #[error("url: {0}")]
    Url(#[from] UnsafeUrl),
    /// A secret that could be guessed.
    #[error("the secret has fewer than {SHORTEST_SECRET} bytes and could be guessed; make one: openssl rand -hex 32")]
    ShortSecret,
}

/// A receiver of events.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Of its cursor; another name begins anew.
    pub name: String,
    /// Where events go: https, or http on this machine. Redirects are not followed.
    pub url: Url,
    /// Signs them.
    pub secret: Secret<String>,
}

/// Delivers to one receiver until the process ends.
pub async fn deliver(service: Arc<Service>, webhook: Webhook) {
    let mut failures = 0_u32;
    loop {
        // From before the look on, so that nothing is missed in between.
        let rings = service.vault.bell.rings();
        match round(&service, &webhook).await {
            Ok(Round::Delivered) => failures = 0,
            Ok(Round::Nothing) => {
                tokio::select! {
                    () = rings => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
            Ok(Round::Elsewhere) => tokio::time::sleep(LOOK).await,
            Ok(Round::Refused(why)) => {
                failures = failures.saturating_add(1);
                let pause = LONGEST_PAUSE.min(Duration::from_secs(1 << failures.min(10)));
                let seconds = pause.as_secs();
                tracing::warn!(
                    webhook = webhook.name,
                    why,
                    failures,
                    seconds,
                    "an event was not taken; it is sent again"
                );
                tokio::time::sleep(pause).await;
            }
            Err(unavailable) => {
                tracing::warn!(webhook = webhook.name, cause = unavailable.0, "events cannot be read now");
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

enum Round {
    Delivered,
    Nothing,
    /// Another node delivers.
    Elsewhere,
    Refused(String),
}

async fn round(service: &Service, webhook: &Webhook) -> Result<Round, StoreUnavailable> {
    let (store, now) = (&service.vault.store, service.vault.now());
    // Where there is nothing to tell, nothing is written: every node looks every other second.
    if store.events(store.cursor(&webhook.name).await?, 1).await?.is_empty() {
        return Ok(Round::Nothing);
    }
    // A name that no connection has: those hold the name of an app in front.
    let lease = format!("webhook:{}", webhook.name);
    let fence = match store.take_lease(&lease, now, now.plus(LEASE)).await? {
        LeaseAnswer::Taken(leased) => leased.fence,
        LeaseAnswer::Held { .. } => return Ok(Round::Elsewhere),
    };
    let done = under_lease(service, webhook, &lease, fence).await;
    store.release(&lease, fence, IntentFate::StaysOpen).await?;
    done
}

async fn under_lease(
    service: &Service,
    webhook: &Webhook,
    lease: &str,
    fence: Fence,
) -> Result<Round, StoreUnavailable> {
    let store = &service.vault.store;
    let mut at = store.cursor(&webhook.name).await?;
    let events = store.events(at, BATCH).await?;
    if events.is_empty() {
        return Ok(Round::Nothing);
    }
    for event in &events {
        let sent = send(service, webhook, event).await;
        let outcome = if sent.is_ok() { "taken" } else { "refused" };
        service.counts.delivered.get_or_create(&Delivered { webhook: webhook.name.clone(), outcome }).inc();
        if let Err(why) = sent {
            return Ok(Round::Refused(why));
        }
        if store.move_cursor(&webhook.name, at, event.number).await? == Saved::Conflict {
            return Ok(Round::Elsewhere);
        }
        at = event.number;
        if store.prolong(lease, fence, service.vault.now().plus(LEASE)).await? == Saved::Conflict {
            return Ok(Round::Elsewhere);
        }
    }
    Ok(Round::Delivered)
}

async fn send(service: &Service, webhook: &Webhook, event: &StoredEvent) -> Result<(), String> {
    let body = document(service.vault.id(), event).to_string();
    let at = service.vault.now().0;
    let request = HttpRequest {
        method: Method::Post,
        url: Secret::from(webhook.url.as_str()),
        headers: vec![
            Header::plain("Content-Type", "application/json"),
            Header::plain("User-Agent", "keyfob-vault"),
            Header::plain("Keyfob-Signature", signature(&webhook.secret, at, &body)),
        ],
        body: Secret::new(body.into_bytes()),
    };
    match service.vault.outside.transport.send(&request).await {
        Ok(answer) if answer.is_success() => Ok(()),
        Ok(answer) => Err(format!("status {}", answer.status)),
        Err(failure) => Err(failure.to_string()),
    }
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 over the time, a dot and the body. A receiver compares it, and refuses what is older than some minutes.
pub fn signature(secret: &Secret<String>, at: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{at}.{body}").as_bytes());
    let tag: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={tag}")
}

impl Webhook {
    /// A receiver.
    ///
    /// # Errors
    /// [`UnfitWebhook`].
    pub fn new(name: &str, url: &str, secret: Secret<String>) -> Result<Webhook, UnfitWebhook> {
        if secret.expose().len() < SHORTEST_SECRET {
            return Err(UnfitWebhook::ShortSecret);
        }
        Ok(Webhook { name: name.to_owned(), url: safe_url::parse(url)?, secret })
    }
}

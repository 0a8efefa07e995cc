//! Client authentication (RFC 6749 section 2.3.1; rows T-05 and T-08; matrix CA-01 to CA-07).
//!
//! An unknown client costs as many digests as a wrong secret and gets the same answer.

use crate::app_cache::CachedApp;
use crate::authority::{Authority, Decision, Fault};
use crate::model::{AppSecret, UsageKind};
use aws_lc_rs::{constant_time, digest};
use keyfob_protocol::Timestamp;
use keyfob_protocol::basic::PresentedSecret;
use keyfob_protocol::reason::Reason;
use keyfob_protocol::time::HOUR;
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::{PresentedClient, ReplyShape, SecretMethod};
use std::sync::Arc;

/// The last use of a secret is written in steps of this (seconds).
const NOTE_EVERY: i64 = HOUR;

impl Authority {
    /// Who the client is, proven.
    pub async fn authenticate(
        &self,
        client: PresentedClient<'_>,
        shape: ReplyShape,
        now: Timestamp,
    ) -> Result<Decision<Arc<CachedApp>, TokenRefusal>, Fault> {
        match client {
            PresentedClient::Public { client_id } => {
                let app = self.apps.get(&*self.store, client_id).await?;
                Ok(match app {
                    Some(app) if app.app.policy.public && shape == ReplyShape::Rfc6749 => match app.app.enabled {
                        true => Decision::Granted(app),
                        false => Decision::Refused(TokenRefusal::ClientAuthenticationFailed),
                    },
                    _ => Decision::Refused(TokenRefusal::MissingAuthentication),
                })
            }
            PresentedClient::Secret { client_id, secret, method } => {
                let app = self.apps.get(&*self.store, client_id).await?;
                let digests = SecretDigests::of(secret);
                let Some(mut app) = app else {
                    return Ok(Decision::Refused(TokenRefusal::ClientAuthenticationFailed));
                };
                let mut matching = digests.among(&app.app.secrets, now);
                if matching.is_none() {
                    // It may have been added a moment ago. An unknown client costs a look at the store, too.
                    let Some(read_again) = self.apps.read_again(&*self.store, client_id).await? else {
                        return Ok(Decision::Refused(TokenRefusal::ClientAuthenticationFailed));
                    };
                    app = read_again;
                    matching = digests.among(&app.app.secrets, now);
                }
                let allowed = app.app.enabled
                    && !app.app.policy.public
                    && (method == SecretMethod::Basic || app.app.policy.secret_in_body);
                let in_body = (method == SecretMethod::Body).then_some(UsageKind::SecretInBody);
                match matching {
                    Some(index) if allowed => {
                        if app.should_note(index, now.0, NOTE_EVERY) {
                            self.store.touch_secret(app.app.secrets[index].id, now).await?;
                        }
                        let odd = digests.is_raw(&app.app.secrets[index].digest).then_some(UsageKind::BasicNotEncoded);
                        self.usage.count(app.app.id, in_body.into_iter().chain(odd), now);
                        Ok(Decision::Granted(app))
                    }
                    _ => {
                        // Also where that is refused, so that who refused it sees whom it hits.
                        self.usage.count(app.app.id, in_body.filter(|_| matching.is_some()), now);
                        // Whoever asks gets the one answer for all, in the same time: nothing is written.
                        if matching.is_none() && app.app.secrets.iter().any(|secret| digests.matches(&secret.digest)) {
                            let reason = Reason::SecretRetired.word();
                            tracing::info!(app = %app.app.id, reason, "an app came with a secret that no longer works");
                            self.usage.count(app.app.id, [UsageKind::RetiredSecret], now);
                        }
                        Ok(Decision::Refused(TokenRefusal::ClientAuthenticationFailed))
                    }
                }
            }
        }
    }
}

/// The digests of a presented secret's readings.
struct SecretDigests {
    raw: digest::Digest,
    decoded: Option<digest::Digest>,
}

impl SecretDigests {
    fn of(secret: &PresentedSecret) -> SecretDigests {
        let digest = |text: &String| digest::digest(&digest::SHA256, text.as_bytes());
        SecretDigests {
            raw: digest(secret.raw.expose()),
            decoded: secret.decoded.as_ref().map(|decoded| digest(decoded.expose())),
        }
    }

    /// Which live secret it is. That must not show in the time it took, so every one is compared.
    fn among(&self, secrets: &[AppSecret], now: Timestamp) -> Option<usize> {
        let mut matching = None;
        for (index, candidate) in secrets.iter().enumerate() {
            if self.matches(&candidate.digest) && candidate.is_live(now) {
                matching = Some(index);
            }
        }
        matching
    }

    /// Whether it is this one as it was written, where form decoding gives something else: the client did not encode it.
    fn is_raw(&self, stored: &[u8; 32]) -> bool {
        self.decoded.is_some() && constant_time::verify_slices_are_equal(self.raw.as_ref(), stored).is_ok()
    }

    fn matches(&self, stored: &[u8; 32]) -> bool {
        let equal = |digest: &digest::Digest| constant_time::verify_slices_are_equal(digest.as_ref(), stored).is_ok();
        self.decoded.as_ref().is_some_and(equal) | equal(&self.raw)
    }
}

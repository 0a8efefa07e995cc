//! Client authentication (RFC 6749 section 2.3.1; rows T-05 and T-08; matrix CA-01 to CA-07).
//!
//! An unknown client costs as many digests as a wrong secret and gets the same answer. Only whoever has a secret that works is told more: that the
//! app is disabled, say.

use crate::app_cache::CachedApp;
use crate::authority::{Authority, Decision, Fault};
use crate::model::{App, AppSecret, UsageKind};
use aws_lc_rs::{constant_time, digest};
use keyfob_protocol::Timestamp;
use keyfob_protocol::basic::PresentedSecret;
use keyfob_protocol::reason::{ExplainedRefusal, Reason};
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
    ) -> Result<Decision<Arc<CachedApp>, ExplainedRefusal>, Fault> {
        match client {
            PresentedClient::Public { client_id } => {
                let app = self.apps.get(&*self.store, client_id).await?;
                Ok(match app {
                    Some(app) if app.app.policy.public && shape == ReplyShape::Rfc6749 => match app.app.enabled {
                        true => Decision::Granted(app),
                        // The client id proves nothing: everybody who sees the app knows it.
                        false => {
                            let refusal = TokenRefusal::ClientAuthenticationFailed.because(Reason::AppDisabled);
                            Decision::Refused(refusal.of_app(app.app.id.0).to_operator_alone())
                        }
                    },
                    _ => Decision::Refused(TokenRefusal::MissingAuthentication.into()),
                })
            }
            PresentedClient::Secret { client_id, secret, method } => {
                let app = self.apps.get(&*self.store, client_id).await?;
                let digests = SecretDigests::of(secret);
                let Some(mut app) = app else { return Ok(unknown_or_wrong(None)) };
                let mut matching = digests.among(&app.app.secrets, now);
                if matching.is_none() {
                    // It may have been added a moment ago. An unknown client costs a look at the store, too.
                    let Some(read_again) = self.apps.read_again(&*self.store, client_id).await? else {
                        return Ok(unknown_or_wrong(None));
                    };
                    app = read_again;
                    matching = digests.among(&app.app.secrets, now);
                }
                let in_body = (method == SecretMethod::Body).then_some(UsageKind::SecretInBody);
                let Some(index) = matching.filter(|_| !app.app.policy.public) else {
                    // Whoever asks gets the one answer for all, in the same time: nothing is written.
                    return Ok(match app.app.secrets.iter().any(|secret| digests.matches(&secret.digest)) {
                        true => {
                            self.usage.count(app.app.id, [UsageKind::RetiredSecret], now);
                            refused_because(&app.app, Reason::SecretRetired)
                        }
                        false => unknown_or_wrong(Some(&app.app)),
                    });
                };
                let refused = match &app.app {
                    app if !app.enabled => Some(Reason::AppDisabled),
                    app if method == SecretMethod::Body && !app.policy.secret_in_body => Some(Reason::SecretInBodyOff),
                    _ => None,
                };
                if let Some(reason) = refused {
                    // Also where that is refused, so that who refused it sees whom it hits.
                    self.usage.count(app.app.id, in_body, now);
                    return Ok(refused_because(&app.app, reason));
                }
                if app.should_note(index, now.0, NOTE_EVERY) {
                    self.store.touch_secret(app.app.secrets[index].id, now).await?;
                }
                let odd = digests.is_raw(&app.app.secrets[index].digest).then_some(UsageKind::BasicNotEncoded);
                self.usage.count(app.app.id, in_body.into_iter().chain(odd), now);
                Ok(Decision::Granted(app))
            }
        }
    }
}

/// One answer for both: whoever asks has not proven that the app exists. The log alone knows which.
fn unknown_or_wrong(app: Option<&App>) -> Decision<Arc<CachedApp>, ExplainedRefusal> {
    let refusal = ExplainedRefusal::from(TokenRefusal::ClientAuthenticationFailed);
    Decision::Refused(ExplainedRefusal { app: app.map(|app| app.id.0), ..refusal })
}

/// The same answer, and why.
fn refused_because(app: &App, reason: Reason) -> Decision<Arc<CachedApp>, ExplainedRefusal> {
    Decision::Refused(TokenRefusal::ClientAuthenticationFailed.because(reason).of_app(app.id.0))
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

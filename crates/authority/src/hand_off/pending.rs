//! Sending a browser to the platform, and what it keeps meanwhile. Nothing is written.

use super::{Platform, RETURN_PATH, with_query};
use crate::authority::{Authority, Decision, Fault};
use crate::decide::DecisionRefusal;
use crate::interaction::{FlowId, Interaction};
use crate::keys::Keyring;
use keyfob_protocol::time::MINUTE;
use keyfob_protocol::{Secret, Timestamp, base62, entropy};
use serde::{Deserialize, Serialize};

/// The `typ` of a ticket. A gate takes `at+jwt` only, so no ticket passes for an access token (matrix JW-03).
pub const TICKET_TYPE: &str = "keyfob-ticket+jwt";
/// Seconds that a person may take at the platform's login.
pub(super) const TICKET_LIFETIME: i64 = 10 * MINUTE;

/// What somebody must sign in for.
#[derive(Clone, Copy, Debug)]
pub struct HandOff<'a> {
    /// The browser.
    pub flow: FlowId,
    /// The request that waits, sealed; `None`: the list of connections.
    pub sealed: Option<&'a str>,
    /// The app's name, for the platform's page.
    pub app: Option<&'a str>,
    /// Whether a session at the platform is not enough: the person wants to be somebody else.
    pub anew: bool,
}

/// Where the browser goes, and what it keeps.
#[derive(Debug)]
pub struct Departure {
    /// The platform's login with the ticket, or the provider with an authentication request.
    pub url: String,
    /// The pending hand-off, sealed, for a cookie.
    pub pending: Secret<String>,
}

/// A hand-off between departure and return.
#[derive(Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) ticket: String,
    pub(super) flow: FlowId,
    pub(super) issued_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) fresh: bool,
    pub(super) interaction: Option<Interaction>,
    /// Where the person is at an OpenID provider.
    pub(super) provider: Option<AtProvider>,
}

/// What binds a provider's answer to the browser that left.
#[derive(Serialize, Deserialize)]
pub(super) struct AtProvider {
    pub(super) nonce: String,
    pub(super) verifier: String,
}

impl Pending {
    /// Opens a cookie.
    pub(super) fn open(sealed: &str, keys: &Keyring) -> Option<Pending> {
        postcard::from_bytes(&keys.open_pending(sealed)?).ok()
    }
}

#[derive(Serialize)]
struct TicketClaims<'c> {
    iss: &'c str,
    aud: &'c str,
    jti: &'c str,
    iat: Timestamp,
    exp: Timestamp,
    return_to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'c str>,
}

impl Authority {
    /// Makes a ticket for this browser.
    pub fn hand_off(
        &self,
        platform: &Platform,
        ask: HandOff<'_>,
        now: Timestamp,
    ) -> Result<Decision<Departure, DecisionRefusal>, Fault> {
        let interaction = match self.request_that_waits(&ask, now) {
            Ok(interaction) => interaction,
            Err(refusal) => return Ok(Decision::Refused(refusal)),
        };
        let fresh = ask.anew || interaction.as_ref().is_some_and(Interaction::asks_for_login);
        let (ticket, pending) = self.departing(ask.flow, interaction, fresh, None, now)?;
        let claims = TicketClaims {
            iss: &self.settings.issuer,
            aud: &platform.url,
            jti: &ticket,
            iat: now,
            exp: now.plus(TICKET_LIFETIME),
            return_to: format!("{}{RETURN_PATH}", self.settings.issuer),
            prompt: fresh.then_some("login"),
            max_age: fresh.then_some(0),
            app: ask.app,
        };
        let signed = self.keys.load().signing_key(now).sign_typed(TICKET_TYPE, &claims)?;
        let url = with_query(&platform.url, [("ticket", signed.expose().as_str())]);
        Ok(Decision::Granted(Departure { url, pending }))
    }

    /// The request that somebody signs in for.
    pub(super) fn request_that_waits(
        &self,
        ask: &HandOff<'_>,
        now: Timestamp,
    ) -> Result<Option<Interaction>, DecisionRefusal> {
        let opened = ask.sealed.map(|sealed| Interaction::open(sealed, Some(ask.flow), &self.keys.load(), now));
        opened.transpose().map_err(DecisionRefusal::Interaction)
    }

    /// A name for this departure, and what the browser keeps of it, sealed.
    pub(super) fn departing(
        &self,
        flow: FlowId,
        interaction: Option<Interaction>,
        fresh: bool,
        provider: Option<AtProvider>,
        now: Timestamp,
    ) -> Result<(String, Secret<String>), Fault> {
        let id: [u8; 16] = entropy::random(&*self.entropy)?;
        let ticket = base62::encode(&id);
        let (issued_at, expires_at) = (now, now.plus(TICKET_LIFETIME));
        let pending = Pending { ticket, flow, issued_at, expires_at, fresh, interaction, provider };
        let plain = postcard::to_allocvec(&pending).expect("invariant: a pending hand-off is plain data");
        let sealed = self.keys.load().seal_pending(&plain, &*self.entropy)?;
        Ok((pending.ticket, Secret::new(sealed)))
    }
}

//! Sending a browser to the provider: an authentication request (OpenID Connect Core section 3.1.2.1) with PKCE. Nothing is written.

use super::{CALLBACK_PATH, OpenId, SwitchPrompt};
use crate::authority::{Authority, Decision, Fault};
use crate::decide::DecisionRefusal;
use crate::hand_off::pending::{AtProvider, Departure, HandOff};
use crate::hand_off::with_query;
use crate::interaction::Interaction;
use keyfob_protocol::pkce::CodeVerifier;
use keyfob_protocol::{Timestamp, base62, entropy};

impl Authority {
    /// Makes the request for this browser. A fault where the provider has not said yet where its pages are, and cannot be asked.
    pub async fn hand_off_to_provider(
        &self,
        openid: &OpenId,
        ask: HandOff<'_>,
        now: Timestamp,
    ) -> Result<Decision<Departure, DecisionRefusal>, Fault> {
        let interaction = match self.request_that_waits(&ask, now) {
            Ok(interaction) => interaction,
            Err(refusal) => return Ok(Decision::Refused(refusal)),
        };
        let metadata = openid.metadata(now).await?;
        // Who only wants to be somebody else proves nothing by when they signed in, and not every provider says it.
        let fresh = interaction.as_ref().is_some_and(Interaction::asks_for_login);
        let nonce: [u8; 16] = entropy::random(&*self.entropy)?;
        let verifier = CodeVerifier::generate(&*self.entropy)?;
        let provider = AtProvider { nonce: base62::encode(&nonce), verifier: verifier.expose().to_owned() };
        let nonce = provider.nonce.clone();
        let (state, pending) = self.departing(ask.flow, interaction, fresh, Some(provider), now)?;
        let redirect_uri = self.provider_redirect_uri();
        let (scope, challenge) = (openid.settings.scopes.join(" "), verifier.challenge().to_text());
        let mut pairs = vec![
            ("response_type", "code"),
            ("client_id", &openid.settings.client_id),
            ("redirect_uri", &redirect_uri),
            ("scope", &scope),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        if fresh {
            pairs.extend([("prompt", "login"), ("max_age", "0")]);
        } else if ask.anew {
            pairs.push(match openid.settings.switch_prompt {
                SwitchPrompt::Login => ("prompt", "login"),
                SwitchPrompt::SelectAccount => ("prompt", "select_account"),
            });
        }
        Ok(Decision::Granted(Departure { url: with_query(&metadata.authorization_endpoint, pairs), pending }))
    }

    /// What is registered at the provider.
    pub(super) fn provider_redirect_uri(&self) -> String {
        format!("{}{CALLBACK_PATH}", self.settings.issuer)
    }
}

//! The authorize endpoint: validates a request and freezes it. Nothing is written (matrix AZ-09, AZ-12).

use crate::authority::{Authority, Fault};
use crate::interaction::{FlowId, Frozen, Interaction, MAX_SEALED, SIGN_IN_ADDS};
use crate::law;
use crate::model::App;
use keyfob_protocol::authorize::{AuthorizeRefusal, AuthorizeRequest, Destination, DestinationError};
use keyfob_protocol::callback::{self, AuthorizeAnswer, AuthorizeErrorCode};
use keyfob_protocol::form::Form;
use keyfob_protocol::redirect_uri::RegisteredRedirectUri;
use keyfob_protocol::{Dialect, Timestamp};
use std::sync::Arc;

/// What becomes of an authorize request.
#[derive(Debug)]
pub enum AuthorizeOutcome {
    /// A page for the person; there is nowhere safe to redirect to.
    Page(DestinationRefusal),
    /// An error for the app.
    Refused {
        /// What is wrong. Follow Up Boss's spelling of the answer has no room for the description.
        refusal: AuthorizeRefusal,
        /// Where the app is told.
        redirect: String,
    },
    /// A person has to sign in and decide.
    Interact(Box<Begun>),
    /// Our failure, after the redirect URI was validated: the app is told on it (matrix AZ-16).
    Failed {
        /// For the log.
        fault: Fault,
        /// Where the app is told.
        redirect: String,
    },
}

/// A request that waits for a person.
#[derive(Debug)]
pub struct Begun {
    /// The frozen request.
    pub interaction: Interaction,
    /// The same, for the form field.
    pub sealed: String,
    /// The app that asks.
    pub app: App,
}

/// Why there is no destination (rows AZ-02, AZ-03, AZ-05).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationRefusal {
    /// A parameter is missing or repeated.
    Parameter(DestinationError),
    /// There is no app with this client id.
    UnknownClient {
        /// As presented.
        client_id: String,
    },
    /// The app is disabled.
    DisabledClient,
    /// The redirect URI is not registered, byte for byte.
    RedirectUri {
        /// As presented.
        received: String,
        /// The registered one that it shares the most with.
        nearest: Option<String>,
    },
}

impl Authority {
    /// Rows AZ-01 to AZ-13.
    pub async fn begin_authorize(
        &self,
        form: &Form<'_>,
        flow: FlowId,
        now: Timestamp,
    ) -> Result<AuthorizeOutcome, Fault> {
        let destination = match Destination::read(form) {
            Ok(destination) => destination,
            Err(error) => return Ok(AuthorizeOutcome::Page(DestinationRefusal::Parameter(error))),
        };
        let Some(cached) = self.apps.get(&*self.store, destination.client_id).await? else {
            let client_id = destination.client_id.to_owned();
            return Ok(AuthorizeOutcome::Page(DestinationRefusal::UnknownClient { client_id }));
        };
        let app = &cached.app;
        if !app.enabled {
            return Ok(AuthorizeOutcome::Page(DestinationRefusal::DisabledClient));
        }
        let Some(redirect_uri) = app.redirect_uri(destination.redirect_uri) else {
            let received = destination.redirect_uri.to_owned();
            let nearest = nearest(app, &received);
            return Ok(AuthorizeOutcome::Page(DestinationRefusal::RedirectUri { received, nearest }));
        };
        match self.freeze(app, &redirect_uri, form, flow, now).await {
            Ok(begun) => Ok(AuthorizeOutcome::Interact(Box::new(begun))),
            Err(NotFrozen::Refused(refusal)) => {
                let redirect = self.refuse_on(app, &redirect_uri, &refusal);
                Ok(AuthorizeOutcome::Refused { refusal, redirect })
            }
            Err(NotFrozen::Fault(fault)) => {
                // What was wrong is ours, so the form's own words are read again and cannot be refused.
                let dialect = AuthorizeRequest::read(form).map_or(Dialect::OAuth, |request| request.dialect);
                let state = form.one("state").ok().flatten();
                let redirect = self.answer_on(app, &redirect_uri, dialect, &fault_answer(&fault), state);
                Ok(AuthorizeOutcome::Failed { fault, redirect })
            }
        }
    }

    async fn freeze(
        &self,
        app: &App,
        redirect_uri: &RegisteredRedirectUri,
        form: &Form<'_>,
        flow: FlowId,
        now: Timestamp,
    ) -> Result<Begun, NotFrozen> {
        let request = AuthorizeRequest::read(form)?;
        let known = match request.resources.is_empty() {
            true => Arc::default(),
            false => self.known_resources().await?,
        };
        let scope = law::authorize::granted_scope(&app.policy, &known, &request)?;
        let refused = |state| AuthorizeRefusal {
            code: AuthorizeErrorCode::InvalidRequest,
            description: "the request is too large".to_owned(),
            dialect: request.dialect,
            state,
        };
        let frozen = Frozen {
            app: app.id,
            redirect_uri: redirect_uri.as_str().to_owned(),
            dialect: request.dialect,
            state: request.state.clone(),
            scope,
            resources: request.resources.clone(),
            code_challenge: request.code_challenge,
            prompt_login: request.prompt_login,
        };
        let expires_at = now.plus(self.settings.interaction_lifetime);
        let interaction = Interaction::begin(frozen, flow, expires_at, now, &*self.entropy).map_err(Fault::from)?;
        let sealed = interaction.seal(&self.keys.load(), &*self.entropy).map_err(Fault::from)?;
        if sealed.len() + SIGN_IN_ADDS > MAX_SEALED {
            return Err(refused(request.state).into());
        }
        Ok(Begun { interaction, sealed, app: app.clone() })
    }

    fn refuse_on(&self, app: &App, redirect_uri: &RegisteredRedirectUri, refusal: &AuthorizeRefusal) -> String {
        let answer = AuthorizeAnswer::Error { code: refusal.code, description: &refusal.description };
        self.answer_on(app, redirect_uri, refusal.dialect, &answer, refusal.state.as_deref())
    }

    /// The URL that tells the app of our failure (matrix AZ-16).
    pub fn failed(&self, interaction: &Interaction, app: &App, fault: &Fault) -> String {
        let redirect_uri = RegisteredRedirectUri::from_store(interaction.redirect_uri.clone());
        let state = interaction.state.as_deref();
        self.answer_on(app, &redirect_uri, interaction.dialect, &fault_answer(fault), state)
    }

    /// The URL that carries an answer, with `iss` where the policy has it (decision D4; RFC 9207).
    pub(crate) fn answer_on(
        &self,
        app: &App,
        redirect_uri: &RegisteredRedirectUri,
        dialect: Dialect,
        answer: &AuthorizeAnswer<'_>,
        state: Option<&str>,
    ) -> String {
        let with_iss = dialect == Dialect::OAuth || app.policy.iss_in_followupboss;
        callback::spell(dialect, redirect_uri, answer, state, with_iss.then_some(self.settings.issuer.as_str()))
    }
}

fn fault_answer(fault: &Fault) -> AuthorizeAnswer<'static> {
    match fault.is_temporary() {
        true => AuthorizeAnswer::Error {
            code: AuthorizeErrorCode::TemporarilyUnavailable,
            description: "not available at the moment; try again",
        },
        false => AuthorizeAnswer::Error { code: AuthorizeErrorCode::ServerError, description: "the service failed" },
    }
}

/// Lets `?` end the freezing either way.
enum NotFrozen {
    Refused(AuthorizeRefusal),
    Fault(Fault),
}

impl From<AuthorizeRefusal> for NotFrozen {
    fn from(refusal: AuthorizeRefusal) -> Self {
        NotFrozen::Refused(refusal)
    }
}

impl From<Fault> for NotFrozen {
    fn from(fault: Fault) -> Self {
        NotFrozen::Fault(fault)
    }
}

/// The registered redirect URI with the most in common at both ends, to show a developer where theirs differs.
fn nearest(app: &App, presented: &str) -> Option<String> {
    let in_common = |uri: &RegisteredRedirectUri| {
        let (registered, presented) = (uri.as_str().as_bytes(), presented.as_bytes());
        let beginning = registered.iter().zip(presented).take_while(|(a, b)| a == b).count();
        let (registered, presented) = (&registered[beginning..], &presented[beginning..]);
        beginning + registered.iter().rev().zip(presented.iter().rev()).take_while(|(a, b)| a == b).count()
    };
    app.redirect_uris.iter().max_by_key(|uri| in_common(uri)).map(|uri| uri.as_str().to_owned())
}

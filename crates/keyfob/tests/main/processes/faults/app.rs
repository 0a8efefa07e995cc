//! The three kinds of app: their authorize requests, and what they send to the token endpoint.

use crate::processes::crashes::Chance;
use crate::processes::partner::{Partner, Shape};
use crate::processes::place::{Place, REDIRECT_URI};
use crate::processes::visitor::{Answer, Lost, send};
use aws_lc_rs::digest;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use keyfob_protocol::form;
use reqwest::header::CONTENT_TYPE;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Confidential; the refresh token stays the same.
    Fixed,
    /// Confidential; refresh tokens rotate.
    Rotating,
    /// Public with PKCE; refresh tokens rotate.
    Public,
}

pub(super) struct App {
    pub(super) kind: Kind,
    /// A public one has no secret, and this one's is empty.
    pub(super) partner: Partner,
}

/// A code, and what binds it.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) text: String,
    pub(super) state: String,
    pub(super) verifier: String,
}

impl App {
    pub(super) fn add(place: &Place, name: &str, kind: Kind) -> App {
        let mut add = vec!["app", "add", "--system", "Partner One", "--name", name, "--redirect-uri", REDIRECT_URI];
        add.extend(match kind {
            Kind::Fixed => None,
            Kind::Rotating => Some("--rotating"),
            Kind::Public => Some("--public"),
        });
        let added = place.json(&add);
        let text = |name: &str| added[name].as_str().unwrap_or_default().to_owned();
        App { kind, partner: Partner { client_id: text("clientId"), client_secret: text("clientSecret") } }
    }

    pub(super) fn rotates(&self) -> bool {
        self.kind != Kind::Fixed
    }

    pub(super) fn authorize(&self, state: &str, verifier: &str) -> String {
        if self.kind != Kind::Public {
            return self.partner.authorize(state);
        }
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        let parameters = [
            ("response_type", "code"),
            ("client_id", self.partner.client_id.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("state", state),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        format!("/oauth/authorize?{}", form::encode(parameters))
    }

    pub(super) async fn redeem(&self, http: &reqwest::Client, base: &str, code: &Code) -> Result<Answer, Lost> {
        if self.kind != Kind::Public {
            return self.partner.redeem(http, base, Shape::Post, &code.text, &code.state).await;
        }
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.text.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", code.verifier.as_str()),
        ];
        self.ask_as_public(http, base, &fields).await
    }

    pub(super) async fn refresh(&self, http: &reqwest::Client, base: &str, token: &str) -> Result<Answer, Lost> {
        match self.kind {
            Kind::Fixed => self.partner.refresh(http, base, Shape::Get, token).await,
            Kind::Rotating => self.partner.refresh(http, base, Shape::Post, token).await,
            Kind::Public => {
                let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
                self.ask_as_public(http, base, &fields).await
            }
        }
    }

    async fn ask_as_public(&self, http: &reqwest::Client, base: &str, fields: &[(&str, &str)]) -> Result<Answer, Lost> {
        let client = [("client_id", self.partner.client_id.as_str())];
        let body = form::encode(fields.iter().copied().chain(client));
        let request =
            http.post(format!("{base}/oauth/token")).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        send(request.body(body)).await
    }
}

/// 43 letters for a verifier, or a few for a state.
pub(super) fn letters(chance: &mut Chance, count: usize) -> String {
    (0..count).map(|_| char::from(b'a' + u8::try_from(chance.below(26)).expect("a letter"))).collect()
}

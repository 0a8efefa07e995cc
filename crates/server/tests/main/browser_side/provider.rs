//! A server whose people sign in at an OpenID provider, and that provider, in this process: it checks what it is sent as a real one does, and
//! says what a test wants it to.

use super::platform::{ISSUER, assert_refused, b64, pair};
use async_trait::async_trait;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::KeyPair;
use keyfob_authority::Settings;
use keyfob_authority::hand_off::openid::back_channel::{BackAnswer, BackChannel, BackRequest, NoAnswer};
use keyfob_authority::hand_off::openid::rules::{AccountRule, NamedAccount, RoleRule};
use keyfob_authority::hand_off::openid::{OpenId, OpenIdSettings, SwitchPrompt};
use keyfob_authority::model::Role;
use keyfob_authority::sign_in::SignInPlace;
use keyfob_protocol::form::{self, Form};
use keyfob_protocol::pkce::{CodeChallenge, CodeVerifier};
use keyfob_protocol::{Clock, Secret};
use keyfob_testkit::{Browser, Page, TestServer, TestServerOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use url::Url;

pub(super) const PROVIDER: &str = "https://idp.example.com/realm";
pub(super) const CLIENT_ID: &str = "keyfob-client";
pub(super) const CLIENT_SECRET: &str = "canary-client-secret";

/// What a test changes.
#[derive(Clone)]
pub(super) struct Script {
    /// Of each endpoint, instead of its own answer; 0: no connection.
    pub(super) instead: BTreeMap<&'static str, (u16, &'static str)>,
    /// Of the discovery document.
    pub(super) metadata: Value,
    /// Seeds of the keys that are published, each under the id `k` and its number.
    pub(super) published: Vec<u8>,
    /// What its userinfo endpoint says.
    pub(super) user_info: Value,
    /// Whether it knows us by a secret.
    pub(super) confidential: bool,
}

/// The provider.
pub(super) struct Provider {
    pub(super) script: Mutex<Script>,
    codes: Mutex<BTreeMap<String, (Asked, Value)>>,
    /// The paths that were asked for, in their order.
    asked: Mutex<Vec<String>>,
}

/// An authentication request, as the provider sees it.
#[derive(Clone, Debug)]
pub(super) struct Asked(pub(super) BTreeMap<String, String>);

impl Asked {
    /// The request in a redirect to the provider.
    pub(super) fn of(page: &Page) -> Asked {
        assert_eq!(page.status(), 303, "{}", page.text());
        let location = page.landing().location;
        let (endpoint, _) = location.split_once('?').expect("a query");
        assert_eq!(endpoint, format!("{PROVIDER}/authorize"));
        Asked(Url::parse(&location).expect("a URL").query_pairs().into_owned().collect())
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl Provider {
    pub(super) fn new() -> Arc<Provider> {
        let metadata = json!({
            "issuer": PROVIDER,
            "authorization_endpoint": format!("{PROVIDER}/authorize"),
            "token_endpoint": format!("{PROVIDER}/token"),
            "jwks_uri": format!("{PROVIDER}/jwks"),
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        });
        let script = Script {
            instead: BTreeMap::new(),
            metadata,
            published: vec![1],
            user_info: Value::Null,
            confidential: true,
        };
        Arc::new(Provider { script: Mutex::new(script), codes: Mutex::default(), asked: Mutex::default() })
    }

    /// Changes what it says.
    pub(super) fn now(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("nobody panics with it"));
    }

    /// This path is answered so from now on; 0: not at all.
    pub(super) fn answers(&self, path: &'static str, answer: (u16, &'static str)) {
        self.now(|script| {
            script.instead.insert(path, answer);
        });
    }

    /// It answers by itself again.
    pub(super) fn heals(&self) {
        self.now(|script| script.instead.clear());
    }

    /// How often a path was asked for.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.asked.lock().expect("nobody panics with it").iter().filter(|asked| *asked == path).count()
    }

    /// A code for this request, to be exchanged for this answer.
    pub(super) fn code(&self, asked: &Asked, answer: Value) -> String {
        let mut codes = self.codes.lock().expect("nobody panics with it");
        let code = format!("canary-code-{}", codes.len());
        codes.insert(code.clone(), (asked.clone(), answer));
        code
    }

    fn token(&self, request: &BackRequest, script: &Script) -> Result<Value, &'static str> {
        let body = request.form.as_ref().expect("a form").expose();
        let form = Form::parse(body.as_bytes()).expect("a form");
        let one = |name| form.one(name).expect("once").unwrap_or_default();
        match (script.confidential, &request.authorization) {
            (true, Some(header)) => {
                let expected = keyfob_protocol::basic::header(CLIENT_ID, &Secret::from(CLIENT_SECRET));
                if header.expose() != expected.expose() || form.names("client_secret") {
                    return Err("invalid_client");
                }
            }
            (true, None) if one("client_secret") == CLIENT_SECRET && one("client_id") == CLIENT_ID => {}
            (false, None) if one("client_id") == CLIENT_ID && !form.names("client_secret") => {}
            _ => return Err("invalid_client"),
        }
        // Used by any try.
        let held = self.codes.lock().expect("nobody panics with it").get_mut(one("code")).map(|held| {
            let taken = held.clone();
            held.1 = Value::Null;
            taken
        });
        let (asked, answer) = held.filter(|held| !held.1.is_null()).ok_or("invalid_grant")?;
        let challenge = CodeChallenge::parse(asked.get("code_challenge")).expect("a challenge");
        let verifier = CodeVerifier::parse(one("code_verifier")).ok_or("invalid_grant")?;
        let redirect_uri = one("redirect_uri") == asked.get("redirect_uri");
        match challenge.matches(&verifier) && redirect_uri && one("grant_type") == "authorization_code" {
            true => Ok(answer),
            false => Err("invalid_grant"),
        }
    }
}

#[async_trait]
impl BackChannel for Provider {
    async fn send(&self, request: BackRequest) -> Result<BackAnswer, NoAnswer> {
        let script = self.script.lock().expect("nobody panics with it").clone();
        let path = request.url.strip_prefix(PROVIDER).expect("one of its URLs");
        self.asked.lock().expect("nobody panics with it").push(path.to_owned());
        let answer = |status, body: String| Ok(BackAnswer { status, body: Secret::new(body.into_bytes()) });
        match script.instead.get(path) {
            Some((0, why)) => return Err(NoAnswer((*why).to_owned())),
            Some((status, body)) => return answer(*status, (*body).to_owned()),
            None => {}
        }
        match path {
            "/.well-known/openid-configuration" => answer(200, script.metadata.to_string()),
            "/jwks" => {
                let keys: Vec<_> = script.published.iter().map(|seed| jwk(*seed)).collect();
                answer(200, json!({ "keys": keys }).to_string())
            }
            "/token" => match self.token(&request, &script) {
                Ok(tokens) => answer(200, tokens.to_string()),
                Err(error) => answer(400, json!({ "error": error }).to_string()),
            },
            "/userinfo" => {
                let bearer = request.authorization.as_ref().map(|value| value.expose().as_str());
                assert_eq!(bearer, Some("Bearer canary-access-token"));
                answer(200, script.user_info.to_string())
            }
            other => panic!("{other}"),
        }
    }
}

fn jwk(seed: u8) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "kid": format!("k{seed}"), "use": "sig", "x": b64(pair(seed).public_key().as_ref()) })
}

/// A JWT by the key of this seed.
pub(super) fn signed(header: &Value, claims: &Value, seed: u8) -> String {
    let input = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let signature = pair(seed).sign(input.as_bytes());
    format!("{input}.{}", b64(signature.as_ref()))
}

/// A JWT whose secret is the public key, for a verifier that lets the header choose.
pub(super) fn signed_with_the_public_key(claims: &Value) -> String {
    let input = format!("{}.{}", b64(json!({ "alg": "HS256", "kid": "k1" }).to_string()), b64(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, pair(1).public_key().as_ref());
    format!("{input}.{}", b64(hmac::sign(&key, input.as_bytes())))
}

/// An ID token by the first key.
pub(super) fn id_token(claims: &Value) -> String {
    signed(&json!({ "alg": "EdDSA", "kid": "k1", "typ": "JWT" }), claims, 1)
}

/// What the token endpoint answers.
pub(super) fn tokens(id_token: &str) -> Value {
    json!({ "access_token": "canary-access-token", "token_type": "Bearer", "expires_in": 300, "id_token": id_token })
}

/// What the provider says of Una.
pub(super) fn una(server: &TestServer, asked: &Asked) -> Value {
    let now = server.clock.now().0;
    json!({
        "iss": PROVIDER, "aud": CLIENT_ID, "sub": "u-1", "iat": now, "exp": now + 300, "nonce": asked.get("nonce"),
        "email": "Una@example.com", "email_verified": true, "name": "Una User", "groups": ["staff", "keyfob-admins"],
    })
}

/// As most operators would set it: a confidential client of one company, roles by groups.
pub(super) fn settings() -> OpenIdSettings {
    let account = NamedAccount { id: "acme".to_owned(), name: "Acme Homes".to_owned(), domain: "acme".to_owned() };
    let roles = [("keyfob-admins", Role::Admin), ("keyfob-owners", Role::Owner), ("sales", Role::Agent)];
    OpenIdSettings {
        issuer: PROVIDER.to_owned(),
        client_id: CLIENT_ID.to_owned(),
        client_secret: Some(Secret::from(CLIENT_SECRET)),
        scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
        switch_prompt: SwitchPrompt::Login,
        account: AccountRule::One(account),
        role: RoleRule {
            claim: Some("groups".to_owned()),
            roles: roles.map(|(value, role)| (value.to_owned(), role)).into(),
            otherwise: None,
        },
    }
}

pub(super) fn options(provider: &Arc<Provider>, settings: OpenIdSettings) -> TestServerOptions {
    let openid = OpenId::new(settings, provider.clone()).expect("settings that are safe");
    let settings = Settings { sign_in: SignInPlace::OpenId(Arc::new(openid)), ..Settings::new(ISSUER) };
    TestServerOptions { settings, ..TestServerOptions::default() }
}

/// A server and its provider.
pub(super) async fn server() -> (TestServer, Arc<Provider>) {
    let provider = Provider::new();
    (TestServer::start_with(options(&provider, settings())).await, provider)
}

/// What the browser brings back.
pub(super) async fn back(browser: &mut Browser<'_>, pairs: &[(&str, &str)]) -> Page {
    browser.get(&callback(pairs)).await
}

pub(super) fn callback(pairs: &[(&str, &str)]) -> String {
    format!("/sign-in/openid/callback?{}", form::encode(pairs.iter().copied()))
}

/// The callback of a request for which the provider answers so.
pub(super) async fn answered(browser: &mut Browser<'_>, provider: &Provider, asked: &Asked, answer: Value) -> Page {
    let code = provider.code(asked, answer);
    back(browser, &[("code", &code), ("state", asked.get("state"))]).await
}

/// The same with an ID token of these claims.
pub(super) async fn says(browser: &mut Browser<'_>, provider: &Provider, asked: &Asked, claims: &Value) -> Page {
    answered(browser, provider, asked, tokens(&id_token(claims))).await
}

/// An answer of the token endpoint that must be refused, for just this reason.
pub(super) async fn refused(
    (server, browser): (&TestServer, &mut Browser<'_>),
    provider: &Provider,
    asked: &Asked,
    answer: Value,
    (status, reason): (u16, &str),
) {
    let before = counted(server, reason);
    let page = answered(browser, provider, asked, answer).await;
    assert_refused(server, browser, &page, (status, reason));
    assert_eq!(counted(server, reason), before + 1, "{reason}");
}

fn counted(server: &TestServer, outcome: &str) -> u64 {
    let label = format!("hand_off_returns_total{{outcome=\"{outcome}\"}} ");
    let text = server.doorway.metrics.render();
    text.split(&label).nth(1).and_then(|rest| rest.lines().next()).map_or(0, |count| count.parse().expect("a number"))
}

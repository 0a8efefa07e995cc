//! The `oauth2` crate as a client. What must not happen panics.

use super::super::place::REDIRECT_URI;
use super::super::visitor::{http_client, send};
use super::authority::App;
use super::installed::workspace;
use super::person::Person;
use oauth2::basic::{BasicClient, BasicErrorResponseType};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, ResponseType, TokenResponse, TokenUrl,
};
use serde_json::Value;
use std::collections::HashMap;
use url::Url;

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// How the crate is set up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// `auth_code`; else what the crate says by itself.
    pub(super) followupboss: bool,
    pub(super) pkce: bool,
}

/// The whole life of a client; the version of the crate.
pub(super) async fn live(settings: Settings, app: &App, person: &mut Person) -> String {
    let client = client(app, app.client_secret.clone());
    let (url, state, verifier) = authorize_url(&client, settings);
    let callback = parameters(&person.callback_of(url.as_str(), "approve").await);
    assert_eq!(&callback["state"], state.secret());
    assert_eq!(callback.contains_key("response"), settings.followupboss);

    let mut exchange = client.exchange_code(AuthorizationCode::new(callback["code"].clone()));
    if settings.followupboss {
        exchange = exchange.add_extra_param("state", state.secret());
    }
    if let Some(verifier) = verifier {
        exchange = exchange.set_pkce_verifier(verifier);
    }
    let tokens = exchange.request_async(&carry).await.expect("tokens");
    assert_eq!(tokens.expires_in().map(|left| left.as_secs()), Some(3600));
    let user = identity(app, tokens.access_token().secret()).await;

    let refresh_token = tokens.refresh_token().expect("one");
    let mistaken = self::client(app, Some("wrong".to_owned()));
    match mistaken.exchange_refresh_token(refresh_token).request_async(&carry).await {
        Err(RequestTokenError::ServerResponse(refused)) => {
            assert_eq!(*refused.error(), BasicErrorResponseType::InvalidClient);
        }
        other => panic!("{other:?}"),
    }
    let refreshed = client.exchange_refresh_token(refresh_token).request_async(&carry).await.expect("tokens");
    assert_ne!(refreshed.access_token().secret(), tokens.access_token().secret());
    let rotated = refreshed.refresh_token().map(RefreshToken::secret) != Some(refresh_token.secret());
    assert_eq!(rotated, app.client_secret.is_none(), "a public client's refresh tokens rotate");
    assert_eq!(identity(app, refreshed.access_token().secret()).await, user);

    let (url, ..) = authorize_url(&client, settings);
    let denied = parameters(&person.callback_of(url.as_str(), "deny").await);
    assert!(!denied.contains_key("code"), "{denied:?}");
    version()
}

fn client(app: &App, secret: Option<String>) -> Client {
    let client = BasicClient::new(ClientId::new(app.client_id.clone()))
        .set_auth_uri(AuthUrl::new(format!("{}/oauth/authorize", app.issuer)).expect("a URL"))
        .set_token_uri(TokenUrl::new(format!("{}/oauth/token", app.issuer)).expect("a URL"))
        .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.to_owned()).expect("a URL"));
    match secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret)),
        None => client,
    }
}

fn authorize_url(client: &Client, settings: Settings) -> (Url, CsrfToken, Option<PkceCodeVerifier>) {
    let auth_code = ResponseType::new("auth_code".to_owned());
    let mut request = client.authorize_url(CsrfToken::new_random);
    if settings.followupboss {
        request = request.set_response_type(&auth_code);
    }
    if !settings.pkce {
        let (url, state) = request.url();
        return (url, state, None);
    }
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = request.set_pkce_challenge(challenge).url();
    (url, state, Some(verifier))
}

fn parameters(callback: &str) -> HashMap<String, String> {
    Url::parse(callback).expect("a URL").query_pairs().into_owned().collect()
}

async fn identity(app: &App, access_token: &str) -> Value {
    let answer = send(http_client().get(format!("{}/v1/identity", app.issuer)).bearer_auth(access_token)).await;
    serde_json::from_str(&answer.expect("an answer").body).expect("JSON")
}

/// Sends for the crate; redirects are not followed.
async fn carry(request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, reqwest::Error> {
    let response = http_client().execute(request.try_into()?).await?;
    let mut answer = axum::http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        answer = answer.header(name, value);
    }
    let body = response.bytes().await?.to_vec();
    Ok(answer.body(body).expect("what came is well-formed"))
}

fn version() -> String {
    let lock = std::fs::read_to_string(workspace().join("Cargo.lock")).expect("the lock file");
    let lock: toml::Table = lock.parse().expect("TOML");
    let packages = lock["package"].as_array().expect("packages");
    let found = packages.iter().find(|package| package["name"].as_str() == Some("oauth2")).expect("the crate");
    found["version"].as_str().expect("a version").to_owned()
}

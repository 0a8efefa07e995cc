//! What goes over the wire, byte for byte.

use crate::scripted::*;
use keyfob_client::*;
use proptest::prelude::*;

const STATE: &str = "st-1";

fn alice() -> BrowserSession {
    BrowserSession::from_value("alice")
}

/// An attempt with a state of our choice, by way of a store.
fn ready(provider: &Provider, app: &App, state: &str) -> ReadyExchange {
    let attempt = Attempt::begin(provider, app, alice(), START, &SeededEntropy::default()).unwrap();
    let mut stored: serde_json::Value = serde_json::from_str(attempt.pending.to_stored().expose()).unwrap();
    stored["state"] = state.into();
    if !stored["verifier"].is_null() {
        stored["verifier"] = "v".repeat(43).into();
    }
    let pending = PendingAttempt::from_stored(&stored.to_string()).unwrap();
    let issuer = match provider.callback_issuer() {
        CallbackIssuer::Unknown => None,
        CallbackIssuer::IfPresent(issuer) | CallbackIssuer::Required(issuer) => Some(("iss", issuer.as_str())),
    };
    let query = keyfob_protocol::form::encode([("code", "c-1"), ("state", state)].into_iter().chain(issuer));
    pending.accept(&query, alice(), START).unwrap()
}

/// The request as it would stand on the wire, without what the transport adds.
fn wire(request: &HttpRequest) -> String {
    let mut text = format!("{} {}\n", request.method.as_str(), request.url.expose());
    for header in &request.headers {
        text += &format!("{}: {}\n", header.name, header.value.expose());
    }
    text + "\n" + std::str::from_utf8(request.body.expose()).unwrap()
}

fn exchange(provider: &Provider, app: &App) -> String {
    wire(&ready(provider, app, STATE).into_request(app, START).0)
}

fn refresh(provider: &Provider, app: &App) -> String {
    wire(&refresh::request(provider, app, &token_set("a-1", "r-1"), START).unwrap().0)
}

/// Every kind of request that the client makes, for whoever reads them.
pub(crate) fn requests() -> Vec<String> {
    let mut requests = Vec::new();
    let other = Provider::new(
        "https://id.example.com/authorize?tenant=7",
        "https://id.example.com/token?tenant=7",
        "https://id.example.com/api",
        Dialect::OAuth,
    );
    let fub = Provider::follow_up_boss;
    for provider in [fub(), fub().legacy(), keyfob(), keyfob().speaking(Dialect::FollowUpBoss), other.unwrap()] {
        for app in [app(), public()] {
            // Follow Up Boss has no public clients.
            if app.client_secret.is_none() && provider.dialect() == Dialect::FollowUpBoss {
                continue;
            }
            for options in [AuthorizeOptions::default(), AuthorizeOptions { prompt: Prompt::Login, scope: None }] {
                let attempt =
                    Attempt::begin_with(&options, &provider, &app, alice(), START, &SeededEntropy::default()).unwrap();
                requests.push(attempt.url.expose().clone());
            }
            requests.push(exchange(&provider, &app));
            requests.push(refresh(&provider, &app));
        }
    }
    requests
}

fn public() -> App {
    App { client_secret: None, ..app() }
}

#[test]
fn cl_11_the_authorize_url_of_follow_up_boss() {
    let attempt =
        Attempt::begin(&Provider::follow_up_boss(), &app(), alice(), START, &SeededEntropy::default()).unwrap();
    let state = state_of(attempt.url.expose());
    assert_eq!(
        attempt.url.expose(),
        &format!(
            "https://app.followupboss.com/oauth/authorize?response_type=auth_code&client_id=app1\
             &redirect_uri=https%3A%2F%2Facme.example%2Fcb&state={state}"
        )
    );
}

#[test]
fn cl_11_the_authorize_url_of_standard_oauth() {
    let provider = Provider::keyfob("https://id.example.com").unwrap();
    let options = AuthorizeOptions { prompt: Prompt::Login, scope: Some("people:read notes".to_owned()) };
    let entropy = SeededEntropy::default();
    let attempt = Attempt::begin_with(&options, &provider, &app(), alice(), START, &entropy).unwrap();
    let state = state_of(attempt.url.expose());
    let (before, challenge) = attempt.url.expose().split_once("&code_challenge=").unwrap();
    assert_eq!(
        before,
        format!(
            "https://id.example.com/oauth/authorize?response_type=code&client_id=app1\
             &redirect_uri=https%3A%2F%2Facme.example%2Fcb&state={state}&scope=people%3Aread%20notes"
        )
    );
    assert_eq!(&challenge[43..], "&code_challenge_method=S256&prompt=login");
}

#[test]
fn cl_11_the_legacy_exchange() {
    assert_eq!(
        exchange(&Provider::follow_up_boss().legacy(), &app()),
        "GET https://app.followupboss.com/oauth/token?grant_type=auth_code&code=c-1\
         &redirect_uri=https%3A%2F%2Facme.example%2Fcb&state=st-1\n\
         Accept: application/json\nAuthorization: Basic YXBwMTpzM2NyZXQ=\n\n"
    );
}

#[test]
fn cl_11_the_posted_exchange() {
    assert_eq!(
        exchange(&Provider::follow_up_boss(), &app()),
        "POST https://app.followupboss.com/oauth/token\n\
         Accept: application/json\nAuthorization: Basic YXBwMTpzM2NyZXQ=\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=authorization_code&code=c-1&redirect_uri=https%3A%2F%2Facme.example%2Fcb&state=st-1"
    );
    let keyfob = Provider::keyfob("https://id.example.com").unwrap();
    let verifier = "v".repeat(43);
    assert_eq!(
        exchange(&keyfob, &public()),
        format!(
            "POST https://id.example.com/oauth/token\n\
             Accept: application/json\nContent-Type: application/x-www-form-urlencoded\n\n\
             grant_type=authorization_code&code=c-1&redirect_uri=https%3A%2F%2Facme.example%2Fcb&state=st-1\
             &code_verifier={verifier}&client_id=app1"
        )
    );
}

#[test]
fn cl_11_both_refreshes() {
    assert_eq!(
        refresh(&Provider::follow_up_boss().legacy(), &app()),
        "GET https://app.followupboss.com/oauth/token?grant_type=refresh_token&refresh_token=r-1\n\
         Accept: application/json\nAuthorization: Basic YXBwMTpzM2NyZXQ=\n\n"
    );
    assert_eq!(
        refresh(&Provider::follow_up_boss(), &app()),
        "POST https://app.followupboss.com/oauth/token\n\
         Accept: application/json\nAuthorization: Basic YXBwMTpzM2NyZXQ=\n\
         Content-Type: application/x-www-form-urlencoded\n\n\
         grant_type=refresh_token&refresh_token=r-1"
    );
    let switched = Provider::follow_up_boss().refreshing_by(ReplyShape::Legacy);
    assert!(refresh(&switched, &app()).starts_with("GET "));
    assert!(exchange(&switched, &app()).starts_with("POST "));
}

#[test]
fn cl_11_an_endpoint_with_a_query_keeps_it() {
    let provider = Provider::new(
        "https://id.example.com/authorize?tenant=7",
        "https://id.example.com/token?tenant=7",
        "https://id.example.com/api",
        Dialect::FollowUpBoss,
    );
    let provider = provider.unwrap().legacy();
    assert!(
        refresh(&provider, &app()).starts_with("GET https://id.example.com/token?tenant=7&grant_type=refresh_token&")
    );
    let attempt = Attempt::begin(&provider, &app(), alice(), START, &SeededEntropy::default()).unwrap();
    assert!(attempt.url.expose().starts_with("https://id.example.com/authorize?tenant=7&response_type=auth_code&"));
}

#[test]
fn cl_11_the_authority_reads_what_the_client_sends() {
    use keyfob_protocol::authorize::{AuthorizeRequest, Destination};
    use keyfob_protocol::form::Form;
    use keyfob_protocol::token_request::{GrantType, HttpParts, PresentedClient, PresentedTokenRequest};

    for provider in [Provider::follow_up_boss(), Provider::follow_up_boss().legacy(), keyfob()] {
        for app in [app(), public()] {
            let attempt = Attempt::begin(&provider, &app, alice(), START, &SeededEntropy::default()).unwrap();
            let query = attempt.url.expose().split_once('?').unwrap().1;
            let form = Form::parse(query.as_bytes()).unwrap();
            let destination = Destination { client_id: "app1", redirect_uri: "https://acme.example/cb" };
            assert_eq!(Destination::read(&form), Ok(destination));
            let asked = AuthorizeRequest::read(&form).unwrap();
            assert_eq!(asked.dialect, provider.dialect());
            assert_eq!(asked.code_challenge.is_some(), provider.pkce_for(&app) == Pkce::Always);

            let (request, _) = ready(&provider, &app, STATE).into_request(&app, START);
            let header = |name: &str| request.header(name).map(|value| value.expose().as_bytes());
            let read = PresentedTokenRequest::read(HttpParts {
                shape: provider.exchange_shape(&app),
                query: request.query().unwrap_or_default().as_bytes(),
                content_type: header("content-type"),
                body: request.body.expose(),
                authorization: [header("authorization"), None],
            });
            let read = read.unwrap();
            assert_eq!(read.grant_type(), Ok(GrantType::AuthorizationCode));
            let redemption = read.redemption(false).unwrap();
            assert_eq!((redemption.code, redemption.state), ("c-1", Some(STATE)));
            assert_eq!(redemption.redirect_uri, Some("https://acme.example/cb"));
            assert_eq!(redemption.verifier().is_some(), provider.pkce_for(&app) == Pkce::Always);
            match read.client() {
                PresentedClient::Public { client_id } => {
                    assert_eq!((client_id, app.client_secret.is_none()), ("app1", true))
                }
                PresentedClient::Secret { client_id, secret, .. } => {
                    assert_eq!((client_id, secret.raw.expose().as_str()), ("app1", "s3cret"));
                }
            }
        }
    }
}

fn keyfob() -> Provider {
    Provider::keyfob("https://id.example.com").unwrap()
}

/// Whatever a decoder other than ours makes of a query or form.
fn decoded(form: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

fn value<'p>(pairs: &'p [(String, String)], name: &str) -> &'p str {
    let mut found = pairs.iter().filter(|(n, _)| n == name);
    let (_, value) = found.next().unwrap_or_else(|| panic!("{name} is missing"));
    assert!(found.next().is_none(), "{name} is repeated");
    value
}

/// Text that is rich in what encoders get wrong.
fn awkward() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![Just('&'), Just('='), Just('+'), Just('%'), Just('#'), Just(' '), Just('é'), any::<char>()],
        1..40,
    )
    .prop_map(|chars| chars.into_iter().filter(|char| *char != '\0').collect::<String>())
    .prop_filter("an empty state is no state", |text| !text.is_empty())
}

proptest! {
    #[test]
    fn cl_11_any_redirect_uri_and_state_arrive_as_they_are(redirect_uri in awkward(), state in awkward(), secret in awkward()) {
        let app = App { redirect_uri: redirect_uri.clone(), client_secret: Some(Secret::from(secret.as_str())), ..app() };
        let provider = Provider::follow_up_boss();
        let attempt = Attempt::begin(&provider, &app, alice(), START, &SeededEntropy::default()).unwrap();
        let url = url::Url::parse(attempt.url.expose()).unwrap();
        prop_assert_eq!(url.as_str(), attempt.url.expose(), "a URL parser changes nothing");
        let asked = decoded(url.query().unwrap());
        prop_assert_eq!(value(&asked, "redirect_uri"), &redirect_uri);

        let (request, _) = ready(&provider, &app, &state).into_request(&app, START);
        let posted = decoded(std::str::from_utf8(request.body.expose()).unwrap());
        let basic = keyfob_protocol::basic::parse(request.header("Authorization").unwrap().expose().as_bytes()).unwrap();
        prop_assert_eq!(basic.secret.decoded.as_ref().unwrap_or(&basic.secret.raw).expose(), &secret);
        let (request, _) = ready(&provider.legacy(), &app, &state).into_request(&app, START);
        let url = url::Url::parse(request.url.expose()).unwrap();
        prop_assert_eq!(url.as_str(), request.url.expose());
        for pairs in [posted, decoded(url.query().unwrap())] {
            prop_assert_eq!(value(&pairs, "redirect_uri"), &redirect_uri);
            prop_assert_eq!(value(&pairs, "state"), &state);
            prop_assert_eq!(value(&pairs, "code"), "c-1");
        }
    }
}

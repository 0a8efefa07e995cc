//! Client authentication at the token endpoint: CA-01 to CA-09.

use super::table_t::{Column, check_headers};
use super::watched_store::WatchedStore;
use super::{STATE, VERIFIER, assert_refused, code, connect, exchange_fields, get_form, pkce_code, post_form};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfob_authority::Decision;
use keyfob_authority::model::AppPolicy;
use keyfob_authority::register::NewApp;
use keyfob_authority::store::StoreError;
use keyfob_protocol::Secret;
use keyfob_testkit::{Answer, Browser, REDIRECT_URI, TestApp, TestServer, TestServerOptions};

/// The answer to a refresh with this `Authorization`, by both methods: the same status decides both.
async fn by_header(server: &TestServer, header: &str, refresh_token: &str) -> (Answer, Answer) {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    let headers = [("authorization", header)];
    (post_form(server, &headers, &fields).await, get_form(server, &headers, &fields).await)
}

fn basic(joined: &str) -> String {
    format!("Basic {}", STANDARD.encode(joined))
}

struct Setting {
    server: TestServer,
    app: TestApp,
    secret: String,
    refresh_token: String,
}

async fn start() -> Setting {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let secret = app.secret.as_ref().expect("confidential").expose().clone();
    let refresh_token = connect(&server, &app).await.refresh_token;
    Setting { server, app, secret, refresh_token }
}

#[tokio::test]
async fn ca_01_basic_is_read_as_clients_write_it() {
    let Setting { server, app, secret, refresh_token } = start().await;
    let encoded = STANDARD.encode(format!("{}:{secret}", app.client_id()));
    let unpadded = encoded.trim_end_matches('=');
    for header in [
        format!("Basic {encoded}"),
        format!("basic {encoded}"),
        format!("BASIC {encoded}"),
        format!("Basic  {encoded}"),
        format!("Basic {unpadded}"),
    ] {
        let (post, get) = by_header(&server, &header, &refresh_token).await;
        assert_eq!((post.status(), get.status()), (200, 200), "{header}");
    }
}

#[tokio::test]
async fn ca_01_a_header_that_is_not_basic_is_malformed() {
    let Setting { server, app, secret, refresh_token } = start().await;
    let encoded = STANDARD.encode(format!("{}:{secret}", app.client_id()));
    for header in [
        "Basic".to_owned(),
        format!("Basic{encoded}"),
        format!("Basic\t{encoded}"),
        format!("Bearer {encoded}"),
        format!("Basic {encoded} x"),
        format!("Basic {}!", &encoded[1..]),
        basic("no-colon"),
        format!("Basic {}", STANDARD.encode(b"\xff\xfe:x")),
        basic("id%zz:secret"),
        basic(&format!("{}:{secret}\n", app.client_id())),
    ] {
        let (post, get) = by_header(&server, &header, &refresh_token).await;
        assert_eq!((post.status(), post.at("error").as_str()), (401, "invalid_client"), "{header}");
        assert_eq!((get.status(), get.at("errorCode").as_str()), (400, "invalid-authorization-header"), "{header}");
    }
}

#[tokio::test]
async fn ca_01_a_20_kb_header_is_too_large_whatever_it_says() {
    let Setting { server, refresh_token, .. } = start().await;
    let (post, get) = by_header(&server, &basic(&"a".repeat(15_000)), &refresh_token).await;
    assert_eq!((post.status(), get.status()), (431, 431));
}

#[tokio::test]
async fn ca_01_the_first_colon_splits() {
    let server = TestServer::start().await;
    let app = imported(&server, "plain", "a:b:c").await;
    let refresh_token = connect(&server, &app).await.refresh_token;
    let (post, get) = by_header(&server, &basic("plain:a:b:c"), &refresh_token).await;
    assert_eq!((post.status(), get.status()), (200, 200));
}

/// An app under a client id and secret that were made elsewhere.
async fn imported(server: &TestServer, client_id: &str, secret: &str) -> TestApp {
    let new = NewApp {
        name: "Imported".to_owned(),
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        policy: AppPolicy::default(),
    };
    let (authority, now) = (server.authority(), server.doorway.now());
    let registered = authority.register_app_as(&server.system, new, client_id.to_owned(), secret.into(), now).await;
    match registered.expect("no fault") {
        Decision::Granted(registered) => TestApp { app: registered.app, secret: registered.client_secret },
        Decision::Refused(refusal) => panic!("{refusal}"),
    }
}

#[tokio::test]
async fn ca_02_what_we_issue_is_letters_and_digits() {
    let Setting { app, secret, .. } = start().await;
    assert!(app.client_id().bytes().all(|byte| byte.is_ascii_alphanumeric()), "{}", app.client_id());
    assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(secret.len() >= 43, "256 bits need 43 letters and digits");
}

#[tokio::test]
async fn ca_02_imported_secrets_work_form_encoded_and_raw() {
    let server = TestServer::start().await;
    for (n, secret) in ["p-q_r.s~t", "a b+c", "100%", "50%25", "ü/=?", "%2B"].into_iter().enumerate() {
        let id = format!("my-app_{n}");
        let app = imported(&server, &id, secret).await;
        let token = {
            // The testkit sends raw Basic.
            let code = code(&server, &app).await;
            app.exchange(&server, &code).await.at("refresh_token")
        };
        let encode_everything = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let form = keyfob_protocol::form::encode([(id.as_str(), secret)]).replacen('=', ":", 1);
        let all = format!("{}:{}", encode_everything(&id), encode_everything(secret));
        let plus = form.replace("%20", "+");
        for joined in [format!("{id}:{secret}"), form, all, plus] {
            let (post, get) = by_header(&server, &basic(&joined), &token).await;
            assert_eq!((post.status(), get.status()), (200, 200), "{joined} for {secret}");
        }
        let (post, _) = by_header(&server, &basic(&format!("{id}:{secret}x")), &token).await;
        assert_eq!(post.status(), 401);
    }
}

#[tokio::test]
async fn ca_03_a_secret_in_the_body_works_unless_the_app_forbids_it() {
    let server = TestServer::start().await;
    for (secret_in_body, status) in [(true, 200), (false, 401)] {
        let app = server.app("App", AppPolicy { secret_in_body, ..AppPolicy::default() }).await;
        let refresh_token = connect(&server, &app).await.refresh_token;
        let secret = app.secret.as_ref().expect("confidential").expose().as_str();
        let own = [("client_id", app.client_id()), ("client_secret", secret)];
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
        let fields: Vec<_> = refresh.into_iter().chain(own).collect();
        assert_eq!(post_form(&server, &[], &fields).await.status(), status, "{secret_in_body}");
        let in_url = get_form(&server, &[], &fields).await;
        assert_eq!((in_url.status(), in_url.at("errorCode").as_str()), (400, "invalid-authorization-header"));
    }
}

#[tokio::test]
async fn ca_03_half_of_the_credentials_is_no_authentication() {
    let Setting { server, app, secret, refresh_token } = start().await;
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    for half in [("client_id", app.client_id()), ("client_secret", secret.as_str())] {
        let fields: Vec<_> = refresh.into_iter().chain([half]).collect();
        let answer = post_form(&server, &[], &fields).await;
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_client"), "{half:?}");
    }
}

#[tokio::test]
async fn ca_04_one_method_per_request() {
    let Setting { server, app, secret, refresh_token } = start().await;
    let right = app.basic();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    // Both right, and still two.
    for more in [
        vec![("client_secret", secret.as_str())],
        vec![("client_id", app.client_id()), ("client_secret", secret.as_str())],
        vec![("client_assertion", "x")],
        vec![("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")],
    ] {
        let fields: Vec<_> = refresh.into_iter().chain(more).collect();
        assert_refused(&post_form(&server, &[("authorization", &right)], &fields).await, "invalid_request");
    }
    let twice = [("authorization", right.as_str()), ("authorization", right.as_str())];
    assert_refused(&post_form(&server, &twice, &refresh).await, "invalid_request");
    let get = get_form(&server, &twice, &refresh).await;
    assert_eq!((get.status(), get.at("errorCode").as_str()), (400, "invalid-authorization-header"));
    let own = [("client_id", app.client_id()), ("client_secret", &secret), ("client_assertion", "x")];
    let fields: Vec<_> = refresh.into_iter().chain(own).collect();
    assert_refused(&post_form(&server, &[], &fields).await, "invalid_request");
}

#[tokio::test]
async fn ca_05_an_unknown_id_and_a_wrong_secret_look_the_same() {
    for column in Column::ALL {
        let case = column.case().await;
        let code = code(&case.server, &case.app).await;
        let wrong = TestApp { secret: Some("keyfobsecretwrong".into()), ..case.app.clone() };
        let mut unknown = wrong.clone();
        unknown.app.client_id = "f".repeat(64);
        let empty = TestApp { secret: Some(Secret::from("")), ..case.app.clone() };
        let public = case.server.public_app("Public").await;
        let public = TestApp { secret: Some("keyfobsecretwrong".into()), ..public };
        let mut answers = Vec::new();
        for app in [&unknown, &wrong, &empty, &public] {
            let answer = case.ask(app, &exchange_fields(&case.app, &code, &[("state", STATE)])).await;
            check_headers(&answer);
            answers.push((answer.status(), answer.header("www-authenticate").map(str::to_owned), answer.text()));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        assert_eq!(case.exchange(&case.app, &code).await.status(), 200);
    }
}

#[tokio::test]
async fn ca_05_only_the_whole_secret_is_the_secret() {
    let Setting { server, app, secret, refresh_token } = start().await;
    let upper = secret.to_uppercase();
    for wrong in
        [&secret[1..], &secret[..secret.len() - 1], &format!("{secret} "), &format!("{secret}\u{200b}"), &upper]
    {
        let (post, _) = by_header(&server, &basic(&format!("{}:{wrong}", app.client_id())), &refresh_token).await;
        assert_eq!(post.status(), 401, "{wrong:?}");
    }
    // What the store holds is no secret.
    let digest: String = app.app.secrets[0].digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let (post, _) = by_header(&server, &basic(&format!("{}:{digest}", app.client_id())), &refresh_token).await;
    assert_eq!(post.status(), 401);
}

#[tokio::test]
async fn ca_06_every_401_carries_the_challenge() {
    let Setting { server, app, refresh_token, .. } = start().await;
    let wrong = TestApp { secret: Some("keyfobsecretwrong".into()), ..app.clone() };
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    let expired_code = code(&server, &app).await;
    server.clock.advance(15 * 60);
    for answer in [
        post_form(&server, &[], &refresh).await,
        post_form(&server, &[("authorization", "Basic !")], &refresh).await,
        wrong.post(&server, &refresh).await,
        app.exchange_by_get(&server, &expired_code).await,
    ] {
        assert_eq!(answer.status(), 401, "{}", answer.text());
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"oauth\", charset=\"UTF-8\""));
    }
}

#[tokio::test]
async fn ca_07_a_public_client_has_only_its_id_posts_and_proves_itself_by_pkce() {
    let server = TestServer::start().await;
    let app = server.public_app("Public").await;
    let page = Browser::new(&server).get(&app.authorize_url()).await;
    assert_eq!(page.landing().parameter("error").as_deref(), Some("invalid_request"), "no PKCE");

    let code = pkce_code(&server, &app).await;
    let right = exchange_fields(&app, &code, &[("code_verifier", VERIFIER), ("client_id", app.client_id())]);
    let get = get_form(&server, &[], &right).await;
    assert_eq!((get.status(), get.at("errorCode").as_str()), (400, "missing-authorization-header"));
    // Whatever it sends as a secret, it has none.
    let with_secret: Vec<_> = right.iter().copied().chain([("client_secret", "x")]).collect();
    for answer in [
        post_form(&server, &[], &with_secret).await,
        post_form(&server, &[("authorization", &basic(&format!("{}:", app.client_id())))], &right).await,
        post_form(&server, &[("authorization", &basic(&format!("{}:x", app.client_id())))], &right).await,
    ] {
        assert_eq!((answer.status(), answer.at("error").as_str()), (401, "invalid_client"), "{}", answer.text());
    }
    let tokens = super::connected(&post_form(&server, &[], &right).await);
    assert_ne!(app.refresh(&server, &tokens.refresh_token).await.at("refresh_token"), tokens.refresh_token);
}

#[tokio::test]
async fn ca_08_a_client_id_beside_basic_names_the_same_client() {
    let Setting { server, app, refresh_token, .. } = start().await;
    let other = server.confidential_app("Other").await;
    let fields = |id| [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str()), ("client_id", id)];
    assert_eq!(app.post(&server, &fields(app.client_id())).await.status(), 200);
    assert_eq!(app.get(&server, &fields(app.client_id())).await.status(), 200);
    for foreign in [other.client_id(), "x"] {
        assert_refused(&app.post(&server, &fields(foreign)).await, "invalid_request");
        assert_eq!(app.get(&server, &fields(foreign)).await.status(), 400);
    }
}

#[tokio::test]
async fn ca_09_two_secrets_overlap_and_an_expired_one_stops_at_once() {
    let Setting { server, app, refresh_token, .. } = start().await;
    let authority = server.authority();
    let now = server.doorway.now();
    let added = authority.add_secret(app.app.id, "second", Some(now.plus(100)), now).await.expect("no fault");
    let Decision::Granted((_, second)) = added else { panic!("{added:?}") };
    let second = TestApp { secret: Some(second), ..app.clone() };
    for either in [&app, &second] {
        assert_eq!(either.refresh(&server, &refresh_token).await.status(), 200);
    }
    let first = app.app.secrets.first().map(|secret| secret.id);
    let stored = server.store().app(app.app.id).await.expect("no fault").expect("the app");
    let first = stored.secrets.iter().find(|secret| secret.name == "first").map(|secret| secret.id).or(first);
    let _ = authority.retire_secret(app.app.id, first.expect("a secret"), now, now).await.expect("no fault");
    assert_eq!(app.refresh(&server, &refresh_token).await.status(), 401, "retired at once");
    server.clock.advance(99);
    assert_eq!(second.refresh(&server, &refresh_token).await.status(), 200);
    server.clock.advance(1);
    assert_eq!(second.refresh(&server, &refresh_token).await.status(), 401, "expired to the second");
}

#[tokio::test]
async fn ca_09_a_secret_added_on_another_node_works_at_once() {
    let (store, two) = WatchedStore::serve(TestServerOptions::default()).await;
    let one = store.another_node(&two).await;
    let app = one.confidential_app("Listing Lantern").await;
    let tokens = connect(&two, &app).await;
    // The second node goes by what it has cached of the app.
    store.fail("settings_version", StoreError::Unavailable("no news".to_owned()));
    let added = one.authority().add_secret(app.app.id, "second", None, one.clock_now()).await.expect("no fault");
    let Decision::Granted((_, second)) = added else { panic!("{added:?}") };
    let second = TestApp { secret: Some(second), ..app.clone() };
    assert_eq!(second.refresh(&two, &tokens.refresh_token).await.status(), 200);
    assert_eq!(app.refresh(&two, &tokens.refresh_token).await.status(), 200);
}

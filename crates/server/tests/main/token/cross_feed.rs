//! Every kind of artefact into every input: ST-03, TK-15, BR-08. Only its own input takes it.

use super::{STATE, assert_refused, code, connect, exchange_fields, post_form, send};
use keyfob_testkit::{Browser, REDIRECT_URI, TestApp, TestServer};

/// One live artefact of each kind.
async fn artefacts(server: &TestServer, app: &TestApp) -> Vec<(&'static str, String)> {
    let tokens = connect(server, app).await;
    let mut browser = Browser::new(server);
    let sign_in = browser.get(&app.authorize_url()).await;
    let sign_in_csrf = sign_in.hidden("/oauth/authorize/sign-in")["csrf"].clone();
    let consent = browser.consent(&app.authorize_url()).await;
    let hidden = consent.hidden("/oauth/authorize/decision");
    let grant = super::table_t_grants::grant_of(keyfob_protocol::token_name::TokenKind::Refresh, &tokens.refresh_token);
    vec![
        ("code", code(server, app).await),
        ("refresh token", tokens.refresh_token),
        ("access token", tokens.access_token),
        ("session", browser.cookies["keyfob-session"].clone()),
        ("flow", browser.cookies["keyfob-flow"].clone()),
        ("interaction", hidden["interaction"].clone()),
        ("decision csrf", hidden["csrf"].clone()),
        ("sign-in csrf", sign_in_csrf),
        ("client secret", app.secret.as_ref().expect("confidential").expose().clone()),
        ("client id", app.client_id().to_owned()),
        ("system key", server.system_key.clone()),
        ("grant id", grant.to_text()),
        ("password", server.owner.password.clone()),
        ("state", STATE.to_owned()),
    ]
}

async fn start() -> (TestServer, TestApp, Vec<(&'static str, String)>) {
    let server = TestServer::start().await;
    let app = server.rotating_app("Listing Lantern").await;
    let artefacts = artefacts(&server, &app).await;
    (server, app, artefacts)
}

/// The same text under another kind's prefix and with a checksum that holds for it.
fn disguised(token: &str, prefix: &str) -> String {
    let body = token.split_once('_').expect("a prefix").1;
    let mut text = format!("{prefix}{}", &body[..body.len() - 6]);
    let checksum = crc32(text.as_bytes());
    keyfob_protocol::base62::encode_into(&mut text, &checksum.to_be_bytes());
    text
}

/// CRC-32 as zlib has it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[tokio::test]
async fn tk_15_only_a_code_is_a_code() {
    let (server, app, mut artefacts) = start().await;
    let refresh_token = artefacts[1].1.clone();
    assert_eq!(disguised(&refresh_token, "keyfobrt_"), refresh_token, "the disguise itself is well made");
    artefacts.push(("disguised refresh token", disguised(&refresh_token, "keyfobac_")));
    for (kind, value) in artefacts.iter().filter(|(kind, _)| *kind != "code") {
        let answer = app.post(&server, &exchange_fields(&app, value, &[("state", STATE)])).await;
        assert_refused(&answer, "invalid_grant");
        let get = app.get(&server, &exchange_fields(&app, value, &[("state", STATE)])).await;
        assert_eq!(get.at("errorCode"), "invalid-auth-code", "{kind}");
    }
    assert_eq!(app.exchange(&server, &artefacts[0].1).await.status(), 200, "and the code is one");
}

#[tokio::test]
async fn st_03_only_a_refresh_token_is_a_refresh_token() {
    let (server, app, mut artefacts) = start().await;
    let code = artefacts[0].1.clone();
    artefacts.push(("disguised code", disguised(&code, "keyfobrt_")));
    for (kind, value) in artefacts.iter().filter(|(kind, _)| *kind != "refresh token") {
        assert_refused(&app.refresh(&server, value).await, "invalid_grant");
        assert_eq!(app.refresh_by_get(&server, value).await.at("errorCode"), "invalid-refresh-token", "{kind}");
    }
    assert_eq!(app.refresh(&server, &artefacts[1].1).await.status(), 200);
    assert_eq!(app.exchange(&server, &code).await.status(), 200, "the code was not touched");
}

#[tokio::test]
async fn br_08_only_an_access_token_opens_the_gate() {
    let (server, _, artefacts) = start().await;
    for (kind, value) in &artefacts {
        let answer = server.call("/v1/identity", value).await;
        if *kind == "access token" {
            assert_eq!(answer.status(), 200);
            continue;
        }
        assert_eq!(answer.status(), 401, "{kind}");
        assert_eq!(
            answer.header("www-authenticate"),
            Some(
                "Bearer realm=\"api\", error=\"invalid_token\", resource_metadata=\"https://auth.example.com/.well-known/oauth-protected-resource\""
            ),
            "{kind}"
        );
        assert_eq!(answer.at("errorCode"), "invalid-access-token", "{kind}");
    }
}

#[tokio::test]
async fn st_03_only_a_secret_is_a_secret_and_only_a_session_is_a_session() {
    let (server, app, artefacts) = start().await;
    for (kind, value) in &artefacts {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
            ("client_id", app.client_id()),
            ("client_secret", value),
        ];
        let answer = post_form(&server, &[], &fields).await;
        assert_eq!(answer.status() == 400, *kind == "client secret", "{kind} as client secret: {}", answer.text());

        let headers = [("x-system", "Partner One"), ("x-system-key", value.as_str())];
        let answer = send(&server, "GET", "/v1/oauthApps", &headers, "").await;
        assert_eq!(answer.status(), if *kind == "system key" { 200 } else { 401 }, "{kind} as system key");

        for name in ["keyfob-session", "__Host-keyfob-session"] {
            let cookie = format!("{name}={value}");
            let page = send(&server, "GET", "/connections", &[("cookie", &cookie)], "").await;
            let signed_in = page.text().contains("/sign-out");
            assert_eq!(signed_in, *kind == "session" && name == "keyfob-session", "{kind} as {name}");
        }
    }
}

#[tokio::test]
async fn st_03_only_an_interaction_is_an_interaction() {
    let (server, app, artefacts) = start().await;
    let mut browser = Browser::new(&server);
    let consent = browser.consent(&app.authorize_url()).await;
    let own = consent.hidden("/oauth/authorize/decision");
    for (kind, value) in &artefacts {
        // A form with each field replaced: a foreign interaction is refused too, because it is another browser's.
        let (interaction, csrf) = (own["interaction"].as_str(), own["csrf"].as_str());
        for (interaction, csrf) in [(value.as_str(), csrf), (interaction, value.as_str())] {
            let fields = [("interaction", interaction), ("csrf", csrf), ("decision", "approve")];
            let page = browser.post("/oauth/authorize/decision", &fields).await;
            assert!(matches!(page.status(), 400 | 403), "{kind}: {}", page.status());
            assert_eq!(page.answer.header("location"), None, "{kind}");
        }
        let code = exchange_fields(&app, "x", &[("code_verifier", value)]);
        assert_eq!(app.post(&server, &code).await.status(), 400);
    }
    let landing = browser.decide(&consent, "approve").await.landing();
    assert!(landing.location.starts_with(REDIRECT_URI) && landing.parameter("code").is_some());
}

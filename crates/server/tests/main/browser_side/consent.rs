//! Rows IN-02 and IN-06: the consent page says who asks, for whom and for what, whatever those are called, and it is shown every time.

use keyfob_authority::authority::DeclaredScope;
use keyfob_authority::model::AppPolicy;
use keyfob_authority::{Decision, Settings, register::NewApp};
use keyfob_protocol::scope::Scope;
use keyfob_testkit::{Browser, REDIRECT_URI, TestServer, TestServerOptions};

#[tokio::test]
async fn in_02_the_page_names_app_system_host_account_user_and_role() {
    let server = TestServer::start().await;
    let app = server.app_at("Listing Lantern", AppPolicy::default(), &["https://xn--bcher-kva.example:8443/cb"]).await;
    let consent = Browser::new(&server).consent(&app.authorize_url()).await;
    let text = consent.text();
    for shown in [
        "Listing Lantern",
        "Partner One",
        "xn--bcher-kva.example:8443",
        "Maple Street Realty",
        "owner@example.com",
        "Owner",
        "value=\"approve\"",
        "value=\"deny\"",
        "Do everything your role",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(!text.contains("<script") && !text.contains("onerror="));
}

#[tokio::test]
async fn in_02_hostile_names_stay_text() {
    let server = TestServer::start().await;
    let (rtl, zero_width) = ("\u{202e}", "\u{200b}");
    for (name, shown, hidden) in [
        ("<img src=x onerror=alert(1)>", "&#60;img src=x onerror=alert(1)&#62;", "<img"),
        ("\"><form action=//evil.example>", "form action=//evil.example", "<form action=//evil"),
        ("{{7*7}}${7*7}", "{{7*7}}${7*7}", "49"),
        (&format!("Good{rtl}elpmaxe"), "Good", rtl),
        (&format!("Go{zero_width}od"), "Go⟨U+200B⟩od", zero_width),
        ("P\u{0430}yPal", "Look twice", "never here"),
    ] {
        let app = server.confidential_app(name).await;
        let mut browser = Browser::new(&server);
        let sign_in = browser.get(&app.authorize_url()).await;
        let consent = browser.sign_in(&sign_in, &server.owner).await;
        let text = consent.text().replace("&lt;", "&#60;").replace("&gt;", "&#62;");
        assert!(text.contains(shown), "{shown}: {text}");
        for text in [sign_in.text(), consent.text()] {
            assert!(!text.contains(hidden), "{hidden:?}: {text}");
        }
        let code = browser.decide(&consent, "approve").await.landing().code();
        app.exchange(&server, &code).await;
        assert!(!browser.get("/connections").await.text().contains(hidden));
    }
}

#[tokio::test]
async fn in_02_what_is_granted_is_said_in_the_declared_words() {
    let scopes = vec![DeclaredScope {
        name: "people:read".to_owned(),
        title: "See <your> people".to_owned(),
        sentence: "Names & addresses.".to_owned(),
    }];
    let settings = Settings { scopes, ..Settings::new("https://auth.example.com") };
    let server = TestServer::start_with(TestServerOptions { settings, ..TestServerOptions::default() }).await;
    let read = Scope::parse("people:read").expect("a scope");
    let policy = AppPolicy { allowed_scope: read.clone(), default_scope: read, ..AppPolicy::default() };
    let app = server.app("Listing Lantern", policy).await;
    let text = Browser::new(&server).consent(&app.authorize_url()).await.text();
    let text = text.replace("&#60;", "&lt;").replace("&#62;", "&gt;").replace("&#38;", "&amp;");
    assert!(text.contains("See &lt;your&gt; people") && text.contains("Names &amp; addresses."), "{text}");
    assert!(!text.contains("Do everything"), "{text}");
}

#[tokio::test]
async fn in_02_a_renamed_app_is_shown_as_it_is_now() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    let page = browser.get(&app.authorize_url()).await;
    let new = NewApp {
        name: "Lantern Two".to_owned(),
        redirect_uris: vec![REDIRECT_URI.to_owned()],
        policy: app.app.policy.clone(),
    };
    let read_at = server.store().settings_version().await.expect("no fault");
    let updated = server.authority().update_app(app.app.id, new, read_at, server.clock_now()).await.expect("no fault");
    assert!(matches!(updated, Decision::Granted(_)));
    let consent = browser.sign_in(&page, &server.owner).await;
    assert!(consent.text().contains("Lantern Two") && !consent.text().contains("Listing Lantern"));
}

/// No consent is remembered, of no client: what the row allows for some, nobody needs, since a connection outlives its session.
#[tokio::test]
async fn in_06_every_flow_asks_again_whoever_asks_and_for_however_little() {
    let server = TestServer::start().await;
    let scope = |text: &str| Scope::parse(text).expect("a scope");
    let scoped = |public| AppPolicy {
        public,
        allowed_scope: scope("people notes"),
        default_scope: scope("people notes"),
        ..AppPolicy::default()
    };
    let challenge =
        [("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"), ("code_challenge_method", "S256")];
    for public in [true, false] {
        let app = server.app("Listing Lantern", scoped(public)).await;
        let mut browser = Browser::new(&server);
        for more in [
            &[][..],
            &[],
            &[("scope", "people")],
            &[("prompt", "consent")],
            &[("prompt", "consent"), ("scope", "people")],
        ] {
            let own = [("response_type", "code"), ("state", "s")];
            let url = app.authorize_url_with(&[&own[..], &challenge, more].concat());
            let page = browser.consent(&url).await;
            assert!(page.has_form("/oauth/authorize/decision"), "{public} {more:?}: {}", page.status());
            assert_eq!(page.answer.header("location"), None);
            browser.decide(&page, "approve").await.landing().code();
        }
    }
}

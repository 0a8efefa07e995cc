//! The browser's return to this machine: a listener on a free port, for one attempt.

use super::super::visitor::{Answer, send};
use super::desk::Desk;
use super::sandbox::{PUBLIC, Sandbox};
use url::Url;

pub(super) fn parameter(url: &str, name: &str) -> String {
    let url = Url::parse(url).expect("a URL");
    url.query_pairs().find(|(named, _)| named == name).unwrap_or_else(|| panic!("no {name}")).1.into_owned()
}

pub(super) async fn visit(sandbox: &Sandbox, url: &str) -> Answer {
    send(sandbox.http.get(url)).await.expect("an answer")
}

#[tokio::test]
async fn cl_10_the_browser_comes_back_to_a_free_port_and_ends_on_a_clean_page() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, PUBLIC);
    let connecting = desk.begin(&["keyfob", sandbox.issuer(), "--public", "--as", "a"]);
    let redirect_uri = parameter(&connecting.url, "redirect_uri");
    assert!(redirect_uri.starts_with("http://127.0.0.1:") && redirect_uri.ends_with("/callback"), "{redirect_uri}");
    assert_eq!(parameter(&connecting.url, "code_challenge_method"), "S256");
    let origin = redirect_uri.strip_suffix("/callback").expect("our path").to_owned();

    // Others may knock; the attempt goes on.
    for foreign in ["?code=c&state=guessed&iss=x", "?error=access_denied&state=guessed", "?%zz", ""] {
        let answer = visit(&sandbox, &format!("{redirect_uri}{foreign}")).await;
        assert_eq!((answer.status, answer.header("location")), (303, "/keyfob/unusable"), "{foreign}");
    }
    assert_eq!(visit(&sandbox, &format!("{origin}/other")).await.status, 404);

    let callback = sandbox.approved(&connecting.url).await;
    let answer = visit(&sandbox, &callback).await;
    assert_eq!((answer.status, answer.header("location")), (303, "/keyfob/approved"));
    assert_eq!((answer.header("referrer-policy"), answer.header("cache-control")), ("no-referrer", "no-store"));
    let again = visit(&sandbox, &callback).await;
    assert_eq!((again.status, again.header("location")), (303, "/keyfob/used"));
    let page = visit(&sandbox, &format!("{origin}/keyfob/approved")).await;
    assert!(page.status == 200 && page.body.contains("<h1>Approved</h1>"), "{}", page.body);
    for style in page.body.split("<link rel=\"stylesheet\" href=\"").skip(1) {
        let path = style.split('"').next().expect("a path");
        assert_eq!(visit(&sandbox, &format!("{origin}{path}")).await.status, 200, "{path}");
    }
    let told = connecting.ended();
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains("connection a: connected, Yusuf Shah"), "{told:?}");
    assert!(send(sandbox.http.get(&origin)).await.is_err(), "nobody listens any more");
    desk.does(&["call", "GET", "/v1/people"]);
    sandbox.advance("61m").await;
    desk.does(&["call", "GET", "/v1/people"]);
    assert_eq!(desk.kept("a")["generation"], 2);
    // Keyfob takes a connection back from the app itself (RFC 7009); no system is needed.
    let token = desk.access_token("a");
    desk.does(&["connections", "revoke", "a"]);
    let asked = sandbox.http.get(format!("{}/v1/identity", sandbox.issuer())).bearer_auth(&token);
    assert_eq!(send(asked).await.expect("an answer").status, 401, "ended at the authority");
}

#[tokio::test]
async fn a_denial_comes_back_by_the_browser_as_well() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, PUBLIC);
    let connecting = desk.begin(&["keyfob", sandbox.issuer(), "--public"]);
    sandbox.register(PUBLIC, &parameter(&connecting.url, "redirect_uri")).await;
    let denied = sandbox.decides(sandbox.user(1, "Owner"), &connecting.url, "deny").await;
    assert_eq!(visit(&sandbox, &denied).await.header("location"), "/keyfob/declined");
    let told = connecting.ended();
    assert_eq!((told.code, told.stdout.as_str()), (Some(8), ""), "{told:?}");
}

#[tokio::test]
async fn cl_08_an_answer_that_names_another_issuer_ends_the_attempt_and_sends_no_code() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, PUBLIC);
    for discovered in [false, true] {
        let keyfob = ["keyfob", sandbox.issuer(), "--public"];
        let api = format!("{}/v1", sandbox.issuer());
        let generic = [sandbox.issuer(), "--api", &api, "--public"];
        let connecting = desk.begin(if discovered { &generic } else { &keyfob });
        sandbox.register(PUBLIC, &parameter(&connecting.url, "redirect_uri")).await;
        let callback = sandbox.approved(&connecting.url).await;
        let (before, _) = callback.split_once("&iss=").expect("an issuer in the callback");
        let forged = format!("{before}&iss=https%3A%2F%2Fevil.example");
        assert_eq!(visit(&sandbox, &forged).await.header("location"), "/keyfob/unusable");
        let told = connecting.ended();
        assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told:?}");
        assert!(told.stderr.contains("from \"https://evil.example\", not from http://127.0.0.1"), "{told:?}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let sandbox = Sandbox::start();
    let desk = Desk::of(&sandbox, PUBLIC);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let redirect_uri = format!("http://{}/callback", taken.local_addr().expect("an address"));
    let told = desk.run(&["connect", "keyfob", sandbox.issuer(), "--public", "--redirect-uri", &redirect_uri]);
    assert_eq!(told.code, Some(6), "{told:?}");
    assert!(told.stderr.contains("cannot be listened on") && told.stderr.contains("--paste"), "{told:?}");
}

#[test]
fn follow_up_boss_is_asked_in_its_own_words_and_never_to_come_back_to_this_machine() {
    let desk = Desk::bare();
    let redirect_uri = "https://app.example.com/callback?from=fub";
    let connecting = desk.begin_with(
        &["followupboss", "--client-id", "app1", "--redirect-uri", redirect_uri, "--login"],
        "client secret\n",
    );
    let expected = "https://app.followupboss.com/oauth/authorize?response_type=auth_code&client_id=app1&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback%3Ffrom%3Dfub&state=";
    assert!(connecting.url.starts_with(expected) && connecting.url.ends_with("&prompt=login"), "{}", connecting.url);
    let told = connecting.pastes(&[]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(3), ""), "{told:?}");
    for here in ["http://127.0.0.1:3000/callback", "http://localhost/callback"] {
        let told = desk.run(&["connect", "followupboss", "--client-id", "app1", "--public", "--redirect-uri", here]);
        assert_eq!(told.code, Some(3), "{told:?}");
        assert!(told.stderr.contains("refuses a redirect URI on this machine"), "{told:?}");
    }
}

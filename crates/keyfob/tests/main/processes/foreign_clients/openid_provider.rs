//! People sign in at an OpenID provider that we did not write, as a process beside the binary: `oidc-provider`, with its own settings.

use super::super::partner::Shape;
use super::super::place::Place;
use super::super::visitor::{Answer, Visitor, code_in, http_client};
use super::authority::IMPORTED_SECRET;
use super::foreign_servers::{CLIENT_ID, Server};
use super::installed::Installed;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

#[tokio::test(flavor = "multi_thread")]
async fn in_04_somebody_signs_in_at_a_foreign_openid_provider_and_connects_an_app() {
    // Known before anybody listens: the provider has our redirect URI, and we its issuer.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let issuer = format!("http://{free}");
    let callback = format!("{issuer}/sign-in/openid/callback");
    let provider = Server::start_for(&Installed::find(), "oidc-provider-login.mjs", &callback);
    let place = Place::of(&issuer);
    let partner = place.people().fixed;
    let secret = place.around().join("client-secret");
    std::fs::write(&secret, IMPORTED_SECRET).expect("written");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    let config = format!(
        "[sign_in.openid]\nissuer = {:?}\nclient_id = {CLIENT_ID:?}\nclient_secret_file = \"client-secret\"\n\
         scopes = [\"openid\", \"email\", \"profile\", \"groups\"]\n\
         role_claim = \"groups\"\nroles = {{ \"keyfob-admins\" = \"Admin\" }}\n\
         account = {{ id = \"acme\", name = \"Acme Homes\", domain = \"acme\" }}\n",
        provider.told("issuer")
    );
    std::fs::write(place.around().join("keyfob.toml"), config).expect("written");
    let _serving = place.serve_at_issuer();

    let http = http_client();
    let mut person = Visitor::new(&http);
    let declined = away(&mut person, &issuer, &partner.authorize("s0")).await;
    let declined = provider.sent_back_to(&callback, declined.header("location"), "deny").await;
    let told = person.get(&declined).await.expect("an answer");
    assert!(told.header("location").contains("denied"), "{} {}", told.status, told.body);

    for fresh in ["", "&prompt=login"] {
        let away = away(&mut person, &issuer, &format!("{}{fresh}", partner.authorize("s1"))).await;
        assert_eq!(away.header("location").contains("max_age=0"), !fresh.is_empty());
        let returned = provider.sent_back_to(&callback, away.header("location"), "approve").await;
        assert!(returned.contains("&iss=http"), "it says who answers");
        let back = person.get(&returned).await.expect("an answer");
        assert_eq!(back.header("location"), "/oauth/authorize/continue", "{}", back.body);
        let consent = person.get(&format!("{issuer}/oauth/authorize/continue")).await.expect("an answer");
        assert!(consent.body.contains("Una User") && consent.body.contains("Acme Homes"), "{}", consent.body);
        let decided = person.approve(&issuer, &consent).await.expect("an answer");
        let code = code_in(&decided).unwrap_or_else(|| panic!("no code: {} {}", decided.status, decided.body));
        let redeemed = partner.redeem(&http, &issuer, Shape::Post, &code, "s1").await.expect("an answer");
        assert_eq!(redeemed.status, 200, "{}", redeemed.body);
        // Its own callback, once more.
        let again = person.get(&returned).await.expect("an answer");
        assert_eq!(again.status, 400, "{}", again.body);
        person.cookies.retain(|name, _| !name.contains("session"));
    }
}

/// Keyfob's answer to somebody who is not signed in.
async fn away(person: &mut Visitor, issuer: &str, authorize: &str) -> Answer {
    let away = person.get(&format!("{issuer}{authorize}")).await.expect("an answer");
    assert_eq!(away.status, 303, "{}", away.body);
    away
}

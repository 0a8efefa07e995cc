//! APIs of others that check our access tokens: by the published keys, or by asking.
//!
//! nginx has its test beside the gate (`gate/behind_nginx.rs`).

use super::super::gate::guarding::{Api, call, saw, until};
use super::super::visitor::{http_client, send};
use super::apache::Apache;
use super::authority::{App, Authority, Kind, Prepared};
use super::installed::Installed;
use super::person::Person;
use super::program::{self, Script};
use super::table::{INTEROPERABILITY, Table};
use std::time::Duration;

/// The name under which Apache asks.
const APACHE: &str = "apache";

const INTROSPECTION: &str = "introspection";
/// For the end of what Apache remembers, a second at most; more than it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that signs in one way, its resource server's secret, and an app of it.
async fn signing(algorithm: &str) -> (Authority, String, App) {
    let prepared = Prepared::with(&format!("signing_algorithm = \"{algorithm}\"\n")).await;
    let (secret, app) = (prepared.resource_server(APACHE), prepared.app("Caller", Kind::Confidential));
    (prepared.serve(), secret, app)
}

#[tokio::test(flavor = "multi_thread")]
async fn op_07_foreign_resource_servers_know_our_tokens_and_refuse_others() {
    let installed = Installed::find();
    let mut rows = Vec::new();
    for algorithm in ["EdDSA", "ES256"] {
        let (authority, secret, app) = signing(algorithm).await;
        let (access_token, _) = authority.tokens(&app).await;
        for (name, line) in [
            ("PyJWT (PyPI)", "pyjwt_api.py"),
            ("jose (npm)", "jose-api.mjs"),
            ("oauth4webapi (npm)", "oauth4webapi-api.mjs"),
        ] {
            let script = Script { line, app: &app, access_token: Some(&access_token) };
            let mut person = Person::before(&app, authority.wire.notes());
            let finished =
                program::run(&installed, script, &mut person).await.unwrap_or_else(|why| panic!("{name}: {why}"));
            let how = "the published keys".to_owned();
            rows.push(vec![name.to_owned(), finished.version, how, finished.proved.join(", ")]);
        }
        let introspection = format!(
            "introspect {0}/oauth/introspect introspect.auth=client_secret_basic&client_id={APACHE}&client_secret={secret}&expiry=1",
            app.issuer
        );
        rows.push(behind_apache(&authority, &app, algorithm, INTROSPECTION, &introspection).await);
        if algorithm == "ES256" {
            // Its library of JOSE knows no EdDSA.
            let keys = format!("jwks_uri {0}/oauth/jwks verify.iss={0}", app.issuer);
            rows.push(behind_apache(&authority, &app, algorithm, "the published keys", &keys).await);
        }
    }
    rows.sort();
    let head = &["resource server", "version", "by", "result"];
    Table { document: INTEROPERABILITY, name: "resource servers", head, rows }.must_stand_in_the_document();
}

/// What Apache does with tokens of ours, and others; its row.
async fn behind_apache(authority: &Authority, app: &App, algorithm: &str, by: &str, verify: &str) -> Vec<String> {
    let api = Api::start().await;
    let apache = Apache::start(&format!(
        "LogLevel oauth2:trace1\n<Location />\nAuthType oauth2\nRequire valid-user\nOAuth2TokenVerify {verify}\nProxyPass http://{}/\n</Location>\n",
        api.address
    ));
    let (access_token, _) = authority.tokens(app).await;
    let answer = call(&apache.base, "/v1/people", Some(&access_token), &[]).await;
    assert_eq!(answer.status, 200, "{algorithm} by {by}: {}", apache.said());
    assert_eq!(saw(&answer, "oauth2_claim_client_id"), [app.client_id.as_str()], "{answer:?}");

    let (other, _) = authority.tokens(app).await;
    let (signed, _) = access_token.rsplit_once('.').expect("a JWT");
    let (_, signature) = other.rsplit_once('.').expect("a JWT");
    let forged = format!("{signed}.{signature}");
    for token in [None, Some("nonsense"), Some(forged.as_str())] {
        assert_eq!(call(&apache.base, "/v1/people", token, &[]).await.status, 401, "{token:?}: {}", apache.said());
    }
    let mut result = format!("{algorithm} accepted with its claims, none and nonsense refused, altered refused");
    if by == INTROSPECTION {
        let (http, partner) = (http_client(), app.partner());
        let revoke = http
            .post(format!("{}/oauth/revoke", app.issuer))
            .basic_auth(partner.client_id, Some(partner.client_secret));
        let fields = keyfob_protocol::form::encode([("token", access_token.as_str())]);
        let revoked = send(revoke.header("content-type", "application/x-www-form-urlencoded").body(fields)).await;
        assert_eq!(revoked.expect("an answer").status, 200);
        until(&apache.base, "/v1/people", &access_token, 401, PATIENCE).await;
        result.push_str(", revoked refused");
    }
    vec!["mod_oauth2 (Apache)".to_owned(), "Debian's".to_owned(), by.to_owned(), result]
}

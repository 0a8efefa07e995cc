//! The gate and the authority, both real: three nodes on one database, and a gate that follows one of them.

use super::guarding::{call, start, until};
use crate::processes::on_postgres::Shared;
use crate::processes::partner::{Shape, revoke, tokens};
use crate::processes::place::{ISSUER, Place, bare_command};
use crate::processes::serving::Serving;
use crate::processes::visitor::{Visitor, http_client};
use keyfob_testkit::PostgresCluster;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// A gate that follows the authority at `base`.
fn gate(base: &str, place: &Place, secret: &str) -> Serving {
    let words =
        ["gate", "--authority", base, "--issuer", ISSUER, "--name", "api", "--listen", "127.0.0.1:0", "--log", "json"];
    let mut command = bare_command(&words);
    command.current_dir(place.around()).env("KEYFOB_GATE_SECRET", secret);
    start(command)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn br_09_jw_04_km_02_a_gate_hears_from_one_node_what_another_did_and_follows_the_keys() {
    let shared = Shared::with_nodes(&PostgresCluster::shared(), 3);
    let people = shared.people();
    let servers: Vec<Serving> = shared.nodes.iter().map(Place::serve).collect();
    let bases: Vec<String> = servers.iter().map(Serving::base).collect();
    let node = &shared.nodes[0];
    let registered = node.json(&["resource-server", "add", "--name", "api"]);
    let secret = registered["secret"].as_str().expect("a secret");
    let gate = gate(&bases[2], node, secret);
    let http = http_client();
    let mut visitor = Visitor::new(&http);
    let connected = async |visitor: &mut Visitor, state: &str| {
        let partner = &people.fixed;
        let code = visitor.connect(&bases[0], partner, state).await.expect("a code");
        tokens(&partner.redeem(&http, &bases[1], Shape::Post, &code, state).await.expect("an answer"))
    };
    let (first, refresh) = connected(&mut visitor, "s1").await;
    let (other, _) = connected(&mut visitor, "s2").await;
    until(&gate.base(), "/check", &first, 204, 5 * SECOND).await;

    // Ended by one node, heard by way of another: within the second.
    let since = Instant::now();
    let ended = revoke(&http, &bases[0], &people, &other).await.expect("an answer");
    assert_eq!(ended.status, 200, "{}", ended.body);
    until(&gate.base(), "/check", &other, 401, SECOND).await;
    println!("the gate refused {:?} after the ending was asked for", since.elapsed());

    // Tokens of both keys, without a restart of anybody.
    node.json(&["key", "rotate", "--after", "10"]);
    let first_kid = kid(&first);
    let since = Instant::now();
    let second = loop {
        let answer = people.fixed.refresh(&http, &bases[1], Shape::Post, &refresh).await.expect("an answer");
        let (access, _) = tokens(&answer);
        if kid(&access) != first_kid {
            break access;
        }
        assert!(since.elapsed() < 15 * SECOND, "the new key does not sign");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    for token in [&first, &second] {
        assert_eq!(call(&gate.base(), "/check", Some(token), &[]).await.status, 204);
    }
    node.json(&["app", "disable", &people.fixed.client_id]);
    for token in [&first, &second] {
        until(&gate.base(), "/check", token, 401, SECOND).await;
    }
    // Once it is nobody's resource server any more it hears nothing, and says so.
    node.json(&["resource-server", "disable", &registered["id"].to_string()]);
    let told = "the authority refuses this gate's name and secret; register the resource server there, or correct name and secret here";
    assert_eq!(gate.says(told)["level"], "ERROR");
    gate.stop();
}

/// The first part of a token, which names its key.
fn kid(token: &str) -> String {
    token.split('.').next().expect("a header").to_owned()
}

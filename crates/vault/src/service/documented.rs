//! The tables of docs/vault.md have what the service says, and nothing else.

use super::openapi;
use keyfob_client::State;
use std::collections::{BTreeMap, BTreeSet};

const GUIDE: &str = include_str!("../../../../docs/vault.md");
/// Where problems are made.
const SOURCES: [&str; 3] = [include_str!("answer.rs"), include_str!("connections.rs"), include_str!("proxy.rs")];
const STATUSES: [(&str, u16); 12] = [
    ("BAD_REQUEST", 400),
    ("UNAUTHORIZED", 401),
    ("FORBIDDEN", 403),
    ("NOT_FOUND", 404),
    ("METHOD_NOT_ALLOWED", 405),
    ("CONFLICT", 409),
    ("PAYLOAD_TOO_LARGE", 413),
    ("TOO_MANY_REQUESTS", 429),
    ("BAD_GATEWAY", 502),
    ("SERVICE_UNAVAILABLE", 503),
    ("GATEWAY_TIMEOUT", 504),
    // A name in `Problem::of`.
    ("UNAVAILABLE", 503),
];

/// The cells of the table whose heading begins so.
fn table(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let from = GUIDE.split_once(heading).unwrap_or_else(|| panic!("no table {heading}")).1;
    let rows = from.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').skip(1).map(str::trim).collect())
}

/// What stands in backticks.
fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_code_of_a_problem_is_in_the_guide_with_its_status() {
    let mut documented = BTreeMap::new();
    for row in table("| code | status |") {
        let (codes, statuses) =
            (words(row[0]), row[1].split(", ").map(|status| status.parse::<u16>().expect("a status")));
        let statuses: Vec<u16> = statuses.collect();
        assert!(statuses.len() == 1 || statuses.len() == codes.len(), "{row:?}");
        documented.extend(codes.into_iter().zip(statuses.into_iter().cycle()));
    }
    let mut said = BTreeMap::new();
    for source in SOURCES {
        let made = source.split("Problem::new(").chain(source.split("told(")).skip(1);
        for call in made {
            let Some((status, rest)) = call.split_once(", \"") else { continue };
            let status = status.trim_start_matches("StatusCode::").to_ascii_uppercase();
            let Some((_, status)) = STATUSES.iter().find(|(name, _)| *name == status) else { continue };
            said.insert(rest.split('"').next().expect("a code"), *status);
        }
    }
    assert!(said.len() > 15, "{said:?}");
    assert_eq!(documented, said);
}

#[test]
fn every_state_is_in_the_guide() {
    let of_rows = [
        State::Connected,
        State::Degraded,
        State::AccountLocked,
        State::ReauthRequired,
        State::LostReply,
        State::Denied,
    ];
    let states: BTreeSet<&str> = of_rows.iter().map(|state| state.name()).chain(["unreadable"]).collect();
    let documented: BTreeSet<&str> = table("| state |").flat_map(|row| words(row[0])).collect();
    assert_eq!(documented, states);
    let document = openapi::document();
    let listed = &document["components"]["schemas"]["Connection"]["properties"]["state"]["enum"];
    let listed: BTreeSet<&str> = listed.as_array().expect("a list").iter().filter_map(|name| name.as_str()).collect();
    assert_eq!(listed, states);
}

//! The same malformed requests to Keyfob and to oidc-provider: where the answers differ, `clients/differences.json` says why.
//!
//! The requests are `clients/node/malformed-requests.mjs`. A difference that is not on the list fails, and so does an entry, or a pattern
//! of one, that nothing matches any more. `docs/differences.md` is the list with what the run counted.

use super::authority::{Kind, Prepared};
use super::installed::{Installed, workspace};
use super::person::Person;
use super::program::{self, Script};
use super::table::Table;
use serde::Deserialize;

const LIST: &str = "clients/differences.json";
/// In the document, and under which this resource server is registered at both.
const RESOURCE_SERVER: &str = "api";
/// Fewer, and the generator is broken.
const MANY: usize = 500;

/// A difference that somebody has looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reviewed {
    /// Names, in which `*` stands for anything.
    cases: Vec<String>,
    keyfob: String,
    other: String,
    why: String,
}

/// A case and what both answered.
#[derive(Debug)]
struct Compared<'t> {
    name: &'t str,
    keyfob: &'t str,
    other: &'t str,
}

impl<'t> Compared<'t> {
    fn read(line: &'t str) -> Compared<'t> {
        let [name, keyfob, other] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("three parts: {line:?}") };
        Compared { name, keyfob, other }
    }

    fn is_one_of(&self, reviewed: &Reviewed) -> bool {
        reviewed.keyfob == self.keyfob
            && reviewed.other == self.other
            && reviewed.cases.iter().any(|pattern| matches(pattern, self.name))
    }
}

/// Whether a name is what the pattern means.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| matches(after, &rest[at..]))
}

/// What is wrong with the list, given what the run found.
fn complaints(compared: &[Compared<'_>], list: &[Reviewed]) -> Vec<String> {
    let differing: Vec<&Compared<'_>> = compared.iter().filter(|one| one.keyfob != one.other).collect();
    let unlisted = differing.iter().filter(|one| !list.iter().any(|reviewed| one.is_one_of(reviewed)));
    let mut complaints: Vec<String> = unlisted
        .map(|one| {
            format!("not on the list: {}\n  Keyfob:        {}\n  oidc-provider: {}", one.name, one.keyfob, one.other)
        })
        .collect();
    for reviewed in list {
        if reviewed.why.trim().is_empty() {
            complaints.push(format!("no reason: {:?}", reviewed.cases));
        }
        for pattern in &reviewed.cases {
            let alive = differing.iter().any(|one| one.is_one_of(reviewed) && matches(pattern, one.name));
            if !alive {
                let Reviewed { keyfob, other, .. } = reviewed;
                complaints.push(format!("matches nothing any more: {pattern} ({keyfob} / {other})"));
            }
        }
    }
    complaints
}

#[test]
fn a_difference_off_the_list_and_an_entry_that_matches_nothing_are_found() {
    let entry = |pattern: &str, keyfob: &str| Reviewed {
        cases: vec![pattern.to_owned()],
        keyfob: keyfob.to_owned(),
        other: "404".to_owned(),
        why: "a reason".to_owned(),
    };
    let compared = ["a/b/c\t405\t404", "a/b/d\t200\t200"].map(Compared::read);
    assert!(complaints(&compared, &[entry("a/*/c", "405")]).is_empty());
    assert_eq!(complaints(&compared, &[]).len(), 1);
    assert_eq!(complaints(&compared, &[entry("*", "405"), entry("a/b/d", "200")]).len(), 1);
    assert_eq!(complaints(&compared, &[entry("a/*/c", "400")]).len(), 2);
    assert!(!matches("a/*/c", "a/b/d") && matches("*", "") && matches("a*", "a") && !matches("a", "ab"));
}

#[tokio::test(flavor = "multi_thread")]
async fn op_07_malformed_requests_are_answered_as_elsewhere_or_differ_for_a_reason() {
    let installed = Installed::find();
    // The requests come from many addresses, or Keyfob would make the sender wait.
    let config =
        "trusted_proxies = [\"127.0.0.1/32\"]\n[[scopes]]\nname = \"read\"\ntitle = \"Read\"\nsentence = \"Read.\"\n";
    let prepared = Prepared::with(config).await;
    let scope = ["--scope", "read", "--default-scope", "read"];
    let policy = [&scope[..], &["--policy", "{\"requirePkce\":true}"]].concat();
    let app = prepared.app_with("Caller", Kind::Rotating, &policy);
    let public = prepared.app_with("Public", Kind::Public, &scope);
    let secret = prepared.resource_server(RESOURCE_SERVER);
    let authority = prepared.serve();
    let line = format!("differential.mjs {} {} {RESOURCE_SERVER} {secret}", authority.listens(), public.client_id);
    let mut person = Person::before(&app, authority.wire.notes());
    let script = Script { line: &line, app: &app, access_token: None };
    let finished = program::run(&installed, script, &mut person).await.unwrap_or_else(|why| panic!("{why}"));

    let compared: Vec<Compared<'_>> = finished.proved.iter().map(|line| Compared::read(line)).collect();
    assert!(compared.len() >= MANY, "only {} cases", compared.len());
    let list = std::fs::read_to_string(workspace().join(LIST)).expect("the list");
    let list: Vec<Reviewed> = serde_json::from_str(&list).unwrap_or_else(|error| panic!("{LIST}: {error}"));
    let complaints = complaints(&compared, &list);
    assert!(complaints.is_empty(), "{LIST}:\n{}", complaints.join("\n"));

    let counted = |keep: &dyn Fn(&&Compared<'_>) -> bool| compared.iter().filter(keep).count().to_string();
    let same = counted(&|one| one.keyfob == one.other);
    let summary = vec![vec![finished.version, compared.len().to_string(), same, list.len().to_string()]];
    let head = &["oidc-provider", "cases", "answered alike", "differences on the list"];
    Table { document: "docs/differences.md", name: "summary", head, rows: summary }.must_stand_in_the_document();
    let row = |reviewed: &Reviewed| {
        let cases = reviewed.cases.iter().map(|case| format!("`{case}`")).collect::<Vec<_>>().join(", ");
        let count = counted(&|one| one.keyfob != one.other && one.is_one_of(reviewed));
        vec![cases, count, reviewed.keyfob.clone(), reviewed.other.clone(), reviewed.why.clone()]
    };
    let head = &["cases", "number", "Keyfob", "oidc-provider", "why"];
    let rows = list.iter().map(row).collect();
    Table { document: "docs/differences.md", name: "differences", head, rows }.must_stand_in_the_document();
}

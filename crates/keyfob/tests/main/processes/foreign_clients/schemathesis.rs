//! Schemathesis against what our OpenAPI documents promise: of the authority and its API, of the sandbox's control, and of the vault.
//!
//! It has processes of its own, because it sets faults, moves the clock and resets. The seed is fixed, so a finding can be had again.

use super::installed::Installed;
use crate::readme::Running;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      response_headers_conformance,unsupported_method";

/// What is asked of one document.
struct Asked<'a> {
    document: String,
    /// Which of its paths.
    paths: &'a str,
    headers: Vec<String>,
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer}: {value}"))
}

/// Runs it on one document.
///
/// # Panics
/// With all it said, if it found something or tested nothing.
fn holds(installed: &Installed, asked: &Asked<'_>) {
    let room = tempfile::tempdir().expect("a directory");
    let mut command = installed.schemathesis();
    command.args(["run", &asked.document, "--seed", "1", "--max-examples", "15", "--phases", "coverage,fuzzing"]);
    command.args(["--checks", CHECKS, "--continue-on-failure", "--no-color", "--warnings", "off"]);
    command.args(["--include-path-regex", asked.paths]).current_dir(room.path());
    asked.headers.iter().for_each(|header| {
        command.args(["--header", header]);
    });
    let output = command.output().expect("schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("generated, "),
        "{}: {said}\n{}",
        asked.document,
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_the_openapi_documents_promise_holds_for_whatever_is_sent() {
    let installed = Installed::find();
    let sandbox = || Running::announced(&["sandbox", "--listen", "127.0.0.1:0"]);
    let (_authority, authority) = sandbox();
    let (_driven, driven) = sandbox();
    let (_behind, behind) = sandbox();
    let trial = ["vault", "--sandbox", text(&behind, "/issuer"), "--listen", "127.0.0.1:0"];
    let (_vault, vault) = Running::announced(&trial);
    let document = format!("{}/openapi.json", text(&authority, "/issuer"));
    let (client_id, secret) = (text(&authority, "/apps/1/clientId"), text(&authority, "/apps/1/clientSecret"));
    let basic = STANDARD.encode(format!("{client_id}:{secret}"));
    let asked = [
        Asked {
            document: document.clone(),
            paths: "^/(oauth|[.]well-known|openapi|healthz|readyz)",
            headers: vec![format!("Authorization: Basic {basic}")],
        },
        Asked {
            document,
            paths: "^/v1",
            headers: vec![
                format!("X-System: {}", text(&authority, "/system/name")),
                format!("X-System-Key: {}", text(&authority, "/system/key")),
            ],
        },
        Asked {
            document: format!("{}/sandbox/openapi.json", text(&driven, "/issuer")),
            paths: "^/sandbox",
            headers: Vec::new(),
        },
        Asked {
            document: format!("{}/openapi.json", text(&vault, "/url")),
            paths: "^/",
            headers: vec![format!("Authorization: Bearer {}", text(&vault, "/callerKey"))],
        },
    ];
    std::thread::scope(|scope| {
        for asked in &asked {
            scope.spawn(|| holds(&installed, asked));
        }
    });
}

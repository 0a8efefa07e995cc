//! `keyfob explain`: input by argument and by pipe, output for people and programs, exit codes.

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn explain(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyfob"));
    command.arg("explain").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    // A command that reads its arguments need not read its input.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("its end")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const GOOD: &str = "https://app.followupboss.com/oauth/authorize?response_type=auth_code&client_id=abc&redirect_uri=https%3A%2F%2Fcrm.example.com%2Fcb&state=nvV8Q2mQ3yBqk1rZlT5b7cUu0DgW9xS4hJ6aKpE2oFs";

#[test]
fn nothing_wrong_exits_with_0_and_something_with_3() {
    let good = explain(&[GOOD], "");
    assert_eq!((good.status.code(), said(&good).contains("Nothing wrong found.")), (Some(0), true), "{}", said(&good));
    let bad = explain(&[&GOOD.replace("auth_code", "code")], "");
    assert_eq!(bad.status.code(), Some(3));
    assert!(said(&bad).contains("wrong  response_type (byte 59)"), "{}", said(&bad));
    assert!(said(&bad).contains(
        "Whole, corrected:\nhttps://app.followupboss.com/oauth/authorize?response_type=auth_code&client_id=abc&"
    ));
    assert_eq!(explain(&[], "").status.code(), Some(3), "nothing to explain");
}

#[test]
fn an_answer_comes_by_pipe_and_json_goes_out() {
    let reply = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\r\n{\"success\":false,\"errorCode\":\"invalid-redirect-uri\"}";
    for arguments in [&["--json"][..], &["--json", "-"]] {
        let output = explain(arguments, reply);
        assert_eq!(output.status.code(), Some(3));
        let json: Value = serde_json::from_str(&said(&output)).expect("JSON");
        assert_eq!(json["kinds"][0], "token-reply");
        assert_eq!(json["findings"][0]["what"], "invalid-redirect-uri");
        assert_eq!(json["findings"][0]["severity"], "wrong");
    }
}

#[test]
fn two_steps_are_compared_and_an_authority_is_named() {
    let exchange = "curl -u 'abc:secret-secret' https://app.followupboss.com/oauth/token -d grant_type=authorization_code -d code=c0de-1234 -d redirect_uri=https://crm.example.com/ -d state=nvV8Q2mQ3yBqk1rZlT5b7cUu0DgW9xS4hJ6aKpE2oFs";
    let output = explain(&[GOOD, exchange], "");
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("from byte 24 on: there \"cb\", here the end"), "{}", said(&output));
    assert!(!said(&output).contains("secret-secret") && !said(&output).contains("c0de-1234"));

    let elsewhere = GOOD.replace("app.followupboss.com", "id.example.com");
    assert_eq!(explain(&["--authority", "keyfob", &elsewhere], "").status.code(), Some(0));
    assert_eq!(explain(&["--authority", "followupboss", &elsewhere], "").status.code(), Some(3));
    assert_eq!(explain(&["--authority", "https://id.example.com", &elsewhere], "").status.code(), Some(0));
    assert_eq!(explain(&["--authority", "nonsense", &elsewhere], "").status.code(), Some(2), "wrong usage");
    assert_eq!(explain(&["--redirect-uri", "https://crm.example.com/other", GOOD], "").status.code(), Some(3));
}

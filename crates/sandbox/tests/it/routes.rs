use http::Method;

use crate::calls::Sandbox;

#[tokio::test]
async fn unknown_paths_are_404_as_json() {
    let sandbox = Sandbox::new();
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/people/1/nothing", "/v1/people/", "/v1/people/%ff", "/v1/people/x"]
    {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = sandbox.call(method.clone(), path, sandbox.owner(), "").await;
            let expected: &[u16] =
                if path.starts_with("/v1/people/") && method != Method::GET { &[404, 405] } else { &[404] };
            assert!(expected.contains(&answer.refusal().0), "{method} {path}: {}", answer.status);
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn other_methods_are_405_as_json_and_say_which_work() {
    let sandbox = Sandbox::new();
    for (method, path, allow) in [
        (Method::POST, "/v1/identity", "GET,HEAD"),
        (Method::DELETE, "/v1/people/1", "GET,HEAD,PUT"),
        (Method::PATCH, "/v1/notes", "GET,HEAD,POST"),
        (Method::PUT, "/v1/webhooks/1", "GET,HEAD,DELETE"),
    ] {
        let answer = sandbox.call(method.clone(), path, sandbox.owner(), "").await;
        assert_eq!(answer.refusal().0, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow));
    }
}

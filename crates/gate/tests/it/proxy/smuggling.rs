//! Requests that two servers could read in two ways.

use super::proxied::Proxied;

#[tokio::test]
async fn br_10_a_request_that_could_be_read_in_two_ways_is_refused() {
    let proxied = Proxied::new(|_| ()).await;
    let authorization = format!("Authorization: {}\r\n", proxied.bearer());
    let host = "Host: api.example.com\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (what, head, body) in [
        ("two lengths", format!("POST / HTTP/1.1\r\n{host}Content-Length: 4\r\nContent-Length: 5\r\n"), "abcde"),
        ("a signed length", format!("POST / HTTP/1.1\r\n{host}Content-Length: +4\r\n"), "abcd"),
        ("a length and a space", format!("POST / HTTP/1.1\r\n{host}Content-Length : 4\r\n"), "abcd"),
        ("an unknown coding", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n"), "0\r\n\r\n"),
        ("chunked not last", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked, identity\r\n"), "0\r\n\r\n"),
        ("chunked in HTTP/1.0", format!("POST / HTTP/1.0\r\n{host}{chunked}"), "0\r\n\r\n"),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}Host: other.example.com\r\n"), ""),
        ("a host twice", format!("GET / HTTP/1.1\r\n{host}{host}"), ""),
        ("no host", "GET / HTTP/1.1\r\n".to_owned(), ""),
        ("absolute form", format!("GET http://other.example.com/ HTTP/1.1\r\n{host}"), ""),
        ("absolute form, same host", format!("GET http://api.example.com/ HTTP/1.1\r\n{host}"), ""),
        ("authority form", format!("CONNECT other.example.com:443 HTTP/1.1\r\n{host}"), ""),
        ("asterisk form", format!("OPTIONS * HTTP/1.1\r\n{host}"), ""),
        ("a folded header", format!("GET / HTTP/1.1\r\n{host}X-A: b\r\n X-Auth-User: 1\r\n"), ""),
        ("a bare CR", format!("GET / HTTP/1.1\r\n{host}X-A: b\rX-Auth-User: 1\r\n"), ""),
    ] {
        let answer = proxied
            .raw(&format!("{head}{authorization}\r\n{body}GET /next HTTP/1.1\r\n{host}{authorization}\r\n"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.0 400"), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.").count(), 1, "{what}: the connection goes on: {answer}");
        assert_eq!(proxied.seen(), 0, "{what}");
    }
}

#[tokio::test]
async fn br_10_of_two_lengths_the_coding_counts_and_nothing_follows() {
    let lines = ["Transfer-Encoding: chunked\r\n", "Content-Length: 4\r\n"];
    for [first, second] in [lines, [lines[1], lines[0]]] {
        let proxied = Proxied::new(|_| ()).await;
        let head = format!("Host: x\r\nAuthorization: {}\r\n", proxied.bearer());
        let smuggled = format!("GET /next HTTP/1.1\r\n{head}\r\n");
        let answer = proxied.raw(&format!("POST / HTTP/1.1\r\n{head}{first}{second}\r\n0\r\n\r\n{smuggled}")).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(answer.contains("connection: close") && answer.contains("\"body\":\"\""), "{answer}");
        assert!(!answer.contains("[\"content-length\""), "{answer}");
        assert_eq!(proxied.seen(), 1);
    }
}

#[tokio::test]
async fn br_10_a_length_said_twice_is_one_length() {
    let proxied = Proxied::new(|_| ()).await;
    let head = format!("Host: x\r\nConnection: close\r\nAuthorization: {}\r\n", proxied.bearer());
    let twice = "Content-Length: 4\r\nContent-Length: 4\r\n";
    let answer = proxied.raw(&format!("POST / HTTP/1.1\r\n{head}{twice}\r\nabcd")).await;
    assert_eq!(answer.matches("[\"content-length\",\"4\"]").count(), 1, "{answer}");
    assert!(answer.contains("\"body\":\"abcd\""), "{answer}");
}

#[tokio::test]
async fn br_10_the_target_goes_up_as_it_came() {
    let proxied = Proxied::new(|_| ()).await;
    for target in
        ["/", "/?", "//double//slash", "/a/../b/./c?x=%2F&y=a+b", "/%61%2fb;c=d", "/v1/people?limit=1&limit=2"]
    {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {}\r\n\r\n",
            proxied.bearer()
        );
        let answer = proxied.raw(&request).await;
        assert!(answer.contains(&format!("\"target\":\"{target}\"")), "{target}: {answer}");
    }
}

#[tokio::test]
async fn br_10_trailers_carry_no_headers_past_the_gate() {
    let proxied = Proxied::new(|_| ()).await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTE: trailers\r\nTrailer: X-Auth-User\r\nTransfer-Encoding: chunked\r\nAuthorization: {}\r\n",
        proxied.bearer()
    );
    let answer = proxied.raw(&format!("{head}\r\n3\r\nabc\r\n0\r\nX-Auth-User: 1\r\n\r\n")).await;
    assert!(answer.contains("\"body\":\"abc\",\"trailers\":false"), "{answer}");
}

//! The kinds of requests that are measured.

use crate::drive::Work;
use crate::reply;
use crate::seed::{REDIRECT_URI, VERIFIER};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keyfob_protocol::form;

/// The same bytes again and again.
pub(crate) struct Same(pub(crate) Vec<u8>);

impl Work for Same {
    fn request(&mut self, _: usize, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.0);
        true
    }

    fn answered(&mut self, _: usize, _: &[u8]) {}
}

/// One of several requests, in turn: calls with some repeated tokens.
pub(crate) struct InTurn {
    requests: Vec<Vec<u8>>,
    next: usize,
}

impl InTurn {
    pub(crate) fn calls(path: &str, access_tokens: &[String]) -> InTurn {
        let request = |token: &String| get(path, &format!("authorization: Bearer {token}\r\n"));
        InTurn::of(access_tokens.iter().map(request).collect())
    }

    /// Questions about some repeated tokens.
    pub(crate) fn introspections(basic: &str, access_tokens: &[String]) -> InTurn {
        let request = |token: &String| {
            let mut request = Vec::new();
            Envelope::new("/oauth/introspect", basic, "token=", "", token.len()).around(token.as_bytes(), &mut request);
            request
        };
        InTurn::of(access_tokens.iter().map(request).collect())
    }

    pub(crate) fn of(requests: Vec<Vec<u8>>) -> InTurn {
        InTurn { requests, next: 0 }
    }
}

impl Work for InTurn {
    fn request(&mut self, _: usize, out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&self.requests[self.next % self.requests.len()]);
        self.next += 1;
        true
    }

    fn answered(&mut self, _: usize, _: &[u8]) {}
}

const TOKEN_ENDPOINT: &str = "/oauth/token";

/// A form around a token, which is the only part that changes.
struct Envelope {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Envelope {
    fn refresh(basic: &str, token: &str) -> Envelope {
        Envelope::new(TOKEN_ENDPOINT, basic, "grant_type=refresh_token&refresh_token=", "", token.len())
    }

    fn redemption(basic: &str, code: &str) -> Envelope {
        let mut after = "&redirect_uri=".to_owned();
        form::encode_into(&mut after, REDIRECT_URI);
        after.push_str("&code_verifier=");
        after.push_str(VERIFIER);
        Envelope::new(TOKEN_ENDPOINT, basic, "grant_type=authorization_code&code=", &after, code.len())
    }

    fn new(path: &str, basic: &str, before: &str, after: &str, token: usize) -> Envelope {
        let length = before.len() + token + after.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: bench.example.com\r\nauthorization: Basic {basic}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{before}"
        );
        Envelope { before: head.into_bytes(), after: after.as_bytes().to_vec() }
    }

    fn around(&self, token: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        out.extend_from_slice(token);
        out.extend_from_slice(&self.after);
    }
}

/// Refreshes, over all grants in a scattered order. Follows each chain: the next request of a grant presents what its last answer gave.
pub(crate) struct Refreshes {
    envelope: Envelope,
    tokens: Vec<Vec<u8>>,
    next: usize,
    /// Which grant each connection is busy with.
    busy_with: Vec<usize>,
    /// The last access tokens that came.
    pub(crate) access_tokens: Vec<String>,
    keep: usize,
}

/// A prime, so that stepping by it visits every grant, far from the last one.
const STRIDE: usize = 611_953;

impl Refreshes {
    /// `keep` so many access tokens.
    pub(crate) fn new(basic: &str, tokens: &[String], keep: usize) -> Refreshes {
        Refreshes {
            envelope: Envelope::refresh(basic, &tokens[0]),
            tokens: tokens.iter().map(|token| token.as_bytes().to_vec()).collect(),
            next: 0,
            busy_with: vec![0; 4096],
            access_tokens: Vec::new(),
            keep,
        }
    }
}

impl Work for Refreshes {
    fn request(&mut self, connection: usize, out: &mut Vec<u8>) -> bool {
        let grant = self.next.wrapping_mul(STRIDE) % self.tokens.len();
        self.next += 1;
        self.busy_with[connection] = grant;
        self.envelope.around(&self.tokens[grant], out);
        true
    }

    fn answered(&mut self, connection: usize, body: &[u8]) {
        if let Some(successor) = reply::member(body, br#""refresh_token":""#) {
            let token = &mut self.tokens[self.busy_with[connection]];
            token.clear();
            token.extend_from_slice(successor);
        }
        if self.access_tokens.len() < self.keep
            && let Some(token) = reply::member(body, br#""access_token":""#)
        {
            self.access_tokens.push(String::from_utf8_lossy(token).into_owned());
        }
    }
}

/// Redemptions: every code once.
pub(crate) struct Redemptions {
    envelope: Envelope,
    codes: Vec<String>,
    next: usize,
}

impl Redemptions {
    pub(crate) fn new(basic: &str, codes: Vec<String>) -> Redemptions {
        Redemptions { envelope: Envelope::redemption(basic, &codes[0]), codes, next: 0 }
    }
}

impl Work for Redemptions {
    fn request(&mut self, _: usize, out: &mut Vec<u8>) -> bool {
        let Some(code) = self.codes.get(self.next) else { return false };
        self.next += 1;
        self.envelope.around(code.as_bytes(), out);
        true
    }

    fn answered(&mut self, _: usize, _: &[u8]) {}
}

/// A refresh for the bare server, as long as a real one.
pub(crate) fn bare_post(basic: &str, token: &str) -> Same {
    let mut request = Vec::new();
    Envelope::refresh(basic, token).around(token.as_bytes(), &mut request);
    Same(request)
}

/// A form for another server, as it stands.
pub(crate) fn post(path: &str, client: &str, form: &str) -> Same {
    let (basic, length) = (STANDARD.encode(client), form.len());
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Basic {basic}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    );
    Same(request.into_bytes())
}

/// The credentials of `client`, as Basic takes them.
pub(crate) fn basic(client: &str, secret: &str) -> String {
    STANDARD.encode(format!("{client}:{secret}"))
}

/// A GET.
pub(crate) fn get(path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench.example.com\r\n{headers}\r\n").into_bytes()
}

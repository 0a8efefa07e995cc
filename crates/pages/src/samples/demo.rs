//! Samples of the demo's pages.

use super::brand;
use crate::{
    ConnectionState, DemoAction, DemoApp, DemoConnection, DemoDenied, DemoFault, DemoFaultGroup, DemoFaultSet,
    DemoFaults, DemoHome, DemoPerson, DemoProblem, Exchange, HttpMessage, Link, Masked, Note, Parameter, Tone,
};

const ACCESS: &str = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjgwODAiLCJzdWIiOiJ1c2VyLTEifQ.c2FtcGxlLXNpZ25hdHVyZS10aGF0LWlzLW5vdC1vbmU";
const REFRESH: &str = "kfbrfr_4kQ0cVb8sampleTokenThatIsLongEnoughToWrapOnAPhone9Zq";

pub(super) fn home() -> DemoHome {
    let person = |name: &str, role: &str, account: &str| DemoPerson {
        email: format!("{name}@example.com"),
        password: "lantern-harbor-42".to_owned(),
        role: role.to_owned(),
        account: account.to_owned(),
    };
    let app = |id: &str, name: &str, dialect: &str, description: &str, who: Option<&str>| DemoApp {
        id: id.to_owned(),
        name: name.to_owned(),
        dialect: dialect.to_owned(),
        description: description.to_owned(),
        connected_as: who.map(str::to_owned),
        connection_url: format!("/demo/connections/{id}"),
    };
    DemoHome {
        brand: brand(),
        banner: Some("Everything here runs on this machine and is made up. Connect an app, sign in as one of the people below, and see every message that goes over the wire.".to_owned()),
        message: Some(Note { tone: Tone::Good, text: "Disconnected. The app holds no tokens any more.".to_owned() }),
        people: vec![
            person("dana.reyes", "Owner", "Reyes & Partners Realty"),
            person("sam.okafor", "Agent", "Reyes & Partners Realty"),
            person("mina.larsen", "Lender", "Northshore Homes"),
        ],
        apps: vec![
            app("followupboss", "Listing Lantern", "followupboss", "The documented partner flow: response_type=auth_code, HTTP Basic, tokens that stay the same.", Some("Dana Reyes")),
            app("rotating", "Doorbell", "followupboss", "The same flow with a refresh token that changes at every refresh.", None),
            app("standard", "Open House Helper", "oauth", "A public client: authorization code with PKCE as the current standards describe it.", None),
        ],
        links: vec![
            Link { text: "Authorization server metadata".to_owned(), href: "/.well-known/oauth-authorization-server".to_owned() },
            Link { text: "Connected apps of the signed-in user".to_owned(), href: "/connections".to_owned() },
        ],
        csrf: Some("csrf-token".to_owned()),
    }
}

pub(super) fn faults() -> DemoFaults {
    DemoFaults {
        brand: brand(),
        message: Some(Note { tone: Tone::Good, text: "Set. Now do something that it meets.".to_owned() }),
        set: vec![DemoFaultSet {
            name: "rate-limited at api".to_owned(),
            concerns: "Listing Lantern".to_owned(),
            fired: 1,
            left: "2".to_owned(),
        }],
        groups: vec![DemoFaultGroup {
            title: "On the way".to_owned(),
            faults: vec![DemoFault {
                label: "The reply is lost".to_owned(),
                explanation: "The request is carried out, and the connection breaks instead of the answer.".to_owned(),
                choices: vec![
                    ("Token endpoint".to_owned(), r#"{"fault":"drop-reply"}"#.to_owned()),
                    ("API".to_owned(), r#"{"fault":"drop-reply","at":"api"}"#.to_owned()),
                ],
            }],
        }],
        concerned: vec![("app followupboss".to_owned(), "Listing Lantern".to_owned())],
        csrf: "csrf-token".to_owned(),
        home_url: "/demo".to_owned(),
    }
}

pub(super) fn connection() -> DemoConnection {
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    DemoConnection {
        brand: brand(),
        app_name: "Listing Lantern".to_owned(),
        dialect: "followupboss".to_owned(),
        state: ConnectionState::Connected,
        facts: vec![
            fact("User", "Dana Reyes"),
            fact("Account", "Reyes & Partners Realty"),
            fact("Access token", "expires in 59 minutes"),
            fact("Refresh token", "good while used every 90 days"),
        ],
        message: Some(Note { tone: Tone::Good, text: "Connected. The code was exchanged for tokens.".to_owned() }),
        actions: DemoAction::usual("followupboss"),
        steps: vec![authorize(), callback("approved"), exchange()],
        home_url: "/demo".to_owned(),
    }
}

pub(super) fn ended() -> DemoConnection {
    DemoConnection {
        state: ConnectionState::Ended,
        message: Some(Note {
            tone: Tone::Bad,
            text: "The authority refused the refresh token: the user took the grant back. Connect again to go on."
                .to_owned(),
        }),
        actions: vec![DemoAction::connect("followupboss", "Connect again")],
        ..connection()
    }
}

pub(super) fn denied() -> DemoDenied {
    DemoDenied {
        brand: brand(),
        app: "followupboss".to_owned(),
        app_name: "Listing Lantern".to_owned(),
        earlier_connection: Some("Dana Reyes".to_owned()),
        steps: vec![authorize(), callback("denied")],
        csrf: None,
        home_url: "/demo".to_owned(),
    }
}

pub(super) fn problem() -> DemoProblem {
    DemoProblem {
        brand: brand(),
        app: "standard".to_owned(),
        app_name: "Open House Helper".to_owned(),
        title: "This answer was used already".to_owned(),
        sentence: "The address of this page works once. The app did not send the code again.".to_owned(),
        earlier_connection: None,
        steps: vec![callback("approved"), forged()],
        csrf: Some("csrf-token".to_owned()),
        home_url: "/demo".to_owned(),
    }
}

fn header(name: &str, value: &str) -> (String, Masked) {
    (name.to_owned(), Masked::plain(value))
}

fn parameter(name: &str, value: Masked, meaning: &str) -> Parameter {
    Parameter { name: name.to_owned(), value, meaning: meaning.to_owned() }
}

fn authorize() -> Exchange {
    Exchange {
        title: "Send the browser to the authority".to_owned(),
        explanation: "The app sends the user's browser to the authority. No secret travels here: the address is visible to the user.".to_owned(),
        request: HttpMessage {
            start_line: Masked::plain("GET /oauth/authorize?response_type=auth_code&client_id=3f9c1e&redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fdemo%2Fcallback&state=Jx2mXo9T4sQ HTTP/1.1"),
            headers: vec![header("Host", "127.0.0.1:8080")],
            parameters: vec![
                parameter("response_type", Masked::plain("auth_code"), "Asks for a code, in this dialect's spelling."),
                parameter("client_id", Masked::plain("3f9c1e"), "Which app asks."),
                parameter("redirect_uri", Masked::plain("http://127.0.0.1:8080/demo/callback"), "Where the answer goes; must equal a registered one byte for byte."),
                parameter("state", Masked::plain("Jx2mXo9T4sQ"), "Random and bound to this browser, so that nobody can slip in an answer of their own."),
            ],
            body: None,
        },
        response: Some(HttpMessage {
            start_line: Masked::plain("HTTP/1.1 200 OK"),
            headers: vec![header("Content-Type", "text/html; charset=utf-8"), header("Referrer-Policy", "no-referrer")],
            parameters: Vec::new(),
            body: None,
        }),
    }
}

fn callback(outcome: &str) -> Exchange {
    let code = "kfbcod_7Yb2sampleCode0001";
    let (shown, full) = match outcome {
        "approved" => (
            "GET /demo/callback?response=approved&code=kfbcod••••••&state=Jx2mXo9T4sQ HTTP/1.1",
            Some(format!("GET /demo/callback?response=approved&code={code}&state=Jx2mXo9T4sQ HTTP/1.1")),
        ),
        _ => ("GET /demo/callback?response=denied&state=Jx2mXo9T4sQ HTTP/1.1", None),
    };
    let mut parameters = vec![parameter("response", Masked::plain(outcome), "What the user decided.")];
    if full.is_some() {
        parameters.push(parameter(
            "code",
            Masked::secret(code),
            "Good once, for 15 minutes, and only with the app's secret.",
        ));
    }
    parameters.push(parameter(
        "state",
        Masked::plain("Jx2mXo9T4sQ"),
        "The value from step 1. The app compares it before anything else.",
    ));
    Exchange {
        title: "The browser comes back".to_owned(),
        explanation: "The authority sends the browser back to the app with the user's decision.".to_owned(),
        request: HttpMessage {
            start_line: Masked { shown: shown.to_owned(), full },
            headers: vec![header("Host", "127.0.0.1:8080")],
            parameters,
            body: None,
        },
        response: None,
    }
}

/// A callback that somebody made up.
fn forged() -> Exchange {
    let start_line = Masked::plain(format!("GET /demo/callback?{} HTTP/1.1", super::HOSTILE_NAME));
    let parameters =
        vec![parameter(super::HOSTILE_NAME, Masked::plain(super::HOSTILE_NAME), "Not a parameter of this flow.")];
    Exchange {
        title: "A callback that nobody asked for".to_owned(),
        explanation: "The app reads it, finds no flow of this browser that it belongs to, and does nothing.".to_owned(),
        request: HttpMessage { start_line, headers: Vec::new(), parameters, body: None },
        response: None,
    }
}

fn exchange() -> Exchange {
    let body = |access: &str, refresh: &str| {
        format!(
            "{{\n  \"access_token\": \"{access}\",\n  \"token_type\": \"Bearer\",\n  \"expires_in\": 3600,\n  \"refresh_token\": \"{refresh}\"\n}}"
        )
    };
    Exchange {
        title: "Exchange the code for tokens".to_owned(),
        explanation: "From server to server, with the app's secret. The browser never sees these tokens.".to_owned(),
        request: HttpMessage {
            start_line: Masked::plain("POST /oauth/token HTTP/1.1"),
            headers: vec![
                header("Host", "127.0.0.1:8080"),
                ("Authorization".to_owned(), Masked { shown: "Basic M2Y5Yz••••••".to_owned(), full: Some("Basic M2Y5YzFlOnNhbXBsZS1zZWNyZXQtdGhhdC1pcy1ub3Qtb25l".to_owned()) }),
                header("Content-Type", "application/x-www-form-urlencoded"),
            ],
            parameters: vec![
                parameter("grant_type", Masked::plain("authorization_code"), "Which kind of exchange this is."),
                parameter("code", Masked::secret("kfbcod_7Yb2sampleCode0001"), "The code from step 2. It is spent now."),
                parameter("redirect_uri", Masked::plain("http://127.0.0.1:8080/demo/callback"), "The same as in step 1, so that a code cannot be used elsewhere."),
            ],
            body: Some(Masked {
                shown: "grant_type=authorization_code&code=kfbcod••••••&redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fdemo%2Fcallback".to_owned(),
                full: Some("grant_type=authorization_code&code=kfbcod_7Yb2sampleCode0001&redirect_uri=http%3A%2F%2F127.0.0.1%3A8080%2Fdemo%2Fcallback".to_owned()),
            }),
        },
        response: Some(HttpMessage {
            start_line: Masked::plain("HTTP/1.1 200 OK"),
            headers: vec![header("Content-Type", "application/json"), header("Cache-Control", "no-store")],
            parameters: vec![
                parameter("access_token", Masked::secret(ACCESS), "Goes into the Authorization header of every call, for 60 minutes."),
                parameter("refresh_token", Masked::secret(REFRESH), "Buys the next access token. Keep it like a password."),
            ],
            body: Some(Masked { shown: body("eyJhbG••••••", "kfbrfr••••••"), full: Some(body(ACCESS, REFRESH)) }),
        }),
    }
}

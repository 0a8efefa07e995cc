//! The faults that the demo's page offers: each button is one that `POST /sandbox/faults` takes. The demo's test holds that no fault and no mode is left out.

use keyfob_pages::{DemoFault, DemoFaultGroup};

/// What it is, what it means, and what its buttons say and set.
type Offered = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const ON_THE_WAY: &[Offered] = &[
    (
        "The reply is lost",
        "The request is carried out, and the connection breaks instead of the answer: the app cannot know.",
        &[("Token endpoint", r#"{"fault":"drop-reply"}"#), ("API", r#"{"fault":"drop-reply","at":"api"}"#)],
    ),
    (
        "The answer is late",
        "The request is carried out, and the answer takes as long as it says above.",
        &[("Token endpoint", r#"{"fault":"delay"}"#), ("API", r#"{"fault":"delay","at":"api"}"#)],
    ),
    (
        "The server fails",
        "500; nothing is carried out, and another try succeeds.",
        &[("Token endpoint", r#"{"fault":"server-error"}"#), ("API", r#"{"fault":"server-error","at":"api"}"#)],
    ),
    (
        "The proxy is broken",
        "502 with a page instead of JSON; nothing is carried out.",
        &[("Token endpoint", r#"{"fault":"bad-gateway"}"#), ("API", r#"{"fault":"bad-gateway","at":"api"}"#)],
    ),
    (
        "Too many requests",
        "429 with Retry-After: 5; nothing is carried out, and the app holds back for that long.",
        &[
            ("Token endpoint", r#"{"fault":"rate-limited","retryAfter":5}"#),
            ("API", r#"{"fault":"rate-limited","at":"api","retryAfter":5}"#),
        ],
    ),
];

const PEOPLE: &[Offered] = &[
    ("The user declines", "Whoever approves next is taken to have declined.", &[("Decline", r#"{"fault":"deny"}"#)]),
    (
        "The callback comes twice",
        "The browser visits it twice: prefetch, a double click, a restored tab.",
        &[("Send it twice", r#"{"fault":"double-callback"}"#)],
    ),
    (
        "The subscription expires",
        "The API answers 403 while the token is good: no reason to connect again.",
        &[("Expire it", r#"{"fault":"expired-account"}"#)],
    ),
    (
        "The client secret expires",
        "The token endpoint refuses the app itself; no user is at fault.",
        &[("Expire it", r#"{"fault":"expired-secret"}"#)],
    ),
];

const SWITCHES: &[Offered] = &[
    (
        "Refresh tokens",
        "Fixed: they stay. Otherwise each refresh gives a new one, and the old one is refused, or good for the same new one for 45 seconds (replay), or ends the connection (strict).",
        &[
            ("Fixed", r#"{"fault":"refresh","mode":"fixed"}"#),
            ("Rotating", r#"{"fault":"refresh","mode":"rotating"}"#),
            ("Replay", r#"{"fault":"refresh","mode":"replay"}"#),
            ("Strict", r#"{"fault":"refresh","mode":"strict"}"#),
        ],
    ),
    (
        "State at the exchange",
        "It must be the one of the authorize request, must be there, or is not looked at.",
        &[
            ("Compared", r#"{"fault":"state","mode":"compared"}"#),
            ("Required", r#"{"fault":"state","mode":"required"}"#),
            ("Ignored", r#"{"fault":"state","mode":"ignored"}"#),
        ],
    ),
    (
        "response_type=code",
        "Follow Up Boss documents auth_code only. It is refused, or answered as auth_code would be.",
        &[
            ("Refused", r#"{"fault":"response-type-code","mode":"refused"}"#),
            ("As auth_code", r#"{"fault":"response-type-code","mode":"as-auth-code"}"#),
        ],
    ),
    (
        "401 for a bad token",
        "With a challenge for API keys only, with the legacy envelope, or with nothing.",
        &[
            ("Challenge", r#"{"fault":"bearer-refusal","mode":"basic-challenge"}"#),
            ("Envelope", r#"{"fault":"bearer-refusal","mode":"legacy-envelope"}"#),
            ("Bare", r#"{"fault":"bearer-refusal","mode":"bare"}"#),
        ],
    ),
    (
        "One connection per user",
        "A second authorization by the same user ends the first.",
        &[("End the first", r#"{"fault":"second-authorization"}"#)],
    ),
    (
        "An id_token",
        "A POST to the token endpoint is answered with an id_token as well; nobody signed it.",
        &[("Add it", r#"{"fault":"id-token"}"#)],
    ),
];

/// Spelled otherwise once, not for good.
const SPELLING: &[Offered] = &[(
    "A POST answered as a GET",
    "The token endpoint wraps its answer in the legacy envelope, with ttl as a string.",
    &[("Wrap it", r#"{"fault":"legacy-envelope"}"#)],
)];

/// What can be set.
pub(super) fn groups() -> Vec<DemoFaultGroup> {
    let choice = |(text, value): &(&str, &str)| ((*text).to_owned(), (*value).to_owned());
    let fault = |(label, explanation, choices): &Offered| DemoFault {
        label: (*label).to_owned(),
        explanation: (*explanation).to_owned(),
        choices: choices.iter().map(choice).collect(),
    };
    let on_the_way = [ON_THE_WAY, SPELLING].concat();
    let groups = [("On the way", on_the_way.as_slice()), ("People and accounts", PEOPLE), ("Switches", SWITCHES)];
    let group = |(title, faults): (&str, &[Offered])| DemoFaultGroup {
        title: title.to_owned(),
        faults: faults.iter().map(fault).collect(),
    };
    groups.into_iter().map(group).collect()
}

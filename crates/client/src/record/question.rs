//! What can be asked, and what asking costs. A probe is a piece of the script that answers one or more questions.

use serde::Serialize;

/// A question about an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Its name in a transcript.
    pub id: &'static str,
    /// In words.
    pub asks: &'static str,
}

/// What a probe demands of whoever records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// How often a user has to decide.
    pub consents: u8,
    /// Seconds that it waits.
    pub waits: u32,
    /// Whether it may end a connection of this app and user, or use up a rate limit.
    pub may_harm: bool,
}

/// A piece of the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// Its name.
    pub id: &'static str,
    /// What it sends, said before it is sent.
    pub sends: &'static str,
    /// What it costs.
    pub demand: Demand,
    /// What it answers.
    pub questions: &'static [Question],
}

impl Probe {
    /// Whether it runs only when asked for: it waits for longer than seconds, or may do harm.
    pub fn is_asked_for(&self) -> bool {
        self.demand.waits > 5 || self.demand.may_harm
    }
}

const fn question(id: &'static str, asks: &'static str) -> Question {
    Question { id, asks }
}

const fn harmless(consents: u8) -> Demand {
    Demand { consents, waits: 0, may_harm: false }
}

const fn harmful(consents: u8, waits: u32) -> Demand {
    Demand { consents, waits, may_harm: true }
}

/// The wait of `earlier-refresh-token`, in seconds: longer than the grace that authorities give an earlier refresh token.
pub(super) const A_MINUTE: u32 = 61;
/// The wait of `expired-token`, in seconds: longer than an access token of an hour lives.
pub(super) const AN_HOUR: u32 = 3660;

/// The script, in its order.
pub const PROBES: &[Probe] = &[
    Probe {
        id: "without-consent",
        sends: "wrong requests to the API and the token endpoint, with made-up codes, tokens and secrets",
        demand: harmless(0),
        questions: &[
            question("api-no-credentials", "What does the API answer without credentials?"),
            question("api-garbage-bearer", "What does the API answer to a Bearer token that was never issued?"),
            question(
                "token-errors-post",
                "Which status and error does each kind of wrong POST to the token endpoint get?",
            ),
            question(
                "token-errors-get",
                "Which status and error does each kind of wrong GET of the token endpoint get?",
            ),
        ],
    },
    Probe {
        id: "connection",
        sends: "a code by POST, calls of /v1/identity, and two refreshes, by POST and by GET",
        demand: harmless(1),
        questions: &[
            question("exchange-reply-post", "What is in the reply to an exchange by POST?"),
            question("id-token", "Is there an id_token in a reply by POST?"),
            question("token-lengths", "How long are code and tokens, rounded up to 64 characters?"),
            question("identity-reply", "What does /v1/identity say?"),
            question("rate-limit-headers", "Which rate limit do the answers of the API name?"),
            question("token-as-basic", "What does the API answer to an access token sent as Basic?"),
            question("refresh-reply-post", "What is in the reply to a refresh by POST?"),
            question("refresh-rotates", "Does a refresh give a new refresh token?"),
            question("access-token-after-refresh", "Is the earlier access token still good after a refresh?"),
            question("refresh-reply-get", "What is in the reply to a refresh by GET?"),
        ],
    },
    Probe {
        id: "exchange-get",
        sends: "a code by GET",
        demand: harmless(1),
        questions: &[question("exchange-reply-get", "What is in the reply to an exchange by GET?")],
    },
    Probe {
        id: "response-type-code",
        sends: "the browser with response_type=code, and the code, if there is one",
        demand: harmless(1),
        questions: &[question("response-type-code", "Does response_type=code work, and how is it answered?")],
    },
    Probe {
        id: "state-by-post",
        sends: "a code by POST without state, and another with a state that is not the attempt's",
        demand: harmless(2),
        questions: &[
            question("state-missing-post", "Does an exchange by POST work without state?"),
            question("state-other-post", "Does an exchange by POST work with another state?"),
        ],
    },
    Probe {
        id: "state-by-get",
        sends: "a code by GET without state, and another with a state that is not the attempt's",
        demand: harmless(2),
        questions: &[
            question("state-missing-get", "Does an exchange by GET work without state?"),
            question("state-other-get", "Does an exchange by GET work with another state?"),
        ],
    },
    Probe {
        id: "other-redirect-uri",
        sends: "a code with another redirect URI than that of the authorize request",
        demand: harmless(1),
        questions: &[question("redirect-uri-at-exchange", "Is the redirect URI compared at the exchange?")],
    },
    Probe {
        id: "declined",
        sends: "the browser, for a user who declines",
        demand: harmless(1),
        questions: &[question("declined", "What does the callback carry when the user declines?")],
    },
    Probe {
        id: "second-authorization",
        sends: "two codes of the same user one after the other, and calls with the tokens of the first",
        demand: harmful(2, 0),
        questions: &[question(
            "second-authorization",
            "Does a second authorization by the same user end the first grant?",
        )],
    },
    Probe {
        id: "code-twice",
        sends: "the same code twice, and calls with the tokens that it gave",
        demand: harmful(1, 0),
        questions: &[
            question("code-second-use", "What does the second use of a code get?"),
            question("grant-after-code-reuse", "Does the grant live on after it?"),
        ],
    },
    Probe {
        id: "earlier-refresh-token",
        sends: "a refresh, then the earlier refresh token at once and after a minute, and calls with the latest tokens",
        demand: harmful(1, A_MINUTE),
        questions: &[
            question("earlier-refresh-at-once", "Does the earlier refresh token still work at once after a refresh?"),
            question("earlier-refresh-later", "Does it work a minute later?"),
            question("grant-after-earlier-refresh", "Does the grant live on after that?"),
        ],
    },
    Probe {
        id: "expired-token",
        sends: "a call with an access token that is 61 minutes old, and a refresh",
        demand: Demand { consents: 1, waits: AN_HOUR, may_harm: false },
        questions: &[
            question("api-expired-bearer", "What does the API answer to an access token that has ended?"),
            question("refresh-after-an-hour", "Does a refresh work then?"),
        ],
    },
    Probe {
        id: "rate-limit",
        sends: "up to 40 GETs of /v1/notes at once, until one is refused",
        demand: harmful(1, 0),
        questions: &[question("rate-limit-refusal", "What does a request over the rate limit get?")],
    },
    Probe {
        id: "revocation",
        sends: "two DELETEs of /v1/oauthApps/revokeAccess, and a call and a refresh after the first",
        demand: harmful(1, 0),
        questions: &[
            question("revocation-reply", "What does giving a connection back get, and what a second time?"),
            question("grant-after-revocation", "What do the tokens get then?"),
        ],
    },
];

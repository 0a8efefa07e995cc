//! Error codes of the token endpoint in both shapes, and of the authorize endpoint: what causes each, and what to do next.

/// A documented error code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code {
    /// As it stands in the answer.
    pub(super) code: &'static str,
    /// What causes it.
    pub(super) cause: &'static str,
    /// What to do.
    pub(super) next: &'static str,
}

const fn code(code: &'static str, cause: &'static str, next: &'static str) -> Code {
    Code { code, cause, next }
}

const SEND_BASIC: &str =
    "Authorization: Basic base64(\"<client id>:<client secret>\"); the app's operator has to act, no user has.";
const CONNECT_AGAIN: &str =
    "Send the user through the authorize step again. Before that, look whether another process stored a newer token.";
const NEW_CODE: &str = "Never send this code again. Start a new authorize request, exchange its code once and at once, with the same redirect_uri and state.";

/// `error` of the POST: Follow Up Boss's list, and what RFC 6749 section 5.2 and RFC 8707 section 2 add.
const POSTED: [Code; 10] = [
    code(
        "invalid_grant",
        "The code or the refresh token is not good: used, expired (a code after 15 minutes, a refresh token after 90 days without use), revoked, of another app, or redirect_uri or state differ from the authorize request. Follow Up Boss answers 401 for an expired one and 404 where the user or the account is gone.",
        "After an exchange: never send the code again, start a new authorize request. After a refresh: read your store again, another process may have rotated the token; if it has not, the user has to connect again.",
    ),
    code(
        "unsupported_grant_type",
        "grant_type is missing or misspelt.",
        "grant_type=authorization_code or refresh_token, in the body of the POST.",
    ),
    code(
        "invalid_client",
        "Client id and secret are wrong, missing, in the wrong place or badly encoded, or the app is disabled. No user's connection is touched by it.",
        SEND_BASIC,
    ),
    code(
        "invalid_request",
        "A parameter is missing, repeated or in the wrong place, or the body is not a form.",
        "Send grant_type, code, redirect_uri and state (or grant_type and refresh_token) once, as application/x-www-form-urlencoded. Paste the request here.",
    ),
    code(
        "unauthorized_client",
        "This app may not do this: it is not approved for the flow, or is disabled.",
        "The app's operator has to ask the platform. Stop trying until then; keep all connections.",
    ),
    code(
        "server_error",
        "The authority failed. Nothing is known about the token.",
        "Try again with growing pauses; keep the connection and the old access token.",
    ),
    code(
        "temporarily_unavailable",
        "The authority is overloaded or down.",
        "Try again after Retry-After; keep the connection.",
    ),
    code(
        "invalid_scope",
        "A scope is unknown, or wider than what the user granted.",
        "Leave scope out, or ask the user again.",
    ),
    code("invalid_target", "resource names nothing that this authority issues tokens for.", "Leave resource out."),
    code("slow_down", "The requests come too fast.", "Wait longer between tries."),
];

/// `errorCode` of the legacy GET: Follow Up Boss's list, and two more of Keyfob's.
const LEGACY: [Code; 21] = [
    code(
        "code-exchange-failed",
        "The exchange failed as a whole: mostly a missing or other state, a broken parameter, or a PKCE proof that does not fit.",
        NEW_CODE,
    ),
    code(
        "missing-grant-type-param",
        "grant_type is missing, or travels in the body of a GET.",
        "grant_type=auth_code or refresh_token, in the query.",
    ),
    code(
        "missing-authorization-header",
        "There is no Authorization header; credentials in JSON or in the URL do not count.",
        SEND_BASIC,
    ),
    code(
        "missing-required-params",
        "code, redirect_uri or refresh_token is missing; errorDetails has the names.",
        "grant_type, code, redirect_uri and state; or grant_type and refresh_token.",
    ),
    code(
        "invalid-authorization-header",
        "The Authorization header is not Basic, or what follows is not the base64 of id, colon and secret.",
        SEND_BASIC,
    ),
    code(
        "invalid-grant-type",
        "grant_type has another value than auth_code or refresh_token.",
        "grant_type=auth_code; authorization_code belongs to the POST.",
    ),
    code(
        "invalid-refresh-token",
        "The refresh token is unknown, revoked or replaced, or is another app's.",
        CONNECT_AGAIN,
    ),
    code(
        "invalid-access-token",
        "The access token is unknown or revoked.",
        "Refresh once; if that fails with a code of its own, follow that one.",
    ),
    code(
        "invalid-auth-code",
        "The code is unknown, was used before, or is another app's. Sending one code to several endpoints in turn uses it up.",
        NEW_CODE,
    ),
    code(
        "invalid-redirect-uri",
        "redirect_uri differs from the one of the authorize request, by a slash, a port or an encoding.",
        "Send the same text in both steps, percent-encoded once. Paste both requests here to see the byte.",
    ),
    code("invalid-oauth-app", "The client id is unknown, the secret wrong, or the app disabled.", SEND_BASIC),
    code(
        "expired-refresh-token",
        "The refresh token was not used for 90 days.",
        "The user has to connect again. Refresh each connection at least once a month.",
    ),
    code("expired-access-token", "The access token is older than 60 minutes.", "Refresh, and send the call again."),
    code("expired-auth-code", "More than 15 minutes passed between the callback and the exchange.", NEW_CODE),
    code(
        "resource-restricted",
        "The app or its user may not do this.",
        "Do not ask the user to connect again. Look at the user's role and at what the app is approved for.",
    ),
    code(
        "inactive-account",
        "The account of the user is suspended or expired.",
        "Keep the connection and say so to the user; it works again when the account does.",
    ),
    code(
        "invalid-account",
        "The user or the account is disabled.",
        "Keep the connection for the record; the user has to talk to the account's owner.",
    ),
    code("account-not-found", "The account is gone.", "End the connection."),
    code("user-not-found", "The user is gone.", "End the connection; somebody else of the account can connect."),
    code(
        "server-error",
        "The authority failed. Nothing is known about the token.",
        "Try again with growing pauses; keep the connection.",
    ),
    code("rate-limited", "Too many requests.", "Try again after Retry-After; keep the connection."),
];

/// `error` of the callback (RFC 6749 section 4.1.2.1 and what later documents add).
const AUTHORIZE: [Code; 11] = [
    code(
        "invalid_request",
        "The authorize request lacks something, repeats something or has a value that nobody knows.",
        "Paste the authorize URL here.",
    ),
    code("unauthorized_client", "The app may not use this flow.", "The app's operator has to ask the platform."),
    code("access_denied", "The user said no.", "Exchange nothing; offer to try again."),
    code(
        "unsupported_response_type",
        "response_type is not one of the authority's.",
        "response_type=auth_code (Follow Up Boss) or code.",
    ),
    code(
        "invalid_scope",
        "A scope is unknown or not allowed for the app.",
        "Leave scope out, or register what the app needs.",
    ),
    code("invalid_target", "resource names nothing that this authority knows.", "Leave resource out."),
    code("request_not_supported", "Request objects are not supported.", "Send plain parameters."),
    code("request_uri_not_supported", "Request objects are not supported.", "Send plain parameters."),
    code("registration_not_supported", "Registration within a request is not supported.", "Register the app first."),
    code("server_error", "The authority failed.", "Offer to try again."),
    code("temporarily_unavailable", "The authority is overloaded or down.", "Offer to try again in a while."),
];

/// What the API says to a disconnect when there is nothing to end; it has no code.
pub(super) const NOT_CONNECTED: &str = "OAuth application not found or not connected.";

/// A code of the token endpoint, in either shape.
pub(super) fn token(code: &str) -> Option<&'static Code> {
    POSTED.iter().chain(&LEGACY).find(|known| known.code == code)
}

/// A code of the authorize endpoint.
pub(super) fn authorize(code: &str) -> Option<&'static Code> {
    AUTHORIZE.iter().find(|known| known.code == code)
}

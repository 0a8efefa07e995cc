//! What each parameter of the flow is for, in one sentence.

use keyfob_pages::Parameter;

use super::masking;

/// The parameters that are worth a word, explained.
pub(super) fn explained(members: &[(String, String)]) -> Vec<Parameter> {
    let explain = |(name, value): &(String, String)| {
        let meaning = meaning(name)?;
        Some(Parameter { name: name.clone(), value: masking::value(name, value), meaning: meaning.to_owned() })
    };
    members.iter().filter_map(explain).collect()
}

/// The same for header fields of a request.
pub(super) fn of_header(name: &str) -> Option<&'static str> {
    Some(match name {
        "Authorization" => "Who asks: the app with id and secret (Basic), or the user's access token (Bearer).",
        "X-System" => "Which partner's software is calling.",
        "X-System-Key" => "The partner's key. It belongs to the partner and not to the user.",
        _ => return None,
    })
}

fn meaning(name: &str) -> Option<&'static str> {
    Some(match name {
        "response_type" => "Asks for a code: auth_code in Follow Up Boss's spelling, code in the standard's.",
        "client_id" => "Which app asks. Public: it may be seen by everybody.",
        "redirect_uri" => "Where the answer goes. It must equal a registered one byte for byte, at every step.",
        "state" => "Random and bound to this browser, so that nobody can slip in an answer of their own.",
        "prompt" => "login asks for a new sign-in even if the browser has a session.",
        "code_challenge" => {
            "The digest of a secret that the app shows later (PKCE): a stolen code is worthless without it."
        }
        "code_challenge_method" => "How the digest was made: SHA-256.",
        "code_verifier" => "The secret behind the challenge of the first step.",
        "grant_type" => "What is traded for tokens: a code, or a refresh token.",
        "response" => "What the user decided: approved or denied, in Follow Up Boss's spelling.",
        "code" => "Good once, for 15 minutes, and only together with what proves that this app asked for it.",
        "iss" => "Who answers, so that an app with several authorities cannot mix them up (RFC 9207).",
        "error" => "Why there is no code or token, as a word that programs understand.",
        "error_description" => "Why not, for a developer.",
        "errorMessage" => "Why not, for a developer.",
        "errorCode" => "The same as a word that programs understand.",
        "access_token" => "Goes into the Authorization header of every call, for 60 minutes.",
        "refresh_token" => "Buys the next access token. Good while it is used every 90 days; kept like a password.",
        "token_type" => "The token is used as Bearer.",
        "expires_in" | "ttl" => "Seconds until the access token expires.",
        "issued_at" => "When the access token was made.",
        "expires_at" => "When it expires.",
        "scope" => "What was granted.",
        "success" => "The older documents' way to say whether it worked.",
        _ => return None,
    })
}

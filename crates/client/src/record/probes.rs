//! What each probe sends, and what it takes from the answers. Each has consents of its own, so that none spoils another.

use super::question::{A_MINUTE, AN_HOUR, Probe};
use super::script::{By, Choice, Reply, Script, Stopped, Tokens, bearer};
use super::transcript::AnswerShape;
use super::wrong_requests;
use crate::http::Method;
use keyfob_protocol::Secret;
use serde_json::{Map, Value, json};

/// Where an access token shows whether it is good.
const IDENTITY: (Method, &str) = (Method::Get, "identity");
/// Most requests that are sent to meet a rate limit.
const BURST: u32 = 40;
/// Steps in which a length is told, in characters: an exact one could tell what a token is made of.
const LENGTH_STEP: usize = 64;

/// Runs a probe.
pub(super) async fn run(probe: &Probe, script: &mut Script<'_>) -> Result<(), Stopped> {
    match probe.id {
        "without-consent" => without_consent(script).await,
        "connection" => connection(script).await,
        "exchange-get" => exchange_get(script).await,
        "response-type-code" => response_type_code(script).await,
        "state-by-post" => state(script, By::Post, ["state-missing-post", "state-other-post"]).await,
        "state-by-get" => state(script, By::Get, ["state-missing-get", "state-other-get"]).await,
        "other-redirect-uri" => other_redirect_uri(script).await,
        "declined" => declined(script).await,
        "second-authorization" => second_authorization(script).await,
        "code-twice" => code_twice(script).await,
        "earlier-refresh-token" => earlier_refresh_token(script).await,
        "expired-token" => expired_token(script).await,
        "rate-limit" => rate_limit(script).await,
        "revocation" => revocation(script).await,
        _ => Err(Stopped::NotAsked),
    }
}

async fn without_consent(script: &mut Script<'_>) -> Result<(), Stopped> {
    let refused = script.call("no credentials", IDENTITY, None).await?;
    script.answer("api-no-credentials", refusal(&refused.shape));
    let made_up = Secret::new(script.made_up()?);
    let refused = script.call("a Bearer token that was never issued", IDENTITY, bearer(&made_up)).await?;
    script.answer("api-garbage-bearer", refusal(&refused.shape));
    let outcomes = wrong_requests::outcomes(script, By::Post).await?;
    script.answer("token-errors-post", outcomes);
    only_with_a_secret(script)?;
    let outcomes = wrong_requests::outcomes(script, By::Get).await?;
    script.answer("token-errors-get", outcomes);
    Ok(())
}

async fn connection(script: &mut Script<'_>) -> Result<(), Stopped> {
    let consented = script.consented().await?;
    let exchanged = script.exchange("the code", By::Post, &consented, |_| ()).await?;
    script.answer("exchange-reply-post", reply(&exchanged));
    let first = exchanged.tokens().ok_or(Stopped::NoTokens)?;
    let lengths = json!({
        "code": consented.parameter("code").map(rounded_length),
        "accessToken": rounded_length(first.access.expose()),
        "refreshToken": first.refresh.as_ref().map(|token| rounded_length(token.expose())),
    });
    script.answer("token-lengths", lengths);
    let identity = script.call("the access token", IDENTITY, bearer(&first.access)).await?;
    script
        .answer("identity-reply", json!({ "status": identity.shape.status, "body": unnumbered(&identity.shape.body) }));
    script.answer("rate-limit-headers", rate_headers(&identity.shape));
    let as_basic = keyfob_protocol::basic::header(first.access.expose(), &Secret::from(""));
    let refused = script.call("the access token as Basic", IDENTITY, Some(as_basic)).await?;
    script.answer("token-as-basic", refusal(&refused.shape));

    let first_refresh = first.refresh.as_ref().ok_or(Stopped::NoRefreshToken)?;
    let refreshed = script.refresh("a refresh", By::Post, first_refresh).await?;
    script.answer("refresh-reply-post", reply(&refreshed));
    let has_id_token = |reply: &Reply| !reply.shape.body["id_token"].is_null();
    script.answer("id-token", json!({ "exchange": has_id_token(&exchanged), "refresh": has_id_token(&refreshed) }));
    let second = refreshed.tokens().ok_or(Stopped::NoTokens)?;
    let rotation = match &second.refresh {
        None => "the reply has none",
        Some(second) if second.expose() == first_refresh.expose() => "the same",
        Some(_) => "a new one",
    };
    script.answer("refresh-rotates", rotation);
    let earlier = script.call("the earlier access token", IDENTITY, bearer(&first.access)).await?;
    script.answer("access-token-after-refresh", earlier.response.status);
    only_with_a_secret(script)?;
    let latest = second.refresh.as_ref().unwrap_or(first_refresh);
    let by_get = script.refresh("a refresh by GET", By::Get, latest).await?;
    script.answer("refresh-reply-get", reply(&by_get));
    Ok(())
}

async fn exchange_get(script: &mut Script<'_>) -> Result<(), Stopped> {
    only_with_a_secret(script)?;
    let consented = script.consented().await?;
    let exchanged = script.exchange("the code by GET", By::Get, &consented, |_| ()).await?;
    script.answer("exchange-reply-get", reply(&exchanged));
    Ok(())
}

async fn response_type_code(script: &mut Script<'_>) -> Result<(), Stopped> {
    let consented = match script.decided("code", Choice::Approve).await {
        Err(Stopped::NoReturn) => {
            script.answer("response-type-code", "an error page");
            return Ok(());
        }
        decided => decided?,
    };
    let callback = callback(&consented.parameters);
    let exchange = match consented.parameter("code") {
        None => Value::Null,
        Some(_) => Value::from(script.exchange("the code", By::Post, &consented, |_| ()).await?.outcome()),
    };
    script.answer("response-type-code", json!({ "callback": callback, "exchange": exchange }));
    Ok(())
}

async fn state(script: &mut Script<'_>, by: By, [missing, other]: [&str; 2]) -> Result<(), Stopped> {
    if by == By::Get {
        only_with_a_secret(script)?;
    }
    let consented = script.consented().await?;
    let without = |fields: &mut Vec<(&str, String)>| fields.retain(|(name, _)| *name != "state");
    let outcome = script.exchange("the code without state", by, &consented, without).await?.outcome();
    script.answer(missing, outcome);
    let consented = script.consented().await?;
    let another = script.made_up()?;
    let outcome = script
        .exchange("the code with another state", by, &consented, |fields| replace(fields, "state", another))
        .await?
        .outcome();
    script.answer(other, outcome);
    Ok(())
}

async fn other_redirect_uri(script: &mut Script<'_>) -> Result<(), Stopped> {
    let consented = script.consented().await?;
    let another = format!("{}-other", script.app.redirect_uri);
    let reply = script
        .exchange("the code with another redirect URI", By::Post, &consented, |fields| {
            replace(fields, "redirect_uri", another);
        })
        .await?;
    script.answer("redirect-uri-at-exchange", reply.outcome());
    Ok(())
}

async fn declined(script: &mut Script<'_>) -> Result<(), Stopped> {
    let response_type = match script.provider.dialect() {
        keyfob_protocol::Dialect::FollowUpBoss => "auth_code",
        keyfob_protocol::Dialect::OAuth => "code",
    };
    let decided = script.decided(response_type, Choice::Decline).await?;
    script.answer("declined", callback(&decided.parameters));
    Ok(())
}

async fn second_authorization(script: &mut Script<'_>) -> Result<(), Stopped> {
    let first = script.connected().await?;
    script.connected().await?;
    let standing = standing(script, &first).await?;
    script.answer("second-authorization", standing);
    Ok(())
}

async fn code_twice(script: &mut Script<'_>) -> Result<(), Stopped> {
    let consented = script.consented().await?;
    let first = script.exchange("the code", By::Post, &consented, |_| ()).await?;
    let tokens = first.tokens().ok_or(Stopped::NoTokens)?;
    let second = script.exchange("the code again", By::Post, &consented, |_| ()).await?;
    script.answer("code-second-use", second.outcome());
    let standing = standing(script, &tokens).await?;
    script.answer("grant-after-code-reuse", standing);
    Ok(())
}

async fn earlier_refresh_token(script: &mut Script<'_>) -> Result<(), Stopped> {
    let first = script.connected().await?;
    let earlier = first.refresh.as_ref().ok_or(Stopped::NoRefreshToken)?;
    let mut latest = script.refresh("a refresh", By::Post, earlier).await?.tokens().ok_or(Stopped::NoTokens)?;
    for (question, wait) in [("earlier-refresh-at-once", 0), ("earlier-refresh-later", A_MINUTE)] {
        if wait > 0 {
            script.wait(wait).await;
        }
        let again = script.refresh("the earlier refresh token", By::Post, earlier).await?;
        let came = again.tokens();
        let successor = match (came.as_ref().and_then(|tokens| tokens.refresh.as_ref()), &latest.refresh) {
            (None, _) => "none",
            (Some(came), _) if came.expose() == earlier.expose() => "itself",
            (Some(came), Some(latest)) if came.expose() == latest.expose() => "the successor that is known",
            (Some(_), _) => "another successor",
        };
        script.answer(question, json!({ "outcome": again.outcome(), "refreshToken": successor }));
        // Where it works, the newest tokens are these.
        if let Some(came) = came {
            latest = Tokens { refresh: came.refresh.or(latest.refresh), access: came.access };
        }
    }
    let standing = standing(script, &latest).await?;
    script.answer("grant-after-earlier-refresh", standing);
    Ok(())
}

async fn expired_token(script: &mut Script<'_>) -> Result<(), Stopped> {
    let tokens = script.connected().await?;
    script.wait(AN_HOUR).await;
    let refused = script.call("the access token after 61 minutes", IDENTITY, bearer(&tokens.access)).await?;
    script.answer("api-expired-bearer", refusal(&refused.shape));
    let refresh = tokens.refresh.as_ref().ok_or(Stopped::NoRefreshToken)?;
    let outcome = script.refresh("a refresh", By::Post, refresh).await?.outcome();
    script.answer("refresh-after-an-hour", outcome);
    Ok(())
}

async fn rate_limit(script: &mut Script<'_>) -> Result<(), Stopped> {
    let tokens = script.connected().await?;
    for nth in 1..=BURST {
        let reply = script.call("one of many", (Method::Get, "notes"), bearer(&tokens.access)).await?;
        if reply.response.status == 429 {
            let waits = reply.shape.headers.contains_key("retry-after");
            let answer = json!({ "after": nth - 1, "limit": rate_headers(&reply.shape), "saysRetryAfter": waits });
            script.answer("rate-limit-refusal", answer);
            return Ok(());
        }
        if !reply.response.is_success() {
            script.answer("rate-limit-refusal", format!("stopped at {}", reply.outcome()));
            return Ok(());
        }
    }
    script.answer("rate-limit-refusal", format!("none of {BURST} was refused"));
    Ok(())
}

async fn revocation(script: &mut Script<'_>) -> Result<(), Stopped> {
    if script.provider.system().is_none() {
        return Err(Stopped::NoSystem);
    }
    let tokens = script.connected().await?;
    let revoke = (Method::Delete, "oauthApps/revokeAccess");
    let first = script.call("giving it back", revoke, bearer(&tokens.access)).await?;
    let standing = standing(script, &tokens).await?;
    let second = script.call("giving it back again", revoke, bearer(&tokens.access)).await?;
    let told = |reply: &Reply| json!({ "status": reply.shape.status, "body": unnumbered(&reply.shape.body) });
    script.answer("revocation-reply", json!({ "first": told(&first), "second": told(&second) }));
    script.answer("grant-after-revocation", standing);
    Ok(())
}

/// What the tokens of a grant get. The refresh is the last use of them.
async fn standing(script: &mut Script<'_>, tokens: &Tokens) -> Result<Value, Stopped> {
    let access = script.call("its access token", IDENTITY, bearer(&tokens.access)).await?.response.status;
    let refresh = match &tokens.refresh {
        Some(token) => Value::from(script.refresh("its refresh token", By::Post, token).await?.outcome()),
        None => Value::Null,
    };
    Ok(json!({ "accessToken": access, "refreshToken": refresh }))
}

/// The legacy GET knows no other authentication than Basic.
fn only_with_a_secret(script: &Script<'_>) -> Result<(), Stopped> {
    script.app.client_secret.as_ref().map(drop).ok_or(Stopped::NoSecret)
}

fn replace(fields: &mut [(&str, String)], name: &str, value: String) {
    if let Some((_, field)) = fields.iter_mut().find(|(field, _)| *field == name) {
        *field = value;
    }
}

/// A refusal of the API: its status, what it challenges for, and its body.
fn refusal(answer: &AnswerShape) -> Value {
    let challenges = answer.headers.get("www-authenticate");
    let rate_limited = answer.headers.contains_key("x-ratelimit-limit");
    json!({ "status": answer.status, "challenges": challenges, "body": unnumbered(&answer.body), "rateLimitHeaders": rate_limited })
}

/// A token reply: its status and shape. Whether there is an `id_token` is a question of its own.
fn reply(reply: &Reply) -> Value {
    let mut body = unnumbered(&reply.shape.body);
    if let Value::Object(members) = &mut body {
        members.remove("id_token");
    }
    json!({ "status": reply.shape.status, "body": body })
}

fn rate_headers(answer: &AnswerShape) -> Value {
    let named = answer.headers.iter().filter(|(name, _)| name.starts_with("x-ratelimit-"));
    Value::Object(named.map(|(name, values)| (name.clone(), Value::from(values.join(", ")))).collect())
}

/// Names of what the callback carries; `response` and `error` with their values, where these are listed words.
fn callback(parameters: &[(String, Secret<String>)]) -> Value {
    let told = |name: &str, value: &Secret<String>| match (name, value.expose().as_str()) {
        ("response", value @ ("approved" | "denied")) => Some(("response".to_owned(), Value::from(value))),
        ("error", value) => Some(("error".to_owned(), Value::from(super::redaction::error_word(value)))),
        ("code" | "state" | "iss" | "error_description" | "error_uri" | "scope" | "response", _) => {
            Some((name.to_owned(), Value::from("present")))
        }
        _ => None,
    };
    Value::Object(parameters.iter().filter_map(|(name, value)| told(name, value)).collect::<Map<_, _>>())
}

/// Labels without their numbers, which depend on what else was recorded.
fn unnumbered(shape: &Value) -> Value {
    match shape {
        Value::String(text) => match text.strip_prefix('<').and_then(|label| label.split_once(':')) {
            Some((kind, _)) => Value::from(format!("<{kind}>")),
            None => shape.clone(),
        },
        Value::Array(items) => Value::Array(items.iter().map(unnumbered).collect()),
        Value::Object(members) => {
            let name = |name: &String| match name.strip_prefix('<').and_then(|label| label.split_once(':')) {
                Some((kind, _)) => format!("<{kind}>"),
                None => name.clone(),
            };
            Value::Object(members.iter().map(|(key, member)| (name(key), unnumbered(member))).collect())
        }
        other => other.clone(),
    }
}

fn rounded_length(text: &str) -> usize {
    text.len().div_ceil(LENGTH_STEP) * LENGTH_STEP
}

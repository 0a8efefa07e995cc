//! Requests to the token endpoint that are wrong in one thing each. None of them carries anything that was ever issued, so none can end a grant.

use super::script::{By, Script, Stopped};
use keyfob_protocol::{Secret, basic};
use serde_json::{Map, Value};

/// Whose credentials go along.
#[derive(Clone, Copy)]
enum Credentials {
    Own,
    WrongSecret,
    None,
}

/// Sends each and collects the outcomes by kind.
pub(super) async fn outcomes(script: &mut Script<'_>, by: By) -> Result<Value, Stopped> {
    let made_up = script.made_up()?;
    let exchange = if by == By::Post { "authorization_code" } else { "auth_code" };
    let (redirect_uri, client_id) = (script.app.redirect_uri.clone(), script.app.client_id.clone());
    let code = || {
        vec![
            ("grant_type", exchange.to_owned()),
            ("code", made_up.clone()),
            ("redirect_uri", redirect_uri.clone()),
            ("state", "s".to_owned()),
        ]
    };
    let without = |name: &str| code().into_iter().filter(|(field, _)| *field != name).collect::<Vec<_>>();
    let refresh = vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", made_up.clone())];
    let other_grant_type = vec![("grant_type", "password".to_owned())];
    let mut outcomes = Map::new();
    for (kind, credentials, fields) in [
        ("unknown code", Credentials::Own, code()),
        ("no code", Credentials::Own, without("code")),
        ("no redirect URI", Credentials::Own, without("redirect_uri")),
        ("no grant type", Credentials::Own, without("grant_type")),
        ("unknown grant type", Credentials::Own, other_grant_type),
        ("unknown refresh token", Credentials::Own, refresh.clone()),
        ("no refresh token", Credentials::Own, refresh[..1].to_vec()),
        ("wrong secret", Credentials::WrongSecret, refresh.clone()),
        ("no authentication", Credentials::None, refresh),
    ] {
        let credentials = match credentials {
            Credentials::Own => script.own_credentials(),
            // A public app has no secret to be wrong.
            Credentials::WrongSecret | Credentials::None if script.app.client_secret.is_none() => continue,
            Credentials::WrongSecret => Some(basic::header(&client_id, &Secret::new(made_up.clone()))),
            Credentials::None => None,
        };
        let reply = script.token(kind, by, credentials, fields).await?;
        outcomes.insert(kind.to_owned(), Value::from(reply.outcome()));
    }
    Ok(Value::Object(outcomes))
}

//! Whom a request is about, as far as it says: the app and the grant. Unverified, which is enough to choose a fault by.

use http::{HeaderMap, header};
use keyfob_protocol::form::Form;
use keyfob_protocol::jwt::UnverifiedJwt;
use keyfob_protocol::token_name::GrantId;
use keyfob_protocol::{basic, bearer};
use serde::Deserialize;

use super::entry::grant_of;

/// What a request says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) client_id: Option<String>,
    pub(super) grant: Option<GrantId>,
}

/// What an access token claims.
pub(super) struct Claimed {
    pub(super) client_id: String,
    pub(super) grant: GrantId,
}

#[derive(Deserialize)]
struct Claims {
    client_id: String,
    gid: String,
}

/// Reads an access token's claims.
pub(super) fn claims(token: &str) -> Option<Claimed> {
    let claims: Claims = serde_json::from_slice(&UnverifiedJwt::parse(token)?.payload).ok()?;
    Some(Claimed { client_id: claims.client_id, grant: GrantId::parse(&claims.gid)? })
}

impl About {
    /// A call of the API.
    pub(super) fn call(headers: &HeaderMap) -> About {
        let token = headers.get(header::AUTHORIZATION).map(|value| bearer::parse(value.as_bytes()));
        match token {
            Some(bearer::PresentedBearer::Token(token)) => match claims(token) {
                Some(claimed) => About { client_id: Some(claimed.client_id), grant: Some(claimed.grant) },
                None => About::default(),
            },
            _ => About::default(),
        }
    }

    /// A token request.
    pub(super) fn token(headers: &HeaderMap, form: &[(String, String)]) -> About {
        let value = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let basic = headers.get(header::AUTHORIZATION).and_then(|value| basic::parse(value.as_bytes()).ok());
        About {
            client_id: basic.map(|basic| basic.id).or_else(|| value("client_id").map(str::to_owned)),
            grant: value("refresh_token").or_else(|| value("code")).and_then(grant_of),
        }
    }
}

/// A form as pairs; empty where it cannot be read, which the authority will say.
pub(super) fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    let form = Form::parse(bytes).unwrap_or_default();
    form.pairs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

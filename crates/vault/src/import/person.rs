//! From the values of a line to a name and tokens.

use super::columns::Column;
use super::lines::{Unreadable, Values};
use super::times;
use crate::connection_id::{RULE, is_id};
use keyfob_client::{Secret, Timestamp, TokenSet};

/// An access token's usual life: counted back from its end where nobody noted its begin. Only an estimate of the idle time hangs on it.
const USUAL_LIFE: i64 = 3600;

/// Whose tokens stand in a line, by the name they are to have.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) tokens: TokenSet,
}

impl Person {
    pub(super) fn read(values: &Values, now: Timestamp) -> Result<Person, Unreadable> {
        let id = required(values, Column::Id)?;
        if !is_id(&id) {
            return Err(wrong(Column::Id, format!("an id {RULE}")));
        }
        let token = |column| match values.get(&column) {
            // Spaces or line ends in it come from a copy that went wrong; they would break a header.
            Some(text) if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err(wrong(column, "it holds characters that no token has".to_owned()))
            }
            Some(text) if !text.is_empty() => Ok(Some(Secret::new(text.clone()))),
            _ => Ok(None),
        };
        let (access, refresh_token) = (token(Column::AccessToken)?, token(Column::RefreshToken)?);
        if access.is_none() && refresh_token.is_none() {
            return Err(wrong(Column::RefreshToken, "neither an access token nor a refresh token".to_owned()));
        }
        let time = |column| match values.get(&column).filter(|text| !text.trim().is_empty()) {
            Some(text) => times::read(text).map(Some).ok_or_else(|| wrong(column, "this is no time".to_owned())),
            None => Ok(None),
        };
        let (expires_at, obtained_at) = (time(Column::ExpiresAt)?, time(Column::ObtainedAt)?);
        let lives = match values.get(&Column::ExpiresIn).filter(|text| !text.trim().is_empty()) {
            Some(text) => {
                let seconds = times::seconds(text);
                Some(seconds.ok_or_else(|| wrong(Column::ExpiresIn, "this is no number of seconds".to_owned()))?)
            }
            None => None,
        };
        // A lifetime without a begin says nothing; a 401 will tell.
        let computed = obtained_at.zip(lives).map(|(from, seconds)| from.plus(seconds));
        let expires_at = match &access {
            Some(_) => expires_at.or(computed),
            // Nothing that could be used: to be refreshed first.
            None => Some(now),
        };
        let obtained_at = obtained_at.or(expires_at.map(|end| end.plus(-USUAL_LIFE))).unwrap_or(now).min(now);
        let tokens = TokenSet {
            access_token: access.unwrap_or_else(|| Secret::from("")),
            refresh_token,
            expires_at,
            obtained_at,
            scope: values.get(&Column::Scope).filter(|scope| !scope.is_empty()).cloned(),
        };
        Ok(Person { id, tokens })
    }
}

fn required(values: &Values, column: Column) -> Result<String, Unreadable> {
    let text = values.get(&column).map(|text| text.trim()).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| wrong(column, "it is missing".to_owned()))
}

fn wrong(column: Column, reason: String) -> Unreadable {
    Unreadable { column: Some(column.name().to_owned()), reason }
}

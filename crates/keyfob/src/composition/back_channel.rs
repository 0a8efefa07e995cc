//! How the authority reaches its OpenID provider: the client's driver, which checks certificates and follows no redirect, with less patience and
//! shorter answers, since a person waits at the other end.

use async_trait::async_trait;
use keyfob_authority::hand_off::openid::back_channel::{
    BackAnswer, BackChannel as Contract, BackRequest, LONGEST_ANSWER, NoAnswer,
};
use keyfob_client::{Driver, DriverError, Header, HttpRequest, Method, Transport};
use keyfob_protocol::Secret;
use std::time::Duration;
use tokio::time::timeout;

/// For a whole exchange. Three of them, and a person has waited half a minute.
const PATIENCE: Duration = Duration::from_secs(10);

/// Over HTTP.
#[derive(Clone, Debug)]
pub(crate) struct BackChannel {
    driver: Driver,
    patience: Duration,
}

/// To a provider with this issuer; a machine without certificate authorities can reach one on itself.
pub(crate) fn driver(issuer: &str) -> Result<BackChannel, DriverError> {
    let driver = match issuer.starts_with("http://") {
        true => Driver::loopback_only()?,
        false => Driver::new()?,
    };
    Ok(BackChannel { driver: driver.reading_at_most(LONGEST_ANSWER), patience: PATIENCE })
}

#[async_trait]
impl Contract for BackChannel {
    async fn send(&self, request: BackRequest) -> Result<BackAnswer, NoAnswer> {
        let mut headers = vec![Header::plain("Accept", "application/json")];
        headers.extend(request.authorization.map(|value| Header::secret("Authorization", value)));
        let method = if request.form.is_some() { Method::Post } else { Method::Get };
        if request.form.is_some() {
            headers.push(Header::plain("Content-Type", "application/x-www-form-urlencoded"));
        }
        let body = Secret::new(request.form.map(|form| form.expose().clone().into_bytes()).unwrap_or_default());
        let request = HttpRequest { method, url: Secret::new(request.url), headers, body };
        match timeout(self.patience, self.driver.send(&request)).await {
            Ok(Ok(answer)) => Ok(BackAnswer { status: answer.status, body: answer.body }),
            Ok(Err(failure)) => Err(NoAnswer(failure.to_string())),
            Err(_) => Err(NoAnswer(format!("none within {} s", self.patience.as_secs_f32()))),
        }
    }
}

#[cfg(test)]
mod tests;

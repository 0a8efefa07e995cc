//! The governor at work: a call waits for its place, goes out, and what came teaches. A call that is dropped gives its place back as lost.

use super::{Account, Admit, Governor, Key, RateHeaders, Ticket};
use crate::connection::ConnectionError;
use crate::http::{HttpRequest, HttpResponse};
use crate::provider::Provider;
use crate::transport::Surroundings;
use keyfob_protocol::{Clock, Timestamp};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// The longest wait of a call for its place, in seconds: a whole window of Follow Up Boss's and some. A longer one is told to the caller.
pub const LONGEST_WAIT: i64 = 15;

/// The governor that all connections of an app share.
#[derive(Default)]
pub(crate) struct Governing {
    governor: Mutex<Governor>,
    /// Something was answered, so there may be room.
    answered: Notify,
}

/// The place of a call that is out.
struct Place<'g> {
    governing: &'g Governing,
    clock: &'g dyn Clock,
    key: &'g Key,
    ticket: Option<Ticket>,
}

impl Governing {
    /// Sends a call of the connection `id` when there is room for it. Dropping the future while it waits takes nothing.
    ///
    /// # Errors
    /// [`ConnectionError::RateLimited`] where the wait would be longer than [`LONGEST_WAIT`]; nothing was sent then.
    /// [`ConnectionError::NoAnswer`].
    pub(crate) async fn send(
        &self,
        outside: &Surroundings,
        provider: &Provider,
        id: &str,
        request: &HttpRequest,
    ) -> Result<HttpResponse, ConnectionError> {
        let account = Account {
            system: provider.system().map(|system| system.name().to_owned()),
            account: format!("connection {id}"),
        };
        let path = request.endpoint().strip_prefix(provider.api_base().as_str()).unwrap_or(request.endpoint());
        let key = Key { account, method: request.method.as_str(), path: path.to_owned() };
        let clock = outside.clock.as_ref();
        let ticket = self.ticket(outside, &key).await.map_err(|retry_at| ConnectionError::RateLimited { retry_at })?;
        let place = Place { governing: self, clock, key: &key, ticket: Some(ticket) };
        let response = outside.transport.send(request).await?;
        place.answered(&response);
        Ok(response)
    }

    async fn ticket(&self, outside: &Surroundings, key: &Key) -> Result<Ticket, Timestamp> {
        let latest = outside.clock.now().plus(LONGEST_WAIT);
        loop {
            // From before the look, so that no answer in between is missed.
            let answered = self.answered.notified();
            let now = outside.clock.now();
            let at = match self.governor().admit(now, key) {
                Admit::Now(ticket) => return Ok(ticket),
                Admit::At(at) if at > latest => return Err(at),
                Admit::At(at) => Some(at),
                // Every call ends, by its transport's time limit at the latest, and wakes whoever waits here.
                Admit::AfterAnswer if now > latest => return Err(now.plus(1)),
                Admit::AfterAnswer => None,
            };
            let Some(at) = at else {
                answered.await;
                continue;
            };
            let wait = Duration::from_secs(at.since(now).max(1).unsigned_abs());
            tokio::select! {
                () = answered => {}
                () = outside.pause.pause(wait) => {}
            }
        }
    }

    fn governor(&self) -> MutexGuard<'_, Governor> {
        self.governor.lock().expect("invariant: nothing panics while the lock is held")
    }
}

impl Place<'_> {
    fn answered(mut self, response: &HttpResponse) {
        let Some(ticket) = self.ticket.take() else { return };
        let now = self.clock.now();
        let mut governor = self.governing.governor();
        // Users of one account share its budget, and the answer says whose it was.
        if let Some(account) = response.header("fub-account-id") {
            let known = Account { account: format!("account {account}"), ..self.key.account.clone() };
            governor.is_same(&self.key.account, &known);
        }
        governor.learn(now, self.key, ticket, &RateHeaders::of(response, now));
        drop(governor);
        self.governing.answered.notify_waiters();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.governing.governor().lost(self.clock.now(), self.key, ticket);
            self.governing.answered.notify_waiters();
        }
    }
}

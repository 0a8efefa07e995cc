//! A connection that comes back: one task holds it, and makes another when it ends.
//!
//! Whoever needs it while it is being made anew waits for the first few attempts; when those fail, everybody is told so at once, so that
//! nobody queues for a database that is down. A lost connection alone is noticed by nobody.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio_postgres::tls::NoTls;
use tokio_postgres::{AsyncMessage, Connection};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::OpenError;
use crate::address::Address;
use crate::fault::Fault;
use crate::session::{Purpose, Session};
use crate::tls::connector;

/// Between two attempts, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Attempts that may fail before everybody is told: whoever ends connections may end one in the making as well.
const QUIET_FAILURES: u32 = 2;

/// How long somebody waits for a connection that is being made.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// How connections are made.
#[derive(Clone)]
pub struct Dialer {
    /// Where the database is.
    pub address: Address,
    pub(crate) tls: Option<MakeRustlsConnect>,
    /// Told of what other nodes say.
    pub(crate) heard: Arc<Notify>,
}

/// Answers a connection's messages until it ends.
type Driver = std::pin::Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

impl Dialer {
    /// The way to a database.
    ///
    /// # Errors
    /// TLS cannot be spoken as the address wants it.
    pub fn to(address: Address) -> Result<Dialer, OpenError> {
        Ok(Dialer { tls: connector(&address)?, address, heard: Arc::default() })
    }

    /// One attempt, over all hosts of the address.
    pub async fn connect(&self) -> Result<(tokio_postgres::Client, Driver), Fault> {
        let attempt = async {
            match &self.tls {
                Some(tls) => {
                    let (client, connection) = self.address.config.connect(tls.clone()).await?;
                    Ok((client, self.driver(connection)))
                }
                None => {
                    let (client, connection) = self.address.config.connect(NoTls).await?;
                    Ok((client, self.driver(connection)))
                }
            }
        };
        let hosts = self.address.config.get_hosts().len().max(1);
        // The client's own bound is on the socket only; a server that accepts and says nothing must not hold us.
        let patience = self.address.config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(5));
        match tokio::time::timeout(patience * u32::try_from(hosts + 1).unwrap_or(u32::MAX), attempt).await {
            Ok(outcome) => outcome.map_err(|error: tokio_postgres::Error| Fault::connecting(&error)),
            Err(_) => Err(Fault::Unreachable("it does not answer".to_owned())),
        }
    }

    fn driver<S, T>(&self, mut connection: Connection<S, T>) -> Driver
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let heard = Arc::clone(&self.heard);
        Box::pin(poll_fn(move |context| {
            loop {
                match ready!(connection.poll_message(context)) {
                    Some(Ok(AsyncMessage::Notification(_))) => heard.notify_one(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Poll::Ready(Err(error)),
                    None => return Poll::Ready(Ok(())),
                }
            }
        }))
    }
}

#[derive(Clone)]
enum State {
    Connecting,
    Up(Arc<Session>),
    Down(Fault),
}

/// A connection that comes back. It ends with this value.
pub(crate) struct Link {
    state: watch::Receiver<State>,
    keeper: AbortHandle,
}

impl Link {
    pub(crate) fn start(dialer: Dialer, purpose: Purpose) -> Self {
        let (publish, state) = watch::channel(State::Connecting);
        let keeper = tokio::spawn(keep(dialer, purpose, publish)).abort_handle();
        Self { state, keeper }
    }

    /// The connection as it is now. Waits only while one is being made that has not failed before.
    pub(crate) async fn session(&self) -> Result<Arc<Session>, Fault> {
        if let State::Up(session) = &*self.state.borrow()
            && !session.is_discarded()
        {
            return Ok(Arc::clone(session));
        }
        match tokio::time::timeout(LONGEST_WAIT, self.next_session()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Fault::Unreachable("it does not answer".to_owned())),
        }
    }

    async fn next_session(&self) -> Result<Arc<Session>, Fault> {
        let mut state = self.state.clone();
        let state = state
            .wait_for(|state| match state {
                State::Connecting => false,
                State::Up(session) => !session.is_discarded(),
                State::Down(_) => true,
            })
            .await;
        match state.as_deref() {
            Ok(State::Up(session)) => Ok(Arc::clone(session)),
            Ok(State::Down(fault)) => Err(fault.clone()),
            Ok(State::Connecting) | Err(_) => Err(Fault::Closed),
        }
    }

    /// Ends the connection for good.
    pub(crate) fn close(&self) {
        self.keeper.abort();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

async fn keep(dialer: Dialer, purpose: Purpose, publish: watch::Sender<State>) {
    let mut pause = PAUSES.0;
    let mut failures = 0;
    loop {
        let outcome = match dialer.connect().await {
            Ok((client, driver)) => {
                hold(Arc::new(Session::new(client)), driver, purpose, &publish, &dialer.heard).await
            }
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(()) => {
                publish.send_replace(State::Connecting);
                (pause, failures) = (PAUSES.0, 0);
                // A server that takes connections only to end them must not be asked without a breath.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(_) if failures < QUIET_FAILURES => {
                failures += 1;
                tokio::time::sleep(PAUSES.0 / 2).await;
            }
            Err(fault) => {
                let news = !matches!(&*publish.borrow(), State::Down(known) if *known == fault);
                if news {
                    tracing::warn!(%fault, address = %dialer.address, "no connection to the database; trying again");
                }
                publish.send_replace(State::Down(fault));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// Drives a connection until it ends or is discarded. An error means that it never worked.
async fn hold(
    session: Arc<Session>,
    mut driver: Driver,
    purpose: Purpose,
    publish: &watch::Sender<State>,
    heard: &Notify,
) -> Result<(), Fault> {
    tokio::select! {
        ended = &mut driver => return Err(ended.map_or_else(
            |error| Fault::connecting(&error),
            |()| Fault::Unreachable("it ended the connection".to_owned()),
        )),
        ready = session.set_up(purpose) => ready?,
    }
    if matches!(&*publish.borrow(), State::Down(_)) {
        tracing::info!("the database can be reached again");
    }
    publish.send_replace(State::Up(Arc::clone(&session)));
    if purpose == Purpose::News {
        // Whatever was said while nobody listened.
        heard.notify_one();
    }
    tokio::select! {
        ended = &mut driver => {
            if let Err(error) = ended {
                tracing::info!(fault = %Fault::from(error), "a connection to the database ended; making another");
            }
        }
        () = session.discarded() => tracing::info!("a connection to the database is given up; making another"),
    }
    Ok(())
}

//! Coming back from the platform: an assertion for the ticket that this browser left with opens a session, once. The same for whatever comes
//! back from an OpenID provider, once it is known what that says.

use super::assertion::{Assertion, Person, Said};
use super::claims::ClaimsProblem;
use super::openid::callback::ProviderRefusal;
use super::pending::{Pending, TICKET_LIFETIME};
use super::{CLOCK_LEEWAY, Platform, use_digest};
use crate::authority::{Authority, Decision, Fault};
use crate::decide::{Choice, DecisionRefusal};
use crate::interaction::{FlowId, Interaction};
use crate::model::{AccountId, App, LedgerEntry, LedgerKind, Session, SessionId, UserId};
use crate::session::{SignedIn, cookie_digest, fresh_cookie};
use crate::store::{NewSession, TicketUse, Written};
use keyfob_protocol::callback::AuthorizeAnswer;
use keyfob_protocol::time::HOUR;
use keyfob_protocol::{Secret, Timestamp};

/// What a browser brings back. Presented, not verified.
#[derive(Debug)]
pub struct ReturningBrowser<'r> {
    /// From the cookie that it left with.
    pub pending: Option<&'r str>,
    /// The browser.
    pub flow: Option<FlowId>,
    /// The session that it had.
    pub earlier_cookie: Option<&'r str>,
}

/// What becomes of a return.
#[derive(Debug)]
pub enum Arrival {
    /// Somebody is signed in.
    SignedIn {
        /// Who.
        signed_in: Box<SignedIn>,
        /// Their session's cookie.
        cookie: Secret<String>,
        /// The request that waits for their decision, sealed anew; `None`: the list of connections.
        sealed: Option<String>,
    },
    /// The person gave up.
    GaveUp {
        /// Where the app is told; `None` where none asked.
        redirect: Option<String>,
    },
    /// Our own failure, of which the app is told (matrix AZ-16).
    Failed {
        /// What failed.
        fault: Fault,
        /// The URL that tells it.
        redirect: String,
    },
}

/// Why nobody is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnRefusal {
    /// The assertion is not acceptable in itself.
    Assertion(ClaimsProblem),
    /// The OpenID provider's answer is not.
    Provider(ProviderRefusal),
    /// This browser waits for no return: the cookie is missing, or not ours.
    NotWaiting,
    /// It waits, and it is not the browser that left.
    OtherBrowser,
    /// It waits for another ticket: a newer one of another tab, or the assertion was made for somebody else's.
    OtherTicket,
    /// The ticket's time is over.
    TicketPast,
    /// The ticket was used.
    Used,
    /// A fresh sign-in was asked for, and the platform's is older than the ticket.
    NotFresh,
    /// The request that waited is no longer acceptable.
    Request(DecisionRefusal),
    /// The user is disabled or their account suspended (matrix IN-08).
    Inactive {
        /// Who came.
        user: UserId,
        /// Of which account.
        account: AccountId,
    },
    /// Somebody else has this e-mail address.
    EmailTaken {
        /// Who, if the platform does not sign them in: perhaps the same person. Another of the platform's own never is.
        local: Option<UserId>,
        /// The platform's id.
        external: String,
    },
    /// Another account has this domain.
    DomainTaken {
        /// Which, if it is not the platform's: perhaps the same company. Another of the platform's own never is.
        local: Option<AccountId>,
        /// The platform's id.
        external: String,
    },
}

impl ReturnRefusal {
    /// A stable word for logs, counters and the ledger.
    pub fn reason(&self) -> &'static str {
        match self {
            ReturnRefusal::Assertion(problem) => problem.reason(),
            ReturnRefusal::Provider(refusal) => refusal.reason(),
            ReturnRefusal::NotWaiting => "not_waiting",
            ReturnRefusal::OtherBrowser => "other_browser",
            ReturnRefusal::OtherTicket => "other_ticket",
            ReturnRefusal::TicketPast => "ticket_past",
            ReturnRefusal::Used => "ticket_used",
            ReturnRefusal::NotFresh => "not_fresh",
            ReturnRefusal::Request(_) => "request_not_acceptable",
            ReturnRefusal::Inactive { .. } => "inactive",
            ReturnRefusal::EmailTaken { local: Some(_), .. } => "email_taken",
            ReturnRefusal::EmailTaken { local: None, .. } => "email_twice",
            ReturnRefusal::DomainTaken { local: Some(_), .. } => "domain_taken",
            ReturnRefusal::DomainTaken { local: None, .. } => "domain_twice",
        }
    }

    /// The claim that is missing or malformed, where it is one.
    pub fn claim(&self) -> Option<&'static str> {
        match self {
            ReturnRefusal::Assertion(problem) | ReturnRefusal::Provider(ProviderRefusal::Claims(problem)) => {
                problem.claim()
            }
            _ => None,
        }
    }

    /// The error code of the provider's, where it is one.
    pub fn error(&self) -> Option<&'static str> {
        match self {
            ReturnRefusal::Provider(refusal) => refusal.error(),
            _ => None,
        }
    }

    /// Whether the same person may be accepted when they come again: it came too late, or before its key was known.
    pub fn may_pass(&self) -> bool {
        match self {
            ReturnRefusal::Assertion(problem) => *problem == ClaimsProblem::Expired,
            ReturnRefusal::Provider(refusal) => refusal.may_pass(),
            _ => true,
        }
    }

    /// Whether the assertion is genuine and this browser is not where it belongs. Its ticket is used then: it lies in a history that
    /// nobody knows, and would be good for five minutes.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, ReturnRefusal::NotWaiting | ReturnRefusal::OtherBrowser | ReturnRefusal::OtherTicket)
    }

    /// What the ledger has of it: once a reason and hour, and once a user of ours, so that nobody fills it.
    pub(super) fn entry(&self, now: Timestamp) -> LedgerEntry {
        let (reason, hour) = (self.reason(), now.0.div_euclid(HOUR));
        let detail = self.advice().map_or(String::new(), |advice| format!("; {advice}"));
        let (user, account) = match self {
            ReturnRefusal::EmailTaken { local, .. } => (*local, None),
            ReturnRefusal::DomainTaken { local, .. } => (None, *local),
            ReturnRefusal::Inactive { user, account } => (Some(*user), Some(*account)),
            _ => (None, None),
        };
        let whose = user.map_or(String::new(), |user| format!(" user {user}"));
        let entry = LedgerEntry {
            user,
            account,
            once: Some(format!("sign-in {reason} {hour}{whose}{detail}")),
            ..LedgerEntry::new(now, LedgerKind::Refused)
        };
        entry.with_detail(format!("sign-in: {reason}{detail}"))
    }

    /// What the operator may do about it.
    pub fn advice(&self) -> Option<String> {
        match self {
            ReturnRefusal::EmailTaken { local: Some(user), external } => {
                Some(format!("if it is the same person: keyfob user link {user} --external={}", quoted(external)))
            }
            ReturnRefusal::DomainTaken { local: Some(account), external } => Some(format!(
                "if it is the same company: keyfob account link {account} --external={}",
                quoted(external)
            )),
            _ => None,
        }
    }
}

/// For a shell, whoever chose the id: the command is there to be pasted.
fn quoted(external: &str) -> String {
    format!("'{}'", external.replace('\'', r"'\''"))
}

impl Authority {
    /// Checks what came back and opens the session. A refusal of something that the platform did sign is recorded. A fault is one of the
    /// arrivals where the request that waits is known.
    pub async fn return_from_hand_off(
        &self,
        platform: &Platform,
        assertion: &str,
        browser: ReturningBrowser<'_>,
        now: Timestamp,
    ) -> Result<Decision<Arrival, ReturnRefusal>, Fault> {
        let assertion = match platform.assertion(assertion, &self.settings.issuer, now) {
            Ok(assertion) => assertion,
            Err(problem) => return Ok(Decision::Refused(ReturnRefusal::Assertion(problem))),
        };
        let waiting = self.waiting(&assertion.ticket, &browser, now);
        match self.arrive(&assertion, &waiting, browser.earlier_cookie, now).await {
            Ok(decision) => Ok(decision),
            Err(fault) => self.told_or_failed(&waiting, fault).await,
        }
    }

    async fn arrive(
        &self,
        assertion: &Assertion,
        waiting: &Result<Pending, ReturnRefusal>,
        earlier_cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<Decision<Arrival, ReturnRefusal>, Fault> {
        let decision = match self.unused(&assertion.ticket, waiting).await? {
            Ok(pending) => self.receive(&assertion.said, pending, earlier_cookie, now).await?,
            Err(refusal) => Decision::Refused(refusal),
        };
        match &decision {
            Decision::Refused(refusal) if refusal.is_elsewhere() => {
                // When the ticket ends is not known here, but it was given out by now. Whoever has used it meanwhile has recorded it.
                let until = now.plus(TICKET_LIFETIME + CLOCK_LEEWAY);
                let ticket = TicketUse { id: use_digest("ticket", &assertion.ticket), until };
                let _ = self.store.use_ticket(ticket, None, vec![refusal.entry(now)]).await?;
            }
            Decision::Refused(refusal) => self.store.record(vec![refusal.entry(now)]).await?,
            Decision::Granted(_) => {}
        }
        Ok(decision)
    }

    /// A fault as an arrival, if a request waits whose app may still be told.
    pub(super) async fn told_or_failed(
        &self,
        waiting: &Result<Pending, ReturnRefusal>,
        fault: Fault,
    ) -> Result<Decision<Arrival, ReturnRefusal>, Fault> {
        let interaction = waiting.as_ref().ok().and_then(|pending| pending.interaction.as_ref());
        let Some(interaction) = interaction else { return Err(fault) };
        match self.app_of(interaction).await {
            Ok(Decision::Granted(app)) => {
                let redirect = self.failed(interaction, &app, &fault);
                Ok(Decision::Granted(Arrival::Failed { fault, redirect }))
            }
            _ => Err(fault),
        }
    }

    /// What waits, if its ticket was not used: an early answer, so that a replay changes no user; whoever wins is decided by the write.
    pub(super) async fn unused<'w>(
        &self,
        ticket: &str,
        waiting: &'w Result<Pending, ReturnRefusal>,
    ) -> Result<Result<&'w Pending, ReturnRefusal>, Fault> {
        match self.store.is_ticket_used(use_digest("ticket", ticket)).await? {
            true => Ok(Err(ReturnRefusal::Used)),
            false => Ok(waiting.as_ref().map_err(Clone::clone)),
        }
    }

    /// What becomes of what is said of somebody, wherever they signed in.
    pub(super) async fn receive(
        &self,
        said: &Said,
        pending: &Pending,
        earlier_cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<Decision<Arrival, ReturnRefusal>, Fault> {
        let id = use_digest("ticket", &pending.ticket);
        let ticket = TicketUse { id, until: pending.expires_at.plus(CLOCK_LEEWAY) };
        match said {
            Said::Denied => self.give_up(pending, ticket, earlier_cookie, now).await,
            Said::Is(person) if pending.fresh && person.authenticated_at < pending.issued_at => {
                Ok(Decision::Refused(ReturnRefusal::NotFresh))
            }
            Said::Is(person) => self.welcome(person, pending, ticket, earlier_cookie, now).await,
        }
    }

    /// The departure that this ticket names, in this browser.
    pub(super) fn waiting(
        &self,
        ticket: &str,
        browser: &ReturningBrowser<'_>,
        now: Timestamp,
    ) -> Result<Pending, ReturnRefusal> {
        let pending = browser.pending.and_then(|sealed| Pending::open(sealed, &self.keys.load()));
        let pending = pending.ok_or(ReturnRefusal::NotWaiting)?;
        if browser.flow != Some(pending.flow) {
            return Err(ReturnRefusal::OtherBrowser);
        }
        if ticket != pending.ticket {
            return Err(ReturnRefusal::OtherTicket);
        }
        if now >= pending.expires_at {
            return Err(ReturnRefusal::TicketPast);
        }
        Ok(pending)
    }

    /// Tells the app, as a click on the deny button does. Somebody who is signed in in this browser may have its consent page before them,
    /// so it is their decision there as well. Otherwise there is no grant's row: nobody is known whose it would be.
    async fn give_up(
        &self,
        pending: &Pending,
        ticket: TicketUse,
        earlier_cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<Decision<Arrival, ReturnRefusal>, Fault> {
        let gave_up = match pending.provider {
            None => "gave up at the platform",
            Some(_) => "gave up at the OpenID provider",
        };
        let entry = |app| LedgerEntry { app, ..LedgerEntry::new(now, LedgerKind::Denied) }.with_detail(gave_up);
        let (redirect, ledger) = match &pending.interaction {
            None => (None, vec![entry(None)]),
            Some(interaction) => {
                let app = match self.app_of(interaction).await? {
                    Decision::Granted(app) => app,
                    Decision::Refused(refusal) => return Ok(Decision::Refused(ReturnRefusal::Request(refusal))),
                };
                let signed_in = match earlier_cookie {
                    Some(cookie) => self.signed_in(cookie, now).await?,
                    None => None,
                };
                let ledger = match signed_in {
                    None => vec![entry(Some(app.id))],
                    Some(signed_in) => {
                        let write = self.write_decision(interaction, &app, &signed_in, Choice::Deny, gave_up, now);
                        match write.await? {
                            // The row came with its entry.
                            Decision::Granted(_) => Vec::new(),
                            Decision::Refused(refusal) => {
                                return Ok(Decision::Refused(ReturnRefusal::Request(refusal)));
                            }
                        }
                    }
                };
                (Some(self.denied(interaction, &app)), ledger)
            }
        };
        match self.store.use_ticket(ticket, None, ledger).await? {
            Written::Won => Ok(Decision::Granted(Arrival::GaveUp { redirect })),
            Written::Lost => Ok(Decision::Refused(ReturnRefusal::Used)),
        }
    }

    fn denied(&self, interaction: &Interaction, app: &App) -> String {
        let redirect_uri = app.redirect_uri(&interaction.redirect_uri).expect("invariant: app_of checked it");
        self.answer_on(app, &redirect_uri, interaction.dialect, &AuthorizeAnswer::Denied, interaction.state.as_deref())
    }

    async fn welcome(
        &self,
        person: &Person,
        pending: &Pending,
        ticket: TicketUse,
        earlier_cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<Decision<Arrival, ReturnRefusal>, Fault> {
        let user = match self.person(person, now).await? {
            Decision::Granted(user) => user,
            Decision::Refused(refusal) => return Ok(Decision::Refused(refusal)),
        };
        // Whatever can fail stands before the ticket is used.
        let account = self.store.account(user.account).await?;
        let cookie = fresh_cookie(&*self.entropy)?;
        let id = SessionId(cookie_digest(cookie.expose()));
        let session = Session { id, user: user.id, authenticated_at: now, last_seen_at: now };
        let replaces = earlier_cookie.map(|cookie| SessionId(cookie_digest(cookie)));
        let opens = NewSession { session: session.clone(), replaces };
        let signed_in = Box::new(SignedIn { session, user, account });
        let sealed = match &pending.interaction {
            Some(interaction) => Some(self.signed_in_for(interaction.clone(), &signed_in)?.1),
            None => None,
        };
        let entry = LedgerEntry {
            user: Some(signed_in.user.id),
            account: Some(signed_in.user.account),
            ..LedgerEntry::new(now, LedgerKind::SignedIn)
        };
        let entry = entry.with_detail(match pending.provider {
            None => "at the platform",
            Some(_) => "at the OpenID provider",
        });
        if self.store.use_ticket(ticket, Some(opens), vec![entry]).await? == Written::Lost {
            return Ok(Decision::Refused(ReturnRefusal::Used));
        }
        Ok(Decision::Granted(Arrival::SignedIn { signed_in, cookie, sealed }))
    }
}

//! The way to the platform's login and back: `/sign-in/return`, `/sign-in/refused`, `/oauth/authorize/continue` (decision record 0007). How people
//! come back from an OpenID provider stands in `openid.rs`; what becomes of them is the same.
//!
//! The return spends the ticket and redirects at once, so that no page lies under the URL that held the assertion. Logs name the route only.

use crate::cookies::{Cookie, Flow, signed_in};
use crate::doorway::Doorway;
use crate::html;
use crate::pending_cookie;
use crate::refusal_pages::{self, RefusalPage};
use crate::request_id::RequestId;
use crate::routes::consent;
use crate::routes::posted::{field, malformed};
use crate::routes::sign_in::Ask;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use keyfob_authority::decide::DecisionRefusal;
use keyfob_authority::hand_off::Platform;
use keyfob_authority::hand_off::arrival::{Arrival, ReturnRefusal, ReturningBrowser};
use keyfob_authority::hand_off::openid::OpenId;
use keyfob_authority::hand_off::openid::callback::ProviderRefusal;
use keyfob_authority::hand_off::pending::{Departure, HandOff};
use keyfob_authority::interaction::{FlowId, InteractionProblem};
use keyfob_authority::sign_in::SignInWay;
use keyfob_authority::{Decision, Fault};
use keyfob_protocol::form::Form;
use std::sync::Arc;

/// Where the consent page is shown after a return.
pub(crate) const CONTINUE_PATH: &str = "/oauth/authorize/continue";

/// Where somebody is told why nobody was signed in, if it must not be under the URL of the return.
pub(crate) const REFUSED_PATH: &str = "/sign-in/refused";

const START_AGAIN: &str = "Go back to the app and connect again, or open your connections again.";

/// Sends the browser to the platform.
pub(crate) fn depart(
    doorway: &Doorway,
    platform: &Platform,
    ask: &Ask<'_>,
    cookies: impl IntoIterator<Item = HeaderValue>,
    id: &RequestId,
) -> Result<Response, Fault> {
    let departure = doorway.authority.hand_off(platform, handed_off(ask), doorway.now())?;
    Ok(departed(doorway, departure, cookies, id))
}

/// Sends the browser to the OpenID provider.
pub(crate) async fn depart_to_provider(
    doorway: &Doorway,
    openid: &OpenId,
    ask: &Ask<'_>,
    cookies: impl IntoIterator<Item = HeaderValue>,
    id: &RequestId,
) -> Result<Response, Fault> {
    match doorway.authority.hand_off_to_provider(openid, handed_off(ask), doorway.now()).await {
        Ok(departure) => Ok(departed(doorway, departure, cookies, id)),
        Err(fault) => {
            if let Fault::Provider(_) = fault {
                // Nobody comes back who cannot leave, and whoever watches the counter should see it.
                doorway.metrics.count_return(fault.reason());
            }
            Err(fault)
        }
    }
}

fn handed_off<'a>(ask: &Ask<'a>) -> HandOff<'a> {
    HandOff { flow: ask.flow, sealed: ask.sealed, app: ask.app.map(|app| app.name.as_str()), anew: ask.anew }
}

fn departed(
    doorway: &Doorway,
    departure: Decision<Departure, DecisionRefusal>,
    cookies: impl IntoIterator<Item = HeaderValue>,
    id: &RequestId,
) -> Response {
    match departure {
        Decision::Granted(departure) => {
            let pending = pending_cookie::set(departure.pending.expose(), doorway.options.secure_cookies);
            html::see_other(&departure.url, cookies.into_iter().chain(pending))
        }
        Decision::Refused(refusal) => RefusalPage::from(refusal).answer(doorway, id),
    }
}

/// `GET /sign-in/return?assertion=…`
pub(crate) async fn come_back(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    let SignInWay::Platform(platform) = &doorway.sign_in else { return malformed(&doorway, &id) };
    let parts = match head_of_return(&doorway, request, &id) {
        Ok(parts) => parts,
        Err(response) => return response,
    };
    let Ok(form) = Form::parse(parts.uri.query().unwrap_or_default().as_bytes()) else {
        return malformed(&doorway, &id);
    };
    let cookies = ReturnCookies::of(&doorway, &parts.headers);
    let assertion = field(&form, "assertion");
    let arrival = doorway.authority.return_from_hand_off(platform, assertion, cookies.browser(), doorway.now()).await;
    arrived(&doorway, arrival, &id)
}

/// The head of a return. A HEAD must not spend the ticket.
#[expect(clippy::result_large_err, reason = "the error is the answer itself, made once")]
pub(crate) fn head_of_return(doorway: &Doorway, request: Request, id: &RequestId) -> Result<Parts, Response> {
    if request.method() != Method::GET {
        let title = "This page is only for a browser that comes back from signing in";
        return Err(RefusalPage::plain(StatusCode::METHOD_NOT_ALLOWED, title, START_AGAIN).answer(doorway, id));
    }
    Ok(request.into_parts().0)
}

/// What a browser that comes back shows of itself.
pub(crate) struct ReturnCookies {
    pending: Option<String>,
    flow: Option<FlowId>,
    earlier: Option<String>,
}

impl ReturnCookies {
    pub(crate) fn of(doorway: &Doorway, headers: &HeaderMap) -> ReturnCookies {
        let secure = doorway.options.secure_cookies;
        ReturnCookies {
            pending: pending_cookie::read(headers, secure),
            flow: Flow::existing(doorway, headers),
            earlier: Cookie::Session.read(headers, secure),
        }
    }

    pub(crate) fn browser(&self) -> ReturningBrowser<'_> {
        ReturningBrowser { pending: self.pending.as_deref(), flow: self.flow, earlier_cookie: self.earlier.as_deref() }
    }
}

/// The answer to whoever comes back, wherever they were. Counted and logged here, once.
pub(crate) fn arrived(
    doorway: &Doorway,
    arrival: Result<Decision<Arrival, ReturnRefusal>, Fault>,
    id: &RequestId,
) -> Response {
    let secure = doorway.options.secure_cookies;
    let arrival = match arrival {
        Ok(Decision::Granted(arrival)) => arrival,
        Ok(Decision::Refused(refusal)) => {
            let reason = refusal.reason();
            doorway.metrics.count_return(reason);
            let (claim, error) = (refusal.claim(), refusal.error());
            match refusal.advice() {
                Some(advice) => tracing::warn!(request_id = %id, reason, advice, "nobody was signed in"),
                None => tracing::info!(request_id = %id, reason, claim, error, "nobody was signed in"),
            }
            if refusal.is_elsewhere() {
                return html::see_other(&format!("{REFUSED_PATH}?reason={reason}"), []);
            }
            return RefusalPage::from(refusal).page(doorway, id);
        }
        Err(fault) => {
            doorway.metrics.count_return(fault.reason());
            return refusal_pages::fault(doorway, id, &fault);
        }
    };
    match arrival {
        Arrival::SignedIn { cookie, sealed, .. } => {
            doorway.metrics.count_return("signed_in");
            let (place, kept) = match sealed {
                Some(sealed) => (CONTINUE_PATH, pending_cookie::set(&sealed, secure)),
                None => ("/connections", pending_cookie::clear(secure)),
            };
            html::see_other(place, kept.into_iter().chain([Cookie::Session.set(&cookie, secure)]))
        }
        Arrival::GaveUp { redirect } => {
            doorway.metrics.count_return("gave_up");
            match redirect {
                Some(redirect) => html::see_other(&redirect, pending_cookie::clear(secure)),
                None => {
                    let title = "You are not signed in";
                    RefusalPage::plain(StatusCode::FORBIDDEN, title, "Nothing was changed.").answer(doorway, id)
                }
            }
        }
        Arrival::Failed { fault, redirect } => {
            doorway.metrics.count_return(fault.reason());
            refusal_pages::fault_to_app(id, &fault, &redirect)
        }
    }
}

/// `GET /sign-in/refused?reason=…`: why a genuine assertion was of no use in this browser, under a URL that does not hold it.
pub(crate) async fn refused(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    let form = Form::parse(request.uri().query().unwrap_or_default().as_bytes());
    let reason = form.as_ref().map(|form| field(form, "reason")).unwrap_or_default();
    let known = [ReturnRefusal::NotWaiting, ReturnRefusal::OtherBrowser, ReturnRefusal::OtherTicket];
    let Some(refusal) = known.into_iter().find(|refusal| refusal.reason() == reason) else {
        return malformed(&doorway, &id);
    };
    // Counted on the return; here for whoever looks for the id of this page.
    tracing::info!(request_id = %id, reason, "told why nobody was signed in");
    RefusalPage::from(refusal).page(&doorway, &id)
}

/// `GET /oauth/authorize/continue`: the consent page for the request that waited.
pub(crate) async fn go_on(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    match waiting(&doorway, request.headers(), &id).await {
        Ok(response) => response,
        Err(fault) => refusal_pages::fault(&doorway, &id, &fault),
    }
}

async fn waiting(doorway: &Doorway, headers: &HeaderMap, id: &RequestId) -> Result<Response, Fault> {
    let secure = doorway.options.secure_cookies;
    let (now, flow) = (doorway.now(), Flow::existing(doorway, headers));
    let nothing = || RefusalPage::plain(StatusCode::BAD_REQUEST, "Nothing waits here any more", START_AGAIN);
    let Some(sealed) = pending_cookie::read(headers, secure) else { return Ok(nothing().answer(doorway, id)) };
    let (interaction, app) = match doorway.authority.open_interaction(&sealed, flow, now).await? {
        Decision::Granted(opened) => opened,
        // Another tab has gone to the platform since, so what waits is something else.
        Decision::Refused(DecisionRefusal::Interaction(InteractionProblem::Invalid)) => {
            return Ok(nothing().answer(doorway, id));
        }
        Decision::Refused(refusal) => return Ok(RefusalPage::from(refusal).answer(doorway, id)),
    };
    let shown = match signed_in(doorway, headers, now).await {
        // It waits until it is decided, so that the page can be read again.
        Ok(Some(user)) => consent::page(doorway, &interaction, &sealed, &app, &user, [], id),
        Ok(None) => Ok(nothing().answer(doorway, id)),
        Err(fault) => Err(fault),
    };
    Ok(shown.unwrap_or_else(|fault| {
        let redirect = doorway.authority.failed(&interaction, &app, &fault);
        refusal_pages::fault_to_app(id, &fault, &redirect)
    }))
}

impl From<ReturnRefusal> for RefusalPage {
    fn from(refusal: ReturnRefusal) -> Self {
        let (status, title, for_user) = match refusal {
            ReturnRefusal::Request(refusal) => return RefusalPage::from(refusal),
            ReturnRefusal::Inactive { .. } => {
                return RefusalPage::from(DecisionRefusal::Inactive);
            }
            ReturnRefusal::Provider(ProviderRefusal::NoRole | ProviderRefusal::NoAccount) => (
                StatusCode::FORBIDDEN,
                "You may not sign in here",
                "Your company's sign-in knows you and gives you no place here. Ask whoever manages it there.",
            ),
            ReturnRefusal::Provider(ProviderRefusal::EmailNotVerified) => (
                StatusCode::FORBIDDEN,
                "Your e-mail address is not confirmed",
                "Confirm it where you sign in, then go back to the app and connect again.",
            ),
            ReturnRefusal::Provider(_) if refusal.claim() == Some("email") => (
                StatusCode::FORBIDDEN,
                "Your sign-in names no e-mail address",
                "Nobody can be known here without one. Ask whoever manages your company's sign-in to give you one, or to let it be passed on.",
            ),
            ReturnRefusal::Assertion(_) | ReturnRefusal::Provider(_) if refusal.may_pass() => (
                StatusCode::BAD_REQUEST,
                "The sign-in cannot be accepted",
                "What came back from signing in is not valid or is too old. Go back to the app and connect again.",
            ),
            ReturnRefusal::Assertion(_) | ReturnRefusal::Provider(_) => (
                StatusCode::BAD_REQUEST,
                "The sign-in cannot be accepted",
                "Where you sign in and this service do not fit together, and trying again will not change that. Tell support the request id below.",
            ),
            ReturnRefusal::NotWaiting | ReturnRefusal::OtherBrowser => (
                StatusCode::FORBIDDEN,
                "This sign-in was started in another browser",
                "Start again from the app, in the browser that you want to use. Cookies must be allowed for this site.",
            ),
            ReturnRefusal::OtherTicket => (
                StatusCode::BAD_REQUEST,
                "A newer sign-in was started in this browser",
                "Go on in the tab that you opened last, or go back to the app and connect again.",
            ),
            ReturnRefusal::TicketPast => (
                StatusCode::BAD_REQUEST,
                "Signing in took too long",
                "Go back to the app and connect again. There are ten minutes for it.",
            ),
            ReturnRefusal::Used => (
                StatusCode::BAD_REQUEST,
                "This sign-in was used already",
                "Each sign-in counts once. Go back to the app; if it is not connected, connect again.",
            ),
            ReturnRefusal::NotFresh => (
                StatusCode::FORBIDDEN,
                "Please sign in again",
                "A fresh sign-in was asked for, and an earlier one came back. Go back to the app and connect again.",
            ),
            ReturnRefusal::EmailTaken { local: None, .. } => (
                StatusCode::CONFLICT,
                "Two people where you sign in have this e-mail address",
                "Nothing was connected. Whoever manages it there must give one of the two another address.",
            ),
            ReturnRefusal::DomainTaken { local: None, .. } => (
                StatusCode::CONFLICT,
                "Two companies where you sign in have this domain",
                "Nothing was connected. Whoever manages it there must give one of the two another domain.",
            ),
            ReturnRefusal::EmailTaken { .. } => (
                StatusCode::CONFLICT,
                "Your e-mail address belongs to another user here",
                "Nothing was connected. Ask support to join the two; the request id below tells them what happened.",
            ),
            ReturnRefusal::DomainTaken { .. } => (
                StatusCode::CONFLICT,
                "Your company's domain belongs to another account here",
                "Nothing was connected. Ask support to join the two; the request id below tells them what happened.",
            ),
        };
        RefusalPage::plain(status, title, for_user)
    }
}

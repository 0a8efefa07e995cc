//! The way to the platform's login and back: `/sign-in/return`, `/sign-in/refused`, `/oauth/authorize/continue` (decision record 0007).
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
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use keyfob_authority::decide::DecisionRefusal;
use keyfob_authority::hand_off::Platform;
use keyfob_authority::hand_off::arrival::{Arrival, PresentedReturn, ReturnRefusal};
use keyfob_authority::hand_off::pending::HandOff;
use keyfob_authority::interaction::InteractionProblem;
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
    let app = ask.app.map(|app| app.name.as_str());
    let hand_off = HandOff { flow: ask.flow, sealed: ask.sealed, app, anew: ask.anew };
    Ok(match doorway.authority.hand_off(platform, hand_off, doorway.now())? {
        Decision::Granted(departure) => {
            let pending = pending_cookie::set(departure.pending.expose(), doorway.options.secure_cookies);
            html::see_other(&departure.url, cookies.into_iter().chain(pending))
        }
        Decision::Refused(refusal) => RefusalPage::from(refusal).answer(doorway, id),
    })
}

/// `GET /sign-in/return?assertion=…`
pub(crate) async fn come_back(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    let SignInWay::Platform(platform) = &doorway.sign_in else { return malformed(&doorway, &id) };
    if request.method() != Method::GET {
        // A HEAD must not spend the ticket.
        let title = "This page is only for a browser that comes back from signing in";
        return RefusalPage::plain(StatusCode::METHOD_NOT_ALLOWED, title, START_AGAIN).answer(&doorway, &id);
    }
    let (parts, _) = request.into_parts();
    let Ok(form) = Form::parse(parts.uri.query().unwrap_or_default().as_bytes()) else {
        return malformed(&doorway, &id);
    };
    match returned(&doorway, platform, field(&form, "assertion"), &parts.headers, &id).await {
        Ok(response) => response,
        Err(fault) => {
            doorway.metrics.count_return("fault");
            refusal_pages::fault(&doorway, &id, &fault)
        }
    }
}

async fn returned(
    doorway: &Doorway,
    platform: &Platform,
    assertion: &str,
    headers: &HeaderMap,
    id: &RequestId,
) -> Result<Response, Fault> {
    let secure = doorway.options.secure_cookies;
    let (pending, earlier) = (pending_cookie::read(headers, secure), Cookie::Session.read(headers, secure));
    let presented = PresentedReturn {
        assertion,
        pending: pending.as_deref(),
        flow: Flow::existing(doorway, headers),
        earlier_cookie: earlier.as_deref(),
    };
    let arrival = match doorway.authority.return_from_hand_off(platform, presented, doorway.now()).await? {
        Decision::Granted(arrival) => arrival,
        Decision::Refused(refusal) => {
            let reason = refusal.reason();
            doorway.metrics.count_return(reason);
            let claim = refusal.claim();
            match refusal.advice() {
                Some(advice) => tracing::warn!(request_id = %id, reason, advice, "nobody was signed in"),
                None => tracing::info!(request_id = %id, reason, claim, "nobody was signed in"),
            }
            if refusal.is_elsewhere() {
                return Ok(html::see_other(&format!("{REFUSED_PATH}?reason={reason}"), []));
            }
            return Ok(RefusalPage::from(refusal).answer(doorway, id));
        }
    };
    Ok(match arrival {
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
            doorway.metrics.count_return("fault");
            refusal_pages::fault_to_app(id, &fault, &redirect)
        }
    })
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
    RefusalPage::from(refusal).answer(&doorway, &id)
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
            ReturnRefusal::Inactive => {
                return RefusalPage::from(DecisionRefusal::Inactive);
            }
            ReturnRefusal::Assertion(_) => (
                StatusCode::BAD_REQUEST,
                "The sign-in cannot be accepted",
                "What came back from signing in is not valid or is too old. Go back to the app and connect again.",
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

//! What a user's browser does: opens the link, comes back from the authority, and ends on a page or at the partner's.

use super::Service;
use super::answer::Problem;
use super::browser::{Cookie, page, see_other};
use super::metrics::CameBack;
use crate::connecting::{End, EndKind, Why};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use keyfob_pages::{Link, Message};
use keyfob_protocol::{base62, entropy};
use std::sync::Arc;

/// How long a browser is remembered, in seconds: longer than any attempt.
const BROWSER_LIFETIME: i64 = 3600;

/// `GET /connect/{ticket}`: to the authority.
pub(crate) async fn visit(
    State(service): State<Arc<Service>>,
    Path(ticket): Path<String>,
    headers: HeaderMap,
) -> Response {
    let known =
        Cookie::Browser.read(&service, &headers).filter(|value| value.bytes().all(|b| b.is_ascii_alphanumeric()));
    let browser = match known {
        Some(browser) => browser,
        None => match entropy::random::<32>(&*service.vault.outside.entropy) {
            Ok(random) => base62::encode(&random),
            Err(_) => return unavailable(&service),
        },
    };
    let cookie = Cookie::Browser.set(&service, &browser, BROWSER_LIFETIME);
    match service.vault.visit(&ticket, &browser).await {
        Ok(Ok(url)) => see_other(url.expose(), [cookie]),
        Ok(Err(kind)) => end_page(&service, kind, None),
        Err(problem) => {
            Problem::from(problem).was_logged();
            unavailable(&service)
        }
    }
}

/// `GET /callback`: from the authority, whose answer stands in the query. Ends on an address without it (matrix CL-10).
pub(crate) async fn callback(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    came_back(service, None, query, headers).await
}

/// `GET /callback/{app}`: the same at a redirect URI that no other authority has (matrix CL-08).
pub(crate) async fn callback_of_app(
    State(service): State<Arc<Service>>,
    Path(app): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    came_back(service, Some(app), query, headers).await
}

async fn came_back(service: Arc<Service>, at: Option<String>, query: Option<String>, headers: HeaderMap) -> Response {
    let browser = Cookie::Browser.read(&service, &headers);
    let vault = service.vault.clone();
    // On a task of its own: the code is single use, and a browser that leaves must not cost the result.
    let work =
        async move { vault.finish(at.as_deref(), query.as_deref().unwrap_or_default(), browser.as_deref()).await };
    let Ok(finished) = tokio::spawn(work).await else { return unavailable(&service) };
    let end = match finished {
        Ok(end) => end,
        Err(unavailable_store) => {
            Problem::from(unavailable_store).was_logged();
            return unavailable(&service);
        }
    };
    let counted = CameBack { result: end.kind.word(), reason: end.why.map_or("", Why::word) };
    service.counts.came_back.get_or_create(&counted).inc();
    let End { kind, return_to, ticket, .. } = end;
    match return_to {
        Some(url) => see_other(url.as_str(), []),
        None => {
            let ticket = ticket.map(|ticket| format!("/{ticket}")).unwrap_or_default();
            see_other(&format!("/end/{}{ticket}", kind.word()), [])
        }
    }
}

/// `GET /end/{kind}`
pub(crate) async fn end(State(service): State<Arc<Service>>, Path(kind): Path<String>) -> Response {
    match EndKind::of_word(&kind) {
        Some(kind) => end_page(&service, kind, None),
        None => super::answer::not_found().await.into_response(),
    }
}

/// `GET /end/{kind}/{ticket}`: the same with a way to try again.
pub(crate) async fn end_with_ticket(
    State(service): State<Arc<Service>>,
    Path((kind, ticket)): Path<(String, String)>,
) -> Response {
    let again = ticket.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(ticket);
    match EndKind::of_word(&kind) {
        Some(kind) => end_page(&service, kind, again.as_deref()),
        None => super::answer::not_found().await.into_response(),
    }
}

fn end_page(service: &Service, kind: EndKind, ticket: Option<&str>) -> Response {
    let (status, title, sentence) = match kind {
        EndKind::Connected => (StatusCode::OK, "Connected", "Your account is connected. You can close this page."),
        EndKind::Denied => (
            StatusCode::OK,
            "Nothing was connected",
            "You declined, and nothing was changed. If that was a mistake, try again.",
        ),
        EndKind::Expired => (
            StatusCode::GONE,
            "This link is no longer good",
            "It has done its work, or its fifteen minutes are over. To connect again, go back to where you found it.",
        ),
        EndKind::WrongBrowser => (
            StatusCode::BAD_REQUEST,
            "This was begun in another browser",
            "For your safety a connection is finished in the browser where it was begun. Go back to where you found the link and open it in this one.",
        ),
        EndKind::OtherIdentity => (
            StatusCode::CONFLICT,
            "Somebody else is connected here",
            "This connection belongs to another person or account, so nothing was changed. Sign in there as the same person as before, or ask who sent you here.",
        ),
        EndKind::Failed => (
            StatusCode::BAD_GATEWAY,
            "It did not work",
            "Nothing was connected. Please try again; if it happens again, tell the people who sent you here.",
        ),
        EndKind::Pending => (
            StatusCode::OK,
            "One moment",
            "Your connection is being set up. Go back to where you came from, or, if it is not there in a minute, try again.",
        ),
    };
    let link = ticket
        .filter(|_| kind.may_try_again())
        .map(|ticket| Link { text: "Try again".to_owned(), href: format!("/connect/{ticket}") });
    let (title, sentence) = (title.to_owned(), sentence.to_owned());
    page(status, Message { brand: service.settings.brand.clone(), title, sentence, link }.render(), [])
}

fn unavailable(service: &Service) -> Response {
    let message = Message {
        brand: service.settings.brand.clone(),
        title: "Not available at the moment".to_owned(),
        sentence: "Nothing was changed. Please try again in a moment.".to_owned(),
        link: None,
    };
    page(StatusCode::SERVICE_UNAVAILABLE, message.render(), [])
}

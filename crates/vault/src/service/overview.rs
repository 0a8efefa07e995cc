//! The page of connections, for the people of the partner. Whoever has a caller key with the right to read signs in with it; no key is kept in the
//! browser, but a signed note of who it is, good for eight hours.

use super::Service;
use super::answer::Problem;
use super::browser::{Cookie, page, see_other};
use super::connections::{idle_days, state_of};
use crate::callers::{self, Caller, Right};
use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_pages::{VaultConnection, VaultOverview, VaultSignIn};
use keyfob_protocol::form::Form;
use keyfob_protocol::time::HOUR;
use serde::Deserialize;
use std::sync::Arc;

const SESSION: i64 = 8 * HOUR;
/// Rows of a page.
const ROWS: usize = 100;

#[derive(Deserialize)]
pub(crate) struct OverviewQuery {
    app: Option<String>,
    after: Option<String>,
}

pub(crate) async fn overview(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    query: Result<Query<OverviewQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Some(caller) = service.signed_in(&headers) else { return Ok(sign_in_page(&service, StatusCode::OK, None)) };
    let Query(query) = query?;
    let apps: Vec<&str> = service.vault.app_names().filter(|app| caller.may_use(app)).collect();
    let Some(app) = query.app.as_deref().filter(|app| apps.contains(app)).or(apps.first().copied()) else {
        return Err(Problem::no_such_app());
    };
    let held = service.vault.app(app).map_err(|_| Problem::no_such_app())?;
    let now = service.vault.now();
    let page_of = held.list(query.after.as_deref(), ROWS).await?;
    let next = (page_of.len() == ROWS).then(|| page_of.last().map(|shown| shown.id.clone())).flatten();
    let may_reconnect = caller.may(Right::Connect, app);
    let connections = page_of.iter().map(|shown| {
        let status = shown.status.as_ref().ok();
        let identity = shown.identity.as_ref().map(|identity| {
            let account = identity.account.name.clone().or_else(|| identity.account.domain.clone());
            let account = account.unwrap_or_else(|| format!("account {}", identity.account.id));
            let user = identity.user.name.clone().unwrap_or_else(|| format!("user {}", identity.user.id));
            format!("{user} at {account}")
        });
        VaultConnection {
            id: shown.id.clone(),
            state: state_of(shown).replace('_', " "),
            is_good: matches!(state_of(shown), "connected"),
            since: status.map(|status| status.since.to_utc()),
            reason: status.map(|status| status.reason.clone()).filter(|reason| !reason.is_empty()),
            identity,
            last_call: shown.last_call.map(keyfob_client::Timestamp::to_utc),
            idle_days: idle_days(shown, now),
            may_reconnect,
        }
    });
    let overview = VaultOverview {
        brand: service.settings.brand.clone(),
        caller: caller.name.clone(),
        apps: apps.iter().map(|name| (*name).to_owned()).collect(),
        app: app.to_owned(),
        connections: connections.collect(),
        next,
        csrf: service.csrf(&headers),
        link: None,
    };
    Ok(page(StatusCode::OK, overview.render(), []))
}

pub(crate) async fn sign_in(State(service): State<Arc<Service>>, body: Bytes) -> Response {
    let form = Form::parse(&body);
    let key = form.as_ref().ok().and_then(|form| form.one("key").ok().flatten()).unwrap_or_default();
    let caller = callers::of_key(&service.settings.callers, key.trim());
    match caller.filter(|caller| caller.rights.contains(&Right::Read)) {
        Some(caller) => {
            let session = service.session_of(&caller.name, service.vault.now().plus(SESSION).0);
            see_other("/", [Cookie::Overview.set(&service, &session, SESSION)])
        }
        None => {
            let error = "This is no key of a caller that may read. Check it and try again.";
            sign_in_page(&service, StatusCode::UNPROCESSABLE_ENTITY, Some(error))
        }
    }
}

pub(crate) async fn sign_out(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    service.posted(&headers, &body)?;
    Ok(see_other("/", [Cookie::Overview.set(&service, "", 0)]))
}

/// Makes a link for the user of a connection, to be sent to them.
pub(crate) async fn reconnect(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (caller, form) = service.posted(&headers, &body)?;
    let field = |name| form.one(name).ok().flatten().unwrap_or_default();
    let (app, id) = (field("app"), field("id"));
    if !caller.may(Right::Connect, app) {
        return Err(Problem::forbidden("This caller may not start connections."));
    }
    let started = service.vault.start(app, Some(id.to_owned()), None).await?;
    let overview = VaultOverview {
        brand: service.settings.brand.clone(),
        caller: caller.name.clone(),
        apps: Vec::new(),
        app: app.to_owned(),
        connections: Vec::new(),
        next: None,
        csrf: service.csrf(&headers),
        link: Some((id.to_owned(), service.link(started.ticket.expose()))),
    };
    Ok(page(StatusCode::OK, overview.render(), []))
}

fn sign_in_page(service: &Service, status: StatusCode, error: Option<&str>) -> Response {
    let sign_in = VaultSignIn { brand: service.settings.brand.clone(), error: error.map(str::to_owned) };
    page(status, sign_in.render(), [])
}

impl Service {
    /// Who looks at the overview, if their session is good.
    fn signed_in(&self, headers: &HeaderMap) -> Option<&Caller> {
        let session = Cookie::Overview.read(self, headers)?;
        let (said, tag) = session.rsplit_once('.')?;
        let (until, name) = said.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.session_key(), said.as_bytes(), &tag).ok()?;
        let until: i64 = until.parse().ok()?;
        let name = String::from_utf8(URL_SAFE_NO_PAD.decode(name).ok()?).ok()?;
        let caller = self.settings.callers.iter().find(|caller| caller.name == name)?;
        (self.vault.now().0 < until && caller.rights.contains(&Right::Read)).then_some(caller)
    }

    fn session_of(&self, name: &str, until: i64) -> String {
        let said = format!("{until}.{}", URL_SAFE_NO_PAD.encode(name));
        let tag = hmac::sign(&self.session_key(), said.as_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// What a form of this session carries, so that another site's form does nothing.
    fn csrf(&self, headers: &HeaderMap) -> String {
        let session = Cookie::Overview.read(self, headers).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.session_key(), format!("csrf {session}").as_bytes()))
    }

    fn posted<'b>(&self, headers: &HeaderMap, body: &'b [u8]) -> Result<(&Caller, Form<'b>), Problem> {
        let foreign = || Problem::forbidden("This form is not of your session; sign in again.");
        let caller = self.signed_in(headers).ok_or_else(foreign)?;
        let form = Form::parse(body).map_err(|_| Problem::bad_request("The form cannot be read."))?;
        let csrf = form.one("csrf").ok().flatten().unwrap_or_default();
        let expected = self.csrf(headers);
        aws_lc_rs::constant_time::verify_slices_are_equal(csrf.as_bytes(), expected.as_bytes())
            .map_err(|_| foreign())?;
        Ok((caller, form))
    }

    fn session_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.settings.session_key.expose())
    }
}

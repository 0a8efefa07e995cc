//! `/connections`: what a user has connected, taking it back, and signing out (matrix IN-09, SE-04).

use crate::cookies::{self, Cookie};
use crate::doorway::Doorway;
use crate::html;
use crate::refusal_pages::{self, RefusalPage};
use crate::request_id::RequestId;
use crate::routes::posted::{Posted, field};
use crate::routes::{consent, sign_in};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use keyfob_authority::Fault;
use keyfob_authority::decide::DecisionRefusal;
use keyfob_authority::model::{Grant, GrantState};
use keyfob_authority::session::SignedIn;
use keyfob_pages::{Connection, Connections, Link, Message};
use keyfob_protocol::token_name::GrantId;
use std::sync::Arc;

/// The one CSRF purpose of the forms on this page.
const FORM: &str = "connections";

/// `GET /connections`
pub(crate) async fn list(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    let headers = request.headers().clone();
    let shown = async {
        let Some(signed_in) = cookies::signed_in(&doorway, &headers, doorway.now()).await? else {
            return Ok(sign_in::instead_of(&doorway, &headers, &id).await);
        };
        show(&doorway, &signed_in).await
    };
    shown.await.unwrap_or_else(|fault: Fault| refusal_pages::fault(&doorway, &id, &fault))
}

/// `POST /connections/revoke`
pub(crate) async fn revoke(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let (signed_in, grant, id) = match posted_by_user(&doorway, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let now = doorway.now();
    let ended = match grant {
        Some(grant) => doorway.authority.end_own_grant(signed_in.user.id, grant, now).await.map(drop),
        None => Ok(()),
    };
    match ended {
        Ok(()) => html::see_other("/connections", []),
        Err(fault) => refusal_pages::fault(&doorway, &id, &fault),
    }
}

/// `POST /sign-out`
pub(crate) async fn sign_out(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let (signed_in, _, id) = match posted_by_user(&doorway, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    if let Err(fault) = doorway.authority.sign_out(&signed_in, doorway.now()).await {
        return refusal_pages::fault(&doorway, &id, &fault);
    }
    let page = Message {
        brand: doorway.options.brand.clone(),
        title: "You are signed out".to_owned(),
        sentence: "Apps that you connected stay connected.".to_owned(),
        link: Some(Link { text: "Sign in again".to_owned(), href: "/connections".to_owned() }),
    };
    let forget = Cookie::Session.clear(doorway.options.secure_cookies);
    html::page(StatusCode::OK, page.render(), None, [forget])
}

/// The user who posted a form of this page, and the grant that it names. The form must be of their own session.
async fn posted_by_user(
    doorway: &Doorway,
    request: Request,
) -> Result<(SignedIn, Option<GrantId>, RequestId), Response> {
    let posted = Posted::read(doorway, request).await?;
    let form = posted.form(doorway)?;
    let foreign = || RefusalPage::from(DecisionRefusal::ForeignForm).answer(doorway, &posted.id);
    let signed_in = cookies::signed_in(doorway, &posted.headers, doorway.now()).await;
    let signed_in =
        signed_in.map_err(|fault| refusal_pages::fault(doorway, &posted.id, &fault))?.ok_or_else(foreign)?;
    if !doorway.authority.keys().is_csrf_token(field(&form, "csrf"), FORM, &[&signed_in.session.id.0]) {
        return Err(foreign());
    }
    let grant = GrantId::parse(field(&form, "grant"));
    Ok((signed_in, grant, posted.id.clone()))
}

async fn show(doorway: &Doorway, signed_in: &SignedIn) -> Result<Response, Fault> {
    let mut connections = Vec::new();
    for grant in doorway.authority.connections(signed_in.user.id).await? {
        if let Some(app) = doorway.authority.store().app(grant.app).await? {
            connections.push(connection(doorway, &grant, app.name, app.system_name));
        }
    }
    let page = Connections {
        brand: doorway.options.brand.clone(),
        user_name: signed_in.user.name.clone(),
        user_email: signed_in.user.email.clone(),
        account_name: signed_in.account.as_ref().map(|account| account.name.clone()).unwrap_or_default(),
        connections,
        notice: None,
        csrf: doorway.authority.keys().csrf_token(FORM, &[&signed_in.session.id.0]),
    };
    Ok(html::page(StatusCode::OK, page.render(), None, []))
}

fn connection(doorway: &Doorway, grant: &Grant, app_name: String, system_name: String) -> Connection {
    let day = |at: keyfob_protocol::Timestamp| at.to_utc()[..10].to_owned();
    Connection {
        grant: grant.id.to_text(),
        app_name,
        system_name,
        connected_on: day(grant.created_at),
        last_used: match &grant.state {
            GrantState::Active(active) => Some(day(active.last_used_at)),
            _ => None,
        },
        permissions: consent::permissions(doorway, &grant.scope).into_iter().map(|granted| granted.title).collect(),
        resources: grant.resources.iter().map(str::to_owned).collect(),
    }
}

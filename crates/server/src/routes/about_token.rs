//! `POST /oauth/revoke` (RFC 7009) and `POST /oauth/introspect` (RFC 7662): what is said and asked of a token.
//!
//! Both are new with the standard, so they know no other statuses than the RFCs'.

use crate::cors::for_registered_origins;
use crate::doorway::Doorway;
use crate::limits;
use crate::request_id::RequestId;
use crate::restraint::Peer;
use crate::routes::token::{answer, refuse_status, spelled};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use axum::http::{Method, StatusCode, request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use keyfob_authority::resource_servers::ResourceServerRefusal;
use keyfob_authority::revoke_token::TokenRevocation;
use keyfob_authority::{Decision, Fault};
use keyfob_gate::{Caller, Challenge};
use keyfob_protocol::Timestamp;
use keyfob_protocol::reason::{ExplainedRefusal, Reason};
use keyfob_protocol::token_refusal::TokenRefusal;
use keyfob_protocol::token_request::{HttpParts, PresentedClient, PresentedTokenRequest, ReplyShape};
use serde_json::{Value, json};
use std::sync::Arc;

/// Why there is no answer to the question itself.
enum Stop {
    Refused(ExplainedRefusal),
    /// RFC 7662 section 2.1: a client, but none that may ask.
    NotAResourceServer,
    Fault(Fault),
    /// The gate cannot tell at the moment (matrix BR-11).
    CannotDecide,
}

impl From<TokenRefusal> for Stop {
    fn from(refusal: TokenRefusal) -> Self {
        Stop::Refused(refusal.into())
    }
}

impl From<ExplainedRefusal> for Stop {
    fn from(refusal: ExplainedRefusal) -> Self {
        Stop::Refused(refusal)
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

/// `POST /oauth/revoke`, the handler for every method.
pub(crate) async fn revoke(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    for_registered_origins(&doorway, request, |request| answered_revocation(&doorway, request)).await
}

async fn answered_revocation(doorway: &Doorway, request: Request) -> Response {
    if request.method() != Method::POST {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")]).into_response();
    }
    let (now, id) = (doorway.now(), RequestId::of(&request));
    let (parts, body) = match read(request).await {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let revoked = async {
        let presented = PresentedTokenRequest::read_about_token(http_parts(&parts, &body))?;
        restrained(doorway, &parts, &presented, now, revoked(doorway, &presented, now)).await
    };
    match revoked.await {
        // Also for what was no token of ours: there is nothing left to revoke (RFC 7009 section 2.2).
        Ok(()) => StatusCode::OK.into_response(),
        Err(stop) => stopped(stop, &id),
    }
}

/// The answer, unless this client has failed too often from there (row T-03).
async fn restrained<T>(
    doorway: &Doorway,
    parts: &request::Parts,
    presented: &PresentedTokenRequest<'_>,
    now: Timestamp,
    answer: impl Future<Output = Result<T, Stop>>,
) -> Result<T, Stop> {
    let client_id = presented.client().id();
    let peer = Peer::of(&parts.extensions, &parts.headers, &doorway.options);
    doorway.restraint.client(client_id, peer, now)?;
    let answer = answer.await;
    if let Err(Stop::Refused(explained)) = &answer {
        doorway.restraint.refused(client_id, peer, &explained.refusal, now);
    }
    answer
}

async fn revoked(doorway: &Doorway, presented: &PresentedTokenRequest<'_>, now: Timestamp) -> Result<(), Stop> {
    let authority = &doorway.authority;
    let app = match authority.authenticate(presented.client(), ReplyShape::Rfc6749, now).await? {
        Decision::Granted(app) => app,
        Decision::Refused(refusal) => return Err(refusal.into()),
    };
    let token = presented.token()?;
    let came_to = match authority.revoke_refresh_token(&app.app, token, now).await? {
        TokenRevocation::NothingToRevoke => match live(doorway, token)? {
            Some(caller) if caller.app != app.app.id.0 => TokenRevocation::AnotherClients,
            Some(caller) => match caller.holder {
                Some(holder) => {
                    authority.revoke_access_token(holder.grant, &caller.jti, caller.expires_at, now).await?
                }
                None => authority.revoke_own_token(&app.app, &caller.jti, caller.expires_at, now).await?,
            },
            None => TokenRevocation::NothingToRevoke,
        },
        came_to => came_to,
    };
    match came_to {
        TokenRevocation::AnotherClients => Err(TokenRefusal::InvalidRefreshToken.into()),
        TokenRevocation::Revoked | TokenRevocation::NothingToRevoke => Ok(()),
    }
}

/// `POST /oauth/introspect`
pub(crate) async fn introspect(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    let (now, id) = (doorway.now(), RequestId::of(&request));
    let (parts, body) = match read(request).await {
        Ok(read) => read,
        Err(refused) => return refused,
    };
    let introspected = async {
        let presented = PresentedTokenRequest::read_about_token(http_parts(&parts, &body))?;
        restrained(&doorway, &parts, &presented, now, introspected(&doorway, &presented, now)).await
    };
    match introspected.await {
        Ok(told) => answer(StatusCode::OK, told.to_string()),
        Err(stop) => stopped(stop, &id),
    }
}

/// Of access tokens that are meant for whoever asks (RFC 7662 section 4); a refresh token is nobody's business but the authority's.
async fn introspected(doorway: &Doorway, presented: &PresentedTokenRequest<'_>, now: Timestamp) -> Result<Value, Stop> {
    let authority = &doorway.authority;
    let PresentedClient::Secret { client_id, secret, .. } = presented.client() else {
        return Err(TokenRefusal::MissingAuthentication.into());
    };
    let server = match authority.authenticate_resource_server(client_id, secret).await? {
        Decision::Granted(server) => server,
        Decision::Refused(ResourceServerRefusal::Disabled) => {
            return Err(TokenRefusal::ClientAuthenticationFailed.because(Reason::ResourceServerDisabled).into());
        }
        Decision::Refused(ResourceServerRefusal::NotProven) => {
            return Err(match authority.authenticate(presented.client(), ReplyShape::Rfc6749, now).await? {
                Decision::Granted(_) => Stop::NotAResourceServer,
                Decision::Refused(refusal) => refusal.into(),
            });
        }
    };
    let settings = authority.settings();
    let served = server.resource.as_ref().unwrap_or(&settings.audience);
    let Some(caller) = live(doorway, presented.token()?)?.filter(|caller| caller.audience.contains(served)) else {
        return Ok(json!({ "active": false }));
    };
    let mut told = json!({
        "active": true,
        "token_type": "Bearer",
        "client_id": caller.client_id,
        "sub": caller.holder.map_or_else(|| caller.client_id.clone(), |holder| holder.user.to_string()),
        "iss": settings.issuer,
        "aud": caller.audience,
        "iat": caller.issued_at,
        "exp": caller.expires_at,
        "jti": caller.jti,
    });
    if let Some(scope) = &caller.scope {
        told["scope"] = json!(scope.to_string());
    }
    Ok(told)
}

/// The holder of an access token that works now, at whichever API.
fn live(doorway: &Doorway, token: &str) -> Result<Option<Arc<Caller>>, Stop> {
    match doorway.gate.holder_of(token) {
        Ok(caller) => Ok(Some(caller)),
        Err(Challenge::CannotDecide) => Err(Stop::CannotDecide),
        Err(_) => Ok(None),
    }
}

async fn read(request: Request) -> Result<(request::Parts, Bytes), Response> {
    let (parts, body) = request.into_parts();
    let body = limits::read_body(body).await.map_err(refuse_status)?;
    Ok((parts, body))
}

fn http_parts<'a>(parts: &'a request::Parts, body: &'a Bytes) -> HttpParts<'a> {
    let mut authorization = parts.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    HttpParts {
        shape: ReplyShape::Rfc6749,
        query: parts.uri.query().unwrap_or_default().as_bytes(),
        content_type: parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes),
        body,
        authorization: [authorization.next(), authorization.next()],
    }
}

fn stopped(stop: Stop, id: &RequestId) -> Response {
    let refusal = match stop {
        Stop::Refused(explained) => {
            let ExplainedRefusal { refusal, reason, app, .. } = &explained;
            let (row, reason) = (refusal.row(), reason.map(Reason::word));
            tracing::info!(request_id = %id, row, reason, app, why = explained.why(), "request about a token refused");
            return spelled(refusal.answer_with(explained.told(), ReplyShape::Rfc6749, false));
        }
        Stop::NotAResourceServer => {
            let body = json!({
                "error": "unauthorized_client",
                "error_description": "Only registered resource servers may introspect tokens.",
            });
            return answer(StatusCode::FORBIDDEN, body.to_string());
        }
        Stop::CannotDecide => TokenRefusal::Unavailable,
        Stop::Fault(fault) => {
            tracing::error!(request_id = %id, fault = fault.to_string(), "request about a token failed");
            if fault.is_temporary() { TokenRefusal::Unavailable } else { TokenRefusal::ServerError }
        }
    };
    spelled(refusal.answer(ReplyShape::Rfc6749, false))
}

//! `/oauth/token`: bytes to a token request, the law's answer back in the shape of the method (table T).

use crate::cors::for_registered_origins;
use crate::doorway::Doorway;
use crate::limits;
use crate::request_id::RequestId;
use crate::restraint::Peer;
use crate::router::{serves_token, token_methods};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use keyfob_authority::token::{LegacyGetNotice, TokenAnswer};
use keyfob_authority::{Decision, Fault};
use keyfob_protocol::Timestamp;
use keyfob_protocol::reason::{ExplainedRefusal, Reason};
use keyfob_protocol::token_refusal::{BASIC_CHALLENGE, RefusalAnswer, TokenRefusal};
use keyfob_protocol::token_request::{HttpParts, PresentedTokenRequest, ReplyShape};
use std::sync::Arc;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The handler, for every method: HEAD must not run GET's (matrix TK-12).
pub(crate) async fn token(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    for_registered_origins(&doorway, request, |request| answered(&doorway, request)).await
}

async fn answered(doorway: &Doorway, request: Request) -> Response {
    let now = doorway.now();
    let id = RequestId::of(&request);
    let shape = if request.method() == Method::POST { ReplyShape::Rfc6749 } else { ReplyShape::Legacy };
    if !serves_token(request.method(), doorway.options.legacy_get) {
        let mut response = refused(doorway, &TokenRefusal::MethodNotAllowed, shape);
        let allow = token_methods(doorway.options.legacy_get);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
        return response;
    }
    let (parts, body) = request.into_parts();
    let body = match shape {
        ReplyShape::Legacy => Bytes::new(),
        ReplyShape::Rfc6749 => match limits::read_body(body).await {
            Ok(body) => body,
            Err(status) => return refuse_status(status),
        },
    };
    let mut authorization = parts.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    let presented = PresentedTokenRequest::read(HttpParts {
        shape,
        query: parts.uri.query().unwrap_or_default().as_bytes(),
        content_type: parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes),
        body: &body,
        authorization: [authorization.next(), authorization.next()],
    });
    let peer = Peer::of(&parts.extensions, &parts.headers, &doorway.options);
    let answer_to = match &presented {
        Ok(presented) => restrained(doorway, presented, peer, now).await,
        Err(refusal) => Ok(refused_unasked(refusal.clone())),
    };
    let (decision, notice) = match answer_to {
        Ok(TokenAnswer { decision, notice }) => (Ok(decision), notice),
        Err(fault) => (Err(fault), None),
    };
    let mut response = match decision {
        Ok(Decision::Granted(tokens)) => {
            doorway.metrics.count_token("granted");
            answer(StatusCode::OK, tokens.to_json(shape))
        }
        Ok(Decision::Refused(explained)) => {
            let ExplainedRefusal { refusal, reason, app, grant, .. } = &explained;
            let (reason, grant) = (reason.map(Reason::word), grant.map(tracing::field::display));
            let row = refusal.row();
            tracing::info!(request_id = %id, row, reason, app, grant, why = explained.why(), "token request refused");
            doorway.metrics.count_token(row);
            spelled(refusal.answer_with(explained.told(), shape, doorway.options.fub_status))
        }
        Err(fault) => {
            tracing::error!(request_id = %id, fault = fault.to_string(), "token request failed");
            let refusal = if fault.is_temporary() { TokenRefusal::Unavailable } else { TokenRefusal::ServerError };
            refused(doorway, &refusal, shape)
        }
    };
    if let Some(notice) = notice {
        tell_of_legacy_get(notice, response.headers_mut());
    }
    response
}

fn refused_unasked(refusal: TokenRefusal) -> TokenAnswer {
    TokenAnswer { decision: Decision::Refused(refusal.into()), notice: None }
}

/// The law's answer, unless this client has failed too often from there (row T-03).
async fn restrained(
    doorway: &Doorway,
    presented: &PresentedTokenRequest<'_>,
    peer: Peer,
    now: Timestamp,
) -> Result<TokenAnswer, Fault> {
    let client_id = presented.client().id();
    if let Err(refusal) = doorway.restraint.client(client_id, peer, now) {
        return Ok(refused_unasked(refusal));
    }
    let answer = doorway.authority.token(presented, now).await?;
    if let Decision::Refused(explained) = &answer.decision {
        doorway.restraint.refused(client_id, peer, &explained.refusal, now);
    }
    Ok(answer)
}

/// An app that is to leave the legacy GET is told with every answer to one that it proved itself with: since when (RFC 9745), and when it ends (RFC 8594).
fn tell_of_legacy_get(notice: LegacyGetNotice, headers: &mut HeaderMap) {
    let LegacyGetNotice { since, until } = notice;
    let date = |text: String| HeaderValue::try_from(text).expect("invariant: dates fit a header");
    headers.insert(DEPRECATION, date(format!("@{}", since.0)));
    if let Some(until) = until {
        headers.insert(SUNSET, date(until.to_http()));
    }
}

/// A refusal of the token endpoint, counted.
pub(crate) fn refused(doorway: &Doorway, refusal: &TokenRefusal, shape: ReplyShape) -> Response {
    doorway.metrics.count_token(refusal.row());
    spelled(refusal.answer(shape, doorway.options.fub_status))
}

/// A refusal as it goes out.
pub(crate) fn spelled(refusal: RefusalAnswer) -> Response {
    let RefusalAnswer { status, challenge, retry_after, body } = refusal;
    let status = StatusCode::from_u16(status).expect("invariant: table T holds statuses");
    let mut response = answer(status, body);
    let headers = response.headers_mut();
    if challenge {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(BASIC_CHALLENGE));
    }
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Row T-02 and time-outs: the request could not be read at all.
pub(crate) fn refuse_status(status: StatusCode) -> Response {
    let description = match status {
        StatusCode::URI_TOO_LONG => "The request target is longer than 8 KiB.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "The headers are larger than 16 KiB.",
        StatusCode::PAYLOAD_TOO_LARGE => "The body is larger than 64 KiB.",
        _ => "The request could not be read.",
    };
    answer(status, serde_json::json!({ "error": "invalid_request", "error_description": description }).to_string())
}

/// JSON that nobody may keep (RFC 6749 section 5.1), whatever `Accept` says.
pub(crate) fn answer(status: StatusCode, json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

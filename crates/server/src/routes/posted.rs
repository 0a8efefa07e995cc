//! A posted HTML form of ours, read strictly.

use crate::around::refuse_by_size;
use crate::doorway::Doorway;
use crate::limits;
use crate::refusal_pages::RefusalPage;
use crate::request_id::RequestId;
use crate::restraint::Peer;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use keyfob_protocol::form::Form;
use keyfob_protocol::token_request::is_form;

/// The head and the raw body of a posted form.
pub(crate) struct Posted {
    pub(crate) headers: HeaderMap,
    pub(crate) query: String,
    pub(crate) id: RequestId,
    pub(crate) peer: Peer,
    body: Bytes,
}

impl Posted {
    /// Reads a form body of limited size.
    pub(crate) async fn read(doorway: &Doorway, request: Request) -> Result<Posted, Response> {
        let id = RequestId::of(&request);
        let (Parts { headers, uri, extensions, .. }, body): (Parts, Body) = request.into_parts();
        let peer = Peer::of(&extensions, &headers, &doorway.options);
        if !headers.get(CONTENT_TYPE).is_some_and(|value| is_form(value.as_bytes())) {
            let title = "This request is not a form";
            let page = RefusalPage::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, title, "Go back and try again.");
            return Err(page.answer(doorway, &id));
        }
        match limits::read_body(body).await {
            Ok(body) => Ok(Posted { headers, query: uri.query().unwrap_or_default().to_owned(), id, peer, body }),
            Err(status) => Err(refuse_by_size(doorway, "", status, &id)),
        }
    }

    /// The form.
    #[expect(clippy::result_large_err, reason = "the error is the answer itself, made once")]
    pub(crate) fn form(&self, doorway: &Doorway) -> Result<Form<'_>, Response> {
        Form::parse(&self.body).map_err(|_| malformed(doorway, &self.id))
    }
}

/// A field of our own forms: absent, empty and repeated are all the same to us, since our pages send each once.
pub(crate) fn field<'f>(form: &'f Form<'_>, name: &'static str) -> &'f str {
    form.one(name).ok().flatten().unwrap_or_default()
}

pub(crate) fn malformed(doorway: &Doorway, id: &RequestId) -> Response {
    let title = "This request is malformed";
    let for_user = "Go back to the app and connect again. If it happens again, tell the people who make the app.";
    RefusalPage::plain(StatusCode::BAD_REQUEST, title, for_user).answer(doorway, id)
}

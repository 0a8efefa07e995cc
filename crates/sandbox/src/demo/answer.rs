//! Answers of the demo: pages and redirects with the headers that every page of the house carries (matrix SE-02).

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use keyfob_pages::{Link, Message};

use crate::start::compose::brand;

/// Makes answers.
pub(super) struct Answers {
    policy: HeaderValue,
}

impl Answers {
    /// `authority`: where "Connect" redirects to, which some browsers hold against `form-action`.
    pub(super) fn new(authority: &str) -> Answers {
        // A policy cannot name an IPv6 address; there the scheme stands alone.
        let authority = if authority.contains('[') { "http:" } else { authority };
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self' {authority}; frame-ancestors 'none'; base-uri 'none'"
        );
        Answers { policy: HeaderValue::try_from(policy).expect("invariant: an origin fits a header") }
    }

    /// A page.
    pub(super) fn page(&self, status: StatusCode, html: String, cookie: Option<HeaderValue>) -> Response {
        let mut response = self.empty(status, cookie);
        *response.body_mut() = Body::from(html);
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        response
    }

    /// A JSON document that a browser saves under this name.
    pub(super) fn file(&self, name: &'static str, json: String) -> Response {
        let mut response = self.empty(StatusCode::OK, None);
        *response.body_mut() = Body::from(json);
        let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_DISPOSITION, disposition.expect("invariant: our own file names fit a header"));
        response
    }

    /// A page that says one thing and leads back.
    pub(super) fn message(&self, status: StatusCode, title: &str, sentence: &str) -> Response {
        let link = Link { text: "Back to the apps".to_owned(), href: "/demo".to_owned() };
        let page = Message { brand: brand(), title: title.to_owned(), sentence: sentence.to_owned(), link: Some(link) };
        self.page(status, page.render(), None)
    }

    /// A redirect, by GET whatever came.
    pub(super) fn see_other(&self, location: &str, cookie: Option<HeaderValue>) -> Response {
        let mut response = self.empty(StatusCode::SEE_OTHER, cookie);
        let location = HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static("/demo"));
        response.headers_mut().insert(header::LOCATION, location);
        response
    }

    fn empty(&self, status: StatusCode, cookie: Option<HeaderValue>) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy.clone());
        if let Some(cookie) = cookie {
            headers.append(header::SET_COOKIE, cookie);
        }
        keyfob_server::browser_headers(response)
    }
}

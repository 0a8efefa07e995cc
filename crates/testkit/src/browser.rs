//! A client like a browser: keeps cookies, reads forms, posts them, and stops where a redirect leaves the server.

use crate::answer::Answer;
use crate::server::{ADDRESS, Person, TestServer};
use axum::extract::ConnectInfo;
use http::Request;
use keyfob_protocol::form;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use url::Url;

/// One browser with its cookies.
pub struct Browser<'s> {
    server: &'s TestServer,
    /// By name. A test may change them.
    pub cookies: BTreeMap<String, String>,
    /// Where it is.
    pub address: IpAddr,
}

/// A page with its forms.
#[derive(Clone, Debug)]
pub struct Page {
    /// The answer as it came.
    pub answer: Answer,
    forms: Vec<HtmlForm>,
}

#[derive(Clone, Debug, Default)]
struct HtmlForm {
    action: String,
    hidden: BTreeMap<String, String>,
}

/// Where a flow ended: the redirect to the app.
#[derive(Clone, Debug)]
pub struct Landing {
    /// The `Location`, as it came.
    pub location: String,
}

impl<'s> Browser<'s> {
    /// Without cookies.
    pub fn new(server: &'s TestServer) -> Browser<'s> {
        Browser { server, cookies: BTreeMap::new(), address: ADDRESS }
    }

    /// `GET`, with cookies. Redirects are not followed.
    pub async fn get(&mut self, uri: &str) -> Page {
        let request = Request::get(uri).header("cookie", self.cookie_header()).body(String::new()).expect("a request");
        self.read(request).await
    }

    /// Posts fields, with cookies.
    pub async fn post(&mut self, uri: &str, fields: &[(&str, &str)]) -> Page {
        let request = Request::post(uri)
            .header("cookie", self.cookie_header())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form::encode(fields.iter().copied()))
            .expect("a request");
        self.read(request).await
    }

    /// Submits the page's form for `action`, its hidden fields and these.
    ///
    /// # Panics
    /// If the page has no such form.
    pub async fn submit(&mut self, page: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let hidden = page.hidden(action);
        let fields: Vec<_> =
            hidden.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain(fields.iter().copied()).collect();
        self.post(action, &fields).await
    }

    /// Signs in on a sign-in page.
    pub async fn sign_in(&mut self, page: &Page, person: &Person) -> Page {
        self.sign_in_as(page, &person.user.email, &person.password).await
    }

    /// Signs in with what somebody typed.
    pub async fn sign_in_as(&mut self, page: &Page, email: &str, password: &str) -> Page {
        let action = page.action_with("sign-in");
        self.submit(page, &action, &[("email", email), ("password", password)]).await
    }

    /// Decides on a consent page.
    pub async fn decide(&mut self, page: &Page, decision: &str) -> Page {
        self.submit(page, "/oauth/authorize/decision", &[("decision", decision)]).await
    }

    /// The consent page for an authorize URL: signs the owner in if that is asked for.
    pub async fn consent(&mut self, authorize_url: &str) -> Page {
        let page = self.get(authorize_url).await;
        match page.has_form("/oauth/authorize/sign-in") {
            true => {
                let owner = self.server.owner.clone();
                self.sign_in(&page, &owner).await
            }
            false => page,
        }
    }

    /// The whole browser part: sign-in where asked for, approval, the redirect to the app.
    pub async fn connect(&mut self, authorize_url: &str) -> Landing {
        let consent = self.consent(authorize_url).await;
        self.decide(&consent, "approve").await.landing()
    }

    fn cookie_header(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn read(&mut self, mut request: Request<String>) -> Page {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(self.address, 4711)));
        let answer = self.server.send(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().expect("a text");
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a pair");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Page { forms: forms(&answer.text()), answer }
    }
}

impl Page {
    /// The status as a number.
    pub fn status(&self) -> u16 {
        self.answer.status()
    }

    /// The HTML.
    pub fn text(&self) -> String {
        self.answer.text()
    }

    /// Whether there is a form for this action.
    pub fn has_form(&self, action: &str) -> bool {
        self.forms.iter().any(|form| form.action == action)
    }

    /// The hidden fields of a form.
    ///
    /// # Panics
    /// If there is no such form.
    pub fn hidden(&self, action: &str) -> BTreeMap<String, String> {
        let form = self.forms.iter().find(|form| form.action == action);
        form.unwrap_or_else(|| panic!("no form for {action}: {} {}", self.status(), self.text())).hidden.clone()
    }

    fn action_with(&self, part: &str) -> String {
        let form = self.forms.iter().find(|form| form.action.ends_with(part));
        form.unwrap_or_else(|| panic!("no form for {part}: {} {}", self.status(), self.text())).action.clone()
    }

    /// The redirect that this answer is.
    ///
    /// # Panics
    /// If it is none.
    pub fn landing(&self) -> Landing {
        let location = self.answer.header("location");
        Landing {
            location: location.unwrap_or_else(|| panic!("no redirect: {} {}", self.status(), self.text())).to_owned(),
        }
    }
}

impl Landing {
    /// A parameter of the redirect.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let url = Url::parse(&self.location).expect("an absolute URL");
        url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
    }

    /// The code.
    ///
    /// # Panics
    /// If there is none.
    pub fn code(&self) -> String {
        self.parameter("code").unwrap_or_else(|| panic!("no code: {}", self.location))
    }
}

/// The forms of a page of ours, whose markup is regular: enough of a parser for it.
fn forms(html: &str) -> Vec<HtmlForm> {
    let mut forms = Vec::new();
    for part in html.split("<form").skip(1) {
        let (tag, rest) = part.split_once('>').unwrap_or((part, ""));
        let inner = rest.split("</form>").next().unwrap_or_default();
        let mut form = HtmlForm { action: attribute(tag, "action").unwrap_or_default(), ..HtmlForm::default() };
        for input in inner.split("<input").skip(1) {
            let tag = input.split('>').next().unwrap_or_default();
            if attribute(tag, "type").as_deref() == Some("hidden") {
                let name = attribute(tag, "name").unwrap_or_default();
                form.hidden.insert(name, attribute(tag, "value").unwrap_or_default());
            }
        }
        forms.push(form);
    }
    forms
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let after = tag.split_once(&format!(" {name}=\""))?.1;
    let value = after.split('"').next()?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

//! A person with a browser: keeps cookies by hand, reads the forms of our pages, and stops where a redirect leaves the server.

use super::partner::Partner;
use super::place::{EMAIL, PASSWORD};
use keyfob_protocol::form;
use reqwest::header::{CONTENT_TYPE, COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

/// The connection broke before the whole answer was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A string of its JSON, whether it has the legacy envelope or not.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let json: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        json[name].as_str().or(json["data"][name].as_str()).map(str::to_owned)
    }
}

/// More than any answer takes on a busy machine. A request to a server that was killed under it can otherwise wait for ever in the client's pool.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that follows nothing and keeps nothing.
pub(super) fn http_client() -> reqwest::Client {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(PATIENCE);
    client.build().expect("a client")
}

/// Sends a request and reads the whole answer.
pub(super) async fn send(request: reqwest::RequestBuilder) -> Result<Answer, Lost> {
    let response = request.send().await.map_err(|_| Lost)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.map_err(|_| Lost)?;
    Ok(Answer { status, headers, body })
}

/// A browser of the owner of the account.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) http: reqwest::Client,
    /// By name.
    pub(super) cookies: BTreeMap<String, String>,
}

impl Visitor {
    pub(super) fn new(http: &reqwest::Client) -> Visitor {
        Visitor { http: http.clone(), cookies: BTreeMap::new() }
    }

    pub(super) async fn get(&mut self, url: &str) -> Result<Answer, Lost> {
        let request = self.http.get(url);
        self.visit(request).await
    }

    /// Submits the page's form for `action`: its hidden fields and these.
    pub(super) async fn submit(
        &mut self,
        base: &str,
        page: &Answer,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<Answer, Lost> {
        let hidden = hidden(&page.body, action);
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let body = form::encode(hidden.chain(fields.iter().copied()));
        self.post(&format!("{base}{action}"), body).await
    }

    /// Posts an encoded form.
    pub(super) async fn post(&mut self, url: &str, form: String) -> Result<Answer, Lost> {
        let request = self.http.post(url);
        self.visit(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)).await
    }

    /// The consent page; signs in where the sign-in page comes first.
    pub(super) async fn consent_page(&mut self, base: &str, partner: &Partner, state: &str) -> Result<Answer, Lost> {
        let page = self.get(&format!("{base}{}", partner.authorize(state))).await?;
        match page.body.contains("action=\"/oauth/authorize/sign-in\"") {
            true => self.sign_in(base, &page).await,
            false => Ok(page),
        }
    }

    pub(super) async fn sign_in(&mut self, base: &str, page: &Answer) -> Result<Answer, Lost> {
        let fields = [("email", EMAIL), ("password", PASSWORD)];
        self.submit(base, page, "/oauth/authorize/sign-in", &fields).await
    }

    /// The whole browser part; the code.
    pub(super) async fn connect(&mut self, base: &str, partner: &Partner, state: &str) -> Result<String, Lost> {
        let consent = self.consent_page(base, partner, state).await?;
        let decided = self.approve(base, &consent).await?;
        Ok(code_in(&decided).unwrap_or_else(|| panic!("no code: {} {}", decided.status, decided.body)))
    }

    pub(super) async fn approve(&mut self, base: &str, consent: &Answer) -> Result<Answer, Lost> {
        self.submit(base, consent, "/oauth/authorize/decision", &[("decision", "approve")]).await
    }

    async fn visit(&mut self, request: reqwest::RequestBuilder) -> Result<Answer, Lost> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = send(request.header(COOKIE, cookies.join("; "))).await?;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().expect("a text").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        Ok(answer)
    }
}

/// The code in a redirect to the app.
pub(super) fn code_in(answer: &Answer) -> Option<String> {
    let location = Url::parse(answer.headers.get(LOCATION)?.to_str().ok()?).ok()?;
    location.query_pairs().find(|(name, _)| name == "code").map(|(_, value)| value.into_owned())
}

/// The hidden fields of a form of ours, whose markup is regular: enough of a parser for it.
pub(super) fn hidden(html: &str, action: &str) -> Vec<(String, String)> {
    let form = html.split("<form").skip(1).find(|form| form.contains(&format!("action=\"{action}\"")));
    let form = form.unwrap_or_else(|| panic!("no form for {action}: {html}")).split("</form>").next();
    let inputs = form.unwrap_or_default().split("<input").skip(1).filter(|input| input.contains("type=\"hidden\""));
    inputs.map(|input| (attribute(input, "name"), attribute(input, "value"))).collect()
}

fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split_once(&format!(" {name}=\"")).map(|(_, after)| after.split('"').next().unwrap_or_default());
    let value = value.unwrap_or_default().replace("&quot;", "\"").replace("&#34;", "\"").replace("&#39;", "'");
    value.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

//! A client like a browser: keeps cookies, follows redirects, reads forms and posts them.

use std::collections::BTreeMap;

use keyfob_client::Method;
use keyfob_protocol::form;
use url::Url;

use super::running::{Got, send};

/// One browser.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
}

/// Where the browser stopped.
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) got: Got,
    /// The addresses on the way, the first included.
    pub(crate) way: Vec<String>,
}

impl Browser {
    /// Opens an address and follows redirects.
    pub(crate) async fn open(&mut self, url: &str) -> Page {
        self.follow(Method::Get, url.to_owned(), String::new()).await
    }

    /// One answer, without following.
    pub(crate) async fn visit(&mut self, url: &str) -> Got {
        self.request(Method::Get, url, "").await
    }

    /// Posts fields that no page offered, without following.
    pub(crate) async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Got {
        self.request(Method::Post, url, &form::encode(fields.iter().copied())).await
    }

    /// Submits the page's form that posts to `action` and has these fields, with what a person typed.
    pub(crate) async fn submit(&mut self, page: &Page, action: &str, with: &[(&str, &str)]) -> Page {
        let forms = forms(&page.got.text);
        let matching = |form: &&BTreeMap<String, String>| {
            form["action"] == action && with.iter().all(|(n, v)| form.get(*n).is_none_or(|own| own == v))
        };
        let form =
            forms.iter().find(matching).unwrap_or_else(|| panic!("no form {action} {with:?}: {}", page.got.text));
        let mut fields = form.clone();
        fields.remove("action");
        fields.extend(with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let body = form::encode(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let url = page.url.join(action).expect("a URL");
        self.follow(Method::Post, url.to_string(), body).await
    }

    async fn follow(&mut self, method: Method, url: String, body: String) -> Page {
        let (mut method, mut url, mut body, mut way) = (method, url, body, Vec::new());
        for _ in 0..10 {
            way.push(url.clone());
            let got = self.request(method, &url, &body).await;
            let parsed = Url::parse(&url).expect("a URL");
            match got.header("location") {
                Some(location) => url = parsed.join(location).expect("a URL").to_string(),
                None => return Page { url: parsed, got, way },
            }
            (method, body) = (Method::Get, String::new());
        }
        panic!("too many redirects: {way:?}");
    }

    async fn request(&mut self, method: Method, url: &str, body: &str) -> Got {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let mut headers = Vec::new();
        if !cookies.is_empty() {
            headers.push(("Cookie", cookies.as_str()));
        }
        if method == Method::Post {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        let got = send(method, url, &headers, body).await;
        for cookie in got.all("set-cookie") {
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        got
    }
}

/// Action and hidden fields of each form: our own markup, so a little of a parser is enough.
fn forms(html: &str) -> Vec<BTreeMap<String, String>> {
    let form = |part: &str| {
        let (tag, rest) = part.split_once('>').unwrap_or((part, ""));
        let inner = rest.split("</form>").next().unwrap_or_default();
        let mut fields = BTreeMap::from([("action".to_owned(), attribute(tag, "action").unwrap_or_default())]);
        for input in inner.split("<input").skip(1) {
            let tag = input.split('>').next().unwrap_or_default();
            if attribute(tag, "type").as_deref() == Some("hidden") {
                let name = attribute(tag, "name").unwrap_or_default();
                fields.insert(name, attribute(tag, "value").unwrap_or_default());
            }
        }
        fields
    };
    html.split("<form").skip(1).map(form).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&#34;", "\"").replace("&#39;", "'").replace("&amp;", "&"))
}

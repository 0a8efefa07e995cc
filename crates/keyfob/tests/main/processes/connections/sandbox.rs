//! A `keyfob sandbox` process and the user who sits in front of it.

use super::super::place::bare_command;
use super::super::visitor::{http_client, send};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

/// Registered with every app.
pub(in crate::processes) const REDIRECT_URI: &str = "https://app.example.com/callback";
/// The sandbox's apps, in the order of its announcement.
pub(in crate::processes) const FIXED: usize = 0;
pub(in crate::processes) const ROTATING: usize = 1;
pub(in crate::processes) const PUBLIC: usize = 2;

/// A running sandbox. Killed when dropped.
pub(in crate::processes) struct Sandbox {
    child: Child,
    pub(in crate::processes) announced: Value,
    pub(in crate::processes) http: reqwest::Client,
}

impl Sandbox {
    pub(in crate::processes) fn start() -> Sandbox {
        let arguments = ["sandbox", "--json", "--listen", "127.0.0.1:0", "--redirect-uri", REDIRECT_URI];
        let mut command = bare_command(&arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line);
        let announced = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{read:?} {error}: {line}"));
        Sandbox { child, announced, http: http_client() }
    }

    pub(in crate::processes) fn issuer(&self) -> &str {
        self.announced["issuer"].as_str().expect("an issuer")
    }

    pub(in crate::processes) fn app(&self, app: usize, field: &str) -> &str {
        self.announced["apps"][app][field].as_str().unwrap_or_else(|| panic!("no {field}"))
    }

    pub(in crate::processes) fn system(&self, field: &str) -> &str {
        self.announced["system"][field].as_str().expect("a system")
    }

    /// The address of a user of this account who has this role.
    pub(in crate::processes) fn user(&self, account: i64, role: &str) -> &str {
        let users = self.announced["users"].as_array().expect("users");
        let user = users.iter().find(|user| user["accountId"] == account && user["role"] == role);
        user.and_then(|user| user["email"].as_str()).expect("such a user")
    }

    /// What the browser does: the page at `url`, opened by `user`, who decides. The address that it ends on.
    pub(in crate::processes) async fn decides(&self, user: &str, url: &str, decision: &str) -> String {
        // Whatever stands between us and it, the browser reaches it directly.
        let url = format!("{}{}", self.issuer(), &url[url.find("/oauth/authorize").expect("an authorize URL")..]);
        let asked = json!({ "url": url, "user": user, "decision": decision });
        let answer = self.control("authorize", &asked).await;
        answer["redirect"].as_str().unwrap_or_else(|| panic!("no redirect: {answer}")).to_owned()
    }

    /// The owner of the first account says yes.
    pub(in crate::processes) async fn approved(&self, url: &str) -> String {
        self.decides(self.user(1, "Owner"), url, "approve").await
    }

    pub(in crate::processes) async fn advance(&self, time: &str) {
        self.control("clock", &json!({ "advance": time })).await;
    }

    pub(in crate::processes) async fn has_fault(&self, fault: Value) {
        self.control("faults", &json!({ "faults": [fault] })).await;
    }

    /// Waits until the faults of this name have struck so often.
    pub(in crate::processes) async fn fires(&self, fault: &str, times: u64) {
        let struck = async {
            loop {
                let faults = send(self.http.get(format!("{}/sandbox/faults", self.issuer()))).await.expect("an answer");
                let faults: Value = serde_json::from_str(&faults.body).expect("JSON");
                let faults = faults["faults"].as_array().expect("faults").iter();
                let fired = faults.filter(|set| set["fault"] == fault).filter_map(|set| set["fired"].as_u64());
                if fired.sum::<u64>() >= times {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), struck).await.expect("it strikes");
    }

    async fn control(&self, route: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/sandbox/{route}", self.issuer()));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = send(request).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// Registers a redirect URI of an app that was not known when it started.
    pub(in crate::processes) async fn register(&self, app: usize, redirect_uri: &str) {
        let apps = format!("{}/v1/oauthApps", self.issuer());
        let as_system = |request: reqwest::RequestBuilder| {
            request.header("x-system", self.system("name")).header("x-system-key", self.system("key"))
        };
        let listed = send(as_system(self.http.get(&apps))).await.expect("an answer");
        let listed: Value = serde_json::from_str(&listed.body).expect("JSON");
        let client_id = self.app(app, "clientId");
        let mut found = listed["oauthApps"].as_array().expect("apps").iter();
        let id = found.find(|listed| listed["clientId"] == client_id).expect("the app")["id"].clone();
        let body = json!({ "redirectUris": [redirect_uri] }).to_string();
        let put = as_system(self.http.put(format!("{apps}/{id}"))).header("content-type", "application/json");
        let answer = send(put.body(body)).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// The access is taken back at the authority, without the command line's knowing.
    pub(in crate::processes) async fn takes_back(&self, access_token: &str) {
        let request =
            self.http.delete(format!("{}/v1/oauthApps/revokeAccess", self.issuer())).bearer_auth(access_token);
        let request = request.header("x-system", self.system("name")).header("x-system-key", self.system("key"));
        let answer = send(request).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

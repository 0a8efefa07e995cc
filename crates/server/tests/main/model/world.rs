//! A real authority and the model beside it.

use super::reference::{ACCESS_LIFETIME, Access, CODE_LIFETIME, Expected, Grant, Switch};
use super::step::{BOTH, Step};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use keyfob_authority::Settings;
use keyfob_authority::authority::DeclaredScope;
use keyfob_authority::model::{AppPolicy, GrantState, RefreshPolicy, Role};
use keyfob_authority::store::{Administered, Store};
use keyfob_protocol::form;
use keyfob_protocol::scope::Scope;
use keyfob_protocol::token_name::{GrantId, PresentedToken, TokenKind};
use keyfob_store_postgres::{Address, PostgresStore};
use keyfob_store_sqlite::SqliteStore;
use keyfob_testkit::{
    Answer, Browser, Person, PostgresCluster, PostgresDatabase, TestApp, TestServer, TestServerOptions,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The verifier and challenge of RFC 7636 appendix B, for the public app.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Which store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Sqlite,
    Postgres,
}

pub(super) struct World {
    server: TestServer,
    store: Arc<dyn Store>,
    _database: Option<PostgresDatabase>,
    starts: u64,
    /// Fixed, rotating, public.
    apps: Vec<TestApp>,
    app_switches: Vec<Switch>,
    users: Vec<Person>,
    user_switches: Vec<Switch>,
    account: Switch,
    cookies: Vec<BTreeMap<String, String>>,
    grants: Vec<Grant>,
    order: u64,
}

type Broken = String;

fn settings() -> Settings {
    let scope = |name: &str| DeclaredScope { name: name.to_owned(), title: name.to_owned(), sentence: name.to_owned() };
    Settings { scopes: BOTH.split(' ').map(scope).collect(), ..Settings::new("https://auth.example.com") }
}

fn words(scope: &str) -> BTreeSet<String> {
    scope.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

impl World {
    pub(super) async fn start(kind: Kind) -> World {
        let (store, database): (Arc<dyn Store>, _) = match kind {
            Kind::Sqlite => (Arc::new(SqliteStore::ephemeral().expect("a store")), None),
            Kind::Postgres => {
                let database = tokio::task::spawn_blocking(|| PostgresCluster::shared().database()).await.expect("one");
                let address = Address::parse(&database.url()).expect("an address");
                let store = PostgresStore::open(address, &Default::default()).await.expect("a store");
                (Arc::new(store), Some(database))
            }
        };
        let options = TestServerOptions { store: Some(store.clone()), settings: settings(), ..Default::default() };
        let server = TestServer::start_with(options).await;
        let scope = |text| Scope::parse(text).expect("a scope");
        let policy = |refresh, public| AppPolicy {
            refresh,
            public,
            allowed_scope: scope(BOTH),
            default_scope: scope(BOTH),
            ..AppPolicy::default()
        };
        let apps = vec![
            server.app("Fixed", policy(RefreshPolicy::Fixed, false)).await,
            server.app("Rotating", policy(RefreshPolicy::Rotating, false)).await,
            server.app("Public", policy(RefreshPolicy::Rotating, true)).await,
        ];
        let users = vec![server.owner.clone(), server.person("agent@example.com", Role::Agent).await];
        World {
            server,
            store,
            _database: database,
            starts: 1,
            app_switches: vec![Switch::new(); apps.len()],
            apps,
            user_switches: vec![Switch::new(); users.len()],
            cookies: vec![BTreeMap::new(); users.len()],
            users,
            account: Switch::new(),
            grants: Vec::new(),
            order: 0,
        }
    }

    fn now(&self) -> i64 {
        self.server.clock_now().0
    }

    fn may(&self, app: usize, user: usize) -> bool {
        self.app_switches[app].on && self.user_switches[user].on && self.account.on
    }

    fn chosen(&self, grant: usize) -> Option<usize> {
        (!self.grants.is_empty()).then(|| grant % self.grants.len())
    }

    /// Does a step and compares.
    pub(super) async fn take(&mut self, step: &Step) -> Result<(), Broken> {
        self.order += 1;
        match step {
            Step::Consent { app, user, scope } => self.consent(*app, *user, *scope).await,
            Step::Wait { seconds } => {
                self.server.clock.advance(*seconds);
                Ok(())
            }
            Step::Restart => self.restart().await,
            Step::App { app, enabled } => self.switch_app(*app, *enabled).await,
            Step::User { user, enabled } => self.switch_user(*user, *enabled).await,
            Step::Account { enabled } => self.switch_account(*enabled).await,
            Step::Redeem { grant } => match self.chosen(*grant) {
                Some(grant) => self.redeem(grant).await,
                None => Ok(()),
            },
            Step::Refresh { grant, back, scope } => match self.chosen(*grant) {
                Some(grant) if !self.grants[grant].refresh.is_empty() => self.refresh(grant, *back, *scope).await,
                _ => Ok(()),
            },
            Step::Call { grant, back } => match self.chosen(*grant) {
                Some(grant) if !self.grants[grant].access.is_empty() => self.call(grant, *back).await,
                _ => Ok(()),
            },
            Step::RedeemAsAnother { grant } | Step::RefreshAsAnother { grant } => match self.chosen(*grant) {
                Some(grant) => self.as_another(grant, matches!(step, Step::RedeemAsAnother { .. })).await,
                None => Ok(()),
            },
            Step::RevokeGrant { grant } => match self.chosen(*grant) {
                Some(grant) if !self.grants[grant].refresh.is_empty() => self.revoke(grant, None).await,
                _ => Ok(()),
            },
            Step::RevokeAccess { grant, back } => match self.chosen(*grant) {
                Some(grant) if !self.grants[grant].access.is_empty() => self.revoke(grant, Some(*back)).await,
                _ => Ok(()),
            },
            Step::EndByUser { grant } => match self.chosen(*grant) {
                Some(grant) => self.end_by_user(grant).await,
                None => Ok(()),
            },
        }
    }

    async fn consent(&mut self, app: usize, user: usize, scope: Option<&'static str>) -> Result<(), Broken> {
        let mut parameters = vec![("response_type", "code"), ("state", "st-4711")];
        if self.apps[app].app.policy.public {
            parameters.extend([("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
        }
        parameters.extend(scope.map(|scope| ("scope", scope)));
        let url = self.apps[app].authorize_url_with(&parameters);
        let person = self.users[user].clone();
        let mut browser = Browser::new(&self.server);
        browser.cookies = std::mem::take(&mut self.cookies[user]);
        let mut page = browser.get(&url).await;
        if page.has_form("/oauth/authorize/sign-in") {
            page = browser.sign_in(&page, &person).await;
        }
        let asked = page.has_form("/oauth/authorize/decision");
        let landed = if asked { Some(browser.decide(&page, "approve").await) } else { None };
        self.cookies[user] = browser.cookies;
        if asked != self.may(app, user) {
            return Err(format!("asked for consent: {asked}, {}", page.text()));
        }
        let Some(landed) = landed else { return Ok(()) };
        self.grants.push(Grant {
            app,
            user,
            scope: words(scope.unwrap_or(BOTH)),
            code: landed.landing().code(),
            code_expires_at: self.now() + CODE_LIFETIME,
            redeemed: false,
            ended: false,
            perhaps_ended: false,
            refresh: Vec::new(),
            access: Vec::new(),
            last_used: 0,
        });
        Ok(())
    }

    async fn exchange(&self, grant: &Grant) -> Answer {
        let app = &self.apps[grant.app];
        let redirect_uri = app.app.redirect_uris[0].as_str();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", &grant.code),
            ("redirect_uri", redirect_uri),
            ("state", "st-4711"),
        ];
        if app.app.policy.public {
            fields.push(("code_verifier", VERIFIER));
        }
        app.post(&self.server, &fields).await
    }

    async fn redeem(&mut self, grant: usize) -> Result<(), Broken> {
        let (now, order) = (self.now(), self.order);
        let of_grant = &self.grants[grant];
        let expected = of_grant.expect_redemption(self.may(of_grant.app, of_grant.user), now);
        let answer = self.exchange(of_grant).await;
        compare(expected, answer.status() == 200, &answer)?;
        if answer.status() == 200 {
            let of_grant = &mut self.grants[grant];
            of_grant.redeemed = true;
            of_grant.take_tokens(&answer, now, order)?;
        }
        Ok(())
    }

    async fn refresh(&mut self, grant: usize, back: usize, scope: Option<&'static str>) -> Result<(), Broken> {
        let (now, order) = (self.now(), self.order);
        let of_grant = &self.grants[grant];
        let back = back.min(of_grant.refresh.len() - 1);
        let token = of_grant.refresh[of_grant.refresh.len() - 1 - back].clone();
        let wanted = words(scope.unwrap_or_default());
        let expected = of_grant.expect_refresh(back, &wanted, self.may(of_grant.app, of_grant.user), now);
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        fields.extend(scope.map(|scope| ("scope", scope)));
        let app = self.apps[of_grant.app].clone();
        let answer = app.post(&self.server, &fields).await;
        compare(expected, answer.status() == 200, &answer)?;
        let of_grant = &mut self.grants[grant];
        if answer.status() == 200 {
            of_grant.last_used = now;
            of_grant.perhaps_ended = false;
            of_grant.take_tokens(&answer, now, order)
        } else {
            of_grant.ended |= back == 0 && of_grant.perhaps_ended && expected == Expected::Either;
            of_grant.perhaps_ended |= back > 0 && app.app.policy.public && expected == Expected::Either;
            Ok(())
        }
    }

    async fn as_another(&mut self, grant: usize, by_code: bool) -> Result<(), Broken> {
        let of_grant = &self.grants[grant];
        let mut stolen = of_grant.clone();
        // A confidential app, which proves itself and not the right to this.
        stolen.app = if of_grant.app == 0 { 1 } else { 0 };
        let answer = match (by_code, stolen.refresh.last()) {
            (true, _) => self.exchange(&stolen).await,
            (false, Some(token)) => self.apps[stolen.app].refresh(&self.server, token).await,
            (false, None) => return Ok(()),
        };
        // Whether it ends the grant is the law's choice; that it gives nothing is not.
        compare(Expected::Fails, answer.status() == 200, &answer)?;
        self.learn_whether_it_ended(grant).await
    }

    /// Asks the row itself, where the law has a choice that no answer shows.
    async fn learn_whether_it_ended(&mut self, grant: usize) -> Result<(), Broken> {
        let id = self.id_of(grant);
        let held = self.store.held_grant(id).await.map_err(|error| error.to_string())?;
        let ended = held.is_none_or(|held| matches!(held.grant.state, GrantState::Ended { .. }));
        self.grants[grant].ended |= ended;
        Ok(())
    }

    fn id_of(&self, grant: usize) -> GrantId {
        let code = &self.grants[grant].code;
        PresentedToken::parse(TokenKind::Code, code).expect("a code of ours").claimed_name().grant
    }

    async fn call(&mut self, grant: usize, back: usize) -> Result<(), Broken> {
        let of_grant = &self.grants[grant];
        let access = &of_grant.access[of_grant.access.len() - 1 - back.min(of_grant.access.len() - 1)];
        let switches = [&self.app_switches[of_grant.app], &self.user_switches[of_grant.user], &self.account];
        let expected = of_grant.expect_call(access, switches, self.now());
        let answer = self.server.call("/v1/identity", &access.text).await;
        if !matches!(answer.status(), 200 | 401) {
            return Err(format!("the gate answered {}: {}", answer.status(), answer.text()));
        }
        compare(expected, answer.status() == 200, &answer)
    }

    async fn revoke(&mut self, grant: usize, access: Option<usize>) -> Result<(), Broken> {
        let of_grant = &self.grants[grant];
        let app = &self.apps[of_grant.app];
        let index = access.map(|back| of_grant.access.len() - 1 - back.min(of_grant.access.len() - 1));
        let token = match index {
            Some(index) => of_grant.access[index].text.clone(),
            None => of_grant.refresh.last().expect("checked").clone(),
        };
        let mut fields = vec![("token", token.as_str())];
        let mut request = Request::post("/oauth/revoke").header("content-type", "application/x-www-form-urlencoded");
        match app.secret {
            Some(_) => request = request.header("authorization", app.basic()),
            None => fields.push(("client_id", app.client_id())),
        }
        let answer = self.server.send(request.body(form::encode(fields)).expect("a request")).await;
        let allowed = self.app_switches[of_grant.app].on;
        compare(if allowed { Expected::Works } else { Expected::Fails }, answer.status() == 200, &answer)?;
        if allowed {
            match index {
                Some(index) => self.grants[grant].access[index].revoked = true,
                None => self.grants[grant].ended = true,
            }
        }
        Ok(())
    }

    async fn end_by_user(&mut self, grant: usize) -> Result<(), Broken> {
        let user = self.users[self.grants[grant].user].user.id;
        let ended = self.server.authority().end_own_grant(user, self.id_of(grant), self.server.clock_now()).await;
        ended.map_err(|fault| fault.to_string())?;
        self.grants[grant].ended = true;
        Ok(())
    }

    async fn switch_app(&mut self, app: usize, enabled: bool) -> Result<(), Broken> {
        let (id, now) = (self.apps[app].app.id, self.server.clock_now());
        done(self.server.authority().set_app_enabled(id, enabled, now).await.map_err(|fault| fault.to_string())?)?;
        if self.app_switches[app].on != enabled {
            self.app_switches[app].set(enabled, self.order);
        }
        Ok(())
    }

    async fn switch_user(&mut self, user: usize, enabled: bool) -> Result<(), Broken> {
        let (id, now) = (self.users[user].user.id, self.server.clock_now());
        done(self.server.authority().set_user_enabled(id, enabled, now).await.map_err(|fault| fault.to_string())?)?;
        if self.user_switches[user].on != enabled {
            self.user_switches[user].set(enabled, self.order);
        }
        Ok(())
    }

    async fn switch_account(&mut self, enabled: bool) -> Result<(), Broken> {
        let (id, now) = (self.users[0].user.account, self.server.clock_now());
        done(self.server.authority().set_account_enabled(id, enabled, now).await.map_err(|fault| fault.to_string())?)?;
        if self.account.on != enabled {
            self.account.set(enabled, self.order);
        }
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Broken> {
        self.starts += 1;
        let options = TestServerOptions {
            store: Some(self.store.clone()),
            clock: Some(self.server.clock.clone()),
            settings: settings(),
            entropy_seed: self.starts,
            ..Default::default()
        };
        self.server = TestServer::start_with(options).await;
        Ok(())
    }

    /// Whoever kept what they got and was not switched off is still connected.
    pub(super) async fn all_that_must_live_does(&mut self) -> Result<(), Broken> {
        for grant in 0..self.grants.len() {
            self.order += 1;
            if !self.grants[grant].refresh.is_empty() {
                self.refresh(grant, 0, None).await.map_err(|why| format!("grant {grant}: {why}"))?;
                self.call(grant, 0).await.map_err(|why| format!("grant {grant}: {why}"))?;
            }
        }
        Ok(())
    }
}

fn done(administered: Administered) -> Result<(), Broken> {
    match administered {
        Administered::Done(_) => Ok(()),
        other => Err(format!("{other:?}")),
    }
}

fn compare(expected: Expected, works: bool, answer: &Answer) -> Result<(), Broken> {
    match (expected, works) {
        (Expected::Works, false) | (Expected::Fails, true) => {
            Err(format!("expected: {expected:?}; answered {}: {}", answer.status(), answer.text()))
        }
        _ => Ok(()),
    }
}

impl Grant {
    fn take_tokens(&mut self, answer: &Answer, now: i64, order: u64) -> Result<(), Broken> {
        let (access, refresh) = (answer.at("access_token"), answer.at("refresh_token"));
        let claims = access.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok()).unwrap_or_default();
        let claims: serde_json::Value = serde_json::from_slice(&claims).map_err(|error| error.to_string())?;
        let scope = words(claims["scope"].as_str().unwrap_or_default());
        if scope.is_empty() || !scope.is_subset(&self.scope) {
            return Err(format!("the scope grew from {:?} to {scope:?}", self.scope));
        }
        self.last_used = now;
        self.access.push(Access { text: access, expires_at: now + ACCESS_LIFETIME, issued: order, revoked: false });
        self.refresh.retain(|earlier| *earlier != refresh);
        self.refresh.push(refresh);
        Ok(())
    }
}

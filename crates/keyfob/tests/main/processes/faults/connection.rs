//! One grant as its client knows it. The client is honest and never crashes: what it does not know it asks again, with the same token.

use super::app::{App, Code, letters};
use super::nodes::NODES;
use super::world::{Decided, Insistence, World, any_node};
use crate::processes::crashes::Chance;
use crate::processes::partner::revoke;
use crate::processes::visitor::{Answer, Visitor, code_in, hidden, send};
use keyfob_protocol::access_token::AccessTokenClaims;
use keyfob_protocol::jwt::UnverifiedJwt;
use keyfob_protocol::token_name::GrantId;
use std::time::Instant;

/// Access tokens that are kept to be tried after the end.
const KEPT: usize = 3;

#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// The code is out.
    Approved,
    Live,
    /// The code was refused after an attempt without an answer, which may have spent it: the client has to start again.
    Unknown,
    /// Its end was answered, by this node if it is known whose write it was.
    Ended {
        answered: Instant,
        by: Option<usize>,
    },
    /// A violation was told of it; what follows from that would only repeat it.
    Broken,
}

pub(super) struct Connection {
    pub(super) number: u64,
    /// Its place among the world's.
    pub(super) app: usize,
    pub(super) code: Code,
    pub(super) stage: Stage,
    pub(super) grant: Option<GrantId>,
    /// The newest that was answered.
    pub(super) refresh: String,
    pub(super) access: Vec<String>,
}

impl Connection {
    /// The browser part. `None`: the weather was against it, and the user starts again later.
    pub(super) async fn start(
        world: &World,
        chance: &mut Chance,
        visitor: &mut Visitor,
        app: usize,
    ) -> Option<Connection> {
        let (number, node) = (world.next_number(), any_node(chance));
        let (state, verifier) = (letters(chance, 12), letters(chance, 43));
        let base = world.base(node);
        let began = Instant::now();
        let page = visitor.get(&format!("{base}{}", world.apps[app].authorize(&state, &verifier))).await;
        let page = match world.judge("authorize", number, node, began, page)? {
            Decided::Granted(page) if page.body.contains("action=\"/oauth/authorize/decision\"") => page,
            Decided::Granted(other) | Decided::Refused(other) => {
                world.judge_callback(number, node, began, &other);
                return None;
            }
        };
        let began = Instant::now();
        let decided = visitor.approve(&base, &page).await;
        let decided = match world.judge("consent", number, node, began, decided)? {
            Decided::Granted(decided) | Decided::Refused(decided) => decided,
        };
        let Some(text) = code_in(&decided) else {
            world.judge_callback(number, node, began, &decided);
            return None;
        };
        let code = Code { text, state, verifier };
        let (stage, grant) = (Stage::Approved, None);
        Some(Connection { number, app, code, stage, grant, refresh: String::new(), access: Vec::new() })
    }

    fn app<'w>(&self, world: &'w World) -> &'w App {
        &world.apps[self.app]
    }

    fn broken(&mut self, world: &World, what: impl std::fmt::Display) {
        let grant = self.grant.map(|grant| grant.to_text()).unwrap_or_default();
        world.tally.violated(format!("connection {} ({:?}), grant {grant}: {what}", self.number, self.app(world).kind));
        self.stage = Stage::Broken;
    }

    /// From one node or from two at once; again until it is decided.
    pub(super) async fn redeem(&mut self, world: &World, chance: &mut Chance) {
        let insistence = Insistence::new();
        let twice = chance.below(3) == 0;
        let mut undecided = false;
        loop {
            let first = any_node(chance);
            let nodes = if twice { vec![first, (first + 1) % NODES] } else { vec![first] };
            let (mut granted, mut refused) = (Vec::new(), None);
            for (node, decided) in self.present_code(world, &nodes).await {
                match decided {
                    Some(Decided::Granted(answer)) => granted.push(answer),
                    Some(Decided::Refused(answer)) => refused = Some((node, answer)),
                    None => undecided = true,
                }
            }
            if granted.len() > 1 {
                return self.broken(world, "a code was redeemed twice");
            }
            match (granted.pop(), refused) {
                (Some(answer), _) => {
                    self.stage = Stage::Live;
                    return self.keep(world, &answer);
                }
                (None, Some((node, answer))) if !undecided => {
                    let Answer { status, body, .. } = answer;
                    return self.broken(world, format!("nobody got its code's tokens; node {node}: {status} {body}"));
                }
                (None, Some(_)) => {
                    self.stage = Stage::Unknown;
                    return;
                }
                (None, None) if !insistence.goes_on(world, self.number, "a redemption").await => {
                    self.stage = Stage::Broken;
                    return;
                }
                (None, None) => {}
            }
        }
    }

    /// At all of these nodes at once.
    pub(super) async fn present_code(&self, world: &World, nodes: &[usize]) -> Vec<(usize, Option<Decided>)> {
        let app = self.app(world);
        let one = async |node: usize| {
            let began = Instant::now();
            let answer = app.redeem(&world.http, &world.base(node), &self.code).await;
            (node, world.judge("redeem", self.number, node, began, answer))
        };
        match nodes {
            [first, second, ..] => <[_; 2]>::from(tokio::join!(one(*first), one(*second))).into(),
            [only] => vec![one(*only).await],
            [] => Vec::new(),
        }
    }

    fn keep(&mut self, world: &World, answer: &Answer) {
        let (Some(access), Some(refresh)) = (answer.field("access_token"), answer.field("refresh_token")) else {
            return self.broken(world, format!("an answer without tokens: {}", answer.body));
        };
        let claims = UnverifiedJwt::parse(&access)
            .and_then(|token| serde_json::from_slice::<AccessTokenClaims>(&token.payload).ok())
            .and_then(|claims| GrantId::parse(&claims.gid?));
        if claims.is_none() || self.grant.is_some_and(|grant| Some(grant) != claims) {
            return self.broken(world, "an access token of another grant");
        }
        self.grant = claims;
        self.refresh = refresh;
        self.access.push(access);
        if self.access.len() > KEPT {
            self.access.remove(0);
        }
    }

    /// From one node or from two at once (RF-08); with the same token until one has answered. A live grant is never refused.
    pub(super) async fn refresh(&mut self, world: &World, chance: &mut Chance, at: Option<usize>) {
        let insistence = Insistence::new();
        let race = at.is_none() && chance.below(4) == 0;
        loop {
            let first = at.unwrap_or_else(|| any_node(chance));
            let one = async |node: usize| {
                let began = Instant::now();
                let answer = self.app(world).refresh(&world.http, &world.base(node), &self.refresh).await;
                (node, world.judge("refresh", self.number, node, began, answer))
            };
            let answers = match race {
                true => <[_; 2]>::from(tokio::join!(one(first), one((first + 1) % NODES))).into(),
                false => vec![one(first).await],
            };
            let mut granted = Vec::new();
            for (node, decided) in answers {
                match decided {
                    Some(Decided::Granted(answer)) => granted.push(answer),
                    Some(Decided::Refused(answer)) => {
                        let Answer { status, body, .. } = answer;
                        return self.broken(
                            world,
                            format!("its newest refresh token is refused by node {node}: {status} {body}"),
                        );
                    }
                    None => {}
                }
            }
            if !granted.is_empty() {
                return self.refreshed(world, &granted);
            }
            if !insistence.goes_on(world, self.number, "a refresh").await {
                self.stage = Stage::Broken;
                return;
            }
        }
    }

    fn refreshed(&mut self, world: &World, granted: &[Answer]) {
        let rotates = self.app(world).rotates();
        let before = self.refresh.clone();
        for answer in granted {
            self.keep(world, answer);
        }
        let successors: Vec<_> = granted.iter().map(|answer| answer.field("refresh_token")).collect();
        if successors.iter().any(|successor| *successor != successors[0]) {
            self.broken(world, "two nodes gave two successors");
        }
        if (self.refresh != before) != rotates {
            self.broken(world, "its refresh token did not become what its policy says");
        }
    }

    /// Calls the API at a node. A live grant's newest access token is never refused, and an ended one's only before its bound.
    pub(super) async fn call(&mut self, world: &World, node: usize) {
        let kept = if matches!(self.stage, Stage::Live) { self.access.len() - 1 } else { 0 };
        let kept: Vec<String> = self.access.iter().skip(kept).cloned().collect();
        for access in kept {
            let began = Instant::now();
            let answer = send(world.http.get(format!("{}/v1/identity", world.base(node))).bearer_auth(&access)).await;
            let operation = if matches!(self.stage, Stage::Live) { "call" } else { "call when ended" };
            match (world.judge(operation, self.number, node, began, answer), self.stage) {
                (Some(Decided::Refused(answer)), Stage::Live) => {
                    let Answer { status, body, .. } = answer;
                    return self.broken(world, format!("node {node} refuses its access token: {status} {body}"));
                }
                (Some(Decided::Granted(_)), Stage::Ended { answered, by }) => {
                    let after = began.saturating_duration_since(answered);
                    let bound = if by == Some(node) {
                        std::time::Duration::ZERO
                    } else {
                        world.weather.bound(node, answered, began)
                    };
                    let fair = bound.as_secs() <= 1;
                    world
                        .tally
                        .accepted_late(if fair { "in fair weather" } else { "cut off, paused or recovering" }, after);
                    if after > bound {
                        let told = format!(
                            "node {node} takes a token {after:?} after its end was answered; {bound:?} allowed"
                        );
                        return self.broken(world, told);
                    }
                }
                _ => {}
            }
        }
    }

    /// The app gives it back, or its user takes it back. Again until it is decided.
    pub(super) async fn end(&mut self, world: &World, chance: &mut Chance, visitor: &mut Visitor) {
        let insistence = Insistence::new();
        let by_user = chance.below(3) == 0;
        let mut undecided = false;
        loop {
            let node = any_node(chance);
            let decided = match by_user {
                true => self.end_by_user(world, node, visitor).await,
                false => self.end_by_app(world, node).await,
            };
            match decided {
                Some(Decided::Granted(_)) => {
                    let by = (!undecided).then_some(node);
                    self.stage = Stage::Ended { answered: Instant::now(), by };
                    return;
                }
                // An attempt without an answer has ended it.
                Some(Decided::Refused(answer)) if undecided && answer.status == 404 => {
                    self.stage = Stage::Ended { answered: Instant::now(), by: None };
                    return;
                }
                Some(Decided::Refused(answer)) => {
                    let Answer { status, body, .. } = answer;
                    return self.broken(world, format!("node {node} does not end it: {status} {body}"));
                }
                None => undecided = true,
            }
            if !insistence.goes_on(world, self.number, "an ending").await {
                self.stage = Stage::Broken;
                return;
            }
        }
    }

    async fn end_by_app(&self, world: &World, node: usize) -> Option<Decided> {
        let access = self.access.last().expect("it is live");
        let began = Instant::now();
        let answer = revoke(&world.http, &world.base(node), &world.people, access).await;
        world.judge("revoke by app", self.number, node, began, answer)
    }

    async fn end_by_user(&self, world: &World, node: usize, visitor: &mut Visitor) -> Option<Decided> {
        let (base, grant) = (world.base(node), self.grant.expect("it is live").to_text());
        let began = Instant::now();
        let page = visitor.get(&format!("{base}/connections")).await;
        let Decided::Granted(page) = world.judge("connections", self.number, node, began, page)? else { return None };
        if !page.body.contains("action=\"/connections/revoke\"") {
            world.tally.violated(format!("connection {}: node {node} shows no connections", self.number));
            return None;
        }
        // The same form for each; what it names is chosen.
        let csrf = hidden(&page.body, "/connections/revoke").into_iter().find(|(name, _)| name == "csrf");
        let csrf = csrf.map(|(_, value)| value).unwrap_or_default();
        let form = keyfob_protocol::form::encode([("csrf", csrf.as_str()), ("grant", grant.as_str())]);
        let began = Instant::now();
        let answer = visitor.post(&format!("{base}/connections/revoke"), form).await;
        world.judge("revoke by user", self.number, node, began, answer)
    }

    /// An ended grant never refreshes again, from the answer on.
    pub(super) async fn refresh_when_ended(&mut self, world: &World, node: usize) {
        let began = Instant::now();
        let answer = self.app(world).refresh(&world.http, &world.base(node), &self.refresh).await;
        match world.judge("refresh ended", self.number, node, began, answer) {
            Some(Decided::Granted(_)) => self.broken(world, format!("node {node} refreshes an ended grant")),
            Some(Decided::Refused(answer)) if answer.status != 400 => {
                self.broken(world, format!("node {node} answers an ended grant with {}", answer.status));
            }
            _ => {}
        }
    }
}

//! A network that follows a script, a clock that moves when told, and builders with valid defaults.

use async_trait::async_trait;
use keyfob_client::*;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const START: Timestamp = Timestamp(1_800_000_000);

pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// Different bytes at every call, the same at every run.
#[derive(Default)]
pub(crate) struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
        for chunk in bytes.chunks_mut(8) {
            let count = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            let word = count.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

/// Moves the clock instead of waiting.
pub(crate) struct ClockPause {
    clock: Arc<TestClock>,
    pub(crate) waits: Mutex<Vec<Duration>>,
}

#[async_trait]
impl Pause for ClockPause {
    async fn pause(&self, duration: Duration) {
        self.waits.lock().unwrap().push(duration);
        self.clock.advance(duration.as_millis().div_ceil(1000) as i64);
        // Whoever waits lets the others work.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) type Answer = Result<HttpResponse, SendFailure>;

/// Answers in the order of the script and keeps every request. A request beyond the script fails the test.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    /// For refreshes alone, where other requests are under way at the same time.
    refreshed: Mutex<VecDeque<Answer>>,
    pub(crate) sent: Mutex<Vec<HttpRequest>>,
}

impl Script {
    pub(crate) fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// The answer of the next refresh, whatever else is asked before it.
    pub(crate) fn then_refreshed(&self, answer: Answer) {
        self.refreshed.lock().unwrap().push_back(answer);
    }

    pub(crate) fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// Bearer or form of each request, in short: `GET /v1/people a1`, `refresh r1`, `exchange`.
    pub(crate) fn story(&self) -> Vec<String> {
        self.sent.lock().unwrap().iter().map(tell).collect()
    }
}

fn tell(request: &HttpRequest) -> String {
    let body = String::from_utf8(request.body.expose().clone()).unwrap();
    let form = if body.is_empty() { request.query().unwrap_or_default().to_owned() } else { body };
    let value = |name: &str| form.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned);
    match value("grant_type").as_deref() {
        Some("refresh_token") => format!("refresh {}", value("refresh_token").unwrap()),
        Some(_) => format!("exchange {}", value("code").unwrap()),
        None => {
            let bearer = request.header("authorization").unwrap().expose().trim_start_matches("Bearer ");
            let path = request.endpoint().splitn(4, '/').nth(3).unwrap();
            format!("{} /{path} {bearer}", request.method.as_str())
        }
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: &HttpRequest) -> Answer {
        self.sent.lock().unwrap().push(request.clone());
        // Gives every other task its turn while this request is "on the wire".
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let refreshed = match tell(request).starts_with("refresh") {
            true => self.refreshed.lock().unwrap().pop_front(),
            false => None,
        };
        let answer = refreshed.or_else(|| self.answers.lock().unwrap().pop_front());
        answer.unwrap_or_else(|| panic!("nothing in the script for {}", tell(request)))
    }
}

pub(crate) fn reply(status: u16, body: &str) -> Answer {
    Ok(HttpResponse { status, headers: Vec::new(), body: Secret::new(body.as_bytes().to_vec()) })
}

pub(crate) fn with_header(answer: Answer, name: &str, value: &str) -> Answer {
    answer.map(|mut response| {
        response.headers.push(Header::received(name, value));
        response
    })
}

pub(crate) fn tokens(access: &str, refresh: &str) -> Answer {
    let body =
        format!(r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":3600,"refresh_token":"{refresh}"}}"#);
    reply(200, &body)
}

pub(crate) fn oauth_error(status: u16, code: &str) -> Answer {
    reply(status, &format!(r#"{{"error":"{code}","error_description":"d"}}"#))
}

pub(crate) fn legacy_error(status: u16, code: &str) -> Answer {
    reply(status, &format!(r#"{{"success":false,"errorMessage":"m","errorCode":"{code}"}}"#))
}

pub(crate) fn not_sent() -> Answer {
    Err(SendFailure::NotSent("dns".to_owned()))
}

pub(crate) fn unanswered() -> Answer {
    Err(SendFailure::Unanswered("reset".to_owned()))
}

pub(crate) fn app() -> App {
    App {
        client_id: "app1".to_owned(),
        client_secret: Some(Secret::from("s3cret")),
        redirect_uri: "https://acme.example/cb".to_owned(),
    }
}

pub(crate) fn token_set(access: &str, refresh: &str) -> TokenSet {
    TokenSet {
        access_token: Secret::from(access),
        refresh_token: Some(Secret::from(refresh)),
        expires_at: Some(START.plus(3600)),
        obtained_at: START,
        scope: None,
    }
}

/// A store in memory that counts its reads and can be made to fail.
#[derive(Default)]
pub(crate) struct FlakyStore {
    pub(crate) memory: MemoryTokenStore,
    pub(crate) down: std::sync::atomic::AtomicBool,
    /// Accepts reads and refuses writes, as on a full disk.
    pub(crate) read_only: std::sync::atomic::AtomicBool,
    /// Fails where the new tokens are to be written.
    pub(crate) fails_to_finish: std::sync::atomic::AtomicBool,
}

impl FlakyStore {
    /// From now on it works.
    pub(crate) fn is_well(&self) {
        for fault in [&self.down, &self.read_only, &self.fails_to_finish] {
            fault.store(false, Ordering::SeqCst);
        }
    }

    fn reads(&self) -> Result<&MemoryTokenStore, StoreUnavailable> {
        match self.down.load(Ordering::SeqCst) {
            true => Err(StoreUnavailable("down".to_owned())),
            false => Ok(&self.memory),
        }
    }

    fn writes(&self) -> Result<&MemoryTokenStore, StoreUnavailable> {
        match self.read_only.load(Ordering::SeqCst) {
            true => Err(StoreUnavailable("read-only".to_owned())),
            false => self.reads(),
        }
    }
}

#[async_trait]
impl TokenStore for FlakyStore {
    async fn load(&self, id: &str) -> Result<Option<StoredConnection>, StoreUnavailable> {
        self.reads()?.load(id).await
    }

    async fn save(&self, id: &str, replaces: Option<u64>, next: &StoredConnection) -> Result<Saved, StoreUnavailable> {
        self.writes()?.save(id, replaces, next).await
    }

    async fn note(&self, id: &str, generation: u64, trouble: Option<&Trouble>) -> Result<Saved, StoreUnavailable> {
        self.writes()?.note(id, generation, trouble).await
    }

    async fn take_lease(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<LeaseAnswer, StoreUnavailable> {
        self.writes()?.take_lease(id, now, until).await
    }

    async fn prolong(&self, id: &str, fence: Fence, until: Timestamp) -> Result<Saved, StoreUnavailable> {
        self.writes()?.prolong(id, fence, until).await
    }

    async fn open_intent(&self, id: &str, fence: Fence, intent: &Intent) -> Result<Saved, StoreUnavailable> {
        self.writes()?.open_intent(id, fence, intent).await
    }

    async fn finish(
        &self,
        id: &str,
        fence: Fence,
        replaces: u64,
        next: &StoredConnection,
    ) -> Result<Saved, StoreUnavailable> {
        if self.fails_to_finish.load(Ordering::SeqCst) {
            return Err(StoreUnavailable("full".to_owned()));
        }
        self.writes()?.finish(id, fence, replaces, next).await
    }

    async fn release(&self, id: &str, fence: Fence, intent: IntentFate) -> Result<(), StoreUnavailable> {
        self.writes()?.release(id, fence, intent).await
    }

    async fn page(&self, after: Option<&str>, limit: usize) -> Result<Vec<Listed>, StoreUnavailable> {
        self.reads()?.page(after, limit).await
    }

    async fn remove(&self, id: &str) -> Result<bool, StoreUnavailable> {
        self.writes()?.remove(id).await
    }
}

/// Remembers what was told.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) changes: Mutex<Vec<Event>>,
    pub(crate) unwritten: AtomicU64,
    pub(crate) written: AtomicU64,
    pub(crate) refused: Mutex<Vec<(u16, Timestamp)>>,
}

impl Heard {
    /// The states in their order: `new>connected`, `connected>degraded`.
    pub(crate) fn story(&self) -> Vec<String> {
        let name = |state: Option<State>| state.map_or("new", State::name);
        self.changes.lock().unwrap().iter().map(|event| format!("{}>{}", name(event.from), event.to.state)).collect()
    }
}

impl EventSink for Heard {
    fn changed(&self, event: &Event) {
        self.changes.lock().unwrap().push(event.clone());
    }

    fn unwritten(&self, _: &str, _: &StoreUnavailable) {
        self.unwritten.fetch_add(1, Ordering::SeqCst);
    }

    fn written(&self, _: &str) {
        self.written.fetch_add(1, Ordering::SeqCst);
    }

    fn app_refused(&self, evidence: &Evidence, until: Timestamp) {
        self.refused.lock().unwrap().push((evidence.status, until));
    }
}

/// One process of an app, with the script in place of the network.
pub(crate) struct World {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) pause: Arc<ClockPause>,
    pub(crate) script: Arc<Script>,
    pub(crate) store: Arc<FlakyStore>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) connections: Connections,
}

impl World {
    pub(crate) fn new() -> World {
        World::of(Provider::follow_up_boss().with_api_shape(ApiShape::Unknown))
    }

    pub(crate) fn of(provider: Provider) -> World {
        World::sharing(provider, Arc::default(), Arc::new(TestClock(AtomicI64::new(START.0))))
    }

    /// A second process beside the first, on the same store and clock.
    pub(crate) fn beside(other: &World) -> World {
        World::sharing(other.connections.provider().clone(), other.store.clone(), other.clock.clone())
    }

    fn sharing(provider: Provider, store: Arc<FlakyStore>, clock: Arc<TestClock>) -> World {
        let pause = Arc::new(ClockPause { clock: clock.clone(), waits: Mutex::default() });
        let script = Arc::new(Script::default());
        let outside = Surroundings {
            transport: script.clone(),
            clock: clock.clone(),
            entropy: Arc::new(SeededEntropy::default()),
            pause: pause.clone(),
        };
        let heard = Arc::new(Heard::default());
        let connections = Connections::reporting(provider, app(), store.clone(), outside, heard.clone());
        World { clock, pause, script, store, heard, connections }
    }

    /// A fresh process on the same store and clock, with this network.
    pub(crate) fn with_network(&self, transport: Arc<dyn Transport>) -> Connections {
        let outside = Surroundings {
            transport,
            clock: self.clock.clone(),
            entropy: Arc::new(SeededEntropy::default()),
            pause: self.pause.clone(),
        };
        Connections::new(self.connections.provider().clone(), app(), self.store.clone(), outside)
    }

    /// A connection "u" with access token a1 and refresh token r1, good for an hour.
    pub(crate) async fn connected(&self) -> Connection {
        self.connections.adopt("u", token_set("a1", "r1")).await.unwrap()
    }

    pub(crate) fn begin(&self, session: &str) -> Attempt {
        let session = BrowserSession::from_value(session);
        let entropy = SeededEntropy::default();
        Attempt::begin(self.connections.provider(), &app(), session, self.clock.now(), &entropy).unwrap()
    }

    /// An exchange that is ready to be sent, with the code c1.
    pub(crate) fn ready(&self) -> ReadyExchange {
        let Attempt { url, pending } = self.begin("alice");
        let query = format!("response=approved&code=c1&state={}", state_of(url.expose()));
        pending.accept(&query, BrowserSession::from_value("alice"), self.clock.now()).unwrap()
    }
}

pub(crate) fn state_of(url: &str) -> String {
    let query = url.split_once('?').unwrap().1;
    query.split('&').find_map(|pair| pair.strip_prefix("state=")).unwrap().to_owned()
}

//! Imports through their public door, against an authority that ends a grant whose refresh token comes twice.

mod again;

use crate::authority::{Authority, Rotation};
use crate::child::{Ended, Family, Task};
use crate::place::{CountingEntropy, Database, Directory, START, Shared, TestClock};
use async_trait::async_trait;
use keyfob_client::{
    App, Clock, Connections, HttpRequest, HttpResponse, Pause, Provider, Secret, SendFailure, Surroundings, TokenStore,
    Transport,
};
use keyfob_vault::import::{Compared, Export, ExportUnreadable, Importer, Line, Mapping, Outcome, Place, Untried};
use keyfob_vault::store::VaultStore;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Knows people by the number in their tokens: `a-PERSON-GENERATION` and `r-PERSON-GENERATION`. Only the newest of each is good, and an older
/// refresh token ends the grant.
#[derive(Default)]
struct World {
    /// The newest generation of each person's tokens.
    people: Mutex<BTreeMap<u64, u64>>,
    ended: Mutex<BTreeSet<u64>>,
    refreshes: Mutex<u32>,
    /// Answers of the API that are 429 before it answers.
    busy: Mutex<u32>,
    /// Whether the token endpoint is down.
    down: Mutex<bool>,
    /// Whose account is locked.
    locked: Mutex<BTreeSet<u64>>,
    /// How many more calls the API takes before it takes no access token any more.
    calls_left: Mutex<Option<u32>>,
}

fn numbers(token: &str) -> Option<(u64, u64)> {
    let (person, generation) = token.split_once('-')?.1.split_once('-')?;
    Some((person.parse().ok()?, generation.parse().ok()?))
}

fn answer(status: u16, body: String) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: Secret::new(body.into_bytes()) }
}

impl World {
    fn identity(&self, bearer: &str) -> HttpResponse {
        let mut busy = self.busy.lock().unwrap();
        if *busy > 0 {
            *busy -= 1;
            return answer(429, "{}".to_owned());
        }
        match &mut *self.calls_left.lock().unwrap() {
            Some(0) => return answer(401, "{}".to_owned()),
            Some(left) => *left -= 1,
            None => {}
        }
        match numbers(bearer) {
            Some((person, _)) if self.locked.lock().unwrap().contains(&person) => answer(403, "{}".to_owned()),
            Some((person, generation)) if self.people.lock().unwrap().get(&person) == Some(&generation) => {
                answer(200, format!(r#"{{"account":{{"id":1}},"user":{{"id":{person}}}}}"#))
            }
            _ => answer(401, "{}".to_owned()),
        }
    }

    fn refresh(&self, body: &str) -> HttpResponse {
        if *self.down.lock().unwrap() {
            return answer(503, "{}".to_owned());
        }
        *self.refreshes.lock().unwrap() += 1;
        let token = body.split('&').find_map(|pair| pair.strip_prefix("refresh_token=")).unwrap();
        let mut people = self.people.lock().unwrap();
        let found = numbers(token).filter(|(person, _)| people.contains_key(person));
        let Some((person, generation)) = found else {
            return answer(400, format!(r#"{{"error":"invalid_grant","error_description":"{token} is unknown"}}"#));
        };
        let newest = people.get_mut(&person).unwrap();
        if *newest != generation || self.ended.lock().unwrap().contains(&person) {
            self.ended.lock().unwrap().insert(person);
            return answer(400, r#"{"error":"invalid_grant"}"#.to_owned());
        }
        *newest += 1;
        let tokens = format!(
            r#"{{"access_token":"a-{person}-{newest}","refresh_token":"r-{person}-{newest}","token_type":"Bearer","expires_in":3600}}"#
        );
        answer(200, tokens)
    }
}

struct Wire(Arc<World>);

#[async_trait]
impl Transport for Wire {
    async fn send(&self, request: &HttpRequest) -> Result<HttpResponse, SendFailure> {
        Ok(match request.header("authorization").map(|value| value.expose().to_owned()) {
            Some(bearer) if bearer.starts_with("Bearer ") => self.0.identity(bearer.trim_start_matches("Bearer ")),
            _ => self.0.refresh(std::str::from_utf8(request.body.expose()).unwrap()),
        })
    }
}

/// Moves the clock instead of waiting.
struct Skip(Arc<TestClock>);

#[async_trait]
impl Pause for Skip {
    async fn pause(&self, duration: Duration) {
        let seconds = i64::try_from(duration.as_secs()).unwrap();
        self.0.0.fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
    }
}

struct Scene {
    world: Arc<World>,
    store: Arc<dyn TokenStore>,
    clock: Arc<TestClock>,
}

impl Scene {
    fn new(store: Arc<dyn TokenStore>, people: impl IntoIterator<Item = u64>) -> Scene {
        let world =
            World { people: Mutex::new(people.into_iter().map(|person| (person, 1)).collect()), ..World::default() };
        Scene { world: Arc::new(world), store, clock: TestClock::at(START) }
    }

    /// As a new process would.
    fn importer(&self) -> Importer {
        let pause = Arc::new(Skip(self.clock.clone()));
        let outside = Surroundings {
            transport: Arc::new(Wire(self.world.clone())),
            clock: self.clock.clone(),
            entropy: Arc::new(CountingEntropy::default()),
            pause: pause.clone(),
        };
        let app = App {
            client_id: "app1".to_owned(),
            client_secret: Some(Secret::from("s3cret")),
            redirect_uri: "https://acme.example/cb".to_owned(),
        };
        let connections = Connections::new(Provider::follow_up_boss(), app, self.store.clone(), outside);
        Importer { connections, store: self.store.clone(), clock: self.clock.clone(), pause }
    }

    async fn import(&self, text: &str, dry_run: bool) -> Vec<Line> {
        let export = Export::read(text.as_bytes(), &Mapping::default()).unwrap();
        let mut lines = Vec::new();
        self.importer().run(export, dry_run, |line| lines.push(line)).await;
        lines
    }

    /// Everything that stands in the vault, secrets included.
    async fn kept(&self) -> String {
        let page = self.store.page(None, 1000).await.unwrap();
        let rows = page.iter().map(|listed| {
            let row = listed.row.as_ref().unwrap();
            let token =
                row.tokens().and_then(|tokens| tokens.refresh_token.as_ref()).map(|token| token.expose().clone());
            format!("{} {row:?} {token:?} {}\n", listed.id, listed.refresh_is_open)
        });
        rows.collect()
    }
}

fn outcomes(lines: &[Line]) -> Vec<Outcome> {
    lines.iter().map(|line| line.outcome.clone()).collect()
}

/// Alive, ended, dead, and what cannot be read.
const EXPORT: &str = "\
user_id,access_token,refresh_token,expires_at,email
alive,a-1-1,r-1-1,2027-01-15T09:00:00Z,one@example.com
ended,a-2-1,r-2-1,1799999000,two@example.com
gone,a-9-1,r-9-1,1799999000,nine@example.com
alive,a-1-1,r-1-1,2027-01-15T09:00:00Z,again@example.com
when,a-3-1,r-3-1,tomorrow,three@example.com
few,a-3-1
,a-3-1,r-3-1,1799999000,nobody@example.com
a/b,a-3-1,r-3-1,1799999000,slash@example.com
..,a-3-1,r-3-1,1799999000,dots@example.com
";

const ID_RULE: &str = "an id is neither . nor .. and has 1 to 200 bytes, without slashes, backslashes, control characters or white space at its ends";

fn unreadable(column: &str, reason: &str) -> Outcome {
    Outcome::Unreadable { column: Some(column.to_owned()), reason: reason.to_owned() }
}

async fn an_export_is_imported_once(store: Arc<dyn TokenStore>) {
    let scene = Scene::new(store, [1, 2, 3]);
    let dry = scene.import(EXPORT, true).await;
    assert_eq!(outcomes(&dry[..3]), [Outcome::WouldBeImported, Outcome::WouldBeImported, Outcome::WouldBeImported]);
    assert_eq!(
        (scene.kept().await.as_str(), *scene.world.refreshes.lock().unwrap()),
        ("", 0),
        "a dry run does nothing"
    );

    let first = scene.import(EXPORT, false).await;
    let dead =
        || Outcome::Dead { reason: "the authority said 400 invalid_grant; its user has to connect again".to_owned() };
    let expected = [
        Outcome::Imported,
        Outcome::Imported,
        dead(),
        Outcome::Repeated { first: Place::Line(2) },
        unreadable("expires_at", "this is no time"),
        Outcome::Unreadable { column: None, reason: "2 values below 5 headings".to_owned() },
        unreadable("id", "it is missing"),
        unreadable("id", ID_RULE),
        unreadable("id", ID_RULE),
    ];
    assert_eq!(outcomes(&first), expected);
    // What a dry run takes is taken, and what it refuses is refused.
    assert_eq!(outcomes(&dry[3..]), expected[3..]);
    assert_eq!(first[5].place, Place::Line(7));
    assert!(!format!("{first:?}").contains("r-9-1"), "what the authority repeats is not told");
    let alive = scene.store.load("alive").await.unwrap().unwrap();
    assert_eq!(alive.identity.as_ref().map(|identity| identity.user.id), Some(1));
    assert_eq!(*scene.world.refreshes.lock().unwrap(), 2, "of the one that had ended, and of the dead one");

    let before = scene.kept().await;
    let second = scene.import(EXPORT, false).await;
    let (same, unknown) = (Outcome::AlreadyThere(Compared::SamePerson), Outcome::AlreadyThere(Compared::NotCompared));
    let dead_there = Outcome::DeadThere { reason: "400 invalid_grant".to_owned(), untried: Untried::SameTokens };
    assert_eq!(outcomes(&second)[..3], [same, unknown, dead_there]);
    assert_eq!(
        (scene.kept().await, *scene.world.refreshes.lock().unwrap()),
        (before, 2),
        "a second run changes nothing"
    );
    // They work, an hour later as well.
    scene.clock.0.fetch_add(7200, std::sync::atomic::Ordering::SeqCst);
    for id in ["alive", "ended"] {
        assert!(scene.importer().connections.open(id).identity().await.unwrap().is_some(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_imported_once_into_sqlite() {
    let place = Directory::new();
    an_export_is_imported_once(Arc::new(place.store())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_imported_once_into_postgres() {
    let place = Database::new().await;
    an_export_is_imported_once(Arc::new(place.store().await)).await;
}

#[tokio::test]
async fn somebody_elses_tokens_take_nobodys_place() {
    let place = Directory::new();
    let scene = Scene::new(Arc::new(place.store()), [1, 2]);
    let mine =
        r#"[{"id":"u","access_token":"a-1-1","refresh_token":"r-1-1","expires_in":3600,"obtained_at":1800000000}]"#;
    assert_eq!(outcomes(&scene.import(mine, false).await), [Outcome::Imported]);
    let before = scene.kept().await;
    let theirs = mine.replace("-1-1", "-2-1");
    assert_eq!(outcomes(&scene.import(&theirs, false).await), [Outcome::OtherPerson]);
    assert_eq!(scene.kept().await, before);
}

#[tokio::test]
async fn json_lines_of_every_style_are_one_import() {
    let place = Directory::new();
    let scene = Scene::new(Arc::new(place.store()), 1..=5);
    *scene.world.busy.lock().unwrap() = 2;
    let lines = concat!(
        r#"{"id":1,"accessToken":"a-1-1","refreshToken":"r-1-1","expiresAt":1800003600000,"scope":["people","deals"]}"#,
        "\n\n",
        r#"{"userId":"two","access_token":"a-2-1","refresh_token":"r-2-1","ttl":"3600","issued_at":"2027-01-15 08:00:00+00"}"#,
        "\n",
        r#"{"id":"three","refresh_token":"r-3-1"}"#,
        "\n",
        r#"{"id":"four","access_token":"a-4-1","expires_in":3600}"#,
        "\n",
        "{\"id\":\"five\",\"refresh_token\":\"r-5-1\"\n",
        r#"{"id":"six","refresh_token":{"token":"r-5-1"}}"#,
        "\n",
        r#"{"id":"seven","refresh_token":"r-5-1\n"}"#,
        "\n",
    );
    let lines = scene.import(lines, false).await;
    let ends = Outcome::ImportedWithoutRefresh { until: None };
    assert_eq!(outcomes(&lines)[..4], [Outcome::Imported, Outcome::Imported, Outcome::Imported, ends]);
    assert_eq!(lines.iter().map(|line| line.place).collect::<Vec<_>>()[..2], [Place::Line(1), Place::Line(3)]);
    let broken = "this is no JSON, from character 36 on".to_owned();
    assert_eq!(lines[4].outcome, Outcome::Unreadable { column: None, reason: broken });
    assert_eq!(lines[5].outcome, unreadable("refresh_token", "neither text nor a number"));
    assert_eq!(lines[6].outcome, unreadable("refresh_token", "it holds characters that no token has"));
    let scope = scene.store.load("1").await.unwrap().unwrap().tokens().unwrap().scope.clone();
    assert_eq!(scope.as_deref(), Some("people deals"));
    assert!(*scene.world.refreshes.lock().unwrap() == 1, "only the one without an access token was refreshed");
}

#[tokio::test]
async fn what_could_not_be_verified_is_finished_by_the_next_run() {
    let place = Directory::new();
    let scene = Scene::new(Arc::new(place.store()), [1]);
    *scene.world.down.lock().unwrap() = true;
    let line = "id;refresh_token\nu;r-1-1\n";
    let told = scene.import(line, false).await;
    assert!(matches!(&told[0].outcome, Outcome::NotVerified { .. }), "{told:?}");
    *scene.world.down.lock().unwrap() = false;
    scene.clock.0.fetch_add(3600, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(outcomes(&scene.import(line, false).await), [Outcome::Imported]);
    assert_eq!(*scene.world.people.lock().unwrap(), BTreeMap::from([(1, 2)]), "refreshed once");
}

/// The states that were told of, in order.
async fn told(store: &dyn VaultStore, id: &str) -> Vec<String> {
    let events = store.events(0, 100).await.unwrap();
    events.into_iter().filter(|event| event.id == id).map(|event| event.to).collect()
}

/// A partner who acts on events must not call a user back who was never good, nor trust one who is not known yet.
#[tokio::test]
async fn an_import_calls_nobody_connected_before_it_knows() {
    let place = Directory::new();
    let store = Arc::new(place.store());
    let scene = Scene::new(store.clone(), [1, 2, 3]);
    scene.world.locked.lock().unwrap().insert(3);
    let export = "\
id,access_token,refresh_token,expires_at
alive,a-1-1,r-1-1,2027-01-15T09:00:00Z
due,a-2-1,r-2-1,1799999000
locked,a-3-1,r-3-1,2027-01-15T09:00:00Z
gone,a-9-1,r-9-1,1799999000
";
    let lines = outcomes(&scene.import(export, false).await);
    assert_eq!(lines[..3], [Outcome::Imported, Outcome::Imported, Outcome::Locked]);
    assert!(matches!(lines[3], Outcome::Dead { .. }), "{lines:?}");
    assert_eq!(told(&*store, "alive").await, ["degraded", "connected"]);
    assert_eq!(told(&*store, "due").await, ["degraded", "connected"]);
    assert_eq!(told(&*store, "locked").await, ["degraded", "account_locked"]);
    assert_eq!(told(&*store, "gone").await, ["degraded", "reauth_required"]);
    // A locked account is nothing that another run could mend, and an open one is found to be open.
    assert_eq!(outcomes(&scene.import(export, false).await)[2], Outcome::Locked);
    scene.world.locked.lock().unwrap().clear();
    assert_eq!(outcomes(&scene.import(export, false).await)[2], Outcome::Imported);
    assert_eq!(told(&*store, "locked").await, ["degraded", "account_locked", "connected"]);
}

#[tokio::test]
async fn an_export_with_an_object_around_its_list_is_read() {
    let place = Directory::new();
    let scene = Scene::new(Arc::new(place.store()), [1]);
    let export = "{\n  \"exported\": \"2027-01-15\",\n  \"users\": [{\"id\": \"one\", \"access_token\": \"a-1-1\", \"refresh_token\": \"r-1-1\"}]\n}\n";
    let lines = scene.import(export, false).await;
    assert_eq!((lines[0].place, &lines[0].outcome), (Place::Item(1), &Outcome::Imported));
}

#[tokio::test]
async fn what_cannot_be_used_even_once_is_not_kept() {
    let place = Directory::new();
    let store = Arc::new(place.store());
    let scene = Scene::new(store.clone(), [1, 2]);
    let export = "\
id,access_token,expires_at
past,a-1-1,1799999000
refused,a-1-9,2027-01-15T09:00:00Z
good,a-2-1,2027-01-15T09:00:00Z
";
    let lines = outcomes(&scene.import(export, false).await);
    let ends = Outcome::ImportedWithoutRefresh { until: Some(START.plus(3600)) };
    assert_eq!(lines, [Outcome::WithoutUse, Outcome::WithoutUse, ends]);
    for id in ["past", "refused"] {
        assert!(scene.store.load(id).await.unwrap().is_none(), "{id}");
    }
    assert!(told(&*store, "past").await.is_empty());
}

/// Two connections that refresh one grant end each other at an authority that takes a refresh token once.
#[tokio::test]
async fn one_grant_under_two_names_is_taken_once() {
    let place = Directory::new();
    let scene = Scene::new(Arc::new(place.store()), [1, 2]);
    let export = "\
id,access_token,refresh_token,expires_at
one,a-1-1,r-1-1,2027-01-15T09:00:00Z
two,a-2-1,r-2-1,2027-01-15T09:00:00Z
same,,r-1-1,
";
    let same = Outcome::SameTokens { first: Place::Line(2) };
    let dry = [Outcome::WouldBeImported, Outcome::WouldBeImported, same.clone()];
    assert_eq!(outcomes(&scene.import(export, true).await), dry);
    assert_eq!(outcomes(&scene.import(export, false).await), [Outcome::Imported, Outcome::Imported, same.clone()]);
    // In an export of its own, as in any later run.
    let alone = "id,refresh_token\nsame,r-1-1\n";
    let there = Outcome::SameTokensThere { id: "one".to_owned() };
    for dry_run in [true, false] {
        assert_eq!(outcomes(&scene.import(alone, dry_run).await), std::slice::from_ref(&there));
    }
    assert!(scene.store.load("same").await.unwrap().is_none());
    assert_eq!(*scene.world.refreshes.lock().unwrap(), 0);
}

#[tokio::test]
async fn lines_are_counted_as_an_editor_counts_them() {
    let place = Directory::new();
    let scene = Scene::new(Arc::new(place.store()), [1, 2]);
    for text in
        ["id,refresh_token\r\nx,\r\n\r\ny,\r\n", "id,refresh_token\nx,\n\ny,\n", "\u{feff}id,refresh_token\nx,\n\ny,"]
    {
        let lines = scene.import(text, true).await;
        let places: Vec<Place> = lines.iter().map(|line| line.place).collect();
        assert_eq!(places, [Place::Line(2), Place::Line(4)], "{text:?}");
    }
}

#[test]
fn an_export_that_is_none_is_named_without_what_is_in_it() {
    let read = |text: &str| Export::read(text.as_bytes(), &Mapping::default()).map(drop).unwrap_err();
    assert_eq!(read(" \n"), ExportUnreadable::Empty);
    assert!(matches!(read("[{\"id\":\"u\","), ExportUnreadable::Json { line: 1, .. }));
    let headless = read("u1,kf_at_4fb1c2d9,kf_rt_93ad77\n").to_string();
    assert!(headless.contains("--map COLUMN=id") && !headless.contains("4fb1c2d9"), "{headless}");
    assert!(matches!(read("id,user_id,refresh_token\n1,2,r\n"), ExportUnreadable::Columns(_)));
}

/// The process that imports is killed while it refreshes, and the import is done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_of_an_import_loses_nothing() {
    for rotation in [Rotation::Off, Rotation::WithReplay, Rotation::Single, Rotation::Strict] {
        for point in [
            "refresh.leased",
            "refresh.intent_open",
            "refresh.answered",
            "store.before_commit.finish",
            "refresh.finished",
        ] {
            let (vault, authority) = (Shared::File(Directory::new()), Authority::start(rotation));
            let family = Family { vault: vault.whereabouts(), origin: authority.origin.clone() };
            assert_eq!(family.run(Task::Import, START, Some(point)), Ended::Killed, "{point}");
            authority.settle();
            let row = family.vault.store(TestClock::at(START)).await.load("u").await.unwrap().unwrap();
            let kept = row.tokens().unwrap().refresh_token.as_ref().unwrap().expose().clone();
            let once = matches!(rotation, Rotation::Single | Rotation::Strict);
            let lost = once && kept != authority.current();
            let expected = if lost { Ended::LostReply } else { Ended::Works };
            assert_eq!(family.run(Task::Import, START.plus(31), None), expected, "{rotation:?}, {point}");
            assert_eq!(family.call(START.plus(8000), None), expected, "{rotation:?}, {point}, later");
        }
    }
}

/// What the child does: an import of one line that has to be refreshed. How it ended, in the words of a call.
pub(crate) async fn import_one(importer: Importer) -> Result<u16, Outcome> {
    let export = Export::read(br#"[{"id":"u","refresh_token":"r1"}]"#, &Mapping::default()).unwrap();
    let mut told = Vec::new();
    importer.run(export, false, |line| told.push(line.outcome)).await;
    match told.remove(0) {
        Outcome::Imported | Outcome::AlreadyThere(_) => Ok(200),
        other => Err(other),
    }
}

/// For the child: the same importer over its connections.
pub(crate) fn importer(connections: Connections, store: Arc<dyn TokenStore>, clock: Arc<dyn Clock>) -> Importer {
    Importer { connections, store, clock, pause: Arc::new(keyfob_client::TokioPause) }
}

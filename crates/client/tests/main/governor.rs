//! The governor against servers that count differently, at any alignment and latency: never one call too many.

use keyfob_client::governor::{Account, Admit, Governor, Key, RateHeaders, Ticket, UNLEARNT};
use keyfob_client::{Header, HttpResponse, Secret, Timestamp};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

const START: i64 = 1_800_000_000;
/// Of every server here, in milliseconds.
const WINDOW: i64 = 10_000;

fn key(method: &'static str, path: &str) -> Key {
    Key { account: Account { system: None, account: "a".to_owned() }, method, path: path.to_owned() }
}

fn seconds(millis: i64) -> Timestamp {
    Timestamp(START + millis.div_euclid(1000))
}

fn answer(status: u16, headers: &[(&str, &str)]) -> HttpResponse {
    let headers = headers.iter().map(|(name, value)| Header::received(name, value)).collect();
    HttpResponse { status, headers, body: Secret::new(Vec::new()) }
}

fn ticket(admit: Admit) -> Ticket {
    match admit {
        Admit::Now(ticket) => ticket,
        later => panic!("{later:?}"),
    }
}

/// How a server counts.
#[derive(Clone, Copy, Debug)]
enum Counting {
    /// In windows that begin at this offset.
    Fixed(i64),
    /// In the window before each call.
    Sliding,
}

/// When a call goes out is decided by the governor; how long it takes to reach the server and to come back, by the adversary.
#[derive(Clone, Copy, Debug)]
struct Latency {
    there: i64,
    back: i64,
}

struct Server {
    counting: Counting,
    limit: usize,
    counted: Vec<i64>,
}

impl Server {
    /// Counts a call at a time; how many are left, or none where it is one too many.
    fn count(&mut self, at: i64) -> Option<usize> {
        self.counted.push(at);
        let in_window = self.counted.iter().filter(|earlier| match self.counting {
            Counting::Fixed(offset) => (**earlier - offset).div_euclid(WINDOW) == (at - offset).div_euclid(WINDOW),
            Counting::Sliding => at - **earlier < WINDOW,
        });
        self.limit.checked_sub(in_window.count())
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Reaches,
    Answered(usize),
    Asks,
}

fn latencies() -> impl Strategy<Value = Latency> {
    (0..4000_i64, 0..4000_i64).prop_map(|(there, back)| Latency { there, back })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn never_more_than_the_limit_in_any_window_of_the_server(
        fixed in proptest::option::of(0..WINDOW),
        limit in 5..30_usize,
        callers in proptest::collection::vec((0..60_000_i64, latencies()), 1..150),
    ) {
        let counting = fixed.map_or(Counting::Sliding, Counting::Fixed);
        let mut server = Server { counting, limit, counted: Vec::new() };
        let mut governor = Governor::default();
        let key = key("GET", "people");
        // Time, event, caller. At the same time the server counts first.
        let mut events: BinaryHeap<Reverse<(i64, Event, usize)>> =
            callers.iter().enumerate().map(|(caller, (at, _))| Reverse((*at, Event::Asks, caller))).collect();
        let mut tickets = vec![None; callers.len()];
        let (mut sent, mut last) = (0, 0);
        while let Some(Reverse((now, event, caller))) = events.pop() {
            let latency = callers[caller].1;
            match event {
                Event::Asks => match governor.admit(seconds(now), &key) {
                    Admit::Now(ticket) => {
                        tickets[caller] = Some(ticket);
                        events.push(Reverse((now + latency.there, Event::Reaches, caller)));
                    }
                    Admit::At(at) => {
                        let at = (at.0 - START) * 1000;
                        prop_assert!(at > now, "a wait ends in the future");
                        events.push(Reverse((at, Event::Asks, caller)));
                    }
                    Admit::AfterAnswer => events.push(Reverse((now + 100, Event::Asks, caller))),
                },
                Event::Reaches => {
                    let left = server.count(now);
                    prop_assert!(left.is_some(), "one too many at {now} with {limit} by {counting:?}");
                    sent += 1;
                    events.push(Reverse((now + latency.back, Event::Answered(left.unwrap_or(0)), caller)));
                }
                Event::Answered(left) => {
                    let (limit, left) = (limit.to_string(), left.to_string());
                    let headers = [
                        ("x-ratelimit-limit", limit.as_str()), ("x-ratelimit-remaining", left.as_str()),
                        ("x-ratelimit-window", "10"), ("x-ratelimit-context", "global"),
                    ];
                    let headers = RateHeaders::of(&answer(200, &headers), seconds(now));
                    governor.learn(seconds(now), &key, tickets[caller].expect("admitted"), &headers);
                }
            }
            last = now;
        }
        prop_assert_eq!(sent, callers.len(), "everybody got through");
        // A window, its margin and the longest latency, per limit of calls, twice over since others' calls are guessed high.
        let rounds = i64::try_from(callers.len() / limit + 2).expect("few");
        prop_assert!(last <= 60_000 + rounds * 2 * (WINDOW + 1000 + 9000), "in bounded time: {}", last);
    }

    #[test]
    fn nothing_goes_out_while_a_429_holds(retry_after in 1..600_u32, asks in 0..900_i64) {
        let mut governor = Governor::default();
        let key = key("GET", "people");
        let first = ticket(governor.admit(Timestamp(START), &key));
        let refused = answer(429, &[("retry-after", &retry_after.to_string())]);
        governor.learn(Timestamp(START), &key, first, &RateHeaders::of(&refused, Timestamp(START)));
        let until = Timestamp(START + i64::from(retry_after));
        let now = Timestamp(START + asks);
        match governor.admit(now, &key) {
            Admit::Now(_) => prop_assert!(now >= until),
            Admit::At(at) => prop_assert!(now < until && at == until),
            Admit::AfterAnswer => prop_assert!(false, "nothing is out"),
        }
    }
}

#[test]
fn retry_after_is_honoured_as_a_date_and_without_one_for_a_window() {
    let now = Timestamp(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
    for (headers, hold) in [
        (vec![("retry-after", "Sun, 06 Nov 1994 08:50:00 GMT")], 23),
        (vec![("retry-after", "7")], 7),
        (vec![], 10),
        (vec![("retry-after", "soon")], 10),
    ] {
        let mut governor = Governor::default();
        let key = key("GET", "people");
        let first = ticket(governor.admit(now, &key));
        governor.learn(now, &key, first, &RateHeaders::of(&answer(429, &headers), now));
        assert_eq!(governor.admit(now, &key), Admit::At(now.plus(hold)), "{headers:?}");
        ticket(governor.admit(now.plus(hold), &key));
    }
}

#[test]
fn contexts_and_accounts_have_budgets_of_their_own() {
    let now = Timestamp(START);
    let mut governor = Governor::default();
    let held = |governor: &mut Governor, key: &Key, context: &str| {
        let first = ticket(governor.admit(now, key));
        let refused = answer(429, &[("retry-after", "9"), ("x-ratelimit-context", context)]);
        governor.learn(now, key, first, &RateHeaders::of(&refused, now));
    };
    held(&mut governor, &key("GET", "notes/17"), "notes");
    assert_eq!(governor.admit(now, &key("POST", "notes")), Admit::At(now.plus(9)));
    ticket(governor.admit(now, &key("GET", "people")));
    // A context that nobody documented is learnt from the answer.
    held(&mut governor, &key("GET", "deals"), "deals");
    assert_eq!(governor.admit(now, &key("GET", "deals/1")), Admit::At(now.plus(9)));
    ticket(governor.admit(now, &key("POST", "deals")));
    held(&mut governor, &key("PUT", "people/1"), "PUT.people");
    ticket(governor.admit(now, &key("GET", "people/1")));
    held(&mut governor, &key("GET", "people"), "global");
    assert_eq!(governor.admit(now, &key("GET", "users")), Admit::At(now.plus(9)));
    let other = Account { system: None, account: "b".to_owned() };
    ticket(governor.admit(now, &Key { account: other.clone(), ..key("GET", "users") }));
    // When it turns out that both are one, what holds for one holds for the other.
    governor.is_same(&other, &key("GET", "users").account);
    assert_eq!(governor.admit(now, &Key { account: other, ..key("GET", "users") }), Admit::At(now.plus(9)));
}

#[test]
fn before_a_limit_is_learnt_few_are_out_and_an_api_without_one_is_not_slowed() {
    let now = Timestamp(START);
    let mut governor = Governor::default();
    let key = key("GET", "people");
    let out: Vec<Ticket> = (0..UNLEARNT).map(|_| ticket(governor.admit(now, &key))).collect();
    assert_eq!(governor.admit(now, &key), Admit::AfterAnswer);
    // A lost call gives its place back.
    governor.lost(now, &key, out[0]);
    let again = ticket(governor.admit(now, &key));
    governor.learn(now, &key, again, &RateHeaders::of(&answer(401, &[]), now));
    ticket(governor.admit(now, &key));
    assert_eq!(governor.admit(now, &key), Admit::AfterAnswer, "a refusal says nothing about a limit");
    governor.learn(now, &key, out[1], &RateHeaders::of(&answer(200, &[]), now));
    for _ in 0..1000 {
        ticket(governor.admit(now, &key));
    }
}

#[test]
fn what_others_take_is_seen_and_nonsense_is_not_believed() {
    let now = Timestamp(START);
    let mut governor = Governor::default();
    let key = key("GET", "people");
    let first = ticket(governor.admit(now, &key));
    let told = [("x-ratelimit-limit", "100"), ("x-ratelimit-remaining", "2"), ("x-ratelimit-window", "10")];
    governor.learn(now, &key, first, &RateHeaders::of(&answer(200, &told), now));
    ticket(governor.admit(now, &key));
    ticket(governor.admit(now, &key));
    assert_eq!(governor.admit(now, &key), Admit::At(now.plus(11)));
    for (limit, window) in [("0", "10"), ("-1", "10"), ("4000000000", "99999999999"), ("many", "long")] {
        let headers =
            RateHeaders::of(&answer(200, &[("x-ratelimit-limit", limit), ("x-ratelimit-window", window)]), now);
        assert_eq!(headers.limit, None, "{limit}");
    }
}

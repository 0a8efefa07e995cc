//! The way out to the authority and back: state, sessions, denial, second visits.

use crate::scripted::*;
use keyfob_client::*;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

fn alice() -> BrowserSession {
    BrowserSession::from_value("session of alice")
}

fn bob() -> BrowserSession {
    BrowserSession::from_value("session of bob")
}

fn begin(session: BrowserSession, entropy: &SeededEntropy) -> (String, PendingAttempt) {
    let attempt = Attempt::begin(&Provider::follow_up_boss(), &app(), session, START, entropy).unwrap();
    (state_of(attempt.url.expose()), attempt.pending)
}

fn approved(state: &str) -> String {
    format!("response=approved&code=c1&state={state}")
}

#[test]
fn cl_01_every_attempt_has_a_state_of_256_bits() {
    let entropy = SeededEntropy::default();
    let states: HashSet<String> = (0..100).map(|_| begin(alice(), &entropy).0).collect();
    assert_eq!(states.len(), 100);
    assert!(states.iter().all(|state| state.len() == 43), "43 base64url characters hold 256 bits");
}

#[test]
fn cl_01_no_randomness_no_attempt() {
    struct Broken;
    impl Entropy for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyFailed> {
            Err(EntropyFailed)
        }
    }
    let attempt = Attempt::begin(&Provider::follow_up_boss(), &app(), alice(), START, &Broken);
    assert_eq!(attempt.expect_err("no state"), EntropyFailed);
}

#[test]
fn cl_01_swapped_callbacks_of_two_users_are_refused() {
    let (entropy, store) = (SeededEntropy::default(), AttemptStore::default());
    let (state_a, pending_a) = begin(alice(), &entropy);
    let (state_b, pending_b) = begin(bob(), &entropy);
    store.keep(pending_a, START);
    store.keep(pending_b, START);
    assert_eq!(store.accept(&approved(&state_a), bob(), START).unwrap_err(), CallbackOutcome::WrongSession);
    assert_eq!(store.accept(&approved(&state_b), alice(), START).unwrap_err(), CallbackOutcome::WrongSession);
    // Neither attempt can be used any more: a code that was in other hands is worth nothing to us.
    let refused = CallbackOutcome::AlreadyUsed(FirstVisit::Refused);
    assert_eq!(store.accept(&approved(&state_a), alice(), START).unwrap_err(), refused);

    // The same without a store: each attempt against the other's callback.
    let (state_a, pending_a) = begin(alice(), &entropy);
    let (state_b, pending_b) = begin(bob(), &entropy);
    assert_eq!(pending_a.accept(&approved(&state_b), alice(), START).unwrap_err(), CallbackOutcome::StateMismatch);
    assert_eq!(pending_b.accept(&approved(&state_a), bob(), START).unwrap_err(), CallbackOutcome::StateMismatch);
}

#[test]
fn cl_01_absent_wrong_and_repeated_states_are_refused() {
    let entropy = SeededEntropy::default();
    let pending = || begin(alice(), &entropy);
    for query in
        ["response=approved&code=c1", "response=approved&code=c1&state=", "response=denied", "error=server_error"]
    {
        assert_eq!(pending().1.accept(query, alice(), START).unwrap_err(), CallbackOutcome::StateMismatch, "{query}");
    }
    // A denial or an error with somebody else's state is not believed either.
    for query in ["response=denied&state=x", "error=access_denied&state=x", "response=approved&code=c1&state=x"] {
        assert_eq!(pending().1.accept(query, alice(), START).unwrap_err(), CallbackOutcome::StateMismatch, "{query}");
    }
    let (state, attempt) = pending();
    let twice = format!("response=approved&code=c1&state={state}&state={state}");
    assert!(matches!(
        attempt.accept(&twice, alice(), START),
        Err(CallbackOutcome::ProtocolError(CallbackError::Repeated(_)))
    ));
    let store = AttemptStore::default();
    assert_eq!(store.accept(&approved("never-begun"), alice(), START).unwrap_err(), CallbackOutcome::Unknown);
}

#[test]
fn cl_01_an_attempt_lasts_15_minutes_to_the_second() {
    let entropy = SeededEntropy::default();
    let (state, attempt) = begin(alice(), &entropy);
    assert!(attempt.accept(&approved(&state), alice(), START.plus(899)).is_ok());
    let (state, attempt) = begin(alice(), &entropy);
    assert_eq!(attempt.accept(&approved(&state), alice(), START.plus(900)).unwrap_err(), CallbackOutcome::Expired);
    let store = AttemptStore::default();
    let (state, attempt) = begin(alice(), &entropy);
    store.keep(attempt, START);
    assert_eq!(store.accept(&approved(&state), alice(), START.plus(900)).unwrap_err(), CallbackOutcome::Expired);
}

#[test]
fn cl_02_only_an_approval_with_one_code_leads_to_an_exchange() {
    let entropy = SeededEntropy::default();
    let outcome = |query: &str| {
        let (state, attempt) = begin(alice(), &entropy);
        attempt.accept(&format!("{query}&state={state}"), alice(), START)
    };
    for good in ["response=approved&code=c1", "code=c1", "code=c1&iss=https://x&unknown=1"] {
        assert!(outcome(good).is_ok(), "{good}");
    }
    for denied in ["response=denied", "error=access_denied", "error=access_denied&error_description=no"] {
        assert_eq!(outcome(denied).unwrap_err(), CallbackOutcome::Denied, "{denied}");
    }
    for bad in [
        "response=approved",
        "response=approved&code=",
        "response=denied&code=c1",
        "response=denied&error=invalid_scope",
        "error=server_error",
        "response=approved&code=c1&error=x",
        "response=approved&response=denied&code=c1",
        "code=c1&code=c2",
        "response=maybe",
        "response=approved&code=%zz",
    ] {
        assert!(matches!(outcome(bad), Err(CallbackOutcome::ProtocolError(_))), "{bad}");
    }
}

#[test]
fn cl_09_the_challenge_is_s256_of_the_verifier_that_is_sent() {
    let provider = Provider::keyfob("https://id.example.com").unwrap();
    let attempt = Attempt::begin(&provider, &app(), alice(), START, &SeededEntropy::default()).unwrap();
    let url = url::Url::parse(attempt.url.expose()).unwrap();
    let query: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(query["code_challenge_method"], "S256");
    let ready = attempt
        .pending
        .accept(&format!("code=c1&state={}&iss=https://id.example.com", query["state"]), alice(), START)
        .unwrap();
    let (request, _) = ready.into_request(&app(), START);
    let body = String::from_utf8(request.body.expose().clone()).unwrap();
    let verifier = body.split('&').find_map(|pair| pair.strip_prefix("code_verifier=")).expect("a verifier is sent");
    let verifier = keyfob_protocol::pkce::CodeVerifier::parse(verifier).expect("well-formed");
    assert_eq!(verifier.challenge().to_text(), query["code_challenge"]);
}

#[test]
fn cl_10_a_second_visit_learns_what_the_first_led_to() {
    let (entropy, store) = (SeededEntropy::default(), AttemptStore::default());
    let (state, attempt) = begin(alice(), &entropy);
    store.keep(attempt, START);
    assert!(store.accept(&approved(&state), alice(), START).is_ok());
    for later in [0, 600, 1200] {
        let again = store.accept(&approved(&state), alice(), START.plus(later)).unwrap_err();
        assert_eq!(again, CallbackOutcome::AlreadyUsed(FirstVisit::Approved), "after {later} s");
    }
    assert_eq!(store.accept(&approved(&state), bob(), START).unwrap_err(), CallbackOutcome::WrongSession);
    // Long past, the name is forgotten and the memory given back.
    assert_eq!(store.accept(&approved(&state), alice(), START.plus(1800)).unwrap_err(), CallbackOutcome::Unknown);

    let (state, attempt) = begin(alice(), &entropy);
    store.keep(attempt, START);
    let denied = format!("response=denied&state={state}");
    assert_eq!(store.accept(&denied, alice(), START).unwrap_err(), CallbackOutcome::Denied);
    // Not even an approval can follow a denial.
    let again = store.accept(&approved(&state), alice(), START).unwrap_err();
    assert_eq!(again, CallbackOutcome::AlreadyUsed(FirstVisit::Denied));
}

#[test]
fn cl_10_of_many_visits_at_once_one_gets_the_exchange() {
    let (entropy, store, won) = (SeededEntropy::default(), AttemptStore::default(), AtomicUsize::new(0));
    let (state, attempt) = begin(alice(), &entropy);
    store.keep(attempt, START);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| match store.accept(&approved(&state), alice(), START) {
                Ok(_) => drop(won.fetch_add(1, Ordering::SeqCst)),
                Err(outcome) => assert_eq!(outcome, CallbackOutcome::AlreadyUsed(FirstVisit::Approved)),
            });
        }
    });
    assert_eq!(won.into_inner(), 1);
}

#[test]
fn cl_01_the_memory_for_attempts_has_a_bound() {
    let (entropy, store) = (SeededEntropy::default(), AttemptStore::with_capacity(2));
    let states: Vec<String> = (0..3)
        .map(|_| {
            let (state, attempt) = begin(alice(), &entropy);
            store.keep(attempt, START);
            state
        })
        .collect();
    assert_eq!(store.accept(&approved(&states[0]), alice(), START).unwrap_err(), CallbackOutcome::Unknown);
    assert!(store.accept(&approved(&states[1]), alice(), START).is_ok());
    assert!(store.accept(&approved(&states[2]), alice(), START).is_ok());
}

#[tokio::test]
async fn cl_14_a_denial_calls_no_token_endpoint_and_keeps_the_earlier_connection() {
    let world = World::new();
    let connection = world.connected().await;
    let Attempt { url, pending } = world.begin("alice");
    let query = format!("response=denied&state={}", state_of(url.expose()));
    let outcome = pending.accept(&query, BrowserSession::from_value("alice"), START).unwrap_err();
    assert_eq!(outcome, CallbackOutcome::Denied);
    assert_eq!(world.script.count(), 0);
    assert!(
        matches!(connection.state().await, Ok(ConnectionState::Healthy(tokens)) if tokens.access_token.expose() == "a1")
    );
}

#[test]
fn cl_12_a_stored_attempt_comes_back_whole_and_goes_to_no_other_authority() {
    let provider = Provider::keyfob("https://id.example.com").unwrap();
    let attempt = Attempt::begin(&provider, &app(), alice(), START, &SeededEntropy::default()).unwrap();
    let state = state_of(attempt.url.expose());
    let stored = attempt.pending.to_stored();
    let read = || PendingAttempt::from_stored(stored.expose()).unwrap();
    assert_eq!(read().key(), AttemptKey::of_callback(&approved(&state)).unwrap());
    assert_eq!(read().accept(&approved(&state), bob(), START).unwrap_err(), CallbackOutcome::WrongSession);
    let wrong = read().accept(&format!("{}&iss=https://evil.example", approved(&state)), alice(), START);
    assert!(matches!(wrong, Err(CallbackOutcome::WrongIssuer { .. })), "{wrong:?}");
    let named = format!("{}&iss=https://id.example.com", approved(&state));
    let (request, _) = read().accept(&named, alice(), START).unwrap().into_request(&app(), START);
    assert_eq!(request.endpoint(), "https://id.example.com/oauth/token");
    let body = String::from_utf8(request.body.expose().clone()).unwrap();
    assert!(body.contains(&format!("&state={state}&code_verifier=")), "{body}");

    let in_clear = stored.expose().replace("https://id.example.com", "http://id.example.com");
    assert!(matches!(PendingAttempt::from_stored(&in_clear), Err(MalformedAttempt::Unsafe(UnsafeUrl::NotHttps(_)))));
    assert_eq!(PendingAttempt::from_stored("{}").unwrap_err(), MalformedAttempt::NotOurs);
}

#[test]
fn nothing_that_prints_shows_a_state_a_verifier_or_a_code() {
    let provider = Provider::keyfob("https://id.example.com").unwrap();
    let attempt = Attempt::begin(&provider, &app(), alice(), START, &SeededEntropy::default()).unwrap();
    let state = state_of(attempt.url.expose());
    let mut printed = format!("{attempt:?}");
    let ready = attempt
        .pending
        .accept(&format!("code=hunter2&state={state}&iss=https://id.example.com"), alice(), START)
        .unwrap();
    printed += &format!("{ready:?}");
    let (request, sent) = ready.into_request(&app(), START);
    printed += &format!("{request:?} {sent:?} {:?}", app());
    for secret in [state.as_str(), "hunter2", "s3cret", "Basic "] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    assert!(printed.contains("POST https://id.example.com/oauth/token"), "{printed}");
}

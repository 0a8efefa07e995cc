//! The one attempt of this process, and what comes for it: by the browser or pasted by a person.
//!
//! Anybody may knock: a page in the browser, an address from yesterday. Only what carries the attempt's state can end it.

use keyfob_client::{AttemptKey, AttemptStore, BrowserSession, CallbackOutcome, Clock, PendingAttempt, ReadyExchange};
use std::sync::Arc;
use url::Url;

/// The attempt.
pub(crate) struct Waiting {
    attempts: AttemptStore,
    session: BrowserSession,
    clock: Arc<dyn Clock>,
}

/// What a callback was.
pub(crate) enum Came {
    /// Not the attempt's, or its second visit: the attempt goes on.
    Foreign(CallbackOutcome),
    /// The attempt's, which is over now.
    Answer(Result<Box<ReadyExchange>, CallbackOutcome>),
}

/// What is wrong with a pasted text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotACallback(pub(crate) String);

impl Waiting {
    pub(crate) fn new(pending: PendingAttempt, session: BrowserSession, clock: Arc<dyn Clock>) -> Waiting {
        let attempts = AttemptStore::with_capacity(1);
        attempts.keep(pending, clock.now());
        Waiting { attempts, session, clock }
    }

    /// Reads a callback's query.
    pub(crate) fn take(&self, query: &str) -> Came {
        if let Err(outcome) = AttemptKey::of_callback(query) {
            return Came::Foreign(outcome);
        }
        match self.attempts.accept(query, self.session, self.clock.now()) {
            Ok(ready) => Came::Answer(Ok(Box::new(ready))),
            Err(outcome @ (CallbackOutcome::Unknown | CallbackOutcome::AlreadyUsed(_))) => Came::Foreign(outcome),
            Err(outcome) => Came::Answer(Err(outcome)),
        }
    }
}

/// The query of a pasted callback: the whole address, or what stands behind its `?`.
pub(crate) fn pasted_query(pasted: &str, redirect_uri: &str, authorize: &Url) -> Result<String, NotACallback> {
    let pasted = pasted.trim().trim_matches(['"', '\'', '<', '>']);
    let refuse = |why: String| Err(NotACallback(why));
    if !pasted.contains("://") {
        let query = pasted.strip_prefix('?').unwrap_or(pasted);
        return match query.contains("state=") && !query.contains(char::is_whitespace) {
            true => Ok(query.to_owned()),
            false => refuse(format!("This is not an address: paste all of it, from {redirect_uri} to its end.")),
        };
    }
    let (Ok(url), Ok(expected)) = (Url::parse(pasted), Url::parse(redirect_uri)) else {
        return refuse(format!("This is not an address: paste all of it, from {redirect_uri} to its end."));
    };
    let place = |url: &Url| {
        (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default(), url.path().to_owned())
    };
    if place(&url) == place(authorize) {
        return refuse("This is the page to open: paste the address of the page that the browser ends on.".to_owned());
    }
    if place(&url) != place(&expected) {
        return refuse(format!("This is another page: the callback's address begins with {redirect_uri}."));
    }
    // As it came: decoding and encoding again could change what is compared byte for byte.
    let address = pasted.split('#').next().unwrap_or_default();
    match address.split_once('?') {
        Some((_, query)) if !query.is_empty() => Ok(query.to_owned()),
        _ => refuse("This address has nothing behind its path: was the end cut off?".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use keyfob_client::{App, Attempt, EntropyFailed, Provider, Timestamp};
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Fixed(AtomicI64);

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::SeqCst))
        }
    }

    struct Sevens;

    impl keyfob_client::Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyFailed> {
            bytes.fill(7);
            Ok(())
        }
    }

    #[test]
    fn cl_01_an_answer_after_15_minutes_is_told_as_one_and_what_is_foreign_ends_nothing() {
        let clock = Arc::new(Fixed(AtomicI64::new(1_800_000_000)));
        let session = BrowserSession::from_value("here");
        let app = App { client_id: "c".to_owned(), client_secret: None, redirect_uri: REDIRECT.to_owned() };
        let attempt = Attempt::begin(&Provider::follow_up_boss(), &app, session, clock.now(), &Sevens).expect("begun");
        let url = Url::parse(attempt.url.expose()).expect("a URL");
        let state = url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
        let waiting = Waiting::new(attempt.pending, session, clock.clone());
        for foreign in ["code=c&state=other", "response=denied", "%zz", ""] {
            assert!(matches!(waiting.take(foreign), Came::Foreign(_)), "{foreign}");
        }
        clock.0.fetch_add(15 * 60, Ordering::SeqCst);
        let Came::Answer(Err(outcome)) = waiting.take(&format!("response=approved&code=c&state={state}")) else {
            panic!("the attempt has ended");
        };
        assert_eq!(outcome, CallbackOutcome::Expired);
        let error = crate::partner::failure::of_callback(&outcome);
        assert!(error.to_string().contains("more than 15 minutes after the attempt began. Run the command again."));
        assert_eq!(crate::exit::Exit::of(&error), Some(crate::exit::Exit::Refused));
    }

    const REDIRECT: &str = "https://app.example.com/callback";

    fn query(pasted: &str) -> Result<String, NotACallback> {
        pasted_query(pasted, REDIRECT, &Url::parse("https://id.example.com/oauth/authorize").expect("a URL"))
    }

    #[test]
    fn an_address_is_taken_as_it_is_copied() {
        let expected = "response=approved&code=a%2Fb&state=s";
        for pasted in [
            "https://app.example.com/callback?response=approved&code=a%2Fb&state=s",
            "  'https://app.example.com/callback?response=approved&code=a%2Fb&state=s#'  ",
            "HTTPS://APP.example.com:443/callback?response=approved&code=a%2Fb&state=s",
            "?response=approved&code=a%2Fb&state=s",
            "response=approved&code=a%2Fb&state=s",
        ] {
            assert_eq!(query(pasted).as_deref(), Ok(expected), "{pasted}");
        }
    }

    #[test]
    fn a_wrong_paste_is_told_what_it_is() {
        for (pasted, word) in [
            ("yes", "not an address"),
            ("https://", "not an address"),
            ("state=s and more", "not an address"),
            ("https://id.example.com/oauth/authorize?response_type=auth_code&state=s", "page to open"),
            ("https://app.example.com/other?code=c&state=s", "another page"),
            ("http://app.example.com/callback?code=c&state=s", "another page"),
            ("https://evil.example/callback?code=c&state=s", "another page"),
            ("https://app.example.com/callback", "cut off"),
            ("https://app.example.com/callback?", "cut off"),
        ] {
            let NotACallback(why) = query(pasted).expect_err(pasted);
            assert!(why.contains(word), "{pasted}: {why}");
        }
    }
}

//! The demo's browsers: a random cookie, and what was connected in it. A bounded number; the oldest gives way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time;
use http::{HeaderMap, HeaderValue, header};
use keyfob_client::{BrowserSession, Surroundings};
use keyfob_pages::Note;
use keyfob_protocol::{Entropy, EntropyFailed, base62, entropy};

use super::apps::DemoApps;
use super::slot::Slot;

/// Browsers at the same time.
const MOST: usize = 64;

/// One browser.
pub(super) struct Session {
    cookie: String,
    csrf: String,
    slots: Vec<Slot>,
    note: Mutex<Option<Note>>,
}

impl Session {
    /// What ties attempts to this browser.
    pub(super) fn browser(&self) -> BrowserSession {
        BrowserSession::from_value(&self.cookie)
    }

    /// For the hidden field of every form.
    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }

    pub(super) fn is_csrf(&self, presented: &str) -> bool {
        constant_time::verify_slices_are_equal(presented.as_bytes(), self.csrf.as_bytes()).is_ok()
    }

    /// What this browser has with an app.
    pub(super) fn slot(&self, key: &str) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.key == key)
    }

    /// What the first page says once.
    pub(super) fn say_at_home(&self, note: Note) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
    }

    pub(super) fn take_note(&self) -> Option<Note> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// All browsers.
pub(super) struct Sessions {
    name: String,
    entropy: Arc<dyn Entropy>,
    kept: Mutex<VecDeque<Arc<Session>>>,
}

/// A browser, and the cookie to set if it is new.
pub(super) struct Visit {
    pub(super) session: Arc<Session>,
    pub(super) set: Option<HeaderValue>,
}

impl Sessions {
    /// Cookies do not know ports: two sandboxes on one machine need two names.
    pub(super) fn new(origin: &str, entropy: Arc<dyn Entropy>) -> Sessions {
        let port = origin.rsplit(':').next().unwrap_or_default();
        Sessions { name: format!("keyfob-demo-{port}"), entropy, kept: Mutex::default() }
    }

    /// The browser that sent these headers, if it was here before.
    pub(super) fn known(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut values = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name)
            .map(|(_, value)| value);
        let (value, None) = (values.next()?, values.next()) else { return None };
        self.lock().iter().find(|session| session.cookie == value).cloned()
    }

    /// The same, or a new one.
    pub(super) fn visit(
        &self,
        headers: &HeaderMap,
        apps: &DemoApps,
        outside: &Surroundings,
    ) -> Result<Visit, EntropyFailed> {
        if let Some(session) = self.known(headers) {
            return Ok(Visit { session, set: None });
        }
        let random = || Ok(base62::encode(&entropy::random::<32>(&*self.entropy)?));
        let session = Arc::new(Session {
            cookie: random()?,
            csrf: random()?,
            slots: apps.all().map(|app| Slot::new(app, outside)).collect(),
            note: Mutex::default(),
        });
        let mut kept = self.lock();
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back(session.clone());
        let cookie = format!("{}={}; Path=/demo; HttpOnly; SameSite=Lax", self.name, session.cookie);
        let set = HeaderValue::try_from(cookie).expect("invariant: letters and digits");
        Ok(Visit { session, set: Some(set) })
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<Session>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

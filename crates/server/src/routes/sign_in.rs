//! Signing in: on the way to consent, or on its own for the list of connections (matrix IN-01, IN-05, SE-04).

use crate::cookies::{Cookie, Flow};
use crate::doorway::Doorway;
use crate::html;
use crate::refusal_pages::{self, RefusalPage};
use crate::request_id::RequestId;
use crate::routes::posted::{Posted, field, malformed};
use crate::routes::{consent, hand_off};
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use keyfob_authority::decide::DecisionRefusal;
use keyfob_authority::interaction::FlowId;
use keyfob_authority::model::{App, User};
use keyfob_authority::session::SignedIn;
use keyfob_authority::sign_in::{PresentedLogin, SignInRefusal, SignInWay};
use keyfob_authority::{Decision, Fault};
use keyfob_pages::SignIn;
use keyfob_protocol::form::Form;
use keyfob_protocol::{EntropyFailed, Secret, Timestamp, base62, entropy};
use std::sync::Arc;

/// One message for an unknown user and for a wrong password.
const NOT_RECOGNISED: &str = "We do not recognise this e-mail address and password. Check both and try again.";

/// Passwords that may wait to be checked: two at a time take some twenty milliseconds each, so that the last one waits a third of a second.
const MOST_SIGN_INS: usize = 32;
/// With those in browsers that their owners have used before: a flood of strangers leaves room for them.
const MOST_SIGN_INS_WITH_KNOWN: usize = 2 * MOST_SIGN_INS;
/// The purpose of the cookie by which a browser is known.
const KNOWN: &str = "known-browser";

/// What the sign-in page asks for.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) flow: FlowId,
    pub(crate) app: Option<&'a App>,
    pub(crate) sealed: Option<&'a str>,
    pub(crate) email: &'a str,
    pub(crate) error: Option<&'a str>,
    pub(crate) notice: Option<&'a str>,
    /// Somebody else should sign in than who is signed in already.
    pub(crate) anew: bool,
}

impl<'a> Ask<'a> {
    /// A sign-in that leads to the list of connections.
    pub(crate) fn plain(flow: FlowId) -> Ask<'a> {
        Ask { flow, app: None, sealed: None, email: "", error: None, notice: None, anew: false }
    }
}

/// Asks somebody to sign in, in the way there is here.
pub(crate) async fn ask(
    doorway: &Doorway,
    ask: &Ask<'_>,
    cookies: impl IntoIterator<Item = HeaderValue>,
    id: &RequestId,
) -> Result<Response, Fault> {
    match &doorway.sign_in {
        SignInWay::Passwords(_) => Ok(page(doorway, StatusCode::OK, ask, cookies)),
        SignInWay::Platform(platform) => hand_off::depart(doorway, platform, ask, cookies, id),
        SignInWay::OpenId(openid) => hand_off::depart_to_provider(doorway, openid, ask, cookies, id).await,
    }
}

/// Renders the page.
fn page(
    doorway: &Doorway,
    status: StatusCode,
    ask: &Ask<'_>,
    cookies: impl IntoIterator<Item = HeaderValue>,
) -> Response {
    let action = if ask.sealed.is_some() { "/oauth/authorize/sign-in" } else { "/sign-in" };
    let page = SignIn {
        brand: doorway.options.brand.clone(),
        app_name: ask.app.map(|app| app.name.clone()),
        interaction: ask.sealed.map(str::to_owned),
        csrf: doorway.authority.keys().csrf_token("sign-in", &[&ask.flow.0]),
        email: ask.email.to_owned(),
        error: ask.error.map(str::to_owned),
        notice: ask.notice.map(str::to_owned),
        action: action.to_owned(),
        cancel_action: None,
    };
    html::page(status, page.render(), None, cookies)
}

/// `POST /oauth/authorize/sign-in`: on success the consent page, at once and by the same answer, since a sealed interaction never stands
/// in a URL.
pub(crate) async fn for_interaction(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    answer(&doorway, request, true).await
}

/// `POST /sign-in`: on success the list of connections.
pub(crate) async fn on_its_own(State(doorway): State<Arc<Doorway>>, request: Request) -> Response {
    answer(&doorway, request, false).await
}

async fn answer(doorway: &Doorway, request: Request, with_interaction: bool) -> Response {
    let posted = match Posted::read(doorway, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let form = match posted.form(doorway) {
        Ok(form) => form,
        Err(response) => return response,
    };
    let outcome = match with_interaction {
        true => towards_consent(doorway, &posted, &form).await,
        false => towards_connections(doorway, &posted, &form).await,
    };
    outcome.unwrap_or_else(|fault| refusal_pages::fault(doorway, &posted.id, &fault))
}

async fn towards_consent(doorway: &Doorway, posted: &Posted, form: &Form<'_>) -> Result<Response, Fault> {
    let now = doorway.now();
    let sealed = field(form, "interaction");
    let flow = Flow::existing(doorway, &posted.headers);
    let (interaction, app) = match doorway.authority.open_interaction(sealed, flow, now).await? {
        Decision::Granted(opened) => opened,
        Decision::Refused(refusal) => return Ok(RefusalPage::from(refusal).answer(doorway, &posted.id)),
    };
    let ask = |flow| Ask { app: Some(&app), sealed: Some(sealed), ..Ask::plain(flow) };
    let answered = match attempt(doorway, posted, form, ask, now).await {
        Ok(Attempt::Answered(response)) => Ok(*response),
        Ok(Attempt::SignedIn { signed_in, cookies }) => {
            match doorway.authority.signed_in_for(interaction.clone(), &signed_in) {
                Ok((signed, sealed)) => consent::page(doorway, &signed, &sealed, &app, &signed_in, cookies, &posted.id),
                Err(fault) => Err(fault),
            }
        }
        Err(fault) => Err(fault),
    };
    Ok(answered.unwrap_or_else(|fault| {
        let redirect = doorway.authority.failed(&interaction, &app, &fault);
        refusal_pages::fault_to_app(&posted.id, &fault, &redirect)
    }))
}

async fn towards_connections(doorway: &Doorway, posted: &Posted, form: &Form<'_>) -> Result<Response, Fault> {
    match attempt(doorway, posted, form, Ask::plain, doorway.now()).await? {
        Attempt::Answered(response) => Ok(*response),
        Attempt::SignedIn { cookies, .. } => Ok(html::see_other("/connections", cookies)),
    }
}

enum Attempt {
    Answered(Box<Response>),
    SignedIn { signed_in: Box<SignedIn>, cookies: [HeaderValue; 2] },
}

async fn attempt<'a>(
    doorway: &Doorway,
    posted: &Posted,
    form: &'a Form<'_>,
    ask: impl FnOnce(FlowId) -> Ask<'a>,
    now: Timestamp,
) -> Result<Attempt, Fault> {
    let Some(flow) = csrf_holds(doorway, posted, form) else {
        return Ok(Attempt::Answered(Box::new(
            RefusalPage::from(DecisionRefusal::ForeignForm).answer(doorway, &posted.id),
        )));
    };
    let email = field(form, "email");
    let known = known_browser(doorway, posted, email);
    let counted = match doorway.restraint.login(email, known.as_deref(), posted.peer, now) {
        Ok(counted) => counted,
        Err(seconds) => {
            doorway.metrics.sign_in_held_back.inc();
            tracing::info!(request_id = %posted.id, reason = "held_back", seconds, "nobody was signed in");
            return Ok(Attempt::Answered(Box::new(held_back(doorway, &ask(flow), email, seconds))));
        }
    };
    let Some(_in_work) =
        doorway.restraint.load.sign_in(if known.is_some() { MOST_SIGN_INS_WITH_KNOWN } else { MOST_SIGN_INS })
    else {
        doorway.restraint.not_tried(counted);
        return Ok(Attempt::Answered(Box::new(refusal_pages::overloaded(doorway, &posted.id))));
    };
    let login = PresentedLogin { email: email.to_owned(), password: Secret::from(field(form, "password")) };
    let SignInWay::Passwords(passwords) = &doorway.sign_in else {
        return Ok(Attempt::Answered(Box::new(malformed(doorway, &posted.id))));
    };
    let refusal = match passwords.sign_in(login, now).await? {
        Decision::Granted(user) => {
            doorway.restraint.logged_in(counted);
            return open_session(doorway, posted, user, now).await;
        }
        Decision::Refused(refusal) => refusal,
    };
    doorway.metrics.sign_in_refused.inc();
    Ok(Attempt::Answered(Box::new(match refusal {
        SignInRefusal::NotRecognised => {
            // Without the address: people type their password there.
            tracing::info!(request_id = %posted.id, reason = "not_recognised", "nobody was signed in");
            let again = Ask { email, error: Some(NOT_RECOGNISED), ..ask(flow) };
            page(doorway, StatusCode::UNPROCESSABLE_ENTITY, &again, [])
        }
        SignInRefusal::Inactive => RefusalPage::from(DecisionRefusal::Inactive).answer(doorway, &posted.id),
    })))
}

/// The flow whose sign-in form this is (matrix SE-04: nobody is signed in by another site's form).
fn csrf_holds(doorway: &Doorway, posted: &Posted, form: &Form<'_>) -> Option<FlowId> {
    let flow = Flow::existing(doorway, &posted.headers)?;
    doorway.authority.keys().is_csrf_token(field(form, "csrf"), "sign-in", &[&flow.0]).then_some(flow)
}

async fn open_session(doorway: &Doorway, posted: &Posted, user: User, now: Timestamp) -> Result<Attempt, Fault> {
    let secure = doorway.options.secure_cookies;
    let earlier = Cookie::Session.read(&posted.headers, secure);
    let (cookie, session) = doorway.authority.open_session(&user, earlier.as_deref(), now).await?;
    let account = doorway.authority.store().account(user.account).await?;
    let known = Cookie::Known.set(&Secret::new(known_from_now_on(doorway, &user.email)?), secure);
    let cookies = [Cookie::Session.set(&cookie, secure), known];
    Ok(Attempt::SignedIn { signed_in: Box::new(SignedIn { session, user, account }), cookies })
}

/// Which browser this is, if this person has signed in with it before.
fn known_browser(doorway: &Doorway, posted: &Posted, email: &str) -> Option<String> {
    let value = Cookie::Known.read(&posted.headers, doorway.options.secure_cookies)?;
    let (browser, proof) = value.split_once('-')?;
    let email = email.trim().to_lowercase();
    let keys = doorway.authority.keys();
    keys.is_csrf_token(proof, KNOWN, &[email.as_bytes(), browser.as_bytes()]).then(|| browser.to_owned())
}

/// What a browser keeps to show that: a name of its own, and the proof that it is this person's.
fn known_from_now_on(doorway: &Doorway, email: &str) -> Result<String, EntropyFailed> {
    let browser = base62::encode(&entropy::random::<8>(&*doorway.entropy)?);
    let email = email.to_lowercase();
    let proof = doorway.authority.keys().csrf_token(KNOWN, &[email.as_bytes(), browser.as_bytes()]);
    Ok(format!("{browser}-{proof}"))
}

/// The sign-in page once more, before the password is looked at.
fn held_back(doorway: &Doorway, ask: &Ask<'_>, email: &str, seconds: u32) -> Response {
    let wait = if seconds < 120 { format!("{seconds} seconds") } else { format!("{} minutes", seconds.div_ceil(60)) };
    let error = format!("Too many tries. Please wait {wait}, then try again.");
    let again = Ask { email, error: Some(&error), ..*ask };
    let mut response = page(doorway, StatusCode::TOO_MANY_REQUESTS, &again, []);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// The sign-in page in answer to a page that needs a user.
pub(crate) async fn instead_of(doorway: &Doorway, headers: &axum::http::HeaderMap, id: &RequestId) -> Response {
    let asked = match Flow::of(doorway, headers) {
        Ok(flow) => ask(doorway, &Ask::plain(flow.id), flow.set, id).await,
        Err(error) => Err(error.into()),
    };
    asked.unwrap_or_else(|fault| refusal_pages::fault(doorway, id, &fault))
}

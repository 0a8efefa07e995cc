//! Several messages of one attempt: what has to be the same in all of them.

use super::Kind;
use super::findings::Findings;
use super::redirect_uri::{encoded, first_difference, tails};
use super::request::Request;
use super::source::is_open;

/// One of several inputs.
pub(super) struct Step<'r> {
    pub(super) input: usize,
    pub(super) kind: Kind,
    pub(super) request: &'r Request,
}

impl Step<'_> {
    /// A parameter and where it stands, wherever it was sent.
    fn parameter(&self, name: &str) -> Option<(String, usize)> {
        let body = self.request.body_parameters();
        let parameter = self.request.url.query.get(name).or_else(|| body.get(name))?;
        Some((parameter.value.clone(), parameter.raw.start())).filter(|(value, _)| !is_open(value))
    }
}

/// Compares them.
pub(super) fn check(steps: &[Step<'_>], found: &mut Findings) {
    let first = |kind: Kind| steps.iter().find(|step| step.kind == kind);
    let (asked, came, exchange) = (first(Kind::AuthorizeRequest), first(Kind::Callback), first(Kind::Exchange));
    if let (Some(asked), Some(exchange)) = (asked, exchange) {
        redirect_uris(asked, exchange, found);
        same(
            asked,
            exchange,
            "client_id",
            "It is another app than the one of the authorize request; a code works for its own app only.",
            found,
        );
    }
    if let (Some(asked), Some(came)) = (asked, came) {
        same(
            asked,
            came,
            "state",
            "It is not the state of the authorize request: the answer belongs to another attempt, or is forged.",
            found,
        );
        address(asked, came, found);
    }
    if let Some(exchange) = exchange {
        for earlier in [asked, came].into_iter().flatten() {
            same(
                earlier,
                exchange,
                "state",
                "It is not the state of the other message; the exchange has to send the same.",
                found,
            );
        }
    }
    if let (Some(came), Some(exchange)) = (came, exchange) {
        same(came, exchange, "code", "It is not the code of the callback, as it is after decoding.", found);
    }
    repeated(steps, found);
    repeated_state(steps, found);
}

fn same(one: &Step<'_>, other: &Step<'_>, name: &'static str, why: &str, found: &mut Findings) {
    let (Some((a, _)), Some((b, at))) = (one.parameter(name), other.parameter(name)) else { return };
    if let Some(byte) = first_difference(&a, &b) {
        found.input = other.input;
        let write = format!("The {name} of the other message, decoded once.");
        found.wrong(at, name, format!("{why} They differ from byte {byte} on."), write);
    }
}

fn redirect_uris(asked: &Step<'_>, exchange: &Step<'_>, found: &mut Findings) {
    let (Some((a, _)), Some((b, at))) = (asked.parameter("redirect_uri"), exchange.parameter("redirect_uri")) else {
        return;
    };
    if let Some(byte) = first_difference(&a, &b) {
        found.input = exchange.input;
        let why = format!(
            "It differs from the one of the authorize request from byte {byte} on: {}. Both steps have to send the same text.",
            tails(&a, &b, byte, found)
        );
        found.wrong(at, "redirect_uri", why, format!("redirect_uri={}", encoded(&found.shown(&a))));
    }
}

fn address(asked: &Step<'_>, came: &Step<'_>, found: &mut Findings) {
    let Some((uri, _)) = asked.parameter("redirect_uri") else { return };
    let came_to = came.request.url.whole.text().split(['?', '#']).next().unwrap_or_default();
    let uri = uri.split('?').next().unwrap_or_default();
    if came.request.url.host.is_empty() {
        return;
    }
    if let Some(byte) = first_difference(uri, came_to) {
        found.input = came.input;
        let why = format!(
            "The answer came to another address than redirect_uri; they differ from byte {byte} on: {}.",
            tails(uri, came_to, byte, found)
        );
        found.wrong(came.request.url.whole.at(byte), "redirect_uri", why, found.shown(uri));
    }
}

/// One callback, or one code, more than once.
fn repeated(steps: &[Step<'_>], found: &mut Findings) {
    for (index, step) in steps.iter().enumerate() {
        let Some((code, at)) = step.parameter("code") else { continue };
        let same_step = |earlier: &&Step<'_>| {
            earlier.kind == step.kind && earlier.parameter("code").is_some_and(|(earlier, _)| earlier == code)
        };
        if steps[..index].iter().any(|earlier| same_step(&earlier)) {
            found.input = step.input;
            match step.kind {
                Kind::Callback => found.risky(
                    at,
                    "code",
                    "The same callback came twice, as after a reload, a double click or a prefetch. Its code works once, so a second exchange fails.",
                    "Take the state out of your store in one atomic step; the second visit shows what the first one led to.",
                ),
                _ => found.wrong(
                    at,
                    "code",
                    "The same code is sent twice. It works once, whatever the endpoint or the method, and a second use may end what the first one gave.",
                    "Exchange it once; if no answer came, send the user through the authorize step again.",
                ),
            }
        }
    }
}

/// One state in two authorize requests.
fn repeated_state(steps: &[Step<'_>], found: &mut Findings) {
    let asked = steps.iter().filter(|step| step.kind == Kind::AuthorizeRequest);
    let states: Vec<_> = asked.filter_map(|step| Some((step.input, step.parameter("state")?))).collect();
    for (index, (input, (state, at))) in states.iter().enumerate() {
        if states[..index].iter().any(|(_, (earlier, _))| earlier == state) {
            found.input = *input;
            found.risky(
                *at,
                "state",
                "It is the one of the other authorize request. If these are two attempts, the state is fixed: whoever has seen one can forge the callback of every other.",
                "state=<state>: 32 random bytes in base64url, new for each attempt",
            );
        }
    }
}

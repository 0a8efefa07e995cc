//! What goes wrong with any parameter, whatever it means: encodings, pasted spaces, other spellings of a name.

use super::findings::Findings;
use super::request::{Body, Request};
use super::source::{Parameter, Parameters};
use super::{KNOWN, Kind, source};
use keyfob_protocol::form::FormError;

/// Names that people write, and what is meant.
const MISSPELT: [(&str, &str); 14] = [
    ("redirect_url", "redirect_uri"),
    ("redirecturi", "redirect_uri"),
    ("redirecturl", "redirect_uri"),
    ("callback_url", "redirect_uri"),
    ("clientid", "client_id"),
    ("clientsecret", "client_secret"),
    ("responsetype", "response_type"),
    ("granttype", "grant_type"),
    ("refreshtoken", "refresh_token"),
    ("accesstoken", "access_token"),
    ("auth_code", "code"),
    ("authcode", "code"),
    ("authorization_code", "code"),
    ("scopes", "scope"),
];

/// Checks every parameter of the URL and of the body.
pub(super) fn check(kind: Kind, request: &Request, found: &mut Findings) {
    check_all(kind, &request.url.query, found);
    match &request.body {
        Body::Form(form) => check_all(kind, form, found),
        Body::Json(_) | Body::Multipart(_) | Body::None | Body::Other(_) => {}
    }
    if let Some(at) = white_space(request.url.whole.text()) {
        found.wrong(
            request.url.whole.at(at),
            "white space in the URL",
            "A URL has no white space; what stands behind it is cut off or the request is refused.",
            "Join the lines, and write %20 for a space that belongs to a value.",
        );
    }
}

/// The first white space that is not a placeholder's.
fn white_space(text: &str) -> Option<usize> {
    let mut in_placeholder = false;
    let mut found = text.char_indices().filter(|(_, char)| {
        in_placeholder = *char == '<' || (in_placeholder && *char != '>');
        char.is_whitespace() && !in_placeholder
    });
    found.next().map(|(at, _)| at)
}

fn check_all(kind: Kind, parameters: &Parameters, found: &mut Findings) {
    for (index, parameter) in parameters.all.iter().enumerate() {
        check_one(parameter, found);
        let known = KNOWN.iter().find(|known| **known == parameter.name);
        let is_repeated = parameters.all[..index].iter().any(|earlier| earlier.name == parameter.name);
        if let (Some(name), true) = (known, is_repeated) {
            let (why, write) = match (kind, *name) {
                (Kind::Callback, "response") => (
                    "It appears more than once, as if the user had approved and declined at once. No authority answers so; one library takes the first, another the last.",
                    "Exchange nothing; treat it as forged.",
                ),
                (Kind::Callback, _) => (
                    "It appears more than once, and nobody can tell which one counts. No authority answers so.",
                    "Exchange nothing; treat it as forged.",
                ),
                _ => ("It appears more than once; nobody can tell which one counts.", "Send it once."),
            };
            found.wrong(parameter.at, *name, why, write);
        }
    }
}

fn check_one(parameter: &Parameter, found: &mut Findings) {
    let lower = parameter.name.to_ascii_lowercase();
    let known = KNOWN.iter().find(|known| **known == parameter.name);
    if let Some(rest) = lower.strip_prefix("amp;") {
        let meant = KNOWN.iter().find(|known| **known == rest).copied().unwrap_or("a parameter");
        found.wrong(
            parameter.at,
            "&amp;",
            format!("The ampersand is escaped as in HTML, so {meant} arrives under the name \"amp;…\" and counts as missing."),
            "Write & in a URL that is not inside of HTML.",
        );
        return;
    }
    let squeezed: String = lower.chars().filter(|char| *char != '-').collect();
    let meant = MISSPELT.iter().find(|(wrong, _)| *wrong == squeezed).map(|(_, meant)| *meant);
    let meant = meant.or_else(|| KNOWN.into_iter().find(|name| *name == lower.replace('-', "_")));
    if let (None, Some(meant)) = (known, meant) {
        let why =
            "Names of parameters are compared letter by letter, in lower case with underscores; this one is ignored.";
        found.wrong(parameter.at, meant, why, format!("{meant}=…"));
        return;
    }
    let Some(name) = known.copied() else { return };
    if let Some(error) = parameter.broken {
        let why = match error {
            FormError::PercentEncoding => "A percent sign is not followed by two hexadecimal digits.",
            FormError::Utf8 => "The decoded bytes are not UTF-8.",
            FormError::Nul => "It contains a NUL character.",
        };
        found.wrong(parameter.raw.start(), name, why, "Percent-encode the value once, as UTF-8: % itself becomes %25.");
    }
    if parameter.is_placeholder() && name != "state" {
        found.note(
            parameter.raw.start(),
            name,
            "This is a placeholder.",
            "Put the real value in its place, without brackets.",
        );
    } else if parameter.value.trim() != parameter.value {
        found.wrong(
            parameter.raw.start(),
            name,
            "White space or a line end stands around the value, as left by copying or by echo; it counts as a part of it.",
            "Cut it off; in a shell printf '%s' adds no line end.",
        );
    } else if OPAQUE.contains(&name) && !source::is_open(&parameter.value) {
        check_plus(parameter, name, found);
    }
}

/// Values that somebody else made up and that may contain any character.
const OPAQUE: [&str; 3] = ["code", "refresh_token", "state"];

fn check_plus(parameter: &Parameter, name: &str, found: &mut Findings) {
    if let Some(at) = parameter.raw.text().find('+').filter(|_| parameter.value.contains(' ')) {
        found.wrong(
            parameter.raw.at(at),
            name,
            "A + in a query or form means a space, so another value arrives than the one that was meant.",
            "Percent-encode the value: + becomes %2B. curl does it with --data-urlencode.",
        );
    } else if is_encoded_twice(&parameter.value) {
        found.wrong(
            parameter.raw.start(),
            name,
            "The value is percent-encoded twice: after decoding there are still escapes in it.",
            "Encode it once. A callback's parameters are to be decoded before they are sent on; --data-urlencode encodes by itself.",
        );
    }
}

/// Whether a decoded value still has escapes of the characters that encoders escape most.
pub(super) fn is_encoded_twice(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    ["%3a", "%2f", "%3d", "%2b", "%25", "%26"].iter().any(|escape| lower.contains(escape))
}

//! For which APIs an access token is (RFC 8707 section 2.2; matrix RI-02).

use keyfob_protocol::access_token::Audience;
use keyfob_protocol::reason::Reason;
use keyfob_protocol::resource::Resources;

/// The `aud` of a token, or why it may not be had.
///
/// `granted`: what the user consented to; none: the authority's own API, `own`. `known`: what is registered now, since a resource that is gone
/// gets no more tokens. A request that names none gets one token for all that is left of the grant.
pub fn audience(asked: &Resources, granted: &Resources, known: &Resources, own: &str) -> Result<Audience, Reason> {
    if granted.is_empty() {
        return match asked.iter().all(|resource| resource == own) {
            true => Ok(Audience::One(own.to_owned())),
            false => Err(Reason::ResourceExceedsGrant),
        };
    }
    let target = if asked.is_empty() { granted.intersection(known) } else { asked.clone() };
    if !target.within(granted) {
        return Err(Reason::ResourceExceedsGrant);
    }
    match !target.is_empty() && target.within(known) {
        true => Ok(Audience::of(&target, own)),
        false => Err(Reason::ResourceUnknown),
    }
}

/// The same where an app acts for itself: nobody's consent limits it.
pub fn own_audience(asked: &Resources, known: &Resources, own: &str) -> Result<Audience, Reason> {
    asked.within(known).then(|| Audience::of(asked, own)).ok_or(Reason::ResourceUnknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> Resources {
        Resources::from_text(text).expect("resources")
    }

    #[test]
    fn ri_02_a_target_is_within_the_grant_and_known() {
        use Reason::{ResourceExceedsGrant, ResourceUnknown};
        let own = "https://id.example.com";
        let known = format!("{own} urn:a:1 urn:a:2");
        let cases = [
            // Asked, granted, known, aud.
            ("", "", "", Ok(own)),
            (own, "", &known, Ok(own)),
            ("urn:a:1", "", &known, Err(ResourceExceedsGrant)),
            ("", "urn:a:1", &known, Ok("urn:a:1")),
            ("", "urn:a:1 urn:a:2", &known, Ok("urn:a:1 urn:a:2")),
            ("urn:a:2", "urn:a:1 urn:a:2", &known, Ok("urn:a:2")),
            ("urn:a:2", "urn:a:1", &known, Err(ResourceExceedsGrant)),
            (own, "urn:a:1", &known, Err(ResourceExceedsGrant)),
            ("urn:a:1 urn:a:2", "urn:a:1", &known, Err(ResourceExceedsGrant)),
            ("urn:a:3", "urn:a:3", &known, Err(ResourceUnknown)),
            ("", "urn:a:3", &known, Err(ResourceUnknown)),
            ("", "urn:a:1 urn:a:3", &known, Ok("urn:a:1")),
        ];
        for (asked, granted, known, expected) in cases {
            let got = audience(&set(asked), &set(granted), &set(known), own);
            let expected = expected.map(|expected| Audience::of(&set(expected), own));
            assert_eq!(got, expected, "{asked} of {granted}");
        }
    }
}

//! Whether an ID token is the provider's answer to this departure (OpenID Connect Core section 3.1.3.7). Plain functions of data and `now`.

use super::callback::ProviderRefusal;
use super::key_set::{Algorithm, KeySet};
use crate::hand_off::CLOCK_LEEWAY;
use crate::hand_off::claims::{Claims, ClaimsProblem};
use aws_lc_rs::{constant_time, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyfob_protocol::Timestamp;
use keyfob_protocol::access_token::Audience;
use keyfob_protocol::jwt::{JwtProblem, UnverifiedJwt};

/// Longest ID token, in bytes: one with two hundred groups of a large provider has some twelve thousand.
const LONGEST: usize = 64 * 1024;

/// What an ID token must say.
pub(super) struct Expected<'e> {
    pub(super) issuer: &'e str,
    pub(super) client_id: &'e str,
    pub(super) nonce: &'e str,
    /// The access token that came with it.
    pub(super) access_token: Option<&'e str>,
}

/// An ID token taken apart, of an algorithm that we know. Nothing in it is true yet.
pub(super) struct UnverifiedIdToken<'t> {
    jwt: UnverifiedJwt<'t>,
    algorithm: Algorithm,
}

impl<'t> UnverifiedIdToken<'t> {
    pub(super) fn parse(text: &'t str) -> Result<UnverifiedIdToken<'t>, JwtProblem> {
        let jwt = UnverifiedJwt::parse_within(text, LONGEST).ok_or(JwtProblem::NotAJwt)?;
        // Other JWTs of the provider say what they are, such as at+jwt and logout+jwt.
        if jwt.header.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
            return Err(JwtProblem::WrongType);
        }
        if jwt.header.crit.is_some() {
            return Err(JwtProblem::CriticalExtension);
        }
        let algorithm = Algorithm::parse(&jwt.header.alg).ok_or(JwtProblem::WrongAlgorithm)?;
        Ok(UnverifiedIdToken { jwt, algorithm })
    }

    /// Whether these keys can tell if it is genuine.
    pub(super) fn may_be_by(&self, keys: &KeySet) -> bool {
        keys.knows(self.jwt.header.kid.as_deref(), self.algorithm)
    }

    /// Its claims, if one of these keys signed it and it answers to what is expected.
    ///
    /// # Errors
    /// [`ProviderRefusal`], the first that is found.
    pub(super) fn verified(
        &self,
        keys: &KeySet,
        expected: &Expected<'_>,
        now: Timestamp,
    ) -> Result<Claims, ProviderRefusal> {
        let (jwt, id) = (&self.jwt, self.jwt.header.kid.as_deref());
        if !self.may_be_by(keys) {
            return Err(ProviderRefusal::UnknownKey);
        }
        if !keys.verifies(id, self.algorithm, jwt.signing_input, &jwt.signature) {
            return Err(JwtProblem::WrongSignature.into());
        }
        let claims = serde_json::from_slice(&jwt.payload).map_err(|_| ClaimsProblem::NoObject)?;
        parties(&claims, expected)?;
        times(&claims, now)?;
        let nonce: Option<String> = claims.optional("nonce")?;
        if !nonce.is_some_and(|nonce| is_same(&nonce, expected.nonce)) {
            return Err(ProviderRefusal::WrongNonce);
        }
        if let (Some(hash), Some(access_token)) = (claims.optional::<String>("at_hash")?, expected.access_token)
            && !is_same(&hash, &half_hash(self.algorithm, access_token))
        {
            return Err(ProviderRefusal::WrongTokenHash);
        }
        Ok(claims)
    }
}

/// Steps 2 to 5: by this provider, for us and nobody else.
fn parties(claims: &Claims, expected: &Expected<'_>) -> Result<(), ProviderRefusal> {
    if claims.required::<String>("iss")? != expected.issuer {
        return Err(ClaimsProblem::WrongIssuer.into());
    }
    let only_us = match claims.required::<Audience>("aud")? {
        Audience::One(one) => one == expected.client_id,
        // There is no other audience that we trust (step 3).
        Audience::Many(many) => many == [expected.client_id],
    };
    if !only_us {
        return Err(ClaimsProblem::WrongAudience.into());
    }
    match claims.optional::<String>("azp")? {
        Some(party) if party != expected.client_id => Err(ProviderRefusal::WrongParty),
        _ => Ok(()),
    }
}

/// Steps 9 and 10. How old it may be the nonce says: it answers to a departure of ten minutes ago at most. Entra ID gives an `iat` five minutes
/// before its own now.
fn times(claims: &Claims, now: Timestamp) -> Result<(), ClaimsProblem> {
    let (iat, exp): (Timestamp, Timestamp) = (claims.required("iat")?, claims.required("exp")?);
    if iat > now.plus(CLOCK_LEEWAY) {
        return Err(ClaimsProblem::IssuedInTheFuture);
    }
    if now >= exp {
        return Err(ClaimsProblem::Expired);
    }
    Ok(())
}

fn is_same(said: &str, expected: &str) -> bool {
    constant_time::verify_slices_are_equal(said.as_bytes(), expected.as_bytes()).is_ok()
}

/// Core section 3.1.3.6.
fn half_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = digest::digest(algorithm.hash(), access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
}

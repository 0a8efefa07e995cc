//! The token request: bytes to meaning, in the order of table T (rows T-04 to T-07, T-09, T-10, T-12). Revocation and introspection are read in the
//! same way: a form, and who sends it.
//!
//! Reading happens in steps, because the authority authenticates the client between them and the first failing row answers:
//! [`PresentedTokenRequest::read`], then the law's T-08, then [`PresentedTokenRequest::grant_type`], T-11, then the parameters.

use crate::Secret;
use crate::basic::{self, PresentedSecret};
use crate::form::Form;
use crate::pkce::CodeVerifier;
use crate::resource::Resources;
use crate::token_name::{PresentedToken, TokenKind};
use crate::token_refusal::TokenRefusal;

/// The method decides the shape of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyShape {
    /// GET: the legacy envelope.
    Legacy,
    /// POST: the JSON of RFC 6749.
    Rfc6749,
}

/// Parameters of the token endpoint that may appear once. `resource` may repeat (RFC 8707 section 2).
const KNOWN: [&str; 11] = [
    "grant_type",
    "code",
    "redirect_uri",
    "state",
    "refresh_token",
    "client_id",
    "client_secret",
    "code_verifier",
    "scope",
    "client_assertion",
    "client_assertion_type",
];

/// The same of the endpoints that are about a token (RFC 7009 section 2.1, RFC 7662 section 2.1). The hint is read by nobody: a token says
/// itself what it is.
const ABOUT_A_TOKEN: [&str; 6] =
    ["token", "token_type_hint", "client_id", "client_secret", "client_assertion", "client_assertion_type"];

/// The parts of an HTTP request that a token request is read from.
#[derive(Clone, Copy, Debug)]
pub struct HttpParts<'a> {
    /// By the method.
    pub shape: ReplyShape,
    /// Everything behind `?`.
    pub query: &'a [u8],
    /// The value of `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// The body; not looked at for a GET.
    pub body: &'a [u8],
    /// Every `Authorization` header.
    pub authorization: [Option<&'a [u8]>; 2],
}

/// How the client says who it is. Unverified.
#[derive(Clone, Debug)]
pub enum PresentedClient<'f> {
    /// An id alone: only a public client may.
    Public {
        /// The presented client id.
        client_id: &'f str,
    },
    /// An id and a secret.
    Secret {
        /// The presented client id.
        client_id: &'f str,
        /// The presented secret.
        secret: &'f PresentedSecret,
        /// Where it stood.
        method: SecretMethod,
    },
}

impl<'f> PresentedClient<'f> {
    /// The presented client id.
    pub fn id(&self) -> &'f str {
        match self {
            PresentedClient::Public { client_id } | PresentedClient::Secret { client_id, .. } => client_id,
        }
    }
}

/// Where the secret stood (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretMethod {
    /// `client_secret_basic`.
    Basic,
    /// `client_secret_post`.
    Body,
}

/// The grant types that exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// `auth_code` and `authorization_code`: aliases on both methods, for codes of both dialects.
    AuthorizationCode,
    /// `refresh_token`.
    RefreshToken,
    /// `client_credentials` (RFC 6749 section 4.4): the app for itself. By POST only; Follow Up Boss's GET knows nothing of it.
    ClientCredentials,
}

/// A token request whose form and client authentication are well-formed.
#[derive(Debug)]
pub struct PresentedTokenRequest<'a> {
    /// The shape of the answer.
    pub shape: ReplyShape,
    form: Form<'a>,
    client_id: String,
    secret: Option<(PresentedSecret, SecretMethod)>,
}

/// The parameters of a redemption. Presented, not verified.
#[derive(Clone, Copy, Debug)]
pub struct PresentedRedemption<'f> {
    /// The presented code.
    pub code: &'f str,
    /// `None` only where the caller allowed its absence.
    pub redirect_uri: Option<&'f str>,
    /// The state, if sent.
    pub state: Option<&'f str>,
    /// The PKCE verifier's text, if sent; malformed is a failed proof, not a malformed request (T-16).
    pub code_verifier: Option<&'f str>,
}

impl PresentedRedemption<'_> {
    /// The verifier, if one was sent that is well-formed.
    pub fn verifier(&self) -> Option<CodeVerifier> {
        self.code_verifier.and_then(CodeVerifier::parse)
    }
}

/// The parameters of a refresh. Presented, not verified.
#[derive(Clone, Copy, Debug)]
pub struct PresentedRefresh<'f> {
    /// The presented refresh token.
    pub refresh_token: &'f str,
    /// A narrower scope, if asked for.
    pub scope: Option<&'f str>,
}

impl<'a> PresentedTokenRequest<'a> {
    /// Reads the form and the client's authentication: rows T-04 to T-07.
    pub fn read(http: HttpParts<'a>) -> Result<PresentedTokenRequest<'a>, TokenRefusal> {
        PresentedTokenRequest::read_known(http, &KNOWN)
    }

    /// The same of a request about a token: a revocation or an introspection.
    pub fn read_about_token(http: HttpParts<'a>) -> Result<PresentedTokenRequest<'a>, TokenRefusal> {
        PresentedTokenRequest::read_known(http, &ABOUT_A_TOKEN)
    }

    fn read_known(http: HttpParts<'a>, known: &[&'static str]) -> Result<PresentedTokenRequest<'a>, TokenRefusal> {
        let form = match http.shape {
            ReplyShape::Legacy => Form::parse(http.query)?,
            ReplyShape::Rfc6749 => {
                let query = Form::parse(http.query)?;
                if known.iter().chain(&["resource"]).any(|name| query.names(name)) {
                    return Err(TokenRefusal::Malformed("send the parameters in the body, not in the URL".to_owned()));
                }
                if !http.content_type.is_some_and(is_form) {
                    let expected = "the body must be application/x-www-form-urlencoded";
                    return Err(TokenRefusal::Malformed(expected.to_owned()));
                }
                Form::parse(http.body)?
            }
        };
        if let Some(repeated) = form.first_repeated(known) {
            return Err(TokenRefusal::Malformed(repeated.to_string()));
        }
        let (client_id, secret) = authentication(&http, &form)?;
        Ok(PresentedTokenRequest { shape: http.shape, client_id, secret, form })
    }

    /// Who the client says it is.
    pub fn client(&self) -> PresentedClient<'_> {
        match &self.secret {
            None => PresentedClient::Public { client_id: &self.client_id },
            Some((secret, method)) => PresentedClient::Secret { client_id: &self.client_id, secret, method: *method },
        }
    }

    /// Rows T-09 and T-10.
    pub fn grant_type(&self) -> Result<GrantType, TokenRefusal> {
        match self.value("grant_type") {
            None => Err(TokenRefusal::MissingGrantType),
            Some("auth_code" | "authorization_code") => Ok(GrantType::AuthorizationCode),
            Some("refresh_token") => Ok(GrantType::RefreshToken),
            Some("client_credentials") if self.shape == ReplyShape::Rfc6749 => Ok(GrantType::ClientCredentials),
            Some(_) => Err(TokenRefusal::UnsupportedGrantType),
        }
    }

    /// Row T-12 for a code. `redirect_uri_optional` is policy: only clients of the OAuth 2.1 profile may leave it out, and only with PKCE.
    pub fn redemption(&self, redirect_uri_optional: bool) -> Result<PresentedRedemption<'_>, TokenRefusal> {
        let (code, redirect_uri) = (self.value("code"), self.value("redirect_uri"));
        let code_verifier = self.value("code_verifier");
        let redirect_uri_missing = redirect_uri.is_none() && !(redirect_uri_optional && code_verifier.is_some());
        match code {
            Some(code) if !redirect_uri_missing => {
                Ok(PresentedRedemption { code, redirect_uri, state: self.value("state"), code_verifier })
            }
            _ => {
                let missing = [("code", code.is_none()), ("redirect_uri", redirect_uri_missing)];
                let missing = missing.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect();
                Err(TokenRefusal::MissingParameters(missing))
            }
        }
    }

    /// Row T-12 for a refresh token.
    pub fn refresh(&self) -> Result<PresentedRefresh<'_>, TokenRefusal> {
        match self.value("refresh_token") {
            Some(refresh_token) => Ok(PresentedRefresh { refresh_token, scope: self.value("scope") }),
            None => Err(TokenRefusal::MissingParameters(vec!["refresh_token"])),
        }
    }

    /// The scope that an app asks for itself; `None` asks for its default.
    pub fn scope(&self) -> Option<&str> {
        self.value("scope")
    }

    /// The token that a revocation or an introspection is about (row T-12 for its absence).
    pub fn token(&self) -> Result<&str, TokenRefusal> {
        self.value("token").ok_or_else(|| TokenRefusal::MissingParameters(vec!["token"]))
    }

    /// Resources that the access token is to be for (RFC 8707 section 2.2; row T-20 where one is none).
    pub fn resources(&self) -> Result<Resources, TokenRefusal> {
        Resources::parse(self.form.all("resource")).map_err(|_| TokenRefusal::InvalidTarget)
    }

    /// What a code or refresh grant is about, whatever else is missing; `None` where that is nothing we can have issued.
    pub fn code_or_refresh_token(&self, grant_type: GrantType) -> Option<PresentedToken<'_>> {
        match grant_type {
            GrantType::AuthorizationCode => PresentedToken::parse(TokenKind::Code, self.value("code")?),
            GrantType::RefreshToken => PresentedToken::parse(TokenKind::Refresh, self.value("refresh_token")?),
            GrantType::ClientCredentials => None,
        }
    }

    fn value(&self, name: &'static str) -> Option<&str> {
        self.form.one(name).expect("invariant: repeats of known parameters were refused by read")
    }
}

/// Rows T-05 to T-07.
fn authentication(
    http: &HttpParts<'_>,
    form: &Form<'_>,
) -> Result<(String, Option<(PresentedSecret, SecretMethod)>), TokenRefusal> {
    let value = |name| form.one(name).ok().flatten();
    let basic =
        http.authorization[0].map(basic::parse).transpose().map_err(|_| TokenRefusal::MalformedAuthorization)?;
    if let Some(second) = http.authorization[1] {
        basic::parse(second).map_err(|_| TokenRefusal::MalformedAuthorization)?;
        return Err(TokenRefusal::SeveralAuthentications("two Authorization headers"));
    }
    let assertion = form.names("client_assertion") || form.names("client_assertion_type");
    match (basic, value("client_secret"), http.shape) {
        (_, Some(_), ReplyShape::Legacy) => Err(TokenRefusal::SeveralAuthentications("client_secret in the URL")),
        (Some(_), Some(_), _) => Err(TokenRefusal::SeveralAuthentications("Basic and client_secret")),
        (Some(_), None, _) if assertion => Err(TokenRefusal::SeveralAuthentications("Basic and client_assertion")),
        (None, Some(_), _) if assertion => {
            Err(TokenRefusal::SeveralAuthentications("client_secret and client_assertion"))
        }
        (Some(basic), None, _) if value("client_id").is_some_and(|id| id != basic.id) => {
            Err(TokenRefusal::SeveralAuthentications("client_id names another client than Basic"))
        }
        (Some(basic), None, _) => Ok((basic.id, Some((basic.secret, SecretMethod::Basic)))),
        (None, Some(secret), ReplyShape::Rfc6749) => match value("client_id") {
            Some(id) => Ok((id.to_owned(), Some((PresentedSecret::plain(secret), SecretMethod::Body)))),
            None => Err(TokenRefusal::MissingAuthentication),
        },
        (None, None, ReplyShape::Rfc6749) if !assertion => match value("client_id") {
            Some(id) => Ok((id.to_owned(), None)),
            None => Err(TokenRefusal::MissingAuthentication),
        },
        (None, None, _) => Err(TokenRefusal::MissingAuthentication),
    }
}

/// Whether a `Content-Type` is that of a form; parameters such as `charset` are tolerated.
pub fn is_form(content_type: &[u8]) -> bool {
    let essence = content_type.split(|b| *b == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}

/// The other end: what a client sends. Both build the exact bytes of one request.
#[derive(Debug)]
pub enum TokenRequestToSend<'r> {
    /// Exchange a code. `state` has no `Option`: some authorities refuse an exchange without it, so it cannot be left out.
    Exchange {
        /// The code from the callback.
        code: &'r str,
        /// The redirect URI of the authorize request.
        redirect_uri: &'r str,
        /// The state of the authorize request.
        state: &'r str,
        /// The PKCE verifier, where a challenge was sent.
        verifier: Option<&'r CodeVerifier>,
    },
    /// Refresh.
    Refresh {
        /// The current refresh token.
        refresh_token: &'r Secret<String>,
    },
}

impl TokenRequestToSend<'_> {
    /// The form, with the grant name that the shape's documents use.
    pub fn to_form(&self, shape: ReplyShape) -> Secret<String> {
        let code_grant = match shape {
            ReplyShape::Legacy => "auth_code",
            ReplyShape::Rfc6749 => "authorization_code",
        };
        let mut pairs = Vec::with_capacity(5);
        match self {
            TokenRequestToSend::Exchange { code, redirect_uri, state, verifier } => {
                pairs.extend([
                    ("grant_type", code_grant),
                    ("code", code),
                    ("redirect_uri", redirect_uri),
                    ("state", state),
                ]);
                pairs.extend(verifier.map(|verifier| ("code_verifier", verifier.expose())));
            }
            TokenRequestToSend::Refresh { refresh_token } => {
                pairs.extend([("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose().as_str())]);
            }
        }
        Secret::new(crate::form::encode(pairs))
    }
}

//! Why a token request was refused, in one stable word for programs (docs/reasons.md).
//!
//! The word stands beside the error code, as the further member `reason` that RFC 6749 section 5.2 allows. It is said only to a client that
//! has proven itself and presents a code or a token that is genuine and its own. Everybody else gets the same bytes, whatever they present.

use crate::token_name::GrantId;
use crate::token_refusal::{HolderProblem, TokenRefusal};

/// Who gets to know a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldTo {
    /// The app, and the operator.
    App,
    /// The operator alone, in log and ledger: whoever asked has not proven to be the app.
    Operator,
}

macro_rules! reasons {
    ($($variant:ident => $word:literal, $told_to:ident, $says:literal;)*) => {
        /// The reason of a refusal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $says] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &[Reason] = &[$(Reason::$variant,)*];

            /// The word on the wire. It never changes.
            pub fn word(self) -> &'static str {
                match self { $(Reason::$variant => $word,)* }
            }

            /// Who gets to know it.
            pub fn told_to(self) -> ToldTo {
                match self { $(Reason::$variant => ToldTo::$told_to,)* }
            }

            /// What happened and what to do, in a sentence or two.
            pub fn says(self) -> &'static str {
                match self { $(Reason::$variant => $says,)* }
            }
        }
    };
}

reasons! {
    RevokedByUser => "revoked_by_user", App, "The user took the connection back. Ask them before you connect again.";
    RevokedByApp => "revoked_by_app", App, "The app gave the token back itself.";
    RevokedByAdmin => "revoked_by_admin", App, "An administrator ended the grant. The user can connect again if the administrator agrees.";
    UserMoved => "user_moved", App, "The user moved to another account, so their grants ended. They connect again, for the data of that account.";
    Superseded => "superseded", App, "A newer connection of the same user replaced this one. Use that one's token.";
    ReuseDetected => "reuse_detected", App, "A replaced refresh token came back, so the grant ended. Store each new refresh token before you use it; the user connects again.";
    RotatedOut => "rotated_out", App, "The refresh token was replaced by a newer one, which still works. Read your store again.";
    IdleExpired => "idle_expired", App, "The refresh token was not used for 90 days. The user connects again.";
    CodeExpired => "code_expired", App, "The code was not exchanged in its lifetime. Exchange it at once; the user connects again.";
    CodeUsed => "code_used", App, "The code was exchanged before. The tokens of that exchange go on.";
    CodeRepeated => "code_repeated", App, "The same exchange came twice, as after a doubled callback. The tokens of the first go on.";
    CodeReused => "code_reused", App, "The code came a second time in another request, so the grant ended. The user connects again.";
    CodeBurned => "code_burned", App, "An earlier exchange of this code failed its proof, so the grant ended. The user connects again.";
    RedirectUriDiffers => "redirect_uri_differs", App, "The redirect URI is another than at the authorize request, so the code was burned.";
    StateDiffers => "state_differs", App, "The state is another than at the authorize request. The code still works.";
    PkceFailed => "pkce_failed", App, "The code verifier is missing, wrong, or sent without a challenge, so the code was burned.";
    UserDeleted => "user_deleted", App, "The user no longer exists.";
    UserDisabled => "user_disabled", App, "The user is disabled. The grant works again if they are enabled.";
    AccountDeleted => "account_deleted", App, "The account no longer exists.";
    AccountSuspended => "account_suspended", App, "The account is suspended. The grant works again when it is active.";
    ScopeExceedsGrant => "scope_exceeds_grant", App, "A scope is asked for that the user did not consent to. Leave `scope` out, or ask for less.";
    ResourceExceedsGrant => "resource_exceeds_grant", App, "A resource is asked for that the user did not consent to. Leave `resource` out, or ask for one of the grant's.";
    ResourceUnknown => "resource_unknown", App, "The resource is not registered at this authority, or no longer.";
    ScopeNotAllowed => "scope_not_allowed", App, "The app may not have this scope for itself, or asked for none and has no default scope.";
    ClientCredentialsOff => "client_credentials_off", App, "Tokens for the app itself are switched off for it. The operator can switch them on.";
    LegacyGetOff => "legacy_get_off", App, "The legacy GET is switched off for this app. Send the same parameters by POST.";
    AppDisabled => "app_disabled", App, "The operator has disabled the app. Its grants work again when it is enabled.";
    ResourceServerDisabled => "resource_server_disabled", App, "The operator has disabled the resource server.";
    SecretInBodyOff => "secret_in_body_off", App, "The secret is right, and this app may not send it in the body. Send it by HTTP Basic.";
    SecretRetired => "secret_retired", Operator, "A secret of the app came that no longer works. The app still uses it somewhere.";
}

impl Reason {
    /// The reason with this word.
    pub fn of_word(word: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.word() == word)
    }

    /// What a refusal says by itself, since it is given only for what is genuine and the client's own.
    fn of(refusal: &TokenRefusal) -> Option<Reason> {
        match refusal {
            TokenRefusal::ExpiredCode => Some(Reason::CodeExpired),
            TokenRefusal::RedirectUriDiffers => Some(Reason::RedirectUriDiffers),
            TokenRefusal::StateDiffers => Some(Reason::StateDiffers),
            TokenRefusal::VerifierFailed => Some(Reason::PkceFailed),
            TokenRefusal::ExpiredRefreshToken => Some(Reason::IdleExpired),
            TokenRefusal::Holder(HolderProblem::UserNotFound) => Some(Reason::UserDeleted),
            TokenRefusal::Holder(HolderProblem::UserDisabled) => Some(Reason::UserDisabled),
            TokenRefusal::Holder(HolderProblem::AccountNotFound) => Some(Reason::AccountDeleted),
            TokenRefusal::Holder(HolderProblem::AccountSuspended) => Some(Reason::AccountSuspended),
            // A stranger gets these as well: only the law knows whether there is more to say.
            TokenRefusal::InvalidCode | TokenRefusal::InvalidRefreshToken => None,
            TokenRefusal::MethodNotAllowed
            | TokenRefusal::Overloaded { .. }
            | TokenRefusal::Malformed(_)
            | TokenRefusal::MissingAuthentication
            | TokenRefusal::MalformedAuthorization
            | TokenRefusal::SeveralAuthentications(_)
            | TokenRefusal::ClientAuthenticationFailed
            | TokenRefusal::MissingGrantType
            | TokenRefusal::UnsupportedGrantType
            | TokenRefusal::UnauthorizedClient(_)
            | TokenRefusal::MissingParameters(_)
            | TokenRefusal::InvalidScope
            | TokenRefusal::InvalidTarget
            | TokenRefusal::Unavailable
            | TokenRefusal::ServerError => None,
        }
    }
}

/// A refusal, and what else is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedRefusal {
    /// The row of table T.
    pub refusal: TokenRefusal,
    /// The precise reason, where there is one.
    pub reason: Option<Reason>,
    /// Who gets to know it.
    pub told_to: ToldTo,
    /// The number of the app that was named, for the log: where it has not proven itself, there is no other way to learn whom a refusal hits.
    pub app: Option<i64>,
    /// The grant behind a genuine code or token, for the log.
    pub grant: Option<GrantId>,
}

impl ExplainedRefusal {
    /// The reason, where the client is told it.
    pub fn told(&self) -> Option<Reason> {
        self.reason.filter(|_| self.told_to == ToldTo::App)
    }

    /// What happened, for the log: the developer may be told less.
    pub fn why(&self) -> String {
        self.reason.map_or_else(|| self.refusal.message(), |reason| reason.says().to_owned())
    }

    /// The same, where whoever asked has not proven to be the app.
    #[must_use]
    pub fn to_operator_alone(self) -> ExplainedRefusal {
        ExplainedRefusal { told_to: ToldTo::Operator, ..self }
    }

    /// The same of this app.
    #[must_use]
    pub fn of_app(self, app: i64) -> ExplainedRefusal {
        ExplainedRefusal { app: Some(app), ..self }
    }

    /// The same of this grant, whose genuine code or token was presented by its own app.
    #[must_use]
    pub fn of_grant(self, grant: GrantId) -> ExplainedRefusal {
        ExplainedRefusal { grant: Some(grant), ..self }
    }
}

impl TokenRefusal {
    /// The refusal with its precise reason.
    #[must_use]
    pub fn because(self, reason: Reason) -> ExplainedRefusal {
        ExplainedRefusal { refusal: self, reason: Some(reason), told_to: reason.told_to(), app: None, grant: None }
    }
}

impl From<TokenRefusal> for ExplainedRefusal {
    fn from(refusal: TokenRefusal) -> Self {
        let reason = Reason::of(&refusal);
        ExplainedRefusal {
            reason,
            told_to: reason.map_or(ToldTo::App, Reason::told_to),
            refusal,
            app: None,
            grant: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_its_own_and_is_one_that_a_client_reads() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of_word(reason.word()), Some(*reason));
            assert!(reason.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{reason:?}");
            assert!(crate::token_reply::is_reason(reason.word()), "{reason:?}");
        }
    }

    #[test]
    fn what_the_operator_alone_may_know_has_no_word_for_the_client() {
        assert_eq!(TokenRefusal::ClientAuthenticationFailed.because(Reason::SecretRetired).told(), None);
        let unproven = TokenRefusal::ClientAuthenticationFailed.because(Reason::AppDisabled).to_operator_alone();
        assert_eq!(unproven.told(), None);
        assert_eq!(ExplainedRefusal::from(TokenRefusal::InvalidCode).told(), None);
        assert_eq!(ExplainedRefusal::from(TokenRefusal::ExpiredCode).told(), Some(Reason::CodeExpired));
    }

    /// `docs/reasons.md` has the table; this is what it is made from.
    #[test]
    fn the_documented_table_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reasons.md");
        let page = std::fs::read_to_string(path).expect("the page");
        let mut table = "| reason | told to | what it says |\n|---|---|---|\n".to_owned();
        for reason in Reason::ALL {
            let told_to = match reason.told_to() {
                ToldTo::App => "app",
                ToldTo::Operator => "operator",
            };
            table.push_str(&format!("| `{}` | {told_to} | {} |\n", reason.word(), reason.says()));
        }
        // And nothing more: a row that no code says would be a promise.
        table.push('\n');
        assert!(page.contains(&table), "docs/reasons.md needs this table:\n{table}");
    }
}

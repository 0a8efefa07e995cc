//! Which account and role a person of the provider's has here: what the claims say is translated by the operator's rules, and whoever they
//! leave without one stays outside.

use super::OpenIdSettingsProblem;
use super::callback::ProviderRefusal;
use crate::hand_off::assertion::{Company, Person, is_domain, is_email, is_id, is_name};
use crate::hand_off::claims::{Claims, ClaimsProblem};
use crate::hand_off::{CLOCK_LEEWAY, LONGEST_DOMAIN};
use crate::model::Role;
use keyfob_protocol::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Whose people the provider's are.
#[derive(Clone, Debug)]
pub enum AccountRule {
    /// All of one company.
    One(NamedAccount),
    /// A claim has the company's id.
    Claim {
        /// The claim; a dot leads into an object.
        id: String,
        /// The claim with the company's name; `None`: its id is its name.
        name: Option<String>,
    },
}

/// The one company.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedAccount {
    /// Its id, for `keyfob account link`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its unique short name.
    pub domain: String,
}

/// What people may do here.
#[derive(Clone, Debug, Default)]
pub struct RoleRule {
    /// The claim whose values, one or a list, `roles` translates.
    pub claim: Option<String>,
    /// Roles by value.
    pub roles: BTreeMap<String, Role>,
    /// For whoever has none of the values; `None`: they stay outside.
    pub otherwise: Option<Role>,
}

impl AccountRule {
    pub(super) fn check(&self) -> Result<(), OpenIdSettingsProblem> {
        let AccountRule::One(NamedAccount { id, name, domain }) = self else { return Ok(()) };
        for (name, holds) in [("id", is_id(id)), ("name", is_name(name)), ("domain", is_domain(domain))] {
            if !holds {
                return Err(OpenIdSettingsProblem::Account(name));
            }
        }
        Ok(())
    }

    fn company(&self, claims: &Claims) -> Result<Company, ProviderRefusal> {
        let (id, name) = match self {
            AccountRule::One(NamedAccount { id, name, domain }) => {
                return Ok(Company { id: id.clone(), name: name.clone(), domain: domain.clone() });
            }
            AccountRule::Claim { id, name } => (id, name),
        };
        let text = |name: &str| claims.named(name).and_then(Value::as_str);
        let id = text(id).filter(|id| is_id(id)).ok_or(ProviderRefusal::NoAccount)?;
        let name = name.as_deref().and_then(text).filter(|name| is_name(name)).unwrap_or(id);
        Ok(Company { id: id.to_owned(), name: name.to_owned(), domain: short_name(id) })
    }
}

/// A domain made of an id: its letters and digits, and hyphens for the rest.
fn short_name(id: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    id.chars().map(kept).take(LONGEST_DOMAIN).collect()
}

impl RoleRule {
    pub(super) fn check(&self) -> Result<(), OpenIdSettingsProblem> {
        if self.claim.is_some() == self.roles.is_empty() {
            return Err(OpenIdSettingsProblem::HalfARoleRule);
        }
        match self.claim.is_none() && self.otherwise.is_none() {
            true => Err(OpenIdSettingsProblem::NoRoles),
            false => Ok(()),
        }
    }

    /// The strongest of what the values give.
    fn role(&self, claims: &Claims) -> Option<Role> {
        let values = match self.claim.as_deref().and_then(|claim| claims.named(claim)) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(value)) => vec![value.as_str()],
            _ => Vec::new(),
        };
        let given = values.into_iter().filter_map(|value| self.roles.get(value).copied());
        given.max_by_key(|role| match role {
            Role::Lender => 0,
            Role::Agent => 1,
            Role::Admin => 2,
            Role::Owner => 3,
        })
    }
}

/// Whether nothing is missing that a person is made of.
pub(super) fn suffice((account, role): (&AccountRule, &RoleRule), claims: &Claims) -> bool {
    let account = match account {
        AccountRule::One(_) => None,
        AccountRule::Claim { id, .. } => Some(id.as_str()),
    };
    let wanted = [Some("email"), account, role.claim.as_deref()];
    wanted.into_iter().flatten().all(|claim| claims.named(claim).is_some())
}

/// The person whom an ID token means. When they proved who they are it must say itself where a `fresh` sign-in was asked for.
pub(super) fn person(
    (account, role): (&AccountRule, &RoleRule),
    claims: &Claims,
    (authenticated_at, fresh): (Option<Timestamp>, bool),
    now: Timestamp,
) -> Result<Person, ProviderRefusal> {
    let malformed = |claim| ProviderRefusal::from(ClaimsProblem::Malformed(claim));
    let id = claims.required::<String>("sub")?;
    if !is_id(&id) {
        return Err(malformed("sub"));
    }
    let email = claims.required::<String>("email")?.trim().to_lowercase();
    if !is_email(&email) {
        return Err(malformed("email"));
    }
    // Some providers write their truth values as text. Who does not say it vouches for its directory (docs/sign-in.md).
    match claims.named("email_verified") {
        None | Some(Value::Null | Value::Bool(true)) => {}
        Some(Value::String(text)) if text == "true" => {}
        Some(_) => return Err(ProviderRefusal::EmailNotVerified),
    }
    let said_at = claims.required("iat")?;
    let authenticated_at = match authenticated_at {
        None if fresh => return Err(malformed("auth_time")),
        said => said.unwrap_or(said_at),
    };
    if authenticated_at > now.plus(CLOCK_LEEWAY) {
        return Err(ClaimsProblem::IssuedInTheFuture.into());
    }
    let named = ["name", "preferred_username"].iter().filter_map(|claim| claims.named(claim)?.as_str());
    let name = named.map(str::to_owned).find(|name| is_name(name)).unwrap_or_else(|| email.clone());
    let account = account.company(claims)?;
    let role = role.role(claims).or(role.otherwise).ok_or(ProviderRefusal::NoRole)?;
    Ok(Person { id, said_at, authenticated_at, email, name, role, account })
}

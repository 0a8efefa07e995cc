//! Accounts and their users: every role, in an account that pays and in one that no longer does.

use std::collections::BTreeSet;

use keyfob_protocol::time::DAY;
use keyfob_protocol::{Secret, Timestamp, base62};

use super::draw::{Draw, unseen};
use super::words::{ADJECTIVES, ANIMALS, COMPANIES, FIRST_NAMES, LAST_NAMES, PLACES};
use super::{SEEDED_UNTIL, derived};

/// Whether an account's subscription runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// It does.
    Active,
    /// It has expired: credentials stay good and every call is answered with 403.
    Expired,
}

/// A company.
#[derive(Clone, Debug)]
pub struct Account {
    /// Number, from 1.
    pub id: i64,
    /// Name of the company.
    pub name: String,
    /// Subdomain.
    pub domain: String,
    /// At the start; the API may be told otherwise later.
    pub status: AccountStatus,
}

/// What a user may do; a token acts with its user's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees those people for whom they are the lender.
    Lender,
    /// Sees the people assigned to them.
    Agent,
    /// Sees everyone in the account.
    Admin,
    /// Sees everyone and manages webhooks. One in each account.
    Owner,
}

impl Role {
    /// As it stands in answers.
    pub fn name(self) -> &'static str {
        match self {
            Role::Lender => "Lender",
            Role::Agent => "Agent",
            Role::Admin => "Admin",
            Role::Owner => "Owner",
        }
    }
}

/// Somebody who can sign in.
#[derive(Clone, Debug)]
pub struct User {
    /// Number, from 1, unique over all accounts.
    pub id: i64,
    /// The account.
    pub account: i64,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// By which they sign in; unique over all accounts.
    pub email: String,
    /// Telephone number.
    pub phone: String,
    /// What they may do.
    pub role: Role,
    /// By which they sign in. Typed by hand, hence words.
    pub password: Secret<String>,
    /// For `Basic apiKey:`.
    pub api_key: Secret<String>,
    /// Key of a search service; stands in `/v1/me` so that partners notice how much that answer gives away.
    pub search_key: Secret<String>,
    /// IANA time zone.
    pub timezone: String,
    /// When they joined.
    pub created: Timestamp,
}

impl User {
    /// First and last name.
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

/// Who works where: the roles of each account.
const STAFF: [(AccountStatus, &[Role]); 3] = [
    (
        AccountStatus::Active,
        &[Role::Owner, Role::Admin, Role::Agent, Role::Agent, Role::Agent, Role::Agent, Role::Lender, Role::Lender],
    ),
    (AccountStatus::Active, &[Role::Owner, Role::Agent, Role::Agent, Role::Lender]),
    (AccountStatus::Expired, &[Role::Owner, Role::Agent]),
];

pub(super) fn seeded(number: u64) -> (Vec<Account>, Vec<User>) {
    let draw = Draw::new(number, "accounts");
    let companies = draw.some(&COMPANIES, STAFF.len());
    let mut accounts = Vec::new();
    let mut users = Vec::new();
    let mut names = BTreeSet::new();
    let mut passwords = BTreeSet::new();
    for (at, ((name, domain), (status, roles))) in companies.into_iter().zip(STAFF).enumerate() {
        let account = at as i64 + 1;
        accounts.push(Account { id: account, name: name.to_owned(), domain: domain.to_owned(), status });
        let place = draw.pick(&PLACES);
        for role in roles {
            let id = users.len() as i64 + 1;
            let (first, last) = unseen(&mut names, || (*draw.pick(&FIRST_NAMES), *draw.pick(&LAST_NAMES)));
            let password = unseen(&mut passwords, || {
                format!("{}-{}-{}", draw.pick(&ADJECTIVES), draw.pick(&ANIMALS), draw.between(11, 98))
            });
            users.push(User {
                id,
                account,
                first_name: first.to_owned(),
                last_name: last.to_owned(),
                email: format!("{}.{}@example.com", first.to_lowercase(), last.to_lowercase()),
                phone: format!("({}) 555-01{:02}", place.3, draw.below(100)),
                role: *role,
                password: Secret::new(password),
                api_key: Secret::new(format!(
                    "fka_{}",
                    base62::encode(&derived(number, &format!("api key/{id}"))[..24])
                )),
                search_key: Secret::new(super::hex(&derived(number, &format!("search key/{id}"))[..16])),
                timezone: place.4.to_owned(),
                created: SEEDED_UNTIL.plus(-(1100 - id) * DAY + draw.between(0, DAY - 1)),
            });
        }
    }
    (accounts, users)
}

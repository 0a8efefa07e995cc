//! Leads and clients, a few hundred of them.

use std::collections::BTreeSet;

use keyfob_protocol::time::{DAY, HOUR};

use super::SEEDED_UNTIL;
use super::accounts::{Account, Role, User};
use super::draw::{Draw, unseen};
use super::records::{Address, Email, Held, Person, Phone};
use super::words::{FIRST_NAMES, LAST_NAMES, MAIL_DOMAINS, PLACES, SOURCES, STAGES, STREETS, TAGS};

/// People in the first, second and third account.
const COUNTS: [i64; 3] = [240, 64, 16];

pub(super) fn seeded(number: u64, accounts: &[Account], users: &[User]) -> Vec<Held<Person>> {
    let draw = Draw::new(number, "people");
    let mut people = Vec::new();
    for (account, count) in accounts.iter().zip(COUNTS) {
        let staff =
            |role| users.iter().filter(move |user| user.account == account.id && user.role == role).map(|user| user.id);
        let agents: Vec<i64> = staff(Role::Agent).chain(staff(Role::Owner)).collect();
        let lenders: Vec<i64> = staff(Role::Lender).collect();
        let (mut names, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        // Ids and times of creation rise together, so that "newest id first" is newest first.
        let step = 700 * DAY / count;
        for nth in 0..count {
            let created = SEEDED_UNTIL.plus(-(count - nth) * step + draw.between(0, step - HOUR));
            let updated = created.plus(draw.between(0, SEEDED_UNTIL.since(created)));
            let (first, last) = unseen(&mut names, || (*draw.pick(&FIRST_NAMES), *draw.pick(&LAST_NAMES)));
            let place = draw.pick(&PLACES);
            let phone = unseen(&mut numbers, || (draw.pick(&PLACES).3, draw.below(100)));
            let stage = *draw.pick(&STAGES);
            let source = *draw.pick(&SOURCES);
            let tags = draw.below(4);
            let record = Person {
                id: people.len() as i64 + 1,
                created,
                updated,
                created_via: if source == "Import" { "Import" } else { "API" }.to_owned(),
                last_activity: updated,
                first_name: first.to_owned(),
                last_name: last.to_owned(),
                stage: stage.to_owned(),
                source: source.to_owned(),
                source_url: (source == "Company Website").then(|| "https://www.example.com/search".to_owned()),
                contacted: stage != "Lead",
                price: draw.percent(70).then(|| draw.between(36, 280) * 5_000),
                assigned_user_id: draw.percent(94).then(|| *draw.pick(&agents)),
                assigned_lender_id: (!lenders.is_empty() && draw.percent(25)).then(|| *draw.pick(&lenders)),
                tags: draw.some(&TAGS, tags).into_iter().map(str::to_owned).collect(),
                emails: vec![Email {
                    value: format!("{}.{}@{}", first.to_lowercase(), last.to_lowercase(), draw.pick(&MAIL_DOMAINS)),
                    kind: "home".to_owned(),
                    is_primary: true,
                }],
                phones: vec![Phone {
                    value: format!("({}) 555-01{:02}", phone.0, phone.1),
                    kind: "mobile".to_owned(),
                    normalized: format!("{}55501{:02}", phone.0, phone.1),
                    is_primary: true,
                }],
                addresses: vec![Address {
                    kind: "home".to_owned(),
                    street: format!("{} {}", draw.between(100, 9800), draw.pick(&STREETS)),
                    city: place.0.to_owned(),
                    state: place.1.to_owned(),
                    code: place.2.to_owned(),
                    country: "US".to_owned(),
                }],
                background: None,
            };
            people.push(Held { account: account.id, record });
        }
    }
    people
}

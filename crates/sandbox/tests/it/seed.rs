use std::collections::BTreeSet;

use keyfob_protocol::Dialect;
use keyfob_sandbox::seed::{AccountStatus, RefreshTokens, Role, SEEDED_UNTIL, Seed, StateAtToken};

/// Everything that a partner writes down, as one text.
fn written_down(seed: &Seed) -> String {
    let mut text = String::new();
    for user in &seed.users {
        let (password, key, search) = (user.password.expose(), user.api_key.expose(), user.search_key.expose());
        text += &format!("{} {} {} {password} {key} {search} {:?}\n", user.id, user.account, user.email, user.role);
    }
    for system in &seed.systems {
        text += &format!("{} {}\n", system.name, system.key.expose());
    }
    for app in &seed.apps {
        text +=
            &format!("{} {} {:?}\n", app.key, app.client_id, app.secret_label.as_ref().map(|label| seed.bytes(label)));
    }
    text
}

#[test]
fn sb_06_two_starts_are_the_same_and_another_seed_is_not() {
    let (first, second, other) = (Seed::new(1), Seed::new(1), Seed::new(2));
    assert_eq!(written_down(&first), written_down(&second));
    assert_eq!(first.people, second.people);
    assert_eq!(first.notes, second.notes);
    assert_eq!(first.events, second.events);
    assert_ne!(written_down(&first), written_down(&other));
    assert_ne!(first.people, other.people);
}

/// Changing any of this breaks the settings of partners who follow the sandbox.
#[test]
fn sb_06_the_first_seed_stays_as_it_was_published() {
    let seed = Seed::new(1);
    let owner = &seed.users[0];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, written_down(&seed).as_bytes());
    let digest: String = digest.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        (owner.email.as_str(), owner.password.expose().as_str(), digest.as_str()),
        ("yusuf.shah@example.com", "noble-marmot-41", "9adbc1f1743f3b6a")
    );
}

#[test]
fn sb_06_there_is_an_app_for_each_way_to_behave() {
    let seed = Seed::new(1);
    let apps: Vec<_> =
        seed.apps.iter().map(|app| (app.key, app.dialect, app.refresh, app.state_at_token, app.is_public())).collect();
    assert_eq!(
        apps,
        [
            ("followupboss", Dialect::FollowUpBoss, RefreshTokens::Fixed, StateAtToken::Present, false),
            ("rotating", Dialect::FollowUpBoss, RefreshTokens::Rotating, StateAtToken::Present, false),
            ("standard", Dialect::OAuth, RefreshTokens::Rotating, StateAtToken::NotAsked, true),
        ]
    );
    for app in &seed.apps {
        assert!(
            app.client_id.len() == 64 && app.client_id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{}",
            app.client_id
        );
    }
    for system in &seed.systems {
        let key = system.key.expose();
        assert!(key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "{key}");
    }
}

#[test]
fn sb_06_every_seed_gives_distinct_users_of_every_role_and_harmless_contacts() {
    for number in 0..40 {
        let seed = Seed::new(number);
        let distinct = |values: Vec<String>| values.iter().collect::<BTreeSet<_>>().len() == seed.users.len();
        assert!(distinct(seed.users.iter().map(|user| user.email.clone()).collect()));
        assert!(distinct(seed.users.iter().map(|user| user.password.expose().clone()).collect()));
        assert!(distinct(seed.users.iter().map(|user| user.api_key.expose().clone()).collect()));
        for account in &seed.accounts {
            let owners = seed.users.iter().filter(|user| user.account == account.id && user.role == Role::Owner);
            assert_eq!(owners.count(), 1);
        }
        for role in [Role::Owner, Role::Admin, Role::Agent, Role::Lender] {
            assert!(seed.users.iter().any(|user| user.account == 1 && user.role == role), "{role:?}");
        }
        assert!(seed.accounts.iter().any(|account| account.status == AccountStatus::Expired));

        let reserved = ["example.com", "example.net", "example.org"];
        assert!(seed.people.len() >= 300);
        for (nth, held) in seed.people.iter().enumerate() {
            let person = &held.record;
            assert_eq!(person.id, nth as i64 + 1);
            assert!(
                reserved.contains(&person.emails[0].value.rsplit_once('@').unwrap().1),
                "{}",
                person.emails[0].value
            );
            assert_eq!(&person.phones[0].normalized[3..8], "55501", "{}", person.phones[0].value);
            assert!(person.created <= person.updated && person.updated <= SEEDED_UNTIL);
        }
        assert!(seed.notes.iter().all(|note| note.record.created <= SEEDED_UNTIL));
        for pair in seed.people.windows(2).filter(|pair| pair[0].account == pair[1].account) {
            assert!(pair[0].record.created < pair[1].record.created);
        }
    }
}

#[test]
fn derived_bytes_depend_on_seed_and_label_alone() {
    let seed = Seed::new(1);
    assert_eq!(seed.bytes("a"), Seed::new(1).bytes("a"));
    assert_ne!(seed.bytes("a"), seed.bytes("b"));
    assert_ne!(seed.bytes("a"), Seed::new(2).bytes("a"));
}

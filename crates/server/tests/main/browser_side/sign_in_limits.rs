//! Row RL-01: guessing passwords gets slower and slower, and nobody is locked out by somebody else's guesses.

use keyfob_protocol::Clock;
use keyfob_testkit::{Browser, ManualClock, Page, TestServer, TestServerOptions};
use std::net::IpAddr;

fn at(server: &TestServer, address: [u8; 4]) -> Browser<'_> {
    let mut browser = Browser::new(server);
    browser.address = IpAddr::from(address);
    browser
}

/// A guess on a page that was opened before. Its status, and how long to wait.
async fn guess(browser: &mut Browser<'_>, page: &Page, email: &str, password: &str) -> (u16, i64) {
    let answer = browser.sign_in_as(page, email, password).await.answer;
    let wait = answer.header("retry-after").map_or(0, |seconds| seconds.parse().expect("seconds"));
    (answer.status(), wait)
}

/// Guesses as fast as it is allowed for some hours. How many passwords were looked at.
async fn guessed_in(
    hours: i64,
    server: &TestServer,
    clock: &ManualClock,
    mut browser: Browser<'_>,
    page: &Page,
) -> u64 {
    let before = server.passwords.verified();
    let end = clock.now().plus(hours * 3600);
    while clock.now() < end {
        let (status, wait) = guess(&mut browser, page, "owner@example.com", "guess").await;
        match status {
            422 => {}
            429 => clock.advance(wait),
            other => panic!("{other}"),
        }
    }
    server.passwords.verified() - before
}

#[tokio::test]
async fn rl_01_ten_thousand_guesses_at_once_are_a_handful_and_the_owner_signs_in_elsewhere() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut thief = at(&server, [203, 0, 113, 7]);
    let page = thief.get(&app.authorize_url()).await;
    let before = server.passwords.verified();
    let mut held_back = 0;
    for _ in 0..10_000 {
        let (status, wait) = guess(&mut thief, &page, "owner@example.com", "guess").await;
        held_back += u32::from(status == 429 && wait > 0);
    }
    assert!(server.passwords.verified() - before <= 6, "{}", server.passwords.verified() - before);
    assert!(held_back >= 9_994, "{held_back}");
    // Also under the right password the answer is the same: it is not looked at.
    let owner = server.owner.clone();
    let refused = thief.sign_in(&page, &owner).await;
    assert!(refused.status() == 429 && refused.text().contains("Too many tries"), "{}", refused.text());
    assert!(!thief.cookies.contains_key("keyfob-session"));
    at(&server, [198, 51, 100, 1]).connect(&app.authorize_url()).await.code();
}

#[tokio::test]
async fn rl_01_a_patient_guesser_looks_at_a_hundred_passwords_a_day_and_the_delay_ends_by_itself() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut thief = at(&server, [203, 0, 113, 7]);
    let page = thief.get(&app.authorize_url()).await;
    // The page's flow outlives none of this; sign-in on its own has no end.
    let page = match page.has_form("/sign-in") {
        true => page,
        false => thief.get("/connections").await,
    };
    let looked_at = guessed_in(24, &server, &server.clock, thief, &page).await;
    assert!((90..=130).contains(&looked_at), "{looked_at}");
    server.clock.advance(900);
    at(&server, [203, 0, 113, 7]).connect(&app.authorize_url()).await.code();
}

/// One guess at the owner from each address. How many passwords were looked at.
async fn botnet(server: &TestServer, addresses: impl IntoIterator<Item = IpAddr>) -> u64 {
    let before = server.passwords.verified();
    let mut bot = Browser::new(server);
    let page = bot.get("/connections").await;
    for address in addresses {
        bot.address = address;
        guess(&mut bot, &page, "owner@example.com", "guess").await;
    }
    server.passwords.verified() - before
}

/// The addresses of so many networks of 256, one of each.
fn networks(how_many: u16) -> impl Iterator<Item = IpAddr> {
    (0..how_many).map(|number| IpAddr::from([100, (number >> 8) as u8, number as u8, 7]))
}

#[tokio::test]
async fn rl_01_a_botnet_that_goes_on_holds_the_owner_up_nowhere() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    botnet(&server, networks(120)).await;
    // The first time in a browser that is new to them, at an address that is new as well, while it goes on.
    let mut new = at(&server, [192, 0, 2, 77]);
    let page = new.get("/connections").await;
    let (status, _) = guess(&mut new, &page, "Owner@example.com ", &server.owner.password).await;
    assert_eq!(status, 303);
    botnet(&server, networks(60)).await;
    // They may mistype, wait as long as they are told, and no longer.
    let mut other = at(&server, [192, 0, 2, 78]);
    let page = other.get("/connections").await;
    let mut wait = 0;
    while wait == 0 {
        wait = guess(&mut other, &page, "owner@example.com", "mistyped").await.1;
    }
    assert!((1..=2).contains(&wait), "{wait}");
    server.clock.advance(wait);
    botnet(&server, networks(60)).await;
    assert_eq!(guess(&mut other, &page, "owner@example.com", &server.owner.password).await.0, 303);
    new.cookies.remove("keyfob-session");
    new.connect(&app.authorize_url()).await.code();
}

#[tokio::test]
async fn rl_01_a_botnet_gets_three_guesses_from_each_network_and_fewer_and_fewer_after() {
    let server = TestServer::start().await;
    // A rented network of one hosting company, and the smallest that an IPv6 customer is given.
    let rented = (0..=255).map(|number| IpAddr::from([203, 0, 113, number]));
    let looked_at = botnet(&server, rented).await;
    assert_eq!(looked_at, 51 + 3, "what is free to all, then three of the network");
    let customer = (0..1000_u16).map(|number| IpAddr::from([0x2001, 0xdb8, 7, number, 0, 0, 0, 1]));
    assert_eq!(botnet(&server, customer).await, 3);
    // A day of guessing as fast as is allowed.
    let mut looked_at = 0;
    for quarter in 0..96 {
        looked_at += botnet(&server, [IpAddr::from([0x2001, 0xdb8, 7, quarter, 0, 0, 0, 1])]).await;
        botnet(&server, networks(2)).await;
        server.clock.advance(900);
    }
    assert!((20..=40).contains(&looked_at), "{looked_at}");
}

#[tokio::test]
async fn rl_01_a_browser_that_the_owner_has_used_is_not_held_up_by_guesses_at_the_same_address() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut known = at(&server, [203, 0, 113, 7]);
    known.connect(&app.authorize_url()).await;
    known.cookies.remove("keyfob-session");
    // Somebody in the same office guesses at them, and at all the others.
    let mut neighbour = at(&server, [203, 0, 113, 7]);
    let page = neighbour.get("/connections").await;
    for number in 0..60 {
        guess(&mut neighbour, &page, "owner@example.com", "guess").await;
        guess(&mut neighbour, &page, &format!("agent{number}@example.com"), "guess").await;
    }
    assert_eq!(guess(&mut neighbour, &page, "owner@example.com", &server.owner.password).await.0, 429);
    known.connect(&app.authorize_url()).await.code();
    // It may guess no more often than any other, from wherever its cookie is brought.
    known.cookies.remove("keyfob-session");
    let page = known.get("/connections").await;
    let before = server.passwords.verified();
    for number in 0..100 {
        known.address = IpAddr::from([192, 0, number, 1]);
        guess(&mut known, &page, "owner@example.com", "guess").await;
    }
    assert_eq!(server.passwords.verified() - before, 6);
}

#[tokio::test]
async fn rl_01_behind_a_proxy_that_nobody_named_no_guess_holds_up_anybody_else() {
    let mut options = TestServerOptions::default();
    options.doorway.unnamed_proxy = true;
    let server = TestServer::start_with(options).await;
    let mut everybody = at(&server, [127, 0, 0, 1]);
    let page = everybody.get("/connections").await;
    for number in 0..60 {
        let (status, _) = guess(&mut everybody, &page, &format!("agent{number}@example.com"), "guess").await;
        assert_eq!(status, 422, "{number}");
    }
    assert_eq!(guess(&mut everybody, &page, "owner@example.com", &server.owner.password).await.0, 303);
    // Guesses at one person are slowed down all the same, by a minute at most.
    everybody.cookies.clear();
    let page = everybody.get("/connections").await;
    let looked_at = guessed_in(2, &server, &server.clock, everybody, &page).await;
    assert!((160..=180).contains(&looked_at), "{looked_at}");
}

#[tokio::test]
async fn rl_01_the_cookie_of_a_known_browser_is_of_one_person_and_cannot_be_made_up() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut browser = Browser::new(&server);
    browser.connect(&app.authorize_url()).await;
    let cookie = browser.cookies["keyfob-known"].clone();
    assert!(cookie.len() <= 64 && !cookie.contains("owner"), "{cookie}");
    for number in 0..60 {
        let mut bot = at(&server, [203, 0, 113, number]);
        bot.cookies.insert("keyfob-known".to_owned(), cookie.clone());
        let page = bot.get("/connections").await;
        guess(&mut bot, &page, "victim@example.com", "guess").await;
    }
    for forged in [cookie.clone(), "A".repeat(cookie.len())] {
        let mut bot = at(&server, [203, 0, 113, 200]);
        bot.cookies.insert("keyfob-known".to_owned(), forged);
        let page = bot.get("/connections").await;
        assert_eq!(guess(&mut bot, &page, "victim@example.com", "guess").await.0, 429);
    }
}

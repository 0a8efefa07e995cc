//! Row RL-01: guessing passwords gets slower and slower, and nobody is locked out by somebody else's guesses.

use keyfob_protocol::Clock;
use keyfob_testkit::{Browser, ManualClock, Page, TestServer};
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

/// Guesses as fast as it is allowed for a day. How many passwords were looked at.
async fn guessed_in_a_day(server: &TestServer, clock: &ManualClock, mut browser: Browser<'_>, page: &Page) -> u64 {
    let before = server.passwords.verified();
    let end = clock.now().plus(86_400);
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
    let looked_at = guessed_in_a_day(&server, &server.clock, thief, &page).await;
    assert!((90..=130).contains(&looked_at), "{looked_at}");
    server.clock.advance(900);
    at(&server, [203, 0, 113, 7]).connect(&app.authorize_url()).await.code();
}

#[tokio::test]
async fn rl_01_a_botnet_is_slowed_down_for_all_but_browsers_that_the_owner_has_used() {
    let server = TestServer::start().await;
    let app = server.confidential_app("Listing Lantern").await;
    let mut known = at(&server, [198, 51, 100, 1]);
    known.connect(&app.authorize_url()).await;
    known.cookies.remove("keyfob-session");
    for number in 0..60 {
        let mut bot = at(&server, [203, 0, 113, number]);
        let page = bot.get("/connections").await;
        guess(&mut bot, &page, "owner@example.com", "guess").await;
    }
    let mut stranger = at(&server, [192, 0, 2, 77]);
    let page = stranger.get("/connections").await;
    let (status, wait) = guess(&mut stranger, &page, "Owner@example.com ", &server.owner.password).await;
    assert!(status == 429 && (1..=60).contains(&wait), "{status} {wait}");
    // Their own browser is not held back, and neither is anybody else.
    known.connect(&app.authorize_url()).await.code();
    let (status, _) = guess(&mut stranger, &page, "another@example.com", "x").await;
    assert_eq!(status, 422);
    server.clock.advance(wait);
    let (status, _) = guess(&mut stranger, &page, "owner@example.com", &server.owner.password).await;
    assert_eq!(status, 303, "a minute at most");
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

//! Row LG-03 over the years: what is over goes, however much of it there is.

use keyfob_authority::model::{LedgerEntry, LedgerKind, Session, SessionId};
use keyfob_authority::store::LedgerFilter;
use keyfob_authority::sweep::SweepPlace;
use keyfob_protocol::time::DAY;
use keyfob_testkit::TestServer;

const SESSIONS: u16 = 1700;

fn id(number: u16) -> SessionId {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&number.to_be_bytes());
    SessionId(id)
}

/// A round, step by step. How many rows went, and in how many steps.
async fn round(server: &TestServer) -> (u64, usize) {
    let (mut place, mut removed, mut steps) = (Some(SweepPlace::START), 0, 0);
    while let Some(from) = place {
        let step = server.authority().sweep(from, server.clock_now()).await.expect("no fault");
        (place, removed, steps) = (step.next, removed + step.removed, steps + 1);
        assert!(step.removed <= 1000, "no step is long: {step:?}");
    }
    (removed, steps)
}

#[tokio::test]
async fn lg_03_a_round_of_the_sweeper_leaves_nothing_that_is_over() {
    let server = TestServer::start().await;
    let now = server.clock_now();
    for number in 0..SESSIONS {
        let session = Session { id: id(number), user: server.owner.user.id, authenticated_at: now, last_seen_at: now };
        server
            .store()
            .open_session(session, None, vec![LedgerEntry::new(now, LedgerKind::SignedIn)])
            .await
            .expect("no fault");
    }
    assert_eq!(round(&server).await.0, 0, "nothing is over yet");
    server.clock.advance(401 * DAY);
    let (removed, steps) = round(&server).await;
    assert!(removed >= 2 * u64::from(SESSIONS) && steps > 4, "{removed} in {steps}");
    for number in 0..SESSIONS {
        assert_eq!(server.store().session(id(number)).await.expect("no fault"), None);
    }
    assert_eq!(server.store().ledger(LedgerFilter::default(), 10).await.expect("no fault"), []);
    assert_eq!(round(&server).await, (0, 2));
}

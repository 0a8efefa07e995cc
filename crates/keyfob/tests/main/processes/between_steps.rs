//! OP-02: the server is killed and started again between each two steps of a flow, and nothing that was used, rotated or revoked
//! becomes valid again, while everything that was answered stays true.

use super::partner::{Shape, call, revoke, tokens};
use super::place::Place;
use super::serving::Serving;
use super::visitor::{Visitor, code_in, http_client};

/// Kills the server and starts another on the same data; its base URL.
fn again(place: &Place, serving: &mut Option<Serving>) -> String {
    if let Some(running) = serving.take() {
        running.kill();
    }
    serving.insert(place.serve()).base()
}

#[tokio::test]
async fn op_02_a_kill_between_each_two_steps_loses_and_revives_nothing() {
    let place = Place::new();
    let people = place.people();
    let http = http_client();
    let mut serving = None;
    for (partner, rotates) in [(&people.fixed, false), (&people.rotating, true)] {
        let mut visitor = Visitor::new(&http);

        let base = again(&place, &mut serving);
        let sign_in = visitor.get(&format!("{base}{}", partner.authorize("s1"))).await.expect("an answer");
        let base = again(&place, &mut serving);
        let consent = visitor.sign_in(&base, &sign_in).await.expect("an answer");
        let base = again(&place, &mut serving);
        let decided = visitor.approve(&base, &consent).await.expect("an answer");
        let code = code_in(&decided).expect("a code");

        let base = again(&place, &mut serving);
        let second = visitor.approve(&base, &consent).await.expect("an answer");
        assert_eq!(second.header("location"), decided.header("location"), "the same decision, not a second one");

        let base = again(&place, &mut serving);
        let redeemed = partner.redeem(&http, &base, Shape::Post, &code, "s1").await.expect("an answer");
        let (access, first) = tokens(&redeemed);

        let base = again(&place, &mut serving);
        for shape in [Shape::Get, Shape::Post] {
            let twice = partner.redeem(&http, &base, shape, &code, "s1").await.expect("an answer");
            assert_eq!((twice.status, twice.field("access_token")), (400, None), "{}", twice.body);
        }
        assert_eq!(call(&http, &base, &access).await, Ok(200));
        let late = visitor.approve(&base, &consent).await.expect("an answer");
        assert_eq!((late.status, code_in(&late)), (400, None), "a decision is used once");

        let refreshed = partner.refresh(&http, &base, Shape::Post, &first).await.expect("an answer");
        let (_, second) = tokens(&refreshed);
        assert_eq!(second != first, rotates);
        let base = again(&place, &mut serving);
        let parent = partner.refresh(&http, &base, Shape::Post, &first).await.expect("an answer");
        assert_eq!(tokens(&parent).1, second, "the answered successor is the current token still");
        let (access, third) = tokens(&partner.refresh(&http, &base, Shape::Get, &second).await.expect("an answer"));

        let base = again(&place, &mut serving);
        let grandparent = partner.refresh(&http, &base, Shape::Post, &first).await.expect("an answer");
        assert_eq!(grandparent.status, if rotates { 400 } else { 200 }, "{}", grandparent.body);
        let revoked = revoke(&http, &base, &people, &access).await.expect("an answer");
        assert_eq!(revoked.status, 200, "{}", revoked.body);

        for _ in 0..2 {
            let base = again(&place, &mut serving);
            assert_eq!(call(&http, &base, &access).await, Ok(401));
            for token in [&first, &second, &third] {
                let refused = partner.refresh(&http, &base, Shape::Post, token).await.expect("an answer");
                assert_eq!((refused.status, refused.field("error").as_deref()), (400, Some("invalid_grant")));
            }
            let refused = partner.redeem(&http, &base, Shape::Post, &code, "s1").await.expect("an answer");
            assert_eq!(refused.status, 400, "{}", refused.body);
        }
    }
    serving.expect("a server").stop();
}

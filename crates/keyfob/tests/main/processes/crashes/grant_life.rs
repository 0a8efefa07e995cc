//! What a partner knows of one grant: what it was told, and what it asked without hearing an answer.

use crate::processes::partner::{Partner, Shape, call, revoke, tokens};
use crate::processes::place::People;
use crate::processes::visitor::{Answer, Lost};

/// Whether something was asked for, and whether the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    /// It may have happened.
    Unanswered,
    /// It happened.
    Answered,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Redeem,
    RedeemTwiceAtOnce,
    Refresh,
    Revoke,
}

/// One grant, as its partner knows it.
#[derive(Debug)]
pub(super) struct GrantLife {
    rotates: bool,
    state: String,
    code: String,
    redeemed: Asked,
    revoked: Asked,
    access: String,
    /// Every refresh token that was answered, in order.
    refresh: Vec<String>,
    /// The last one was presented and no answer came.
    refreshing: bool,
    refreshes: u64,
}

/// For counting what the load met.
pub(super) struct Happened {
    pub(super) redeemed: bool,
    pub(super) redeeming: bool,
    pub(super) refreshes: u64,
    pub(super) refreshing: bool,
    pub(super) revoked: bool,
    pub(super) revoking: bool,
}

impl GrantLife {
    /// The user approved; the code is out.
    pub(super) fn approved(rotates: bool, state: String, code: String) -> GrantLife {
        GrantLife {
            rotates,
            state,
            code,
            redeemed: Asked::No,
            revoked: Asked::No,
            access: String::new(),
            refresh: Vec::new(),
            refreshing: false,
            refreshes: 0,
        }
    }

    /// Nothing good can come of it any more.
    pub(super) fn is_over(&self) -> bool {
        self.revoked == Asked::Answered || self.redeemed == Asked::Unanswered
    }

    pub(super) fn what_happened(&self) -> Happened {
        Happened {
            redeemed: self.redeemed == Asked::Answered,
            redeeming: self.redeemed == Asked::Unanswered,
            refreshes: self.refreshes,
            refreshing: self.refreshing,
            revoked: self.revoked == Asked::Answered,
            revoking: self.revoked == Asked::Unanswered,
        }
    }

    fn partner<'p>(&self, people: &'p People) -> &'p Partner {
        if self.rotates { &people.rotating } else { &people.fixed }
    }

    /// One step under load. What cannot be done now (no tokens yet) is left.
    pub(super) async fn take(
        &mut self,
        step: Step,
        http: &reqwest::Client,
        base: &str,
        people: &People,
    ) -> Result<(), Lost> {
        let live = self.redeemed == Asked::Answered && self.revoked == Asked::No;
        match step {
            Step::Redeem => self.redeem(http, base, people).await,
            Step::RedeemTwiceAtOnce => self.redeem_twice(http, base, people).await,
            Step::Refresh if live => self.refresh(http, base, people).await,
            Step::Revoke if live => self.revoke(http, base, people).await,
            Step::Refresh | Step::Revoke => Ok(()),
        }
    }

    /// The first time it must be granted, later it must be refused.
    async fn redeem(&mut self, http: &reqwest::Client, base: &str, people: &People) -> Result<(), Lost> {
        let partner = self.partner(people);
        let before = self.redeemed;
        if before == Asked::No {
            self.redeemed = Asked::Unanswered;
        }
        let answer = partner.redeem(http, base, Shape::Post, &self.code, &self.state).await?;
        match before {
            Asked::No => self.won(&answer),
            Asked::Answered => refused(&answer, "a code that was redeemed"),
            // The same request again: the first one may have spent the code, and its answer is lost.
            Asked::Unanswered if answer.status == 200 => self.won(&answer),
            Asked::Unanswered => refused(&answer, "a code that was presented"),
        }
        Ok(())
    }

    /// By both shapes at the same time: one wins.
    async fn redeem_twice(&mut self, http: &reqwest::Client, base: &str, people: &People) -> Result<(), Lost> {
        if self.redeemed != Asked::No {
            return Ok(());
        }
        self.redeemed = Asked::Unanswered;
        let partner = self.partner(people);
        let (get, post) = tokio::join!(
            partner.redeem(http, base, Shape::Get, &self.code, &self.state),
            partner.redeem(http, base, Shape::Post, &self.code, &self.state),
        );
        let granted = |answer: &Result<Answer, Lost>| answer.as_ref().is_ok_and(|answer| answer.status == 200);
        assert!(!(granted(&get) && granted(&post)), "one code, two winners: {get:?} {post:?}");
        for answer in [&get, &post].into_iter().flatten() {
            match answer.status {
                200 => self.won(answer),
                _ => refused(answer, "the loser"),
            }
        }
        assert!(get.is_err() || post.is_err() || self.redeemed == Asked::Answered, "no winner: {get:?} {post:?}");
        get.and(post).map(drop)
    }

    fn won(&mut self, answer: &Answer) {
        let (access, refresh) = tokens(answer);
        (self.access, self.refresh, self.redeemed) = (access, vec![refresh], Asked::Answered);
    }

    async fn refresh(&mut self, http: &reqwest::Client, base: &str, people: &People) -> Result<(), Lost> {
        let last = self.refresh.last().expect("it was redeemed").clone();
        self.refreshing = true;
        let answer = self.partner(people).refresh(http, base, Shape::Post, &last).await?;
        self.refreshing = false;
        self.refreshes += 1;
        let (access, refresh) = tokens(&answer);
        assert_eq!(refresh != last, self.rotates);
        self.access = access;
        if self.rotates {
            self.refresh.push(refresh);
        }
        Ok(())
    }

    async fn revoke(&mut self, http: &reqwest::Client, base: &str, people: &People) -> Result<(), Lost> {
        self.revoked = Asked::Unanswered;
        let answer = revoke(http, base, people, &self.access).await?;
        assert_eq!(answer.status, 200, "{}", answer.body);
        self.revoked = Asked::Answered;
        Ok(())
    }

    /// Holds what the partner was told against a server that was started after the crash.
    pub(super) async fn must_still_hold(&mut self, http: &reqwest::Client, base: &str, people: &People, when: &str) {
        let partner = self.partner(people).clone();
        let present = async |token: &str| {
            partner.refresh(http, base, Shape::Post, token).await.unwrap_or_else(|_| panic!("{when}: no answer"))
        };
        let before = self.redeemed;
        self.redeem(http, base, people).await.unwrap_or_else(|_| panic!("{when}: no answer"));
        if before == Asked::Unanswered {
            // Redeemed now, or in the run that was killed: in both cases never again.
            self.refreshing = false;
            self.redeem(http, base, people).await.unwrap_or_else(|_| panic!("{when}: no answer"));
        }
        let Some(last) = self.refresh.last().cloned() else { return };
        let parent = self.refresh.len().checked_sub(2).map(|at| self.refresh[at].clone());

        if self.revoked == Asked::Unanswered {
            let status = call(http, base, &self.access).await;
            self.revoked = if status == Ok(200) { Asked::No } else { Asked::Answered };
        }
        if self.revoked == Asked::Answered {
            for token in parent.iter().chain([&last]) {
                refused(&present(token).await, &format!("{when}: a revoked refresh token"));
            }
            let status = call(http, base, &self.access).await;
            assert_eq!(status, Ok(401), "{when}: a revoked access token, {self:?}");
            return;
        }
        assert_eq!(call(http, base, &self.access).await, Ok(200), "{when}: {self:?}");
        if let (Some(parent), false) = (&parent, self.refreshing) {
            // Within the replay window the parent gets the row's current token: the one that was answered last.
            let again = tokens(&present(parent).await).1;
            assert_eq!(again, last, "{when}: an answered refresh is lost, {self:?}");
        }
        self.refreshing = false;
        self.refresh(http, base, people).await.unwrap_or_else(|_| panic!("{when}: no answer"));
    }
}

#[track_caller]
fn refused(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.field("access_token")), (400, None), "{what}: {}", answer.body);
}

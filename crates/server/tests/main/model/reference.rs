//! The reference model: what must be so, in as few words as possible. It knows no generations, no branches, no rows.

use std::collections::BTreeSet;

pub(super) const CODE_LIFETIME: i64 = 900;
pub(super) const ACCESS_LIFETIME: i64 = 3_600;
pub(super) const IDLE_LIFETIME: i64 = 90 * 86_400;

/// Something an operator can switch off. Access tokens from before the last time stay dead.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    pub(super) on: bool,
    last_off: u64,
}

impl Switch {
    pub(super) fn new() -> Switch {
        Switch { on: true, last_off: 0 }
    }

    pub(super) fn set(&mut self, on: bool, order: u64) {
        self.on = on;
        if !on {
            self.last_off = order;
        }
    }

    fn spares(&self, issued: u64) -> bool {
        self.on && issued > self.last_off
    }
}

/// One access token.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) text: String,
    pub(super) expires_at: i64,
    /// In the order of steps, since several happen in one second.
    pub(super) issued: u64,
    pub(super) revoked: bool,
}

/// One grant.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) app: usize,
    pub(super) user: usize,
    pub(super) scope: BTreeSet<String>,
    pub(super) code: String,
    pub(super) code_expires_at: i64,
    pub(super) redeemed: bool,
    pub(super) ended: bool,
    /// An old token of a public app was refused, which may have ended the grant.
    pub(super) perhaps_ended: bool,
    /// The tokens it ever got; the last one is the current one.
    pub(super) refresh: Vec<String>,
    pub(super) access: Vec<Access>,
    pub(super) last_used: i64,
}

/// What the law leaves to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Works,
    Fails,
    Either,
}

impl Grant {
    pub(super) fn expect_redemption(&self, holder_may: bool, now: i64) -> Expected {
        match holder_may && !self.ended && !self.redeemed && now < self.code_expires_at {
            true => Expected::Works,
            false => Expected::Fails,
        }
    }

    pub(super) fn expect_refresh(
        &self,
        back: usize,
        wanted: &BTreeSet<String>,
        holder_may: bool,
        now: i64,
    ) -> Expected {
        if !holder_may || self.ended || !self.redeemed || now >= self.last_used + IDLE_LIFETIME {
            return Expected::Fails;
        }
        if !wanted.is_subset(&self.scope) {
            return Expected::Fails;
        }
        // The sequential client that keeps what it got never loses its grant; an old token may be healed or refused.
        match back == 0 && !self.perhaps_ended {
            true => Expected::Works,
            false => Expected::Either,
        }
    }

    pub(super) fn expect_call(&self, access: &Access, switches: [&Switch; 3], now: i64) -> Expected {
        let lives = !access.revoked && now < access.expires_at && switches.iter().all(|it| it.spares(access.issued));
        match (lives && !self.ended, self.perhaps_ended) {
            (false, _) => Expected::Fails,
            (true, false) => Expected::Works,
            (true, true) => Expected::Either,
        }
    }
}

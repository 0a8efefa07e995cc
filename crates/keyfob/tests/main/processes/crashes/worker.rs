//! A worker: does what partners and users do, in a random order, until the server is gone.

use super::Chance;
use super::grant_life::{GrantLife, Step};
use crate::processes::place::People;
use crate::processes::visitor::{Lost, Visitor};
use std::sync::Arc;

pub(super) struct Worker {
    pub(super) chance: Chance,
    pub(super) people: Arc<People>,
    pub(super) visitor: Visitor,
    pub(super) base: String,
    pub(super) grants: Vec<GrantLife>,
}

impl Worker {
    /// Works until the connection breaks; returns what it knows of each grant.
    pub(super) async fn until_lost(mut self) -> Vec<GrantLife> {
        while self.work().await.is_ok() {}
        self.grants
    }

    async fn work(&mut self) -> Result<(), Lost> {
        let chance = self.chance.below(100);
        let at = self.chance.below(self.grants.len().max(1) as u64) as usize;
        let Some(life) = self.grants.get_mut(at).filter(|_| chance >= 15) else {
            return self.connect().await;
        };
        let step = match chance {
            15..45 => Step::Redeem,
            45..50 => Step::RedeemTwiceAtOnce,
            50..92 => Step::Refresh,
            _ => Step::Revoke,
        };
        life.take(step, &self.visitor.http, &self.base, &self.people).await
    }

    async fn connect(&mut self) -> Result<(), Lost> {
        let rotates = self.chance.below(2) == 0;
        let state = format!("s{}", self.chance.next());
        let partner = if rotates { &self.people.rotating } else { &self.people.fixed };
        let consent = self.visitor.consent_page(&self.base, partner, &state).await?;
        let decided = self.visitor.approve(&self.base, &consent).await?;
        let code = crate::processes::visitor::code_in(&decided);
        let code = code.unwrap_or_else(|| panic!("no code: {} {}", decided.status, decided.body));
        self.grants.push(GrantLife::approved(rotates, state, code));
        Ok(())
    }
}

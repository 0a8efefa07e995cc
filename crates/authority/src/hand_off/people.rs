//! Users and accounts as the platform, or an OpenID provider, knows them: made when they first come, and following it from then on.
//!
//! A user with a password here is not taken over by an assertion that has the same e-mail address: whoever can choose an address at the
//! platform would be them. The operator joins the two, knowingly.

use super::arrival::ReturnRefusal;
use super::assertion::{Company, Person};
use crate::administer::{account_entry, user_entry};
use crate::authority::{ATTEMPTS, Authority, Decision, Fault};
use crate::changes;
use crate::model::{Account, AccountId, AccountStatus, EndReason, User, UserId, UserStatus};
use crate::sign_in::SignInPlace;
use crate::store::{Administered, Administration, NewRevocation, Replacement};
use keyfob_protocol::Timestamp;
use keyfob_protocol::revocation::RevokedKind;

impl Authority {
    /// The user whom the platform means, as it describes them; as it described them last where this is the older description of the two.
    pub(super) async fn person(&self, person: &Person, now: Timestamp) -> Result<Decision<User, ReturnRefusal>, Fault> {
        let said_at = Some(person.said_at);
        // Whoever loses a race finds what the winner wrote.
        for _ in 0..ATTEMPTS {
            let read_at = self.store.settings_version().await?;
            let known = self.store.user_by_external(&person.id).await?;
            let followed_at = known.as_ref().and_then(|user| user.followed_at);
            match known {
                Some(user) if followed_at > said_at => return self.as_followed_later(user).await,
                // Before the description is compared, so that no older one takes the place of what is found to be so.
                Some(_) if followed_at < said_at => {
                    self.store.follow_user(&person.id, person.said_at).await?;
                    continue;
                }
                _ => {}
            }
            let account = match self.store.account_by_external(&person.account.id).await? {
                Some(account) if account.followed_at < said_at => {
                    self.store.follow_account(&person.account.id, person.said_at).await?;
                    continue;
                }
                Some(account) => account,
                None => match self.add_company(person, now).await? {
                    Some(refusal) => return Ok(Decision::Refused(refusal)),
                    None => continue,
                },
            };
            let Some(user) = known else {
                match self.add_platform_user(person, account.id, now).await? {
                    Some(refusal) => return Ok(Decision::Refused(refusal)),
                    None => continue,
                }
            };
            if user.status != UserStatus::Active || account.status != AccountStatus::Active {
                return Ok(Decision::Refused(ReturnRefusal::Inactive { user: user.id, account: user.account }));
            }
            let (name, domain) = (person.account.name.clone(), person.account.domain.clone());
            let described = Account { name, domain, ..account.clone() };
            if account.followed_at == said_at && described != account {
                let what = changes::of_account(&account, &described);
                let entry = account_entry(account.id, now).with_detail(format!("{}: {what}", self.follows()));
                let change = Administration::UpdateAccount(Replacement { row: described, read_at });
                if self.administer(change, vec![entry], Vec::new()).await? == Administered::Conflict {
                    return Ok(Decision::Refused(self.domain_taken(&person.account).await?));
                }
                continue;
            }
            let Some((row, revocations)) = self.user_changed(&user, person, account.id, now) else {
                return Ok(Decision::Granted(user));
            };
            let moves = row.account != user.account;
            // What was consented to were the data of the account that they leave. Before the change, so that a crash in between delegates nothing
            // else, and after it, for what was consented to meanwhile.
            if moves {
                self.end_grants_of(user.id, EndReason::UserMoved, now).await?;
            }
            let what = changes::of_user(&user, &row);
            let entry = user_entry(&row, now).with_detail(format!("{}: {what}", self.follows()));
            let replacement = Replacement { row, read_at };
            let change = match moves {
                true => Administration::UpdateUserEndingSessions(replacement),
                false => Administration::UpdateUser(replacement),
            };
            if self.administer(change, vec![entry], revocations).await? == Administered::Conflict {
                return Ok(Decision::Refused(self.email_taken(person).await?));
            }
            if moves {
                self.end_grants_of(user.id, EndReason::UserMoved, now).await?;
            }
        }
        Err(Fault::Contended)
    }

    /// In the ledger, of a change that a sign-in brought.
    fn follows(&self) -> &'static str {
        match &self.settings.sign_in {
            SignInPlace::OpenId(_) => "follows the OpenID provider",
            SignInPlace::Platform(_) | SignInPlace::Here => "follows the platform",
        }
    }

    /// Somebody of whom the platform has said something later than what arrives now: they come in, and nothing is changed.
    async fn as_followed_later(&self, user: User) -> Result<Decision<User, ReturnRefusal>, Fault> {
        let account = self.store.account(user.account).await?;
        let active = account.is_some_and(|account| account.status == AccountStatus::Active);
        Ok(match active && user.status == UserStatus::Active {
            true => Decision::Granted(user),
            false => Decision::Refused(ReturnRefusal::Inactive { user: user.id, account: user.account }),
        })
    }

    async fn add_company(&self, person: &Person, now: Timestamp) -> Result<Option<ReturnRefusal>, Fault> {
        let company = &person.account;
        let account = Account {
            id: AccountId(0),
            name: company.name.clone(),
            domain: company.domain.clone(),
            status: AccountStatus::Active,
            tokens_after: Timestamp(0),
            created_at: now,
            external: Some(company.id.clone()),
            followed_at: Some(person.said_at),
        };
        match self.add_account(account, now).await? {
            Administered::Conflict if self.store.account_by_external(&company.id).await?.is_none() => {
                Ok(Some(self.domain_taken(company).await?))
            }
            _ => Ok(None),
        }
    }

    async fn add_platform_user(
        &self,
        person: &Person,
        account: AccountId,
        now: Timestamp,
    ) -> Result<Option<ReturnRefusal>, Fault> {
        let user = User {
            id: UserId(0),
            account,
            email: person.email.clone(),
            name: person.name.clone(),
            role: person.role,
            status: UserStatus::Active,
            password_hash: None,
            tokens_after: Timestamp(0),
            created_at: now,
            external: Some(person.id.clone()),
            followed_at: Some(person.said_at),
        };
        match self.add_user(user, now).await? {
            Administered::Conflict if self.store.user_by_external(&person.id).await?.is_none() => {
                Ok(Some(self.email_taken(person).await?))
            }
            _ => Ok(None),
        }
    }

    /// The user as the platform describes them, where that is news. Tokens name the account: those of the one they left are refused.
    fn user_changed(
        &self,
        user: &User,
        person: &Person,
        account: AccountId,
        now: Timestamp,
    ) -> Option<(User, Vec<NewRevocation>)> {
        let described =
            User { account, email: person.email.clone(), name: person.name.clone(), role: person.role, ..user.clone() };
        if described == *user {
            return None;
        }
        if described.account == user.account {
            return Some((described, Vec::new()));
        }
        let (tokens_after, revocations) = self.revoked(RevokedKind::User, user.id.0, user.tokens_after, now);
        Some((User { tokens_after, ..described }, revocations))
    }

    async fn email_taken(&self, person: &Person) -> Result<ReturnRefusal, Fault> {
        let user = self.store.user_by_email(&person.email).await?;
        let local = user.filter(|user| user.external.is_none()).map(|user| user.id);
        Ok(ReturnRefusal::EmailTaken { local, external: person.id.clone() })
    }

    async fn domain_taken(&self, company: &Company) -> Result<ReturnRefusal, Fault> {
        let accounts = self.store.accounts().await?;
        let account = accounts.iter().find(|account| account.domain == company.domain);
        let local = account.filter(|account| account.external.is_none()).map(|account| account.id);
        Ok(ReturnRefusal::DomainTaken { local, external: company.id.clone() })
    }
}

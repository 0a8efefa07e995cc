//! Resource servers: APIs, and gates in front of them, that may know what has been revoked.

use crate::authority::{Authority, Decision, Fault};
use crate::model::{LedgerEntry, LedgerKind, ResourceServer, ResourceServerId};
use crate::secrets;
use crate::store::{Administered, Administration, Replacement};
use aws_lc_rs::constant_time;
use keyfob_protocol::Timestamp;
use keyfob_protocol::basic::PresentedSecret;

/// Why credentials are not those of a resource server that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceServerRefusal {
    /// An unknown name or a wrong secret; nothing tells which.
    NotProven,
    /// Proven, and disabled.
    Disabled,
}

impl Authority {
    /// The enabled resource server that these credentials prove.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn authenticate_resource_server(
        &self,
        name: &str,
        secret: &PresentedSecret,
    ) -> Result<Decision<ResourceServer, ResourceServerRefusal>, Fault> {
        let not_proven = Decision::Refused(ResourceServerRefusal::NotProven);
        let Some(server) = self.store.resource_server_by_name(name).await? else { return Ok(not_proven) };
        // Our secrets are letters and digits, on which both readings of Basic agree.
        let digest = secrets::digest(secret.raw.expose());
        let proven = constant_time::verify_slices_are_equal(&digest, &server.secret_digest).is_ok();
        Ok(match (proven, server.enabled) {
            (true, true) => Decision::Granted(server),
            (true, false) => Decision::Refused(ResourceServerRefusal::Disabled),
            (false, _) => not_proven,
        })
    }

    /// Adds a resource server.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn add_resource_server(&self, server: ResourceServer, now: Timestamp) -> Result<Administered, Fault> {
        let entry = entry(&server.name, "added", now);
        self.administer(Administration::AddResourceServer(server), vec![entry], Vec::new()).await
    }

    /// Replaces a resource server.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn update_resource_server(
        &self,
        server: Replacement<ResourceServer>,
        what: &str,
        now: Timestamp,
    ) -> Result<Administered, Fault> {
        let entry = entry(&server.row.name, what, now);
        self.administer(Administration::UpdateResourceServer(server), vec![entry], Vec::new()).await
    }

    /// Removes a resource server.
    ///
    /// # Errors
    /// [`Fault`] where the store fails.
    pub async fn remove_resource_server(&self, id: ResourceServerId, now: Timestamp) -> Result<Administered, Fault> {
        let entry = entry(&id.to_string(), "removed", now);
        self.administer(Administration::RemoveResourceServer(id), vec![entry], Vec::new()).await
    }
}

fn entry(which: &str, what: &str, now: Timestamp) -> LedgerEntry {
    LedgerEntry::new(now, LedgerKind::ResourceServerChanged).with_detail(format!("{which}: {what}"))
}

//! A `keyfob serve` with an app for each client, behind the wire.

use super::super::partner::Partner;
use super::super::place::{Place, REDIRECT_URI};
use super::super::serving::Serving;
use super::wire::Wire;
use keyfob_authority::secrets;
use rusqlite::Connection;

/// The secret of every confidential app, as if it had been imported: the ones that we issue look the same raw and form-encoded (CA-02),
/// and then nobody could tell which a client had sent. Its `%41` is no escape.
pub(super) const IMPORTED_SECRET: &str = "an-imported_secret.of~old+and%41odd/marks=";

/// A data directory whose server has not started.
pub(super) struct Prepared {
    place: Place,
    wire: Wire,
}

/// The running authority.
pub(super) struct Authority {
    pub(super) wire: Wire,
    _place: Place,
    _serving: Serving,
}

/// What a client is told.
#[derive(Debug, Clone)]
pub(super) struct App {
    pub(super) issuer: String,
    pub(super) client_id: String,
    /// `None`: a public client.
    pub(super) client_secret: Option<String>,
}

/// What is registered for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// With a secret; refresh tokens stay.
    Confidential,
    /// With a secret; refresh tokens rotate.
    Rotating,
    /// Without a secret.
    Public,
}

impl Prepared {
    pub(super) async fn new() -> Prepared {
        let (place, wire) = (Place::new(), Wire::start().await);
        let prepared = Prepared { place, wire };
        prepared.json(&["account", "add", "--name", "Maple Street Realty", "--domain", "maple-street"], "");
        let user = ["user", "add", "--account", "1", "--email", super::super::place::EMAIL, "--name", "Olive Owner"];
        prepared.json(&[&user[..], &["--role", "owner"]].concat(), super::super::place::PASSWORD);
        prepared.json(&["system", "add", "--name", "Partner One"], "");
        prepared
    }

    /// Runs a command on the data of the issuer that the wire is.
    pub(super) fn json(&self, arguments: &[&str], input: &str) -> serde_json::Value {
        self.place.json_of(&self.wire.issuer, arguments, input)
    }

    /// Registers an app of this name.
    pub(super) fn app(&self, name: &str, kind: Kind) -> App {
        let add = ["app", "add", "--system", "Partner One", "--name", name, "--redirect-uri", REDIRECT_URI];
        let more: &[&str] = match kind {
            Kind::Confidential => &[],
            Kind::Rotating => &["--rotating"],
            Kind::Public => &["--public"],
        };
        let json = self.json(&[&add, more].concat(), "");
        let issuer = self.wire.issuer.clone();
        let client_id = json["clientId"].as_str().expect("a client id").to_owned();
        if kind == Kind::Public {
            return App { issuer, client_id, client_secret: None };
        }
        assert_ne!(Partner::of(&json).client_secret, IMPORTED_SECRET);
        App { issuer, client_id, client_secret: Some(IMPORTED_SECRET.to_owned()) }
    }

    /// Imports the secrets and starts the server with these lines of configuration.
    pub(super) fn serve(self, config: &str) -> Authority {
        let rows = Connection::open(self.place.database()).expect("a database");
        rows.execute("UPDATE app_secrets SET digest = ?1", [secrets::digest(IMPORTED_SECRET)]).expect("written");
        drop(rows);
        let file = self.place.around().join("keyfob.toml");
        std::fs::write(&file, config).expect("written");
        let mut command = self.place.command(&["serve"]);
        command.env("KEYFOB_ISSUER", &self.wire.issuer).env("KEYFOB_CONFIG", file);
        let serving = Serving::start(command);
        self.wire.leads_to(serving.base());
        Authority { wire: self.wire, _place: self.place, _serving: serving }
    }
}

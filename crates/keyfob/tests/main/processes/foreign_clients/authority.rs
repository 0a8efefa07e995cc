//! A `keyfob serve` with an app for each client, behind the wire.

use super::super::partner::{Partner, Shape, tokens};
use super::super::place::{EMAIL, PASSWORD, Place, REDIRECT_URI};
use super::super::serving::Serving;
use super::super::visitor::{Visitor, http_client};
use super::wire::Wire;
use keyfob_authority::secrets;
use rusqlite::Connection;

/// The secret of every confidential app, as if it had been imported: the ones that we issue look the same raw and form-encoded (CA-02),
/// and then nobody could tell which a client had sent. Its `%41` is no escape.
pub(super) const IMPORTED_SECRET: &str = "an-imported_secret.of~old+and%41odd/marks=";

/// In the directory in which commands run.
const CONFIG: &str = "keyfob.toml";

/// A data directory whose server has not started.
pub(super) struct Prepared {
    place: Place,
    wire: Wire,
}

/// The running authority.
pub(super) struct Authority {
    pub(super) wire: Wire,
    _place: Place,
    serving: Serving,
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

impl App {
    /// What a client of ours does with it, for tests that are about something else.
    pub(super) fn partner(&self) -> Partner {
        let client_secret = self.client_secret.clone().expect("a confidential app");
        Partner { client_id: self.client_id.clone(), client_secret }
    }
}

impl Authority {
    /// Where it listens itself, for who writes requests that the wire would read differently.
    pub(super) fn listens(&self) -> String {
        self.serving.base()
    }

    /// The access and refresh token of an app that the person connects.
    pub(super) async fn tokens(&self, app: &App) -> (String, String) {
        let (http, partner) = (http_client(), app.partner());
        let code = Visitor::new(&http).connect(&app.issuer, &partner, "s1").await.expect("a code");
        tokens(&partner.redeem(&http, &app.issuer, Shape::Post, &code, "s1").await.expect("an answer"))
    }
}

impl Prepared {
    /// With these lines of configuration, which concern the first keys too.
    pub(super) async fn with(config: &str) -> Prepared {
        let (place, wire) = (Place::new(), Wire::start().await);
        std::fs::write(place.around().join(CONFIG), config).expect("written");
        let prepared = Prepared { place, wire };
        prepared.json(&["account", "add", "--name", "Maple Street Realty", "--domain", "maple-street"], "");
        let user = ["user", "add", "--account", "1", "--email", EMAIL, "--name", "Olive Owner"];
        prepared.json(&[&user[..], &["--role", "owner"]].concat(), PASSWORD);
        prepared.json(&["system", "add", "--name", "Partner One"], "");
        prepared
    }

    /// Runs a command that must succeed, and reads its JSON.
    pub(super) fn json(&self, arguments: &[&str], input: &str) -> serde_json::Value {
        self.place.json_where(&self.environment(), arguments, input)
    }

    /// The wire is the issuer; a command runs beside its configuration.
    fn environment(&self) -> [(&str, &str); 2] {
        [("KEYFOB_ISSUER", &self.wire.issuer), ("KEYFOB_CONFIG", CONFIG)]
    }

    /// Registers an app of this name.
    pub(super) fn app(&self, name: &str, kind: Kind) -> App {
        self.app_with(name, kind, &[])
    }

    /// The same, with these options.
    pub(super) fn app_with(&self, name: &str, kind: Kind, options: &[&str]) -> App {
        let add = ["app", "add", "--system", "Partner One", "--name", name, "--redirect-uri", REDIRECT_URI];
        let more: &[&str] = match kind {
            Kind::Confidential => &[],
            Kind::Rotating => &["--rotating"],
            Kind::Public => &["--public"],
        };
        let json = self.json(&[&add, more, options].concat(), "");
        let issuer = self.wire.issuer.clone();
        let client_id = json["clientId"].as_str().expect("a client id").to_owned();
        if kind == Kind::Public {
            return App { issuer, client_id, client_secret: None };
        }
        assert_ne!(Partner::of(&json).client_secret, IMPORTED_SECRET);
        App { issuer, client_id, client_secret: Some(IMPORTED_SECRET.to_owned()) }
    }

    /// Registers a resource server; its secret.
    pub(super) fn resource_server(&self, name: &str) -> String {
        let added = self.json(&["resource-server", "add", "--name", name], "");
        added["secret"].as_str().unwrap_or_else(|| panic!("no secret: {added}")).to_owned()
    }

    /// Imports the secrets and starts the server.
    pub(super) fn serve(self) -> Authority {
        let rows = Connection::open(self.place.database()).expect("a database");
        rows.execute("UPDATE app_secrets SET digest = ?1", [secrets::digest(IMPORTED_SECRET)]).expect("written");
        drop(rows);
        let mut command = self.place.command(&["serve"]);
        command.envs(self.environment());
        let serving = Serving::start(command);
        self.wire.leads_to(serving.base());
        Authority { wire: self.wire, _place: self.place, serving }
    }
}

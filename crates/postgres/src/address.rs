//! Where the database is: `postgres://user:password@host:port,host2/database?options`, and what its options mean here.
//!
//! The options are libpq's. Two differ on purpose. `sslmode` unsaid means none on this machine and `require` elsewhere, where a password
//! would travel in clear; and whenever TLS is spoken, the certificate is verified, as `verify-full` does it. An address prints without
//! its password.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use url::form_urlencoded;

use crate::OpenError;

/// A database and how to reach it.
#[derive(Clone)]
pub struct Address {
    pub(crate) config: Config,
    /// PEM file of the authorities that the server's certificate is verified with; `None`: those of the system.
    pub(crate) root_certificates: Option<PathBuf>,
}

impl Address {
    /// Whether a text means a PostgreSQL database.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// It is no URL of a database; says why without repeating it, since it may hold a password.
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        if !Self::is_meant(url) {
            return Err(OpenError::Address("it must begin with postgres://".to_owned()));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut root_certificates = None;
        let mut mode_is_said = false;
        let mut kept = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match (&*name, &*value) {
                ("sslrootcert", path) => root_certificates = Some(PathBuf::from(path)),
                ("sslmode", "verify-full" | "verify-ca") => {
                    mode_is_said = true;
                    kept.append_pair("sslmode", "require");
                }
                _ => {
                    mode_is_said |= name == "sslmode";
                    kept.append_pair(&name, &value);
                }
            }
        }
        // The client's parser takes %20 and no plus sign.
        let kept = kept.finish().replace('+', "%20");
        let mut config: Config = format!("{base}?{kept}").parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            OpenError::Address(format!("{error}{cause}"))
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OpenError::Address("it names no host".to_owned()));
        }
        if config.get_dbname().is_none() {
            return Err(OpenError::Address("it names no database; write postgres://user@host/database".to_owned()));
        }
        complete(&mut config);
        if !mode_is_said {
            let mode = if is_on_this_machine(&config) { SslMode::Disable } else { SslMode::Require };
            config.ssl_mode(mode);
        }
        Ok(Self { config, root_certificates })
    }

    /// Whether TLS may be spoken.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

/// What a URL leaves open. A server that vanished without a word is noticed within seconds and not within hours.
fn complete(config: &mut Config) {
    if config.get_application_name().is_none() {
        config.application_name("keyfob");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(Duration::from_secs(5));
    }
    if config.get_keepalives_idle() > Duration::from_secs(3600) {
        config.keepalives_idle(Duration::from_secs(10));
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(Duration::from_secs(3));
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(3);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(Duration::from_secs(10));
    }
    // Of several hosts only one takes writes.
    if config.get_hosts().len().max(config.get_hostaddrs().len()) > 1
        && config.get_target_session_attrs() == TargetSessionAttrs::Any
    {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
}

fn is_on_this_machine(config: &Config) -> bool {
    let named = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()),
    });
    named && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (at, host) in self.config.get_hosts().iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            if let Some(port) = ports.get(at).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> SslMode {
        Address::parse(url).expect(url).config.get_ssl_mode()
    }

    #[test]
    fn tls_is_spoken_unless_the_database_is_on_this_machine_or_the_url_says_otherwise() {
        assert_eq!(mode("postgres://db.example.com/k"), SslMode::Require);
        assert_eq!(mode("postgres://10.0.0.3,127.0.0.1/k"), SslMode::Require);
        assert_eq!(mode("postgres://db.example.com/k?sslmode=prefer"), SslMode::Prefer);
        assert_eq!(mode("postgres://db.example.com/k?sslmode=disable"), SslMode::Disable);
        assert_eq!(mode("postgres://127.0.0.1/k?sslmode=verify-full"), SslMode::Require);
        for here in ["127.0.0.1", "localhost", "[::1]", "%2Frun%2Fpostgresql"] {
            assert_eq!(mode(&format!("postgres://{here}/k")), SslMode::Disable, "{here}");
        }
    }

    #[test]
    fn several_hosts_mean_the_one_that_takes_writes() {
        let attributes = |url| Address::parse(url).expect(url).config.get_target_session_attrs();
        assert_eq!(attributes("postgres://a,b:5433/k"), TargetSessionAttrs::ReadWrite);
        assert_eq!(attributes("postgres://a/k?target_session_attrs=read-write"), TargetSessionAttrs::ReadWrite);
        assert_eq!(attributes("postgres://a/k"), TargetSessionAttrs::Any);
    }

    #[test]
    fn options_of_the_url_reach_the_client() {
        let url = "postgresql://u@a/k?sslrootcert=%2Fetc%2Fmy+roots.pem&application_name=node+1&connect_timeout=9";
        let address = Address::parse(url).expect(url);
        assert_eq!(address.root_certificates, Some(PathBuf::from("/etc/my roots.pem")));
        assert_eq!(address.config.get_application_name(), Some("node 1"));
        assert_eq!(address.config.get_connect_timeout(), Some(&Duration::from_secs(9)));
    }

    #[test]
    fn nothing_that_is_printed_holds_the_password() {
        let url = "postgres://keyfob:hunter2@db.example.com:6432,db2.example.com:6433/keyfob";
        let address = Address::parse(url).expect(url);
        assert_eq!(address.to_string(), "postgres://keyfob@db.example.com:6432,db2.example.com:6433/keyfob");
        assert!(!format!("{address:?}").contains("hunter2"));
        for wrong in [
            "postgres://keyfob:hunter2@host:port/k",
            "postgres://keyfob:hunter2@host/k?ssl=hunter2",
            "postgres://keyfob:hunter2@host",
            "postgres://",
            "mysql://keyfob:hunter2@host/k",
        ] {
            let error = Address::parse(wrong).expect_err(wrong).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

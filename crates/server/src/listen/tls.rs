//! TLS by rustls. Certificate and key are read again when their files change, without a restart.

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How often the files are looked at.
const WATCH: Duration = Duration::from_secs(2);

/// Why TLS cannot start.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read or holds no PEM of the right kind.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: rustls::pki_types::pem::Error,
    },
    /// The certificate and the key do not go together.
    #[error("certificate and key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// A certificate with its key, as they are now.
#[derive(Clone)]
pub struct Tls {
    current: Arc<ArcSwap<ServerConfig>>,
}

impl Tls {
    /// Reads the two PEM files.
    pub fn load(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        Ok(Tls { current: Arc::new(ArcSwap::from(config(certificate, key)?)) })
    }

    /// Reads the files again whenever they change, until the task is dropped. A pair that cannot be used is reported and the one in use
    /// stays.
    pub async fn follow(self, certificate: PathBuf, key: PathBuf) {
        let mut seen = (modified(&certificate), modified(&key));
        loop {
            tokio::time::sleep(WATCH).await;
            let now = (modified(&certificate), modified(&key));
            if now == seen {
                continue;
            }
            seen = now;
            match config(&certificate, &key) {
                Ok(config) => {
                    self.current.store(config);
                    tracing::info!("the certificate was read again");
                }
                Err(error) => tracing::error!(%error, "the changed certificate cannot be used; the earlier one stays"),
            }
        }
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.current.load_full()).accept(stream).await
    }
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let failed = |path: &Path, error| TlsError::File { path: path.display().to_string(), error };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| failed(certificate, error))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| failed(certificate, error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(key, error))?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

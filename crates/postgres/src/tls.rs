//! TLS to the database by rustls. Whenever it is spoken, the server's certificate must be one that a trusted authority gave to that name.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{Address, OpenError};

/// The TLS of an address; `None` if it is never spoken.
pub(crate) fn connector(address: &Address) -> Result<Option<MakeRustlsConnect>, OpenError> {
    if !address.speaks_tls() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    match &address.root_certificates {
        Some(path) => add_file(&mut roots, path)?,
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        let problem = "there is no certificate authority to verify the server with; name one by sslrootcert=FILE";
        return Err(OpenError::Tls(problem.to_owned()));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Tls(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), OpenError> {
    let unusable = |error: &dyn std::fmt::Display| OpenError::Tls(format!("sslrootcert {}: {error}", path.display()));
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))? {
        let certificate = certificate.map_err(|error| unusable(&error))?;
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    Ok(())
}

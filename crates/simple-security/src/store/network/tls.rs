//! Encryption: the server must have a certificate for its name, by somebody who is trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::store::{BoxedError, OpenError};

/// Trusts the certificates of a PEM file, or those that the system trusts.
pub(in crate::store) fn client_config(
    place: &str,
    file: Option<&Path>,
) -> Result<ClientConfig, OpenError> {
    let roots = match file {
        Some(file) => of_file(file).map_err(|error| {
            let reason = format!(
                "sslrootcert, {}, is no file of certificates in PEM: {error}",
                file.display()
            );
            unsuitable(place, reason, Some(error))
        })?,
        None => of_system(),
    };
    if roots.is_empty() {
        let reason = "there is no certificate to check its own against. Install those of the system (ca-certificates), or name a file by sslrootcert";
        return Err(unsuitable(place, reason.to_owned(), None));
    }
    trusting(place, roots)
}

/// Trusts nobody: for a library that asks for it also where no connection is encrypted.
#[cfg(feature = "postgres")]
pub(in crate::store) fn unused(place: &str) -> Result<ClientConfig, OpenError> {
    trusting(place, RootCertStore::empty())
}

fn trusting(place: &str, roots: RootCertStore) -> Result<ClientConfig, OpenError> {
    // Named here, so that nothing depends on what else the application has built in.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unsuitable(place, format!("no TLS: {error}"), Some(error.into())))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn of_file(file: &Path) -> Result<RootCertStore, BoxedError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() { Err("it has none".into()) } else { Ok(roots) }
}

fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // One that cannot be read is of no use; the others are.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn unsuitable(place: &str, reason: String, source: Option<BoxedError>) -> OpenError {
    OpenError::Unsuitable { place: place.to_owned(), reason, source }
}

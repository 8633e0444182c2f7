//! Encryption: the server must have a certificate for its name, by somebody who is trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::store::{BoxedError, StoreError};

/// Whom to trust.
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Trusts the certificates of a PEM file, or those that the system trusts.
    pub(super) fn new(place: &str, file: Option<&Path>) -> Result<Self, StoreError> {
        let roots = match file {
            Some(file) => of_file(file).map_err(|error| {
                let reason = format!("{} holds no certificates in PEM: {error}", file.display());
                unsuitable(place, reason, error)
            })?,
            None => of_system(),
        };
        // Named here, so that nothing depends on what else the application has built in.
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unsuitable(place, error.to_string(), error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn encrypt(
        &self,
        place: &str,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, StoreError> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| unsuitable(place, error.to_string(), error.into()))?;
        self.0.connect(name, stream).await.map_err(|error| {
            let wrong = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
            if wrong {
                let reason = format!("the connection cannot be trusted ({error}); for a certificate of your own, name the file of its authority: ?sslrootcert=/path/ca.pem");
                unsuitable(place, reason, error.into())
            } else {
                let reason = error.to_string();
                StoreError::Unreachable { place: place.to_owned(), reason, source: Some(error.into()) }
            }
        })
    }
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

fn unsuitable(place: &str, reason: String, source: BoxedError) -> StoreError {
    StoreError::Unsuitable { place: place.to_owned(), reason, source: Some(source) }
}

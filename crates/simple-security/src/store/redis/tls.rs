//! Encrypted connections.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::store::network::tls;
use crate::store::{BoxedError, OpenError, StoreError};

/// Whom to trust.
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Trusts the certificates of a PEM file, or those that the system trusts.
    pub(super) fn new(place: &str, file: Option<&Path>) -> Result<Self, OpenError> {
        let config = tls::client_config(place, file)?;
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
                unsuitable(place, reason, error.into()).into()
            } else {
                let reason = error.to_string();
                StoreError::Unreachable { place: place.to_owned(), reason, source: Some(error.into()) }
            }
        })
    }
}

fn unsuitable(place: &str, reason: String, source: BoxedError) -> OpenError {
    OpenError::Unsuitable { place: place.to_owned(), reason, source: Some(source) }
}

//! What PostgreSQL says, in our words.

use std::error::Error as _;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row};

use crate::store::{OpenError, StoreError};

/// What the server says to the name of a place, and no more of it than what is not secret.
pub(super) struct Translator(String);

impl Translator {
    pub(super) fn new(place: String) -> Self {
        Self(place)
    }

    pub(super) fn place(&self) -> &str {
        &self.0
    }

    /// The server is no help now.
    pub(super) fn unreachable(&self, reason: &str) -> StoreError {
        let (place, reason) = (self.0.clone(), reason.to_owned());
        StoreError::Unreachable { place, reason, source: None }
    }

    /// What an error means. Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
    pub(super) fn translate(&self, doing: &str, error: Error) -> StoreError {
        let place = self.0.clone();
        let reason = said(&error);
        let Some(code) = error.code().cloned() else {
            if let Some(reason) = wrong_tls(&error) {
                return OpenError::Unsuitable { place, reason, source: Some(error.into()) }.into();
            }
            return if is_lost(&error) {
                StoreError::Unreachable { place, reason, source: Some(error.into()) }
            } else {
                StoreError::Failed {
                    reason: format!("{doing}: {reason}"),
                    source: Some(error.into()),
                }
            };
        };
        if code == SqlState::UNIQUE_VIOLATION {
            return StoreError::Duplicate { position: 0 };
        }
        if code == SqlState::UNDEFINED_TABLE || code == SqlState::INVALID_SCHEMA_NAME {
            return OpenError::NotMade { place }.into();
        }
        let source = Some(error.into());
        if is_busy(&code) {
            return StoreError::Busy { source };
        }
        if code == SqlState::DISK_FULL {
            return StoreError::DiskFull { source };
        }
        if let Some(remedy) = remedy(&code) {
            let reason = format!("{reason}. {remedy}");
            return OpenError::Unsuitable { place, reason, source }.into();
        }
        if is_outage(&code) {
            return StoreError::Unreachable { place, reason, source };
        }
        StoreError::Failed { reason: format!("{doing}: {reason}"), source }
    }

    /// What the first row says, if there is one.
    pub(super) fn first<T>(
        &self,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, StoreError> {
        let read = rows.first().map_or(Ok(None), read);
        read.map_err(|error| self.translate("reading an answer", error))
    }

    /// What each row says.
    pub(super) fn each<T>(
        &self,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<Option<T>, Error>,
    ) -> Result<Vec<T>, StoreError> {
        let read: Result<_, _> = rows.iter().filter_map(|row| read(row).transpose()).collect();
        read.map_err(|error| self.translate("reading an answer", error))
    }

    /// Why there is no connection. Where the server was reached, something is to be done there or
    /// here: the library wants a password, or knows no way to show it.
    pub(super) fn not_connected(&self, error: Error) -> StoreError {
        match self.translate("connecting", error) {
            StoreError::Failed { reason, source } => {
                OpenError::Unsuitable { place: self.0.clone(), reason, source }.into()
            }
            other => other,
        }
    }

    /// Why a pool has no connection.
    pub(super) fn no_connection(&self, error: PoolError) -> StoreError {
        match error {
            PoolError::Backend(error) => self.not_connected(error),
            error => StoreError::Unreachable {
                place: self.0.clone(),
                reason: "there is no connection to it".to_owned(),
                source: Some(error.into()),
            },
        }
    }

    pub(super) fn standby(&self) -> StoreError {
        StoreError::Unreachable {
            place: self.0.clone(),
            reason: "it is a standby, which may lag behind; name the primary, or all servers of the cluster"
                .to_owned(),
            source: None,
        }
    }

    pub(super) fn another_store(&self) -> StoreError {
        StoreError::AnotherStore { place: self.0.clone() }
    }

    pub(super) fn unsuitable(&self, reason: impl Into<String>) -> OpenError {
        OpenError::Unsuitable { place: self.0.clone(), reason: reason.into(), source: None }
    }
}

/// The message of the server, else of the library with its causes. Details are left out: they hold
/// values of the row.
fn said(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", error.message(), error.code().code());
    }
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    said
}

/// Whether the connection was lost, or none could be made.
fn is_lost(error: &Error) -> bool {
    // The library keeps the kind of an error to itself; these three have no cause, or one of the
    // operating system.
    error.is_closed() || error.source().is_some_and(|cause| cause.is::<std::io::Error>())
}

/// What is wrong where a connection cannot be encrypted.
fn wrong_tls(error: &Error) -> Option<String> {
    let cause = error.source()?;
    if cause.to_string() == "server does not support TLS" {
        return Some("it does not encrypt connections. Set up TLS on the server (ssl = on), or, in a private network, add sslmode=disable to the URL".to_owned());
    }
    // A connection that is lost meanwhile is an error of the operating system, and no such one.
    let certificate = cause.downcast_ref::<std::io::Error>()?.get_ref()?;
    certificate.downcast_ref::<rustls::Error>().map(|error| {
        format!("its certificate was not accepted: {error}. Name the file of the authority that has signed it by sslrootcert, and the server as the certificate does")
    })
}

/// The lock is held by another, or two waited for each other: nothing was done.
fn is_busy(code: &SqlState) -> bool {
    [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::T_R_SERIALIZATION_FAILURE,
    ]
    .contains(code)
}

fn is_outage(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || code.code().starts_with("57")
        || [
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

/// What to do where the server does not let us in.
fn remedy(code: &SqlState) -> Option<&'static str> {
    if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    {
        Some("Look at user and password in the URL, and at pg_hba.conf")
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        Some("Make the database, or name another")
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        Some(
            "Let the user own a schema of its own: CREATE SCHEMA simple_security AUTHORIZATION the_user",
        )
    } else if *code == SqlState::DUPLICATE_TABLE || *code == SqlState::DUPLICATE_FUNCTION {
        Some(
            "The schema simple_security is that of something else. Name a database without such a schema",
        )
    } else {
        None
    }
}

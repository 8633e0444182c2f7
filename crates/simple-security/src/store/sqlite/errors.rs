//! SQLite's result codes in our words.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};

use crate::store::{OpenError, StoreError};

/// In a transaction all errors are SQLite's; ours are carried through as they are.
impl From<StoreError> for rusqlite::Error {
    fn from(error: StoreError) -> Self {
        Self::ToSqlConversionFailure(error.into())
    }
}

/// What an error of SQLite means for the database at `path`.
///
/// Codes: <https://sqlite.org/rescode.html>.
pub(super) fn translate(path: &Path, doing: &str, error: rusqlite::Error) -> StoreError {
    let error = match error {
        rusqlite::Error::ToSqlConversionFailure(error) => match error.downcast::<StoreError>() {
            Ok(ours) => return *ours,
            Err(error) => rusqlite::Error::ToSqlConversionFailure(error),
        },
        error => error,
    };
    let path = path.to_owned();
    let code = error.sqlite_error_code();
    let reason = error.to_string();
    let source = Some(error.into());
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { source },
        Some(ErrorCode::DiskFull) => StoreError::DiskFull { source },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::NotADatabase { path, source }.into()
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            OpenError::NotWritable { path, reason, source }.into()
        }
        _ => StoreError::Failed { reason: format!("{doing}: {reason}"), source },
    }
}

/// Whether an id or a digest is taken.
pub(super) fn is_duplicate(error: &rusqlite::Error) -> bool {
    error
        .sqlite_extended_error_code()
        .is_some_and(|code| matches!(code, SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE))
}

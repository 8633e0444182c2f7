//! SQLite's result codes in our words.

use std::path::Path;

use rusqlite::ErrorCode;

use super::super::StoreError;

/// What an error of SQLite means for the database at `path`.
///
/// Codes: <https://sqlite.org/rescode.html>.
pub(super) fn translate(path: &Path, doing: &str, error: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    let code = error.sqlite_error_code();
    let reason = error.to_string();
    let source = Some(error.into());
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { source },
        Some(ErrorCode::DiskFull) => StoreError::DiskFull { source },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::NotADatabase { path, source }
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            StoreError::NotWritable { path, reason, source }
        }
        Some(ErrorCode::ConstraintViolation) => StoreError::Duplicate,
        _ => StoreError::Failed { reason: format!("{doing}: {reason}"), source },
    }
}

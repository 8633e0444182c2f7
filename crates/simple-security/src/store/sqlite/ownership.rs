//! Checks who owns the database and the files beside it. Anyone who can write to them can add keys and
//! undo revocations: SQLite replays any log that lies beside a database.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::lock_file::beside;
use crate::store::{OpenError, StoreError};

/// The files beside the database: those of SQLite (<https://sqlite.org/tempfiles.html>) and the locks.
const BESIDE: [&str; 5] = ["wal", "shm", "journal", "write-lock", "secret-lock"];

/// Permissions to write, and the bit that lets only owners remove files from a folder.
const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_ALL: u32 = 0o002;
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;

/// Checks the files beside a database, before SQLite opens them.
///
/// # Errors
/// [`OpenError::Untrusted`] where one is a symbolic link, can be written by everybody, or belongs
/// neither to the owner of the database nor to this user or root.
pub(super) fn check_files_beside(database: &Path) -> Result<(), OpenError> {
    let me = rustix::process::geteuid().as_raw();
    let owner = std::fs::metadata(database).map_or(me, |found| found.uid());
    for purpose in BESIDE {
        check_file_beside(&beside(database, purpose), &[me, owner, ROOT])?;
    }
    Ok(())
}

fn check_file_beside(path: &Path, trusted: &[u32]) -> Result<(), OpenError> {
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(|error| unseen(path, error))?,
    };
    let reason = if found.is_symlink() {
        "it is a symbolic link; remove it".to_owned()
    } else if !trusted.contains(&found.uid()) {
        format!(
            "it belongs to the user {}, and the database to another. If that user may change keys, give the file to the owner of the database (chown): it may hold changes that are nowhere else, such as revocations. Otherwise stop all processes and remove it",
            found.uid()
        )
    } else if found.mode() & WRITABLE_BY_ALL != 0 {
        writable(&found)
    } else {
        return Ok(());
    };
    Err(OpenError::Untrusted { path: path.to_owned(), reason })
}

/// Checks the database itself.
///
/// # Errors
/// [`OpenError::Untrusted`] where everybody can write to the database.
pub(super) fn check_database(database: &Path) -> Result<(), OpenError> {
    let found = std::fs::metadata(database).map_err(|error| unseen(database, error))?;
    if found.mode() & WRITABLE_BY_ALL != 0 {
        return Err(OpenError::Untrusted { path: database.to_owned(), reason: writable(&found) });
    }
    Ok(())
}

/// Warns of other users who could change or replace the database.
pub(super) fn warn_of_other_users(database: &Path) {
    for warning in warnings(database, rustix::process::geteuid().as_raw()) {
        tracing::warn!("{warning}");
    }
}

/// What lets others than the user `me` change or replace the database.
fn warnings(database: &Path, me: u32) -> Vec<String> {
    let folder = database.parent().unwrap_or(Path::new("/"));
    let mut warnings = Vec::new();
    for path in [database, folder] {
        if let Ok(found) = std::fs::metadata(path)
            && me != ROOT
            && ![me, ROOT].contains(&found.uid())
        {
            warnings.push(format!(
                "{} belongs to the user {}, and that user can change the keys in {}",
                path.display(),
                found.uid(),
                database.display()
            ));
        }
    }
    if let Ok(found) = std::fs::metadata(database)
        && found.mode() & WRITABLE_BY_GROUP != 0
    {
        warnings.push(format!(
            "the group {} can write to {} (mode {:04o}): its members can change the keys",
            found.gid(),
            database.display(),
            found.mode() & 0o7777
        ));
    }
    if let Ok(found) = std::fs::metadata(folder)
        && found.mode() & (WRITABLE_BY_ALL | STICKY) == WRITABLE_BY_ALL
    {
        warnings.push(format!(
            "every user of this machine can replace {}: the mode of {} is {:04o}",
            database.display(),
            folder.display(),
            found.mode() & 0o7777
        ));
    }
    warnings
}

fn writable(found: &std::fs::Metadata) -> String {
    format!(
        "every user of this machine can write to it (mode {:04o}); remove that permission (chmod o-w), and check the list of keys: any user could have added some",
        found.mode() & 0o7777
    )
}

fn unseen(path: &Path, error: io::Error) -> StoreError {
    StoreError::Failed {
        reason: format!("the owner and mode of {} cannot be read", path.display()),
        source: Some(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn other_users_who_could_change_the_database_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("keys.db");
        write(&database, "").expect("a file");
        let owner = std::fs::metadata(&database).expect("the file").uid();
        let set_mode = |mode| set_permissions(folder.path(), Permissions::from_mode(mode));
        assert_eq!(warnings(&database, owner), [""; 0]);
        set_mode(0o777).expect("the mode");
        let said = warnings(&database, owner);
        assert!(said.len() == 1 && said[0].contains("0777"), "{said:?}");
        set_mode(0o1777).expect("the mode");
        assert_eq!(warnings(&database, owner), [""; 0]);
        set_permissions(&database, Permissions::from_mode(0o660)).expect("the mode");
        let said = warnings(&database, owner);
        assert!(said.len() == 1 && said[0].contains("group"), "{said:?}");
        set_permissions(&database, Permissions::from_mode(0o640)).expect("the mode");
        let other = owner + 1000;
        // What root owns is trusted, and the tests may run as root.
        assert_eq!(warnings(&database, other).len(), if owner == ROOT { 0 } else { 2 });
        if owner == ROOT {
            std::os::unix::fs::chown(&database, Some(12345), None).expect("another owner");
            let said = warnings(&database, other);
            assert!(said.len() == 1 && said[0].contains("12345"), "{said:?}");
            assert_eq!(warnings(&database, ROOT), [""; 0], "root works for others");
        }
    }

    #[test]
    fn a_file_of_another_user_is_not_trusted() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("keys.db-wal");
        check_file_beside(&log, &[ROOT]).expect("there is none");
        write(&log, "").expect("a file");
        let owner = std::fs::metadata(&log).expect("the file").uid();
        check_file_beside(&log, &[owner]).expect("it is trusted");
        let refused = check_file_beside(&log, &[owner + 1]).expect_err("it is not");
        assert!(refused.to_string().contains(&owner.to_string()), "{refused}");
    }
}

//! Errors of stores: why one cannot be opened, and what fails while it is open. In one module, because each
//! can be the cause of the other.

use std::path::PathBuf;

/// Why a store or an engine cannot be opened. Unless it [is transient](OpenError::is_transient), a person
/// has to do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file is no SQLite database, or a damaged one.
    #[error("{} is not an SQLite database, or it is damaged; it was left as it is. Name another file, or restore this one from a backup: stop all processes, and remove the -wal and -shm beside it", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Option<BoxedError>,
    },
    /// The file is the database of something else.
    #[error("{} is the database of another application (it has {tables}); it was left as it is. Name a file of its own for the keys", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found in it.
        tables: String,
    },
    /// The old package's table shares its file with other tables.
    #[error("{} holds the old keys beside other tables ({tables}); it was left as it is. Move the keys to a file of their own, and then name that file", path.display())]
    Shared {
        /// The file.
        path: PathBuf,
        /// The other tables.
        tables: String,
    },
    /// There is no file, and none was to be made.
    #[error("{} does not exist; name the file that the application uses", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is one of the old package, and was not to be taken over.
    #[error("{} is a database of fastapi_simple_security 1.x; it was left as it is. Start the new version of the application on it, or import it into a new database", path.display())]
    OldFile {
        /// The file.
        path: PathBuf,
    },
    /// The file has no table of the old package.
    #[error("{} has no keys of fastapi_simple_security 1.x", path.display())]
    NoOldTable {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of this software has written what is there.
    #[error(
        "{place} was written by a newer version (schema {found}, this one knows up to {known}); it was left as it is. Install the newer version"
    )]
    NewerSchema {
        /// The place.
        place: String,
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// The schema has the number of one that this version knows, and lacks one of its columns: a version
    /// that was never released made it.
    #[error(
        "{place} has a schema that no release of this software made (api_keys has no column {column}); it was left as it is. Export its keys with the version that made it"
    )]
    UnknownSchema {
        /// The place.
        place: String,
        /// The column.
        column: String,
    },
    /// The file or its folder cannot be written.
    #[error("{} cannot be opened for writing: {reason}. The database needs a folder that this user may write to, because SQLite keeps files beside it", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        reason: String,
        /// What the operating system or SQLite said.
        source: Option<BoxedError>,
    },
    /// Users other than its owner could have changed the file.
    #[error("{} cannot be trusted: {reason}", path.display())]
    Untrusted {
        /// The database, or a file beside it.
        path: PathBuf,
        /// Which users can change it, and what to do.
        reason: String,
    },
    /// The path is a folder.
    #[error("{} is a folder; name a file in it, such as {}", path.display(), path.join("keys.db").display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The file lies on a network file system, whose locks SQLite cannot trust.
    #[error("{} is on a network file system ({kind}), where SQLite loses data and changes are seen too late; use a local disk", path.display())]
    NetworkFileSystem {
        /// The file.
        path: PathBuf,
        /// Its name.
        kind: String,
    },
    /// There is no store at the place, and none is made by opening it.
    #[error(
        "{place} has no store. If it is new, make a store there. If it had keys, it has lost them: restore it from a backup"
    )]
    NotMade {
        /// The place.
        place: String,
    },
    /// What this process is set to is not what the store has kept for all.
    #[error(
        "{place} was made with {setting}={kept}, and this process is set to {wanted}; remove the parameter, or use the store's value everywhere"
    )]
    OtherBound {
        /// The place.
        place: String,
        /// The parameter.
        setting: &'static str,
        /// Its value in the store, in seconds.
        kept: f64,
        /// Its value here, in seconds.
        wanted: f64,
    },
    /// The server is set up so that it can lose what it has acknowledged.
    #[error(
        "{place} can lose keys and revocations: {reason}. Set it up as the documentation says (Scaling out), or add may_lose=true to the URL to take it as it is"
    )]
    NotDurable {
        /// The place.
        place: String,
        /// Which settings are wrong.
        reason: String,
    },
    /// This software does not work with the server.
    #[error("{place} cannot be used: {reason}")]
    Unsuitable {
        /// The place.
        place: String,
        /// What is wrong with it, and what to do.
        reason: String,
        /// What the library said.
        source: Option<BoxedError>,
    },
    /// This program was built without the store of the location.
    #[error("{place}: this program was built without that store")]
    NotBuiltIn {
        /// The location.
        place: String,
    },
    /// The SQLite that was built in has known faults.
    #[error("SQLite {version} loses data under load; 3.51.3 or later is needed, and not 3.52.0")]
    UnsafeSqlite {
        /// Its version.
        version: String,
    },
    /// The admin secret that was set is empty.
    #[error(
        "the admin secret is empty; set a random value of 16 or more characters, or have one generated"
    )]
    EmptyAdminSecret,
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random(#[from] getrandom::Error),
    /// The operating system gave no thread.
    #[error("the thread that writes usage could not be started")]
    Thread(#[source] std::io::Error),
    /// What can happen to an open store, too: it cannot be reached, it is busy, or it failed. Never
    /// [`StoreError::Unusable`].
    #[error(transparent)]
    Store(StoreError),
}

/// Why an open store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another program holds a lock for longer than we wait. Nothing was changed.
    #[error(
        "the database is locked by another program, or by another session on the server; ask again, or end the one that holds the lock"
    )]
    Busy {
        /// What the library or the server said.
        source: Option<BoxedError>,
    },
    /// The change log did not record a change, so it was taken back: other processes would go on
    /// using what they have cached.
    #[error(
        "the change log of {place} did not record the change, so nothing was changed: a trigger on api_keys is missing or disabled. To restore the triggers, open the store again, by any command of the command line or by restarting this process. If the change fails again, look for another trigger on api_keys, which suppresses changes"
    )]
    NotLogged {
        /// The store.
        place: String,
    },
    /// No space is left.
    #[error("the disk that holds the database is full; free some space")]
    DiskFull {
        /// What the operating system, the library or the server said.
        source: Option<BoxedError>,
    },
    /// The file at the path is not the one that was opened, or there is none. Whether a change was made that
    /// was in progress is not known.
    #[error("{path} was replaced or removed while it was in use. Move the original back; or stop all processes that use {path}, remove {path}-wal and {path}-shm, and restart them", path = path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The id or the digest of a new key is taken. Nothing was changed.
    #[error("a key with this id or this text exists already (the key at position {position})")]
    Duplicate {
        /// Which of the operations, or of the keys, counted from 0.
        position: u64,
    },
    /// There is no key with the id of an operation. Nothing was changed.
    #[error("there is no such key (the operation at position {position})")]
    NotFound {
        /// Which of the operations, counted from 0.
        position: u64,
    },
    /// Another trigger undid a change, so it was taken back.
    #[error(
        "{place} did not keep the change, so nothing was changed: look for another trigger on api_keys, which undoes changes"
    )]
    NotApplied {
        /// The store.
        place: String,
    },
    /// The store on the network cannot be reached, or does not answer.
    #[error("{place} cannot be reached: {reason}")]
    Unreachable {
        /// Where it should be.
        place: String,
        /// What happened.
        reason: String,
        /// What the library said.
        source: Option<BoxedError>,
    },
    /// The place has another store than when it was opened.
    #[error("{place} is not the store that was opened; restart this process")]
    AnotherStore {
        /// The place.
        place: String,
    },
    /// The store was opened, and cannot be any more: a new connection or a file that is opened again found
    /// this cause. Never [`OpenError::Store`].
    #[error(transparent)]
    Unusable(Box<OpenError>),
    /// Anything else.
    #[error("the store failed: {reason}")]
    Failed {
        /// What was tried.
        reason: String,
        /// What went wrong.
        source: Option<BoxedError>,
    },
}

impl OpenError {
    /// Whether opening again later can succeed although nobody does anything.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

impl StoreError {
    /// Whether the same call can succeed later although nobody does anything: the store may come back, or
    /// the lock be released. An outage ([`StoreError::is_outage`]) is one of these.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// Whether the store did not respond. A connection on which this happened is of no use, and cached
    /// answers may be used for as long as the store allows; one that is busy responds.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// For functions that opening a store has in common with using it.
impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unusable(cause) => *cause,
            other => Self::Store(other),
        }
    }
}

/// For an open store that opens a connection or a file again.
impl From<OpenError> for StoreError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(cause) => cause,
            other => Self::Unusable(Box::new(other)),
        }
    }
}

/// The cause of an error, from a library below.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_kind_of_error_wraps_itself_in_the_other() {
        let not_made = || OpenError::NotMade { place: "redis://host".to_owned() };
        let running = StoreError::from(not_made());
        assert_eq!(running.to_string(), not_made().to_string());
        assert!(!running.is_transient() && matches!(running, StoreError::Unusable(_)));
        assert!(matches!(OpenError::from(running), OpenError::NotMade { .. }));
        let opening = OpenError::from(StoreError::Busy { source: None });
        assert!(matches!(opening, OpenError::Store(StoreError::Busy { .. })));
        assert!(matches!(StoreError::from(opening), StoreError::Busy { .. }));
    }
}

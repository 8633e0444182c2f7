//! What an error of the server or of the library means.

use redis::{ErrorKind, RedisError};

use crate::store::{OpenError, StoreError};

/// Says what has gone wrong at a place.
pub(super) fn of(place: &str, error: RedisError) -> StoreError {
    let place = place.to_owned();
    let said = text(&error);
    // Where a script has failed, older servers put the code into a longer text.
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["NOTMADE"]) {
        return OpenError::NotMade { place }.into();
    }
    if says(&["ANOTHERSTORE"]) {
        return StoreError::AnotherStore { place };
    }
    let source = Some(error.clone().into());
    if says(&["LEFTOVERS"]) {
        let reason = "it has keys of ours, but not simple-security:store, which they belong to. Restore it from a backup; or delete all keys whose names begin with simple-security:, and make a store anew".to_owned();
        return OpenError::Unsuitable { place, reason, source }.into();
    }
    if says(&["DAMAGED"]) {
        let reason = format!(
            "some of what belongs to its store was lost ({said}). Restore it from a backup"
        );
        return OpenError::Unsuitable { place, reason, source }.into();
    }
    if says(&OUTAGES) || (is_lost(&error) && error.kind() != ErrorKind::Parse) {
        return StoreError::Unreachable { place, reason: said, source };
    }
    if says(&["NOAUTH", "WRONGPASS", "AUTH <password>", "AUTH called", "invalid password"]) {
        let reason =
            format!("it refuses the user or the password in the URL ({said}); set them right");
        return OpenError::Unsuitable { place, reason, source }.into();
    }
    if says(&["NOPERM", "No permissions"]) {
        let reason = format!(
            "the user in the URL may not do what is needed ({said}); allow it: ACL SETUSER <user> ~simple-security:* resetchannels &simple-security:* +@all -@dangerous +info +config|get"
        );
        return OpenError::Unsuitable { place, reason, source }.into();
    }
    if error.kind() == ErrorKind::InvalidClientConfig {
        return OpenError::Unsuitable { place, reason: said, source }.into();
    }
    if says(&["MISCONF"]) {
        return if says(&["No space left"]) {
            StoreError::DiskFull { source }
        } else {
            let reason = format!(
                "{place} cannot write to its disk, and nothing was changed; free some space there, and look into its log"
            );
            StoreError::Failed { reason, source }
        };
    }
    if says(&["OOM command", "used memory > 'maxmemory'"]) {
        let reason = format!(
            "the memory of {place} is full (maxmemory), and nothing was written; give it more: CONFIG SET maxmemory <more>"
        );
        return StoreError::Failed { reason, source };
    }
    StoreError::Failed { reason: format!("{place} said: {said}"), source }
}

/// What was said, with the code of each error of the server.
fn text(error: &RedisError) -> String {
    let Some(errors) = error.clone().into_server_errors() else { return error.to_string() };
    let texts = errors.iter().map(|(_, error)| match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// Whether the connection is of no use any more.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_io_error() || error.is_unrecoverable_error() || error.kind() == ErrorKind::Parse
}

/// Whether another connection may lead to a server that can do it: after a failover the name of
/// the primary stands for another machine.
pub(super) fn is_elsewhere(error: &StoreError) -> bool {
    match error {
        StoreError::Unreachable { .. } | StoreError::AnotherStore { .. } => true,
        StoreError::Unusable(cause) => matches!(**cause, OpenError::NotMade { .. }),
        _ => false,
    }
}

/// What a server says that is not ready, or is none to be asked, or was asked too late.
const OUTAGES: [&str; 12] = [
    "LOADING",
    "READONLY",
    "MASTERDOWN",
    "NOREPLICAS",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "UNKILLABLE",
    "TOOLATE",
    "max number of clients",
    "BUSY Redis",
    "BUSY Valkey",
    "read only replica",
];

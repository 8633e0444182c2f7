//! What the process is allowed to do.

#[cfg(target_os = "linux")]
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No core dump, in which there would be keys of requests under way; on Linux no other process of this
/// user may read its memory or its environment either. And as many open files as the system grants,
/// because each connection is one.
pub(crate) fn guard() {
    // Whatever of it fails leaves the process as it was, and is no reason not to serve.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
}

/// The number of files to leave for everything but connections: the store, the log, libraries.
const OTHER_FILES: usize = 64;

/// Lowers the number of connections to what the limit of open files allows. With every file in use, the
/// store could not be read either.
pub(crate) fn limit_connections(wanted: usize) -> usize {
    let granted = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let Some(granted) = granted else { return wanted };
    let possible = granted.saturating_sub(OTHER_FILES).max(1);
    if possible < wanted {
        tracing::warn!(
            "the limit of {granted} open files allows {possible} connections instead of {wanted}; raise it \
             (ulimit -Hn, LimitNOFILE=)"
        );
    }
    wanted.min(possible)
}

//! What the process is allowed to do.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// No core dump, in which there would be keys of requests under way; and as many open files as the
/// system grants, because each connection is one.
pub(crate) fn guard() {
    // Whatever of it fails leaves the process as it was, and is no reason not to serve.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
}

//! How far a long import is.

use std::io::{self, IsTerminal as _, Write as _};

/// After how many keys it is said.
const STEP: u64 = 20_000;

/// Says it on the standard error, where somebody looks at it or wants it said.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    said: bool,
}

impl Progress {
    pub(super) fn new(wanted: bool) -> Self {
        Self { said: wanted || io::stderr().is_terminal() }
    }

    /// To be called for each key, with its number.
    pub(super) fn step(self, done: &str, keys: u64) {
        if self.said && keys.is_multiple_of(STEP) {
            // That nobody hears it is no reason to stop.
            let _ = writeln!(io::stderr().lock(), "{done} {keys} keys");
        }
    }
}

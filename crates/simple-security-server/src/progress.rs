//! How far a long command is.

use std::io::{self, IsTerminal as _, Write as _};

/// After how many keys it is said.
const STEP: u64 = 20_000;

/// Says it on the standard error, where somebody looks at it or wants it said.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    said: bool,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { said: wanted || io::stderr().is_terminal() }
    }

    /// To be called for each key, with its number.
    pub(crate) fn step(self, done: &str, keys: u64) {
        self.steps(done, keys - 1, keys);
    }

    /// The same for some keys at once.
    pub(crate) fn steps(self, done: &str, before: u64, keys: u64) {
        if self.said && before / STEP != keys / STEP {
            let keys = keys / STEP * STEP;
            // That nobody hears it is no reason to stop.
            let _ = writeln!(io::stderr().lock(), "{done} {keys} keys");
        }
    }
}

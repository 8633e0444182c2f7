//! What a test logs, as text.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

/// A writer for a `tracing` subscriber. Its clones write to one text.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// What was written.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("the log").clone()).expect("text")
    }

    /// Forgets what was written.
    pub fn clear(&self) {
        self.0.lock().expect("the log").clear();
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("the log").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

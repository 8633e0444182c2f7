//! The lines of the log, on the standard error.
//!
//! A thread of its own writes them. Who reads them may be slow or stuck, and no request waits for
//! that: what does not fit is left out, and counted.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use super::settings::LogFormat;
use crate::failure::Failure;

/// How many bytes may wait to be written.
const MAX_WAITING: usize = 1 << 20;

/// How long a line waits for others, so that they are written at once.
const GATHERING: Duration = Duration::from_millis(20);

/// Lines that wait to be written.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    left_out: u64,
    /// The thread has seen no line and sleeps.
    sleeps: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

/// The log of this process.
pub(super) struct Lines {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// Sends all that is logged from here on to the standard error.
///
/// # Errors
/// When the operating system gives no thread.
pub(super) fn start(level: Level, format: LogFormat) -> Result<Lines, Failure> {
    let shared = Arc::new(Shared::default());
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .spawn({
            let shared = Arc::clone(&shared);
            move || write_all(&shared)
        })
        .map_err(|error| Failure::Refused(format!("no thread for the log: {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(false)
        .with_writer(Writer(Arc::clone(&shared)));
    // It fails only where a subscriber is set already, as in a test: that one is as good.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init(),
    };
    Ok(Lines { shared, thread })
}

impl Lines {
    /// For lines that are no events of tracing.
    pub(super) fn writer(&self) -> Writer {
        Writer(Arc::clone(&self.shared))
    }

    /// Writes what is left.
    pub(super) fn close(self) {
        lock(&self.shared).closed = true;
        self.shared.changed.notify_one();
        // It does not panic; and if it did, there is nobody to tell.
        let _ = self.thread.join();
    }
}

fn write_all(shared: &Shared) {
    loop {
        let mut waiting = lock(shared);
        while waiting.bytes.is_empty() && !waiting.closed {
            waiting.sleeps = true;
            waiting = shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.sleeps = false;
        let gathered = shared.changed.wait_timeout_while(waiting, GATHERING, |waiting| {
            !waiting.closed && waiting.bytes.len() < MAX_WAITING / 2
        });
        let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        let mut bytes = mem::take(&mut waiting.bytes);
        let left_out = mem::take(&mut waiting.left_out);
        let closed = waiting.closed;
        drop(waiting);
        if left_out > 0 {
            bytes.extend_from_slice(format!("{left_out} lines were left out\n").as_bytes());
        }
        // There is nobody else to tell.
        let _ = io::stderr().lock().write_all(&bytes);
        if closed {
            return;
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Waiting> {
    shared.waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds lines to those that wait.
#[derive(Clone)]
pub(super) struct Writer(Arc<Shared>);

impl Writer {
    /// Adds one, whole, with its end.
    pub(super) fn add(&self, line: &[u8]) {
        let mut waiting = lock(&self.0);
        if waiting.bytes.len() + line.len() > MAX_WAITING {
            waiting.left_out += 1;
        } else {
            waiting.bytes.extend_from_slice(line);
        }
        if mem::take(&mut waiting.sleeps) || waiting.bytes.len() >= MAX_WAITING / 2 {
            self.0.changed.notify_one();
        }
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Writer {
    /// The formatter hands a line over at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

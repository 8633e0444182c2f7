//! The engine's log, handed to Python's `logging` under the name of the package.

use std::fmt::{self, Write};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

const LOGGER: &str = "fastapi_simple_security";

/// Sends what the engine logs from now on to Python.
pub(crate) fn install() {
    // It fails only when it was done before, by an interpreter that is gone.
    let _ = tracing::subscriber::set_global_default(ToPython);
}

struct ToPython;

impl Subscriber for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        // The numbers of Python's `logging` module.
        let level = match *event.metadata().level() {
            Level::ERROR => 40,
            Level::WARN => 30,
            _ => 20,
        };
        // An interpreter that is ending cannot log any more.
        Python::try_attach(|py| {
            let logged = log(py, level, &text.message);
            logged.unwrap_or_else(|error| error.write_unraisable(py, None));
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn log(py: Python<'_>, level: u8, message: &str) -> PyResult<()> {
    static LOGGING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let logger = LOGGING.get_or_try_init(py, || {
        py.import("logging")?.call_method1("getLogger", (LOGGER,)).map(Bound::unbind)
    })?;
    logger.bind(py).call_method1("log", (level, "%s", message)).map(drop)
}

/// The message, and after it the fields.
#[derive(Default)]
struct Text {
    message: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.message, " ({name}: {value:?})"),
        };
    }
}

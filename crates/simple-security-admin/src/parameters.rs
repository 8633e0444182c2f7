//! Members of a body or parameters of a query: read one by one, collecting every error.

use std::borrow::Cow;

use http::Uri;

use crate::problem::{FieldError, FieldLocation};
use crate::rejection::Rejection;

/// What was sent, by name. A name that no route reads is rejected: a mistyped one would be ignored
/// silently.
pub(crate) struct Parameters<V> {
    location: FieldLocation,
    left: Vec<(String, V)>,
    errors: Vec<FieldError>,
}

impl<V> Parameters<V> {
    pub(crate) fn new(location: FieldLocation, sent: Vec<(String, V)>) -> Self {
        Self { location, left: sent, errors: Vec::new() }
    }

    /// Reads the value of this name. `None` where it was not sent, or is wrong.
    pub(crate) fn take<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(V) -> Result<T, Cow<'static, str>>,
    ) -> Option<T> {
        let mut values = self.left.extract_if(.., |(sent, _)| sent == name);
        let value = values.next().map(|(_, value)| value);
        // Dropping the iterator would leave the others where they are.
        let is_repeated = values.count() > 0;
        let read = match value? {
            _ if is_repeated => Err(Cow::from(REPEATED)),
            value => read(value),
        };
        read.map_err(|detail| self.reject(name.into(), detail)).ok()
    }

    /// Returns what was read, if nothing is wrong with anything that was sent.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] names each thing that is wrong.
    pub(crate) fn end<T>(mut self, read: T) -> Result<T, Rejection> {
        let mut names: Vec<String> = self.left.drain(..).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        // A body may have thousands, and the response repeats each name.
        names.truncate(MAX_UNKNOWN);
        for name in names {
            let detail = match self.location {
                FieldLocation::Body => "there is no such member",
                FieldLocation::Query => "there is no such parameter",
            };
            self.reject(name.into(), detail.into());
        }
        if self.errors.is_empty() { Ok(read) } else { Err(Rejection::Invalid(self.errors)) }
    }

    fn reject(&mut self, name: Cow<'static, str>, detail: Cow<'static, str>) {
        self.errors.push(FieldError { location: self.location, name: Some(name), detail });
    }
}

impl Parameters<String> {
    /// Those of a query (`application/x-www-form-urlencoded`, as WHATWG URL has it). Bytes that are not
    /// UTF-8 become U+FFFD, a character like any other.
    pub(crate) fn of_query(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        let sent = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self::new(FieldLocation::Query, sent)
    }
}

/// What a parameter is told of an error of the engine: its text.
pub(crate) fn detail(error: impl std::error::Error) -> Cow<'static, str> {
    error.to_string().into()
}

/// The maximum number of unknown names in a response.
const MAX_UNKNOWN: usize = 20;

const REPEATED: &str = "it was sent more than once";

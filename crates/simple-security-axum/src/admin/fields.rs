//! Members of a body, or parameters of a query: taken one by one, and all that is wrong collected.

use std::borrow::Cow;

use super::refused::Refused;
use crate::field_error::{FieldError, FieldLocation};

/// What was sent, by its names. A name that nobody takes is refused: a mistyped one would be left
/// out in silence.
pub(super) struct Fields<V> {
    location: FieldLocation,
    left: Vec<(String, V)>,
    errors: Vec<FieldError>,
}

impl<V> Fields<V> {
    pub(super) fn new(location: FieldLocation, sent: Vec<(String, V)>) -> Self {
        Self { location, left: sent, errors: Vec::new() }
    }

    /// Reads the value of this name. `None` where it was not sent, or is wrong.
    pub(super) fn take<T>(
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
        read.map_err(|detail| self.refuse(name.into(), detail)).ok()
    }

    /// Gives back what was read, if nothing is wrong with all that was sent.
    ///
    /// # Errors
    /// [`Refused::Invalid`] names each thing that is wrong.
    pub(super) fn end<T>(mut self, read: T) -> Result<T, Refused> {
        let mut names: Vec<String> = self.left.drain(..).map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        // A body may have thousands, and the answer repeats each name.
        names.truncate(MAX_UNKNOWN);
        for name in names {
            let detail = match self.location {
                FieldLocation::Body => "there is no such member",
                FieldLocation::Query => "there is no such parameter",
            };
            self.refuse(name.into(), detail.into());
        }
        if self.errors.is_empty() { Ok(read) } else { Err(Refused::Invalid(self.errors)) }
    }

    fn refuse(&mut self, name: Cow<'static, str>, detail: Cow<'static, str>) {
        self.errors.push(FieldError { location: self.location, name: Some(name), detail });
    }
}

/// The maximum number of unknown names in an answer.
const MAX_UNKNOWN: usize = 20;

const REPEATED: &str = "it was sent more than once";

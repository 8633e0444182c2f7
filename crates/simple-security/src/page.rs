//! Showing keys: one, or page by page.

use std::fmt;
use std::str::FromStr;

use crate::key::KeyId;
use crate::record::{KeyRecord, KeyState, Owner, Timestamp, Usage};

/// A key as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyDetails {
    /// What is known of it.
    pub record: KeyRecord,
    /// What it is now.
    pub state: KeyState,
    /// How often it was accepted, with what this process has not yet written.
    pub usage: Usage,
}

impl KeyDetails {
    /// A key in this state, with its usage.
    pub fn new(record: KeyRecord, state: KeyState, usage: Usage) -> Self {
        Self { record, state, usage }
    }

    /// A key that was just issued, as it was then. To ask the store for it could fail, and the plain key
    /// would be lost.
    pub fn of_new(record: KeyRecord) -> Self {
        let state = record.state(record.created_at);
        Self::new(record, state, Usage::default())
    }
}

/// Some keys, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The keys.
    pub keys: Vec<KeyDetails>,
    /// Where the next page begins; `None` when this one is the last.
    pub next: Option<Cursor>,
}

/// Which keys are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// Only those that pass.
    pub filter: KeyFilter,
    /// Only those after this place: what the page before has given as its `next`.
    pub after: Option<Cursor>,
    /// At most so many, 1 to [`PageRequest::MAX_LIMIT`].
    pub limit: u32,
}

impl PageRequest {
    /// How many keys a page has when nobody says.
    pub const DEFAULT_LIMIT: u32 = 100;
    /// How many keys a page can have.
    pub const MAX_LIMIT: u32 = 1_000;

    /// The same for other keys.
    #[must_use]
    pub fn with_filter(self, filter: KeyFilter) -> Self {
        Self { filter, ..self }
    }

    /// The same for those after a place.
    #[must_use]
    pub fn after(self, cursor: impl Into<Option<Cursor>>) -> Self {
        Self { after: cursor.into(), ..self }
    }

    /// The same with another limit.
    #[must_use]
    pub fn with_limit(self, limit: u32) -> Self {
        Self { limit, ..self }
    }

    /// Whether a record belongs to what is asked for, the limit apart.
    pub fn asks_for(&self, record: &KeyRecord, now: Timestamp) -> bool {
        let KeyFilter { state, name, owner } = &self.filter;
        self.after.is_none_or(|after| Cursor::of(record) < after)
            && state.is_none_or(|state| record.state(now) == state)
            && name.as_ref().is_none_or(|name| record.name.as_str().contains(name))
            && owner.as_ref().is_none_or(|owner| record.owner == *owner)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { filter: KeyFilter::default(), after: None, limit: Self::DEFAULT_LIMIT }
    }
}

/// Which keys pass. What is `None` lets all pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct KeyFilter {
    /// Those of this state.
    pub state: Option<KeyState>,
    /// Those with this text in their name, letter for letter.
    pub name: Option<String>,
    /// Those of this owner; the empty one: those without an owner.
    pub owner: Option<Owner>,
}

impl KeyFilter {
    /// Keys of this state, with this text in their name.
    pub fn new(state: Option<KeyState>, name: Option<String>) -> Self {
        Self { state, name, ..Self::default() }
    }

    /// The same for keys of this owner, if there is one.
    #[must_use]
    pub fn with_owner(self, owner: impl Into<Option<Owner>>) -> Self {
        Self { owner: owner.into(), ..self }
    }
}

/// A place in the order of all keys: by the time they were made, those of one second by their id.
///
/// Neither ever changes, so a key keeps its place whatever is added, changed or deleted around it.
/// As text it matches [`Cursor::PATTERN`]. Callers hand it back as it is and read nothing from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub(crate) created_at: Timestamp,
    pub(crate) id: KeyId,
}

impl Cursor {
    /// The regular expression of a cursor, for descriptions of an interface.
    pub const PATTERN: &str = r"^-?[0-9]{1,12}\.[0-9A-Za-z]{11}$";

    /// The place of a key.
    pub fn of(record: &KeyRecord) -> Self {
        Self { created_at: record.created_at, id: record.id }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.created_at.seconds(), self.id)
    }
}

/// The text is no cursor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is no cursor; use the `next` of the page before, as it is")]
pub struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let (seconds, id) = text.split_once('.').ok_or(InvalidCursor)?;
        let digits = seconds.strip_prefix('-').unwrap_or(seconds);
        if !(1..=12).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidCursor);
        }
        let seconds = seconds.parse().map_err(|_| InvalidCursor)?;
        let id = id.parse().map_err(|_| InvalidCursor)?;
        Ok(Self { created_at: Timestamp::from_seconds(seconds), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_from_its_text() {
        for seconds in [Timestamp::MIN, Timestamp::from_seconds(0), Timestamp::MAX] {
            let id = "0123456789a".parse().expect("an id");
            let cursor = Cursor { created_at: seconds, id };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for wrong in [
            "",
            ".",
            "1",
            "1.",
            ".0123456789a",
            "-.0123456789a",
            "+1.0123456789a",
            "--1.0123456789a",
            "1.0123456789",
            "1.0123456789\u{e9}",
            "1.0123456789ab",
            "x.0123456789a",
            "1234567890123.0123456789a",
            "\u{661}.0123456789a",
        ] {
            assert_eq!(wrong.parse::<Cursor>(), Err(InvalidCursor), "{wrong:?}");
        }
    }
}

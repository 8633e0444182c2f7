//! When a key expires.

use super::timestamp::Timestamp;

/// When a key expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It never expires.
    Never,
    /// From this instant on it is rejected.
    At(Timestamp),
}

impl Expiry {
    /// Whether it has come at the instant `now`.
    pub fn is_past(self, now: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::At(date) => date <= now,
        }
    }

    /// The instant; `None` where it never comes.
    pub fn date(self) -> Option<Timestamp> {
        match self {
            Self::Never => None,
            Self::At(date) => Some(date),
        }
    }
}

impl From<Option<Timestamp>> for Expiry {
    /// `None` is [`Expiry::Never`], as in the resource API.
    fn from(date: Option<Timestamp>) -> Self {
        date.map_or(Self::Never, Self::At)
    }
}

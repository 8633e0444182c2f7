//! The name of a key.

use super::text::{self, Fault};

/// What people call a key: at most 200 characters, none of them invisible.
///
/// HTML and quotes are text like any other. Control characters and direction marks are refused,
/// because they make a log or a terminal show something else than what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyName(Box<str>);

/// The name is too long or has a character that cannot be seen.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidKeyName {
    /// More than 200 characters.
    #[error("a name has at most 200 characters, this one has {0}")]
    TooLong(usize),
    /// A control character or a direction mark.
    #[error("a name cannot have control characters or direction marks, this one has U+{0:04X}")]
    Invisible(u32),
}

impl KeyName {
    /// The greatest number of characters (Unicode scalar values).
    pub const MAX_LENGTH: usize = text::MAX_LENGTH;

    /// Checks a name.
    ///
    /// # Errors
    /// [`InvalidKeyName`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, InvalidKeyName> {
        text::check(name).map(Self).map_err(|fault| match fault {
            Fault::TooLong(length) => InvalidKeyName::TooLong(length),
            Fault::Invisible(character) => InvalidKeyName::Invisible(character),
        })
    }

    /// The nearest name that is allowed: what cannot stay becomes U+FFFD, what is too long is cut.
    /// For names that were stored before there were rules.
    pub fn repaired(name: &str) -> Self {
        Self(text::repair(name))
    }

    /// The name as text, empty where the key has none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_counted_in_characters() {
        assert!(KeyName::new(&"é".repeat(200)).is_ok());
        assert_eq!(KeyName::new(&"é".repeat(201)), Err(InvalidKeyName::TooLong(201)));
    }

    #[test]
    fn a_repaired_name_is_a_name() {
        let repaired = KeyName::repaired(&"a\u{202E}\n".repeat(100));
        assert_eq!(KeyName::new(repaired.as_str()), Ok(repaired));
    }
}

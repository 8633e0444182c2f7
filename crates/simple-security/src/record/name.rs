//! The name of a key, and the rule for all text that people choose for a key.

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
    pub const MAX_LENGTH: usize = 200;

    /// Checks a name.
    ///
    /// # Errors
    /// [`InvalidKeyName`] says what is wrong with it.
    pub fn new(name: &str) -> Result<Self, InvalidKeyName> {
        let length = name.chars().count();
        if length > Self::MAX_LENGTH {
            return Err(InvalidKeyName::TooLong(length));
        }
        match name.chars().find(|&character| is_invisible(character)) {
            Some(character) => Err(InvalidKeyName::Invisible(character.into())),
            None => Ok(Self(name.into())),
        }
    }

    /// The nearest name that is allowed: what cannot stay becomes U+FFFD, what is too long is cut.
    /// For names that were stored before there were rules.
    pub fn repaired(name: &str) -> Self {
        Self::new(name).unwrap_or_else(|_| {
            let repaired: String = name
                .chars()
                .take(Self::MAX_LENGTH)
                .map(|character| if is_invisible(character) { '\u{FFFD}' } else { character })
                .collect();
            Self(repaired.into())
        })
    }

    /// The name as text, empty where the key has none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters (general category Cc), the line and paragraph separators, and the marks
/// that set the direction of text (the property Bidi_Control of Unicode 16, UAX #9).
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
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

//! The owner of a key.

use super::text::{self, Fault};

/// Whose key it is: at most 200 characters without control and direction marks, as for a name. The engine
/// compares owners byte by byte and gives them no other meaning: it is the id of a customer, a team or an
/// account in the application's own tables. Use ids there, not names that people type: two texts can
/// look alike and differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Owner(Box<str>);

/// The owner is too long or has a character that cannot be seen.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidOwner {
    /// More than 200 characters.
    #[error("an owner has at most 200 characters, this one has {0}")]
    TooLong(usize),
    /// A control character or a direction mark.
    #[error("an owner cannot have control characters or direction marks, this one has U+{0:04X}")]
    Invisible(u32),
}

impl Owner {
    /// The greatest number of characters (Unicode scalar values).
    pub const MAX_LENGTH: usize = text::MAX_LENGTH;

    /// Checks an owner.
    ///
    /// # Errors
    /// [`InvalidOwner`] says what is wrong with it.
    pub fn new(owner: &str) -> Result<Self, InvalidOwner> {
        text::check(owner).map(Self).map_err(|fault| match fault {
            Fault::TooLong(length) => InvalidOwner::TooLong(length),
            Fault::Invisible(character) => InvalidOwner::Invisible(character),
        })
    }

    /// The nearest owner that is allowed, for a text that was written directly into the store.
    pub fn repaired(owner: &str) -> Self {
        Self(text::repair(owner))
    }

    /// The owner as text, empty where the key has no owner.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the key has no owner.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_follows_the_rule_of_a_name() {
        assert!(Owner::default().is_empty());
        assert!(Owner::new(&"é".repeat(200)).is_ok_and(|owner| !owner.is_empty()));
        assert_eq!(Owner::new("<script>").as_ref().map(Owner::as_str), Ok("<script>"));
        for (wrong, error) in [
            ("é".repeat(201), "an owner has at most 200 characters, this one has 201"),
            (
                "a\u{202E}".to_owned(),
                "an owner cannot have control characters or direction marks, this one has U+202E",
            ),
            (
                "a\n".to_owned(),
                "an owner cannot have control characters or direction marks, this one has U+000A",
            ),
        ] {
            assert_eq!(Owner::new(&wrong).expect_err("it is wrong").to_string(), error);
            let repaired = Owner::repaired(&wrong);
            assert_eq!(Owner::new(repaired.as_str()), Ok(repaired));
        }
    }
}

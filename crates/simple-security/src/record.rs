//! What is known of a key: plain data.

use std::fmt;
use std::num::NonZero;
use std::str::FromStr;
use std::time::Duration;

use crate::key::KeyDigest;

/// An instant in UTC, in whole seconds since 1970-01-01T00:00:00Z.
///
/// Kept as the seconds since one before the first instant, which are never 0: an instant that may
/// be missing takes no more memory than one that is there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZero<u64>);

impl Timestamp {
    /// 0001-01-01T00:00:00Z, the first instant that every face can write.
    pub const MIN: Self = Self::from_seconds(Self::FIRST);
    /// 9999-12-31T23:59:59Z, the last instant that every face can write.
    pub const MAX: Self = Self::from_seconds(Self::LAST);

    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;

    /// The instant `seconds` after 1970, at least [`Timestamp::MIN`] and at most
    /// [`Timestamp::MAX`].
    pub const fn from_seconds(seconds: i64) -> Self {
        let after_first = match seconds {
            ..=Self::FIRST => 0,
            Self::LAST.. => Self::LAST - Self::FIRST,
            _ => seconds - Self::FIRST,
        };
        Self(NonZero::<u64>::MIN.saturating_add(after_first as u64))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn seconds(self) -> i64 {
        self.0.get() as i64 - 1 + Self::FIRST
    }

    /// The instant `days` later.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self::from_seconds(self.seconds() + i64::from(days) * 86_400)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Timestamp").field(&self.seconds()).finish()
    }
}

/// An instant in UTC, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

impl Moment {
    /// The instant `milliseconds` after 1970, as far as every face can write it.
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        Self(milliseconds.clamp(Timestamp::FIRST * 1000, Timestamp::LAST * 1000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn milliseconds(self) -> i64 {
        self.0
    }

    /// The instant so much later, rounded up.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let milliseconds = duration.as_nanos().div_ceil(1_000_000);
        Self::from_milliseconds(
            self.0.saturating_add(i64::try_from(milliseconds).unwrap_or(i64::MAX)),
        )
    }
}

/// The public handle of a key: 11 base62 characters, safe to log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; Self::LENGTH]);

impl KeyId {
    /// The number of characters of an id.
    pub const LENGTH: usize = 11;

    /// An id of characters that the generator drew.
    pub(crate) fn from_drawn(drawn: [u8; Self::LENGTH]) -> Self {
        debug_assert!(drawn.iter().all(u8::is_ascii_alphanumeric));
        Self(drawn)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyId({self})")
    }
}

/// The text is not 11 base62 characters.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a key id is 11 letters and digits")]
pub struct InvalidKeyId;

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let characters: [u8; Self::LENGTH] =
            text.as_bytes().try_into().map_err(|_| InvalidKeyId)?;
        if characters.iter().all(u8::is_ascii_alphanumeric) {
            Ok(Self(characters))
        } else {
            Err(InvalidKeyId)
        }
    }
}

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

/// All that is known of a key, except how often it was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public handle.
    pub id: KeyId,
    /// What people call it.
    pub name: KeyName,
    /// When it was issued, or imported.
    pub created_at: Timestamp,
    /// From this instant on it is refused, unless it never expires.
    pub expires_at: Timestamp,
    /// `expires_at` is only kept and shown.
    pub never_expires: bool,
    /// When it was revoked, if it is.
    pub revoked_at: Option<Timestamp>,
}

impl KeyRecord {
    /// Whether the key has expired at the instant `now`.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        !self.never_expires && self.expires_at <= now
    }

    /// From when on it is refused; `None` when it never expires.
    pub fn expiry(&self) -> Option<Timestamp> {
        (!self.never_expires).then_some(self.expires_at)
    }

    /// What it is at the instant `now`.
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.is_expired(now) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }
}

/// What a key is at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It lets a request in.
    Active,
    /// It is refused for its age, and was not revoked.
    Expired,
    /// It was revoked, whatever its age is.
    Revoked,
}

impl KeyState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Active, Self::Expired, Self::Revoked];

    /// The word for it: `active`, `expired` or `revoked`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// The text is no word for a state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a state is active, expired or revoked")]
pub struct InvalidKeyState;

impl FromStr for KeyState {
    type Err = InvalidKeyState;

    fn from_str(text: &str) -> Result<Self, InvalidKeyState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(InvalidKeyState)
    }
}

/// What the caller decides of a key that is to be issued.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// What people call it.
    pub name: KeyName,
    /// From when on it is refused; `None`: the days that the settings give, from now.
    pub expires_at: Option<Timestamp>,
    /// It is never refused for its age.
    pub never_expires: bool,
}

/// What is to be changed of a key. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyEdit {
    /// What people call it.
    pub name: Option<KeyName>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Whether it is never refused for its age.
    pub never_expires: Option<bool>,
}

/// How a caller names a key that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyReference {
    /// By its public handle.
    Id(KeyId),
    /// By the digest of the whole key.
    Digest(KeyDigest),
}

/// How often a key was accepted, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Accepted requests.
    pub total: u64,
    /// The last of them.
    pub last_used_at: Option<Timestamp>,
}

/// All that a store keeps of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What it is looked up by.
    pub digest: KeyDigest,
    /// What is known of it.
    pub record: KeyRecord,
    /// How often it was accepted.
    pub usage: Usage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_the_nearest_that_every_face_can_write() {
        for (seconds, kept) in [
            (i64::MIN, Timestamp::MIN.seconds()),
            (-62_135_596_801, -62_135_596_800),
            (-62_135_596_800, -62_135_596_800),
            (-1, -1),
            (0, 0),
            (253_402_300_799, 253_402_300_799),
            (i64::MAX, Timestamp::MAX.seconds()),
        ] {
            assert_eq!(Timestamp::from_seconds(seconds).seconds(), kept);
        }
        assert!(Timestamp::from_seconds(-1) < Timestamp::from_seconds(0));
        assert_eq!(format!("{:?}", Timestamp::from_seconds(7)), "Timestamp(7)");
    }

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

    #[test]
    fn a_key_is_expired_from_the_very_second_on() {
        let record = KeyRecord {
            id: "0123456789a".parse().expect("an id"),
            name: KeyName::default(),
            created_at: Timestamp::from_seconds(0),
            expires_at: Timestamp::from_seconds(10),
            never_expires: false,
            revoked_at: None,
        };
        assert!(!record.is_expired(Timestamp::from_seconds(9)));
        assert!(record.is_expired(Timestamp::from_seconds(10)));
        assert!(!KeyRecord { never_expires: true, ..record.clone() }.is_expired(Timestamp::MAX));
        let states = [9, 10].map(|now| record.state(Timestamp::from_seconds(now)));
        assert_eq!(states, [KeyState::Active, KeyState::Expired]);
        let revoked = KeyRecord { revoked_at: Some(Timestamp::MIN), ..record };
        assert_eq!(revoked.state(Timestamp::from_seconds(10)), KeyState::Revoked);
    }

    #[test]
    fn a_state_is_read_by_its_word_alone() {
        for state in KeyState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for wrong in ["", "Active", "active ", "deleted"] {
            assert_eq!(wrong.parse::<KeyState>(), Err(InvalidKeyState));
        }
    }
}

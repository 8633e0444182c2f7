//! What a client sends: the format of a key, its checksum, its digest.
//!
//! Nothing else in the engine ever sees the plain text of a key.
//!
//! A key of ours is `prefix _ id _ secret checksum`, for example
//! `fss_0Fb3TzGqk9A_` followed by 33 characters of secret and 6 of checksum, all base62. The
//! checksum is CRC-32/ISO-HDLC of everything before it. It is there for typos and for scanners,
//! not for security. One block of SHA-256 holds the 55 characters of a key with the prefix `fss`.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::random::{self, BASE62};

mod id;

pub use id::{InvalidKeyId, KeyId};

/// The longest key that is looked up, in bytes. Longer ones are refused unread.
pub const MAX_KEY_LENGTH: usize = 255;

/// The shortest key of somebody's own that is taken in, in bytes.
const MIN_IMPORT_LENGTH: usize = 32;

/// The regular expression of a key of ours, with any prefix, for secret scanners.
///
/// It is wider than [`KeyFormat::parse`], which checks the checksum too.
pub const KEY_PATTERN: &str =
    r"\b[a-z][a-z0-9]{1,15}(_[a-z0-9]{1,8})?_[0-9A-Za-z]{11}_[0-9A-Za-z]{39}\b";

const SECRET_LENGTH: usize = 33;
const CHECKSUM_LENGTH: usize = 6;

/// A whole key in plain text. It can be shown once and is wiped from memory when dropped.
pub struct PlainKey(SecretString);

impl PlainKey {
    /// The key itself, to hand to the one who asked for it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for PlainKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PlainKey(hidden)")
    }
}

/// The SHA-256 digest of a whole key: what is stored, and what a key is looked up by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key. Any bytes have one, a key or not.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// A digest read back from a store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, to write to a store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

// A digest is already spread evenly: eight of its bytes feed the seeded hasher of the map.
impl std::hash::Hash for KeyDigest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_ne_bytes(first));
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyDigest(hidden)")
    }
}

/// The prefix does not match `[a-z][a-z0-9]{1,15}(_[a-z0-9]{1,8})?`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "the key prefix must be 2 to 16 of a-z and 0-9 that start with a letter, then at most one _ \
     with 1 to 8 more, as in `acme` or `acme_live`; it is {0:?}"
)]
pub struct InvalidPrefix(String);

/// The bytes cannot be a key, so no store is asked.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// No byte at all.
    #[error("the key is empty")]
    Empty,
    /// Longer than [`MAX_KEY_LENGTH`].
    #[error("the key is longer than {MAX_KEY_LENGTH} bytes")]
    TooLong,
    /// It starts with our prefix, and the rest has another length or another alphabet.
    #[error("the key starts with the prefix of this service but has not the shape of its keys")]
    Shape,
    /// It has the shape of our keys, and the checksum is another.
    #[error("the checksum of the key does not match: it was mistyped or cut")]
    Checksum,
}

/// The text cannot be taken in as a key of somebody's own.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidImport {
    /// It has not 32 to [`MAX_KEY_LENGTH`] bytes.
    #[error("a key of your own has 32 to {MAX_KEY_LENGTH} characters, this one has {0} bytes")]
    Length(usize),
    /// It has something else than visible ASCII characters, which travel in a header unchanged.
    #[error(
        "a key of your own has visible ASCII characters alone: no spaces, no control characters, no other letters"
    )]
    NotVisible,
    /// It would be taken for a mistyped key of ours.
    #[error("a key of your own cannot start with {0}, which is how the keys of this service start")]
    OurPrefix(String),
    /// It starts as our keys do, and is none.
    #[error(transparent)]
    NotOurs(Malformed),
    /// It is a key of ours, and the id that comes with it is not the one that is part of it.
    #[error("the id in the key is another than the id that is given")]
    OtherId,
}

/// How the keys of one deployment look: their prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFormat {
    /// The prefix with the `_` that ends it.
    start: String,
}

impl KeyFormat {
    /// The format of keys that start with `prefix` and `_`.
    ///
    /// # Errors
    /// [`InvalidPrefix`] says what a prefix may look like.
    pub fn new(prefix: &str) -> Result<Self, InvalidPrefix> {
        let (name, kind) = match prefix.split_once('_') {
            Some((name, kind)) => (name, Some(kind)),
            None => (prefix, None),
        };
        let letters =
            |text: &str| text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
        let valid = (2..=16).contains(&name.len())
            && name.as_bytes()[0].is_ascii_lowercase()
            && letters(name)
            && kind.is_none_or(|kind| (1..=8).contains(&kind.len()) && letters(kind));
        if valid {
            Ok(Self { start: format!("{prefix}_") })
        } else {
            Err(InvalidPrefix(prefix.to_owned()))
        }
    }

    /// A new random key, and the id that is part of it.
    ///
    /// # Errors
    /// When the operating system cannot give random bytes.
    pub fn generate(&self) -> Result<(PlainKey, KeyId), getrandom::Error> {
        let id = generate_id()?;
        let secret = random::characters::<SECRET_LENGTH>(BASE62)?;
        let mut key = format!("{}{id}_", self.start);
        // The whole length at once: a string that grows leaves pieces of the secret behind.
        key.reserve_exact(SECRET_LENGTH + CHECKSUM_LENGTH);
        key.extend(secret.map(char::from));
        let checksum = checksum(key.as_bytes());
        key.extend(checksum.map(char::from));
        Ok((PlainKey(key.into()), id))
    }

    /// The digest to look up, if the bytes can be a key.
    ///
    /// # Errors
    /// [`Malformed`] says why they cannot.
    pub fn parse(&self, presented: &[u8]) -> Result<KeyDigest, Malformed> {
        self.check(presented).map(|()| KeyDigest::of(presented))
    }

    /// Whether the bytes can be a key.
    ///
    /// Whatever does not start with our prefix can be one: keys of the old package and keys that
    /// were imported have no shape.
    ///
    /// # Errors
    /// [`Malformed`] says why the bytes cannot be a key.
    pub(crate) fn check(&self, presented: &[u8]) -> Result<(), Malformed> {
        if presented.is_empty() {
            return Err(Malformed::Empty);
        }
        if presented.len() > MAX_KEY_LENGTH {
            return Err(Malformed::TooLong);
        }
        if let Some(rest) = presented.strip_prefix(self.start.as_bytes()) {
            if !has_shape(rest) {
                return Err(Malformed::Shape);
            }
            let (body, sum) = presented.split_at(presented.len() - CHECKSUM_LENGTH);
            if checksum(body) != *sum {
                return Err(Malformed::Checksum);
            }
        }
        Ok(())
    }

    /// The digest of a key of the caller's own, which is to be taken in.
    ///
    /// # Errors
    /// [`InvalidImport`] says why the text cannot be such a key.
    pub fn import(&self, key: &str) -> Result<KeyDigest, InvalidImport> {
        if !(MIN_IMPORT_LENGTH..=MAX_KEY_LENGTH).contains(&key.len()) {
            return Err(InvalidImport::Length(key.len()));
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidImport::NotVisible);
        }
        if key.starts_with(&self.start) {
            return Err(InvalidImport::OurPrefix(self.start.clone()));
        }
        Ok(KeyDigest::of(key.as_bytes()))
    }

    /// The digest of a key that was in use elsewhere: a whole one of ours, with the id that is
    /// part of it, or one of the caller's own.
    ///
    /// # Errors
    /// [`InvalidImport`] says why the text cannot be such a key.
    pub fn import_used(&self, key: &str) -> Result<(KeyDigest, Option<KeyId>), InvalidImport> {
        let Some(rest) = key.strip_prefix(&self.start) else {
            return self.import(key).map(|digest| (digest, None));
        };
        let digest = self.parse(key.as_bytes()).map_err(InvalidImport::NotOurs)?;
        let id = rest.get(..KeyId::LENGTH).and_then(|id| id.parse().ok());
        Ok((digest, id))
    }
}

/// Whether a text has in it what looks like a whole key of ours, of any prefix: as
/// [`KEY_PATTERN`] has it, without regard to what stands around.
pub fn holds_a_key(text: &[u8]) -> bool {
    const REST: usize = KeyId::LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;
    text.windows(REST + 2).any(|found| {
        let [last, b'_', rest @ ..] = found else { return false };
        matches!(last, b'a'..=b'z' | b'0'..=b'9') && has_shape(rest)
    })
}

impl Default for KeyFormat {
    fn default() -> Self {
        Self { start: "fss_".to_owned() }
    }
}

/// A new random id, for a key of ours or for one that was imported.
///
/// # Errors
/// When the operating system cannot give random bytes.
pub(crate) fn generate_id() -> Result<KeyId, getrandom::Error> {
    random::characters(BASE62).map(KeyId::from_drawn)
}

/// `id _ secret checksum`, all base62.
fn has_shape(rest: &[u8]) -> bool {
    const BASE62: usize = KeyId::LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH;
    // Counted, where `all` would do: it has no branch for each byte and takes a quarter of the time.
    let count = || rest.iter().map(|byte| u8::from(byte.is_ascii_alphanumeric())).sum::<u8>();
    rest.len() == BASE62 + 1 && rest[KeyId::LENGTH] == b'_' && usize::from(count()) == BASE62
}

/// CRC-32/ISO-HDLC in six base62 digits, the greatest first.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_key_is_read_back_by_its_own_format() {
        let format = KeyFormat::default();
        let (key, id) = format.generate().expect("random bytes");
        assert_eq!(key.expose().len(), 55);
        assert!(key.expose().starts_with(&format!("fss_{id}_")));
        assert_eq!(
            format.parse(key.expose().as_bytes()),
            Ok(KeyDigest::of(key.expose().as_bytes()))
        );
    }

    #[test]
    fn one_wrong_character_is_caught() {
        let format = KeyFormat::default();
        let (key, _) = format.generate().expect("random bytes");
        for position in 4..55 {
            let mut wrong = key.expose().as_bytes().to_vec();
            wrong[position] = if wrong[position] == b'a' { b'b' } else { b'a' };
            assert!(format.parse(&wrong).is_err(), "position {position}");
        }
    }

    #[test]
    fn a_key_of_ours_is_taken_back_with_its_id() {
        let format = KeyFormat::default();
        let (key, id) = format.generate().expect("random bytes");
        let digest = KeyDigest::of(key.expose().as_bytes());
        assert_eq!(format.import_used(key.expose()), Ok((digest, Some(id))));
        assert_eq!(format.import(key.expose()), Err(InvalidImport::OurPrefix("fss_".to_owned())));
        let cut = format.import_used(&key.expose()[..54]);
        assert_eq!(cut, Err(InvalidImport::NotOurs(Malformed::Shape)));
        let wrong = format!(
            "{}{}",
            &key.expose()[..54],
            if key.expose().ends_with('a') { 'b' } else { 'a' }
        );
        assert_eq!(format.import_used(&wrong), Err(InvalidImport::NotOurs(Malformed::Checksum)));
        let other = KeyFormat::new("acme").expect("a prefix").import_used(key.expose());
        assert_eq!(other, Ok((digest, None)), "of another service it is a key like any other");
        assert_eq!(format.import_used("short"), Err(InvalidImport::Length(5)));
    }

    #[test]
    fn a_key_in_a_text_is_noticed() {
        let format = KeyFormat::new("acme_live").expect("a prefix");
        let (key, id) = format.generate().expect("random bytes");
        for text in ["", " ", "--name=", "é", "x_"] {
            assert!(holds_a_key(format!("{text}{}{text}", key.expose()).as_bytes()), "{text}");
        }
        assert!(!holds_a_key(id.as_str().as_bytes()));
        assert!(!holds_a_key(&key.expose().as_bytes()[..key.expose().len() - 1]));
        assert!(!holds_a_key(b"0b6c1b9e-52f7-4c1d-8a4e-6f9d3c2b1a07"));
        assert!(!holds_a_key(b"a_0123456789a_"));
    }

    #[test]
    fn nothing_shows_the_key_or_the_digest() {
        let (key, _) = KeyFormat::default().generate().expect("random bytes");
        let digest = KeyDigest::of(key.expose().as_bytes());
        assert_eq!(format!("{key:?} {digest:?}"), "PlainKey(hidden) KeyDigest(hidden)");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let format = KeyFormat::default();
            let parsed = format.parse(&bytes);
            prop_assert_eq!(parsed.is_ok(), !bytes.is_empty() && bytes.len() <= 255 && !bytes.starts_with(b"fss_"));
        }
    }
}

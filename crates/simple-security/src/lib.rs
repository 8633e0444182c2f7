//! An engine for API keys: issue, verify, revoke, renew, count.
#![doc = include_str!("../README.md")]

mod admin;
mod cache;
pub mod clock;
mod engine;
mod key;
mod log_throttle;
mod page;
mod random;
mod rate_limiter;
mod record;
mod resolver;
mod stats;
pub mod store;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod usage;
mod verify;

pub use admin::{Actor, Admin, AdminError};
pub use engine::{
    ApiKeys, ApiKeysBuilder, Change, Committed, ImportedKey, IssuedKey, KeyError, KeyMaterial,
    RenewedKey,
};
pub use key::{
    InvalidImport, InvalidKeyId, InvalidPrefix, KEY_PATTERN, KeyDigest, KeyFormat, KeyId,
    MAX_KEY_LENGTH, Malformed, PlainKey, holds_a_key,
};
pub use log_throttle::LogThrottle;
pub use page::{Cursor, InvalidCursor, KeyDetails, KeyFilter, Page, PageRequest};
pub use record::{
    Expiry, InvalidKeyName, InvalidKeyState, InvalidOwner, InvalidTimestamp, KeyChange, KeyEdit,
    KeyName, KeyRecord, KeyReference, KeyState, Moment, NewKey, Owner, Renewal, Revocation,
    StoredKey, Timestamp, Usage,
};
pub use stats::Stats;
pub use store::OpenError;
pub use verify::{Attempt, VerifiedKey, VerifyError};

//! What is known of a key: plain data.

mod change;
mod expiry;
mod key_record;
mod name;
mod owner;
mod text;
mod timestamp;
mod usage;

pub use change::{KeyChange, KeyEdit, Renewal, Revocation};
pub use expiry::Expiry;
pub use key_record::{InvalidKeyState, KeyRecord, KeyReference, KeyState, NewKey, StoredKey};
pub use name::{InvalidKeyName, KeyName};
pub use owner::{InvalidOwner, Owner};
pub use timestamp::{InvalidTimestamp, Moment, Timestamp};
pub use usage::Usage;

//! The engine. The verbs that change keys, show them and move many of them have a file each.

mod api_keys;
mod builder;
mod change;
mod error;
mod mutate;
mod query;
mod transfer;

pub use api_keys::ApiKeys;
pub use builder::ApiKeysBuilder;
pub use change::{Change, Committed};
pub use error::KeyError;
pub use mutate::{IssuedKey, RenewedKey};
pub use transfer::{ImportedKey, KeyMaterial};

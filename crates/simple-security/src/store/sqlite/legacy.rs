//! Databases of fastapi_simple_security 1.x.

pub(super) mod migrate;
mod read;

pub use read::read_old_keys;

//! The resource API of simple-security: keys as `/keys`, written once for every adapter.
#![doc = include_str!("../README.md")]

#[cfg(feature = "router")]
mod authenticate;
#[cfg(feature = "router")]
mod blocking;
#[cfg(feature = "router")]
mod body;
#[cfg(feature = "router")]
mod change;
#[cfg(feature = "router")]
mod in_flight;
#[cfg(feature = "router")]
pub mod keys;
#[cfg(feature = "router")]
mod openapi;
#[cfg(feature = "router")]
mod parameters;
mod problem;
#[cfg(feature = "router")]
mod rejection;
#[cfg(feature = "router")]
mod router;

#[cfg(feature = "router")]
pub use authenticate::ClientAddress;
#[cfg(feature = "router")]
pub use change::EffectiveIn;
#[cfg(feature = "router")]
pub use in_flight::MAX_IN_FLIGHT;
#[cfg(feature = "router")]
pub use openapi::openapi;
pub use problem::Problem;
#[cfg(feature = "router")]
pub use rejection::unavailable;
#[cfg(feature = "router")]
pub use router::admin_router;
/// The crate whose types [`openapi`] returns.
#[cfg(feature = "router")]
pub use utoipa;

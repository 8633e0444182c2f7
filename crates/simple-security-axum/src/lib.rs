//! API keys for axum, tonic and all that is built on tower.
#![doc = include_str!("../README.md")]

#[cfg(feature = "admin")]
mod admin;
mod credential;
mod extract;
mod form;
mod future;
mod layer;
mod policy;
mod refusal;
mod service;

#[cfg(feature = "admin")]
pub use admin::{admin_router, admin_router_with_setting};
pub use extract::{ApiKey, MissingLayer};
pub use form::{Form, Grpc, ProblemJson};
pub use future::ResponseFuture;
pub use layer::RequireApiKeyLayer;
pub use refusal::{InvalidRealm, Refusal};
pub use service::RequireApiKey;
#[cfg(feature = "admin")]
pub use simple_security_admin::{ClientAddress, openapi, utoipa};

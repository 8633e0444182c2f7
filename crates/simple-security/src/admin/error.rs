//! Why an admin request is not accepted.

/// Why an admin request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// There is no admin secret, so no admin request is accepted. None is set, and machines that share a
    /// store cannot share a generated one. An adapter adds the name of the setting.
    #[error("machines that share a store cannot share a generated admin secret")]
    NoSecret,
    /// The secret is wrong.
    #[error("the admin secret is wrong")]
    Wrong,
}

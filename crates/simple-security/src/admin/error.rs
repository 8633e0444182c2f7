//! Why an admin request is not accepted.

/// Why an admin request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// Either none was set, or a generated one was wanted on a store that many machines share. An
    /// adapter adds the name of the setting.
    #[error("no admin secret is set (machines that share a store cannot share a generated one)")]
    NoSecret,
    /// The secret is wrong.
    #[error("the admin secret is wrong")]
    Wrong,
}

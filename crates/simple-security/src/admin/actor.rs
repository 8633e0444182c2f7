//! Who makes a change.

/// Who makes a change of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Actor {
    /// The holder of the admin secret, through the admin routes.
    Secret,
    /// A person at the command line.
    CommandLine,
    /// A program that uses the engine.
    Program,
}

//! The two names of the program.

use crate::settings::Adapter;

/// By which name the program was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `simple-security`, which reads the variables of [`Adapter::Program`].
    Binary,
    /// `fastapi-simple-security`, which comes with the Python package and reads its variables.
    Python,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binary => "simple-security",
            Self::Python => "fastapi-simple-security",
        }
    }

    pub(crate) fn adapter(self) -> Adapter {
        match self {
            Self::Binary => Adapter::Program,
            Self::Python => Adapter::FastApi,
        }
    }
}

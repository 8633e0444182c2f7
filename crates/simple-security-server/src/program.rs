//! The two names of the program.

use crate::settings::{Adapter, Arguments, ConfigurationError, Settings};

/// By which name the program was started.
#[derive(Debug, Clone, Copy)]
pub enum Program {
    /// `simple-security`, which reads the variables of [`Adapter::Program`].
    Binary,
    /// `fastapi-simple-security`, which comes with the Python package and reads its variables.
    Python {
        /// Checks the settings that only the package knows.
        check: fn() -> Result<(), ConfigurationError>,
    },
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Binary => "simple-security",
            Self::Python { .. } => "fastapi-simple-security",
        }
    }

    pub(crate) fn adapter(self) -> Adapter {
        match self {
            Self::Binary => Adapter::Program,
            Self::Python { .. } => Adapter::FastApi,
        }
    }

    /// Reads the settings, and checks those that only the caller of the program knows.
    ///
    /// # Errors
    /// [`ConfigurationError`] names the first one that is wrong.
    pub(crate) fn settings(self, arguments: &Arguments) -> Result<Settings, ConfigurationError> {
        let settings = Settings::load(self.adapter(), arguments)?;
        if let Self::Python { check } = self {
            check()?;
        }
        Ok(settings)
    }
}

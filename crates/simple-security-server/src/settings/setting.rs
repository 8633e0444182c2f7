//! What a setting is, and the variables that it is read from.

/// Which adapter reads the settings. Each has its own prefix for the variables, so that two of them can
/// share an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// The Python package, with the prefix of the package that it takes the place of.
    FastApi,
    /// The program `simple-security`.
    Program,
}

impl Adapter {
    /// What the variables begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::FastApi => "FASTAPI_SIMPLE_SECURITY_",
            Self::Program => "SIMPLE_SECURITY_",
        }
    }
}

/// A setting: its names, default and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable, after the prefix of an adapter.
    pub name: &'static str,
    /// Another spelling of the whole variable that works too, where the prefix is that of
    /// [`Adapter::FastApi`].
    pub other_spelling: Option<&'static str>,
    /// Which adapters have it.
    pub adapters: &'static [Adapter],
    /// The argument that sets it from code.
    pub argument: &'static str,
    /// What applies where it is not set.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

impl Setting {
    /// The environment variable of an adapter; `None` where the adapter has no such setting.
    pub fn variable(&self, adapter: Adapter) -> Option<String> {
        self.adapters.contains(&adapter).then(|| format!("{}{}", adapter.prefix(), self.name))
    }
}

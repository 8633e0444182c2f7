//! Reports circles of imports between the modules of a crate.
//!
//! A module depends on another if it names an item that the other defines: by `use`, or by a path in
//! an expression, a type, an attribute or a macro. Re-exports are followed to the definition, so a
//! circle is found whichever way the name takes. `mod child;` alone is not a dependency, nor is a call
//! of a method. A glob depends on the module that it opens. A name that comes from another crate
//! belongs to the module that re-exports it.
//!
//! Tests are left out; all other `cfg`s are read as if they were set. Not expanded: macros, whose
//! tokens are searched for paths instead, and `include!`.

mod circles;
mod module;
mod names;
mod paths_in_tokens;
mod resolve;
mod source;
mod tests_left_out;

use std::path::Path;

pub use circles::{Circle, Dependency};
pub use source::SourceError;

/// The result for one crate.
#[derive(Debug)]
pub struct Checked {
    /// The number of modules, the root included.
    pub modules: usize,
    /// The circles, each a set of modules that all depend on each other.
    pub circles: Vec<Circle>,
}

/// Checks the crate whose root is this file, for example `src/lib.rs`.
///
/// # Errors
///
/// Fails if a file of the crate is missing, cannot be read or cannot be parsed.
pub fn check(root: &Path) -> Result<Checked, SourceError> {
    let modules = source::read_crate(root)?;
    let circles = circles::find(&modules, &resolve::dependencies(&modules));
    Ok(Checked { modules: modules.len(), circles })
}

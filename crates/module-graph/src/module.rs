//! A module as it is written: what it defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The index of a module among those of its crate. The root is 0.
pub(crate) type ModuleId = usize;

/// The segments of a path: `crate::store::Row` is `["crate", "store", "Row"]`.
pub(crate) type Segments = Vec<String>;

#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Its path from the root: `crate::store`.
    pub(crate) path: String,
    /// The module around it; the root has none.
    pub(crate) parent: Option<ModuleId>,
    pub(crate) children: BTreeMap<String, ModuleId>,
    pub(crate) items: BTreeSet<String>,
    /// Imported paths by the name that they get here. One name can be a module and a function, or
    /// depend on a `cfg`.
    pub(crate) imports: BTreeMap<String, Vec<Segments>>,
    /// The paths before `::*`.
    pub(crate) globs: Vec<Segments>,
    pub(crate) mentions: Vec<Mention>,
}

/// A path that a module names.
#[derive(Debug)]
pub(crate) struct Mention {
    pub(crate) path: Segments,
    /// Whether `::*` follows in a `use`.
    pub(crate) is_glob: bool,
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

//! Follows the paths that modules name to the modules that define the items.

use std::collections::BTreeMap;

use crate::module::{Mention, Module, ModuleId, Segments};

/// For each pair of a module and another on which it depends: the names that tie them, each with
/// where it is named first.
pub(crate) type Dependencies<'modules> =
    BTreeMap<(ModuleId, ModuleId), BTreeMap<String, &'modules Mention>>;

/// All dependencies between different modules.
pub(crate) fn dependencies(modules: &[Module]) -> Dependencies<'_> {
    let mut dependencies = Dependencies::new();
    for (from, module) in modules.iter().enumerate() {
        for mention in &module.mentions {
            let mut resolver = Resolver { modules, open: Vec::new() };
            let (to, name) = match resolver.path(from, &mention.path, mention.is_glob) {
                Some(Target::Module(id) | Target::Item(id, _)) if mention.is_glob => {
                    (id, "*".into())
                }
                Some(Target::Module(id)) => (id, "self".into()),
                Some(Target::Item(id, name)) => (id, name),
                None => continue,
            };
            if from != to {
                dependencies.entry((from, to)).or_default().entry(name).or_insert(mention);
            }
        }
    }
    dependencies
}

#[derive(Debug)]
enum Target {
    Module(ModuleId),
    /// An item, by the module that defines it, or that has it from another crate.
    Item(ModuleId, String),
}

struct Resolver<'modules> {
    modules: &'modules [Module],
    /// The names that are being looked up, as globs and re-exports can lead back to them.
    open: Vec<(ModuleId, String, bool)>,
}

impl Resolver<'_> {
    /// What a path stands for in a module; `None` if it begins in another crate or with a name of a
    /// function. `is_namespace`: more segments follow.
    fn path(&mut self, from: ModuleId, path: &Segments, is_namespace: bool) -> Option<Target> {
        let mut at = from;
        for (index, segment) in path.iter().enumerate() {
            let is_namespace = is_namespace || index + 1 < path.len();
            at = match segment.as_str() {
                "crate" => 0,
                "self" => at,
                "super" => self.modules[at].parent?,
                name => match self.name(at, name, is_namespace) {
                    Some(Target::Module(child)) => child,
                    Some(item) => return Some(item),
                    None if index == 0 && self.is_name_of_the_crate(name) => 0,
                    None if index == 0 => return None,
                    // From another crate, or made by a macro.
                    None => return Some(Target::Item(at, name.to_owned())),
                },
            };
        }
        Some(Target::Module(at))
    }

    /// `extern crate self as name;` in the root holds in every module.
    fn is_name_of_the_crate(&self, name: &str) -> bool {
        let paths = self.modules[0].imports.get(name);
        paths.is_some_and(|paths| paths.iter().any(|path| path[..] == ["crate"]))
    }

    /// What a name stands for in a module. Modules and functions may share a name.
    fn name(&mut self, id: ModuleId, name: &str, is_namespace: bool) -> Option<Target> {
        let query = (id, name.to_owned(), is_namespace);
        if self.open.contains(&query) {
            return None;
        }
        self.open.push(query);
        let module = &self.modules[id];
        let child = || module.children.get(name).map(|child| Target::Module(*child));
        let item = || module.items.get(name).map(|name| Target::Item(id, name.clone()));
        let found = if is_namespace {
            child().or_else(|| self.imported(id, name, true)).or_else(item)
        } else {
            item().or_else(|| self.imported(id, name, false))
        };
        let found = found.or_else(|| self.by_glob(id, name, is_namespace)).or_else(child);
        self.open.pop();
        found
    }

    fn imported(&mut self, id: ModuleId, name: &str, is_namespace: bool) -> Option<Target> {
        let modules = self.modules;
        let paths = modules[id].imports.get(name)?;
        paths.iter().find_map(|path| self.path(id, path, is_namespace))
    }

    fn by_glob(&mut self, id: ModuleId, name: &str, is_namespace: bool) -> Option<Target> {
        let modules = self.modules;
        modules[id].globs.iter().find_map(|path| match self.path(id, path, true)? {
            Target::Module(opened) => self.name(opened, name, is_namespace),
            Target::Item(..) => None,
        })
    }
}

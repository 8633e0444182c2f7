//! Reads the modules of a crate from its files.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use syn::ext::IdentExt as _;
use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta};

use crate::module::{Module, ModuleId};
use crate::names;
use crate::tests_left_out::is_for_tests;

/// A file of the crate is missing, or cannot be read or parsed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", file.display())]
pub struct SourceError {
    file: PathBuf,
    source: Box<dyn Error + Send + Sync>,
}

/// Reads the crate whose root is this file. The first module is the root.
pub(crate) fn read_crate(root: &Path) -> Result<Vec<Module>, SourceError> {
    let mut reader = Reader { modules: Vec::new() };
    let id = reader.child(None, "crate");
    reader.file(id, root, parent(root))?;
    Ok(reader.modules)
}

struct Reader {
    modules: Vec<Module>,
}

/// Where the modules within a module have their files.
#[derive(Clone, Copy)]
struct Folders<'path> {
    /// For `mod name;`.
    children: &'path Path,
    /// What a `#[path]` is relative to.
    paths: &'path Path,
}

impl Reader {
    /// The child of this name. Where two `cfg`s choose between two modules of a name, they are read as one.
    fn child(&mut self, parent: Option<ModuleId>, name: &str) -> ModuleId {
        let id = self.modules.len();
        let mut path = name.to_owned();
        if let Some(parent) = parent {
            path = format!("{}::{name}", self.modules[parent].path);
            let known = *self.modules[parent].children.entry(name.to_owned()).or_insert(id);
            if known != id {
                return known;
            }
        }
        self.modules.push(Module { path, parent, ..Module::default() });
        id
    }

    /// Reads the file of a module, whose children have theirs in this folder.
    fn file(&mut self, id: ModuleId, file: &Path, children: &Path) -> Result<(), SourceError> {
        let parsed = parse(file).map_err(|source| SourceError { file: file.to_owned(), source })?;
        if is_for_tests(&parsed.attrs) {
            return Ok(());
        }
        self.items(id, &parsed.items, file, Folders { children, paths: parent(file) })
    }

    fn items(
        &mut self,
        id: ModuleId,
        items: &[Item],
        file: &Path,
        folders: Folders<'_>,
    ) -> Result<(), SourceError> {
        for item in items {
            match item {
                item if is_for_tests(names::attributes_of(item)) => {}
                Item::Mod(item) => self.module(id, item, file, folders)?,
                item => names::add_item(&mut self.modules[id], file, item),
            }
        }
        Ok(())
    }

    fn module(
        &mut self,
        parent_id: ModuleId,
        item: &ItemMod,
        file: &Path,
        folders: Folders<'_>,
    ) -> Result<(), SourceError> {
        let name = item.ident.unraw().to_string();
        let id = self.child(Some(parent_id), &name);
        let path = path_attribute(&item.attrs).map(|path| folders.paths.join(path));
        let folder = folders.children.join(&name);
        match (&item.content, path) {
            (Some((_, items)), path) => {
                let folder = path.unwrap_or(folder);
                self.items(id, items, file, Folders { children: &folder, paths: &folder })
            }
            (None, Some(path)) => self.file(id, &path, parent(&path)),
            (None, None) => {
                let inside = folder.join("mod.rs");
                let beside = folder.with_extension("rs");
                self.file(id, if inside.exists() { &inside } else { &beside }, &folder)
            }
        }
    }
}

fn parse(file: &Path) -> Result<syn::File, Box<dyn Error + Send + Sync>> {
    let text =
        fs::read_to_string(file).map_err(|error| format!("cannot read this file: {error}"))?;
    Ok(syn::parse_file(&text).map_err(|error| {
        format!(
            "cannot parse line {}: {error}; if rustc can, update syn",
            error.span().start().line
        )
    })?)
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("path") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}

fn parent(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

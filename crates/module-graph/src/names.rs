//! Collects what the items of a module define, import and name.

use std::path::Path;
use std::slice;

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{
    Attribute, ImplItem, Item, ItemExternCrate, ItemUse, Macro, MetaList, UseTree, Visibility,
};

use crate::module::{Mention, Module, Segments};
use crate::paths_in_tokens::paths_in;
use crate::tests_left_out::is_for_tests;

/// Adds an item of this module, which is in this file.
pub(crate) fn add_item(module: &mut Module, file: &Path, item: &Item) {
    if let Some(name) = definition(item) {
        module.items.insert(name.unraw().to_string());
    }
    Collector { module, file }.visit_item(item);
}

fn definition(item: &Item) -> Option<&Ident> {
    Some(match item {
        Item::Enum(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Const(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        _ => return None,
    })
}

struct Collector<'module> {
    module: &'module mut Module,
    file: &'module Path,
}

impl Collector<'_> {
    fn mention(&mut self, path: &[Ident], is_glob: bool) {
        let Some(first) = path.first() else { return };
        self.module.mentions.push(Mention {
            path: segments(path),
            is_glob,
            file: self.file.to_owned(),
            line: first.span().start().line,
        });
    }

    fn tokens(&mut self, tokens: TokenStream) {
        for path in paths_in(tokens) {
            self.mention(&path, false);
        }
    }

    fn import(&mut self, prefix: &[Ident], tree: &UseTree) {
        let under = |name: &Ident| match name == "self" && !prefix.is_empty() {
            true => prefix.to_vec(),
            false => [prefix, slice::from_ref(name)].concat(),
        };
        let (path, name) = match tree {
            UseTree::Path(tree) => return self.import(&under(&tree.ident), &tree.tree),
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(prefix, tree));
            }
            UseTree::Glob(_) => {
                self.mention(prefix, true);
                self.module.globs.push(segments(prefix));
                return;
            }
            UseTree::Rename(tree) => (under(&tree.ident), Some(&tree.rename)),
            UseTree::Name(tree) => (under(&tree.ident), None),
        };
        self.mention(&path, false);
        let name = name.or(path.last()).map(|name| name.unraw().to_string());
        self.module.imports.entry(name.unwrap_or_default()).or_default().push(segments(&path));
    }
}

fn segments(path: &[Ident]) -> Segments {
    path.iter().map(|segment| segment.unraw().to_string()).collect()
}

/// The attributes of an enum's variants.
macro_rules! attributes {
    ($item:expr, $kind:ident: $($variant:ident)*) => {
        match $item {
            $($kind::$variant(item) => item.attrs.as_slice(),)*
            _ => &[] as &[Attribute],
        }
    };
}

/// The attributes of an item.
pub(crate) fn attributes_of(item: &Item) -> &[Attribute] {
    attributes!(item, Item: Const Enum ExternCrate Fn ForeignMod Impl Macro Mod Static Struct Trait TraitAlias Type Union Use)
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        if !is_for_tests(attributes!(item, ImplItem: Const Fn Macro Type)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&[], &item.tree);
        }
    }

    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        if let (true, Some((_, name))) = (item.ident == "self", &item.rename) {
            let root = vec![vec!["crate".to_owned()]];
            self.module.imports.insert(name.unraw().to_string(), root);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        // A name alone is defined or imported here, or comes by a glob: each is a dependency already.
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let segments: Vec<_> =
                path.segments.iter().map(|segment| segment.ident.clone()).collect();
            self.mention(&segments, false);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast Macro) {
        visit::visit_macro(self, invocation);
        self.tokens(invocation.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &'ast MetaList) {
        visit::visit_meta_list(self, list);
        self.tokens(list.tokens.clone());
    }

    /// `pub(in path)` says who may import, and imports nothing.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

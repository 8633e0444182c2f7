//! Paths in the tokens of a macro or an attribute, which are not parsed.

use std::slice;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::{Lit, Path};

/// All paths of two or more segments, those in the braces of a `use` too; without the `*` of a glob.
///
/// Left out are `::other_crate::item` and `$parameter::item`; `$crate::item` is `crate::item`.
pub(crate) fn paths_in(tokens: TokenStream) -> Vec<Vec<Ident>> {
    let mut paths = Vec::new();
    collect(tokens, &[], &mut paths);
    paths
}

fn collect(tokens: TokenStream, prefix: &[Ident], paths: &mut Vec<Vec<Ident>>) {
    let trees: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Group(group) => collect(group.stream(), &[], paths),
            TokenTree::Ident(first) => {
                let start = at;
                let mut path = [prefix, slice::from_ref(first)].concat();
                while let Some(TokenTree::Ident(next)) = after_colons(&trees, at + 1) {
                    path.push(next.clone());
                    at += 3;
                }
                if is_known(&trees[..start], first) {
                    if let Some(TokenTree::Group(group)) = after_colons(&trees, at + 1) {
                        collect(group.stream(), &path, paths);
                        at += 3;
                    } else if path.len() > 1 || after_colons(&trees, at + 1).is_some() {
                        paths.push(path);
                    }
                }
            }
            // As in `#[serde(with = "crate::dates")]`.
            TokenTree::Literal(literal) => {
                if let Lit::Str(text) = Lit::new(literal.clone())
                    && let Ok(path) = text.parse_with(Path::parse_mod_style)
                    && path.segments.len() > 1
                {
                    paths.push(path.segments.into_iter().map(|segment| segment.ident).collect());
                }
            }
            TokenTree::Punct(_) => {}
        }
        at += 1;
    }
}

/// The token after the `::` that stands at this place.
fn after_colons(trees: &[TokenTree], at: usize) -> Option<&TokenTree> {
    (is_punctuation(trees.get(at), ':') && is_punctuation(trees.get(at + 1), ':'))
        .then(|| trees.get(at + 2))
        .flatten()
}

/// Whether it is known where the path leads that begins with this identifier after these tokens.
fn is_known(before: &[TokenTree], first: &Ident) -> bool {
    let last = |back: usize| before.len().checked_sub(back).map(|at| &before[at]);
    let is_parameter = is_punctuation(last(1), '$') && first.unraw() != "crate";
    let is_elsewhere = is_punctuation(last(1), ':') && is_punctuation(last(2), ':');
    let is_new_name = matches!(last(1), Some(TokenTree::Ident(word)) if word == "as");
    !is_parameter && !is_elsewhere && !is_new_name
}

fn is_punctuation(tree: Option<&TokenTree>, character: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

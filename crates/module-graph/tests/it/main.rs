//! Small crates, and the circles that are found in them.

mod found;
mod left_out;
mod program;
mod reading;
mod through_names;

use std::fs;
use std::path::PathBuf;

use module_graph::{Checked, SourceError, check};
use tempfile::TempDir;

/// No dependency within a circle.
const NONE: [&str; 0] = [];

/// Writes these files of a crate. `lib.rs` is the root.
fn tree(files: &[(&str, &str)]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
    let root = folder.path().join("lib.rs");
    (folder, root)
}

fn checked(files: &[(&str, &str)]) -> Result<Checked, SourceError> {
    let (_folder, root) = tree(files);
    check(&root)
}

/// The dependencies within circles, each as `from -> to: names`.
fn circle(files: &[(&str, &str)]) -> Vec<String> {
    let circles = checked(files).expect("a crate").circles;
    let dependencies = circles.iter().flat_map(|circle| &circle.dependencies);
    dependencies.map(|one| format!("{} -> {}: {}", one.from, one.to, one.names.join(" "))).collect()
}

/// A crate of two modules, of which `b` uses `Item` of `a`: is there a circle if `a` has this text?
fn is_circle(a: &str) -> bool {
    let b = "pub fn make() {} pub struct Thing; use crate::a::Item;";
    let a = format!("pub struct Item;\n{a}");
    !circle(&[("lib.rs", "mod a; mod b;"), ("a.rs", &a), ("b.rs", b)]).is_empty()
}

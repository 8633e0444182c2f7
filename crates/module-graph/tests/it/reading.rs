//! Where the modules of a crate are.

use crate::{checked, circle};

const ITEM: &str = "pub struct Item;";
const USES_ROOT: &str = "pub struct Child; use crate::Item;";

#[test]
fn modules_in_files_folders_and_blocks() {
    for (root, file) in [
        ("mod b; use b::Child;", "b.rs"),
        ("mod b; use b::Child;", "b/mod.rs"),
        ("mod b { pub mod c; } use b::c::Child;", "b/c.rs"),
        ("mod r#type; use r#type::Child;", "type.rs"),
        ("#[path = \"other/place.rs\"] mod b; use b::Child;", "other/place.rs"),
        ("#[path = \"other\"] mod b { pub mod c; } use b::c::Child;", "other/c.rs"),
        ("mod b { #[path = \"place.rs\"] pub mod c; } use b::c::Child;", "b/place.rs"),
    ] {
        let root = format!("{ITEM} {root}");
        assert_eq!(circle(&[("lib.rs", &root), (file, USES_ROOT)]).len(), 2, "{root}");
    }
}

#[test]
fn modules_within_a_module() {
    for (b, file) in [
        ("pub mod c;", "b/c.rs"),
        ("pub mod c;", "b/c/mod.rs"),
        ("#[path = \"place.rs\"] pub mod c;", "place.rs"),
        ("#[path = \"d/place.rs\"] pub mod e; pub use e::c;", "d/c.rs"),
    ] {
        let root = format!("{ITEM} mod b; use b::c::Child;");
        let files =
            [("lib.rs", &*root), ("b.rs", b), (file, USES_ROOT), ("d/place.rs", "pub mod c;")];
        assert_eq!(circle(&files).len(), 2, "{b} {file}");
    }
}

#[test]
fn two_modules_of_one_name_are_one() {
    let root = "pub struct Item; use child::Child; \
                #[cfg(unix)] mod child { pub struct Child; } \
                #[cfg(windows)] mod child { use super::Item; }";
    assert_eq!(circle(&[("lib.rs", root)]).len(), 2);
    assert_eq!(checked(&[("lib.rs", root)]).unwrap().modules, 2);
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_is_named() {
    let missing = checked(&[("lib.rs", "mod a;")]).unwrap_err().to_string();
    assert!(missing.contains("a.rs: cannot read this file: "), "{missing}");

    let files = [("lib.rs", "mod a;"), ("a.rs", "fn f() {}\nfn fn() {}")];
    let unparsable = checked(&files).unwrap_err().to_string();
    assert!(unparsable.contains("a.rs: cannot parse line 2: "), "{unparsable}");
}

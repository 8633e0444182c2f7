//! What is not a dependency.

use crate::{NONE, circle, is_circle};

#[test]
fn a_declaration_of_a_module() {
    let child = "pub struct Child; use super::Parent;";
    assert_eq!(circle(&[("lib.rs", "pub struct Parent; mod child;"), ("child.rs", child)]), NONE);
}

#[test]
fn a_facade_over_a_child() {
    let facade = "mod child; mod other; pub use child::Child; pub use other::*;";
    let child = "pub struct Child; use super::other::Other;";
    let other = "pub struct Other; use super::super::child::Missing;";
    assert_eq!(
        circle(&[
            ("lib.rs", "mod facade;"),
            ("facade.rs", facade),
            ("facade/child.rs", child),
            ("facade/other.rs", other)
        ]),
        NONE
    );
}

#[test]
fn tests() {
    assert!(!is_circle("#[cfg(test)] mod tests { use crate::b::Thing; }"));
    assert!(!is_circle("#[cfg(all(test, not(x)))] mod tests { use crate::b::Thing; }"));
    assert!(!is_circle("#[cfg(all(unix, all(test)))] use crate::b::Thing;"));
    assert!(!is_circle("#[cfg(test)] mod tests;"));
    assert!(!is_circle("fn f() { #[cfg(test)] use crate::b::Thing; }"));
    assert!(!is_circle("impl Item { #[cfg(test)] fn f() { crate::b::make() } }"));
    assert!(is_circle("#[cfg(any(test, unix))] use crate::b::Thing;"));
    assert!(is_circle("#[cfg(not(test))] use crate::b::Thing;"));
}

#[test]
fn a_file_for_tests() {
    let only_for_tests = "#![cfg(test)] use crate::b::Thing;";
    let b = "pub struct Thing; use crate::a::Item;";
    assert_eq!(circle(&[("lib.rs", "mod a; mod b;"), ("a.rs", only_for_tests), ("b.rs", b)]), NONE);
}

#[test]
fn methods_visibility_and_other_crates() {
    assert!(!is_circle("fn f(x: u8) { x.make(); x.b::<u8>().thing() }"));
    assert!(!is_circle("pub(in crate::b) struct S;"));
    let root = "mod b; use ::b::Thing; fn f() { ::b::make() } pub struct Item;";
    assert_eq!(circle(&[("lib.rs", root), ("b.rs", "use crate::Item;")]), NONE);
    assert!(!is_circle("fn f() { m!(::b::make, b::make, $b::make) }"));
    assert!(!is_circle("/// See [`crate::b::Thing`].\nstruct S;"));
}

#[test]
fn a_variable_that_is_named_like_a_module() {
    let root = "mod child; fn f(child: u8) { g(child) } pub struct Item;";
    assert_eq!(circle(&[("lib.rs", root), ("child.rs", "use crate::Item;")]), NONE);
}

#[test]
fn tokens_that_lead_elsewhere() {
    let root =
        "pub struct Item; mod b; m!(::b::Thing, $b::Thing, x.b, b); m!(use crate::{Item as b});";
    assert_eq!(circle(&[("lib.rs", root), ("b.rs", "pub struct Thing; use crate::Item;")]), NONE);
}

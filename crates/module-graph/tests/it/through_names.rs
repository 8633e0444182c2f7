//! Names are followed to the module that defines the item.

use crate::circle;

#[test]
fn through_a_re_export() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b; mod facade; pub use a::One;"),
        ("facade.rs", "pub use crate::b::Two;"),
        ("a.rs", "use crate::facade::Two; pub struct One;"),
        ("b.rs", "use crate::One; pub struct Two;"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: Two", "crate::b -> crate::a: One"]);
}

#[test]
fn through_a_chain_with_globs_and_other_names() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b; mod first; mod second; mod third;"),
        ("first.rs", "pub use crate::second::*;"),
        ("second.rs", "pub use crate::third::Other as Last;"),
        ("third.rs", "pub use super::b::Two as Other;"),
        ("a.rs", "use super::first::Last; pub struct One;"),
        ("b.rs", "use crate::a::One; pub struct Two;"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: Two", "crate::b -> crate::a: One"]);
}

#[test]
fn through_a_glob_and_a_name_alone() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b; mod facade;"),
        ("facade.rs", "pub use crate::b::two;"),
        ("a.rs", "use crate::facade::*; pub struct One; fn f() { two() }"),
        ("b.rs", "use crate::a::One; pub fn two() {}"),
    ]);
    let a_to_b = ["crate::a -> crate::facade: *", "crate::facade -> crate::b: two"];
    assert_eq!(found, [a_to_b[0], "crate::b -> crate::a: One", a_to_b[1]]);
}

#[test]
fn through_an_imported_module() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b as other; pub struct One; fn f() { other::inner::two() }"),
        ("b.rs", "pub mod inner;"),
        ("b/inner.rs", "use crate::a::One; pub fn two() {}"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b::inner: two", "crate::b::inner -> crate::a: One"]);

    let found = circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::{self}; pub struct One; fn f() { b::inner::two() }"),
        ("b.rs", "pub mod inner;"),
        ("b/inner.rs", "use crate::a::One; pub fn two() {}"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b::inner: two", "crate::b::inner -> crate::a: One"]);
}

#[test]
fn through_another_name_of_the_crate() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b; extern crate self as this;"),
        ("a.rs", "use this::b::Two; pub struct One;"),
        ("b.rs", "use crate::this::a::One; pub struct Two;"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: Two", "crate::b -> crate::a: One"]);
}

#[test]
fn an_associated_item_belongs_to_its_type() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub enum Kind { One } use Kind::*; fn f() { super::b::Thing::new(One) }"),
        ("b.rs", "use crate::a::Kind::One; pub struct Thing;"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: Thing", "crate::b -> crate::a: Kind"]);
}

#[test]
fn a_module_and_a_function_of_one_name_are_two() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b; pub use a::a;"),
        ("a.rs", "pub fn a() {} pub struct One; fn f() { crate::b::two() }"),
        ("b.rs", "pub fn two() { crate::a::One; crate::a(); }"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: two", "crate::b -> crate::a: One a"]);

    let found = circle(&[
        ("lib.rs", "mod a; mod b; pub fn a() {}"),
        ("a.rs", "pub struct One; fn f() { crate::b::two() }"),
        ("b.rs", "pub fn two() { crate::a(); crate::a::One; }"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: two", "crate::b -> crate::a: One"]);
}

#[test]
fn what_comes_from_another_crate_belongs_to_the_module_that_exports_it() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub use std::sync::Arc; use crate::b::Two;"),
        ("b.rs", "use crate::a::Arc; pub struct Two;"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: Two", "crate::b -> crate::a: Arc"]);
}

#[test]
fn what_a_macro_makes_belongs_to_the_module_of_the_path() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "newtype!(One); use crate::b::Two;"),
        ("b.rs", "use crate::a::One; pub struct Two;"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: Two", "crate::b -> crate::a: One"]);
}

#[test]
fn globs_of_each_other_come_to_an_end() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub use crate::b::*; fn f() { Nowhere::new() }"),
        ("b.rs", "pub use crate::a::*; pub use nowhere::Nowhere;"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: *", "crate::b -> crate::a: *"]);
}

#[test]
fn a_chain_may_come_through_one_name_twice() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub use crate::b as other; pub struct One; fn f() { other::Two::new() }"),
        ("b.rs", "pub use crate::a::other::inner::Two; pub mod inner;"),
        ("b/inner.rs", "use crate::a::One; pub struct Two;"),
    ]);
    assert!(found.contains(&"crate::a -> crate::b::inner: Two".to_owned()), "{found:?}");
}

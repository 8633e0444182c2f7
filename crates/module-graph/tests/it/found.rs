//! What is a dependency: with it `a` closes a circle, as `b` uses `a`.

use crate::{checked, circle, is_circle};

#[test]
fn two_modules_that_use_each_other() {
    let found = circle(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::{Two, two}; pub struct One;"),
        ("b.rs", "use crate::a::One; pub struct Two; pub fn two() {}"),
    ]);
    assert_eq!(found, ["crate::a -> crate::b: Two two", "crate::b -> crate::a: One"]);
}

#[test]
fn a_report_has_the_file_and_line_of_each_dependency() {
    let checked = checked(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "\n\nuse crate::b::zwei;\npub struct One;\nuse crate::b::Two;"),
        ("b.rs", "use crate::c::Three;\npub struct Two; pub fn zwei() {}"),
        ("c.rs", "pub struct Three;\n\nfn f(_: crate::a::One) {}"),
        ("d.rs", "use crate::{a::One, b::Two};"),
    ])
    .unwrap();
    assert_eq!(checked.modules, 5);
    let [circle] = &checked.circles[..] else { panic!("{:?}", checked.circles) };
    assert_eq!(circle.modules, ["crate::a", "crate::b", "crate::c"]);
    let text = circle.to_string();
    assert!(text.contains("a.rs:3: crate::a uses crate::b::{zwei, Two}\n"), "{text}");
    assert!(text.contains("c.rs:3: crate::c uses crate::a::{One}\n"), "{text}");
}

#[test]
fn circles_apart_are_reported_apart() {
    let pair = "mod one { pub struct Item; use super::two::Item as _; } \
                mod two { pub struct Item; use super::one::Item as _; }";
    let checked = checked(&[("lib.rs", "mod a; mod b;"), ("a.rs", pair), ("b.rs", pair)]).unwrap();
    assert_eq!(checked.circles.len(), 2);
}

#[test]
fn uses() {
    assert!(!is_circle(""));
    assert!(is_circle("use crate::b::Thing;"));
    assert!(is_circle("pub use crate::b::Thing;"));
    assert!(is_circle("use super::b::{Thing as Other};"));
    assert!(is_circle("use super::b::*;"));
    assert!(is_circle("use crate::b;"));
    assert!(is_circle("use crate::b::{self};"));
    assert!(is_circle("fn f() { use crate::b::Thing; }"));
    assert!(is_circle("#[cfg(windows)] use crate::b::Thing;"));
}

#[test]
fn paths() {
    assert!(is_circle("fn f() { super::b::make() }"));
    assert!(is_circle("fn f() { self::super::b::make() }"));
    assert!(is_circle("fn f() { let _ = Vec::<crate::b::Thing>::new(); }"));
    assert!(is_circle("fn f(_: &crate::b::Thing) {}"));
    assert!(is_circle("impl From<crate::b::Thing> for Item {}"));
    assert!(is_circle("impl crate::b::Thing { fn f(&self) {} }"));
    assert!(is_circle("#[super::b::make] fn f() {}"));
    assert!(is_circle("#[derive(super::b::Thing)] struct S;"));
    assert!(is_circle("struct S { #[serde(with = \"crate::b::make\")] f: u8 }"));
}

#[test]
fn paths_in_macros() {
    assert!(is_circle("macro_rules! m { () => { $crate::b::make() } }"));
    assert!(is_circle(
        "macro_rules! m { () => { if true { use crate::{a::Item, b::{Thing}}; } } }"
    ));
    assert!(is_circle("fn f() { println!(\"{}\", super::b::make()); }"));
    assert!(is_circle("cfg_if! { if #[cfg(unix)] { use crate::b::*; } }"));
    assert!(is_circle("thread_local! { static S: crate::b::Thing = const { 0 } }"));
}

#[test]
fn parent_and_child() {
    let parent = "pub struct Parent; mod child; pub use child::Child;";
    let child = "pub struct Child; use super::Parent;";
    let expected = ["crate -> crate::child: Child", "crate::child -> crate: Parent"];
    assert_eq!(circle(&[("lib.rs", parent), ("child.rs", child)]), expected);

    let child = "pub struct Child; impl super::Parent { fn f(&self) {} }";
    assert_eq!(circle(&[("lib.rs", parent), ("child.rs", child)]), expected);

    let child = "pub struct Child; cfg_if! { if #[cfg(unix)] { use super::*; } }";
    let expected = ["crate -> crate::child: Child", "crate::child -> crate: self"];
    assert_eq!(circle(&[("lib.rs", parent), ("child.rs", child)]), expected);

    let parent = "pub struct Parent; mod child; const ALL: &[fn()] = many![child::f];";
    let child = "pub fn f() {} use super::*;";
    let expected = ["crate -> crate::child: f", "crate::child -> crate: *"];
    assert_eq!(circle(&[("lib.rs", parent), ("child.rs", child)]), expected);
}

//! The program and its exit code.

use std::path::Path;
use std::process::Command;

use crate::tree;

fn run(roots: &[&Path]) -> (Option<i32>, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_module-graph")).args(roots).output().expect("a program");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).expect("text"))
}

#[test]
fn without_a_circle() {
    let (_folder, root) = tree(&[("lib.rs", "mod a;"), ("a.rs", "")]);
    let (code, text) = run(&[&root, &root]);
    assert_eq!((code, &*text), (Some(0), "4 modules of 2 crates, no circle\n"));
}

#[test]
fn with_a_circle_in_one_of_the_crates() {
    let (_good_folder, good) = tree(&[("lib.rs", "")]);
    let files = [
        ("lib.rs", "mod a; pub struct Item; use a::Child;"),
        ("a.rs", "pub struct Child; use super::Item;"),
    ];
    let (_folder, root) = tree(&files);
    let (code, text) = run(&[&good, &root]);
    assert_eq!(code, Some(1));
    let start = format!("{}: 2 modules import each other in a circle:\n", root.display());
    assert!(text.starts_with(&start), "{text}");
    assert!(text.contains("lib.rs:1: crate uses crate::a::{Child}\n"), "{text}");
    assert!(text.contains("\nBreak each circle: move "), "{text}");
}

#[test]
fn without_a_crate_that_can_be_checked() {
    let (code, text) = run(&[Path::new("nowhere/lib.rs")]);
    assert_eq!(code, Some(2));
    assert!(text.contains("nowhere/lib.rs: cannot read this file"), "{text}");
    assert_eq!(run(&[]).0, Some(2));
}

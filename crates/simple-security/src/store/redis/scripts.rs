//! The scripts, each with the parts that are put before it.

use std::sync::LazyLock;

use redis::Script;

/// The hash of the store, which each script is given as its key.
pub(super) const STORE: &str = "simple-security:store";
/// The channel on which changes are announced, with the id of the store.
pub(super) const CHANNEL: &str = "simple-security:changes";

macro_rules! script {
    ($($part:literal),*) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $part))),*)))
    };
}

pub(super) static MAKE: LazyLock<Script> = script!("make.lua");
pub(super) static FIND: LazyLock<Script> = script!("store.lua", "find.lua");
pub(super) static READING: LazyLock<Script> = script!("store.lua", "changes_since.lua");
pub(super) static INSERT: LazyLock<Script> =
    script!("require_memory.lua", "store.lua", "deadline.lua", "add.lua", "insert.lua");
pub(super) static TAKEN: LazyLock<Script> = script!("store.lua", "exists.lua");
pub(super) static COMMIT: LazyLock<Script> =
    script!("store.lua", "deadline.lua", "add.lua", "commit.lua");
pub(super) static COMMIT_NEW: LazyLock<Script> =
    script!("require_memory.lua", "store.lua", "deadline.lua", "add.lua", "commit.lua");
pub(super) static PAGE: LazyLock<Script> = script!("store.lua", "page.lua");
pub(super) static USAGE: LazyLock<Script> = script!("store.lua", "usage.lua");
pub(super) static COUNT: LazyLock<Script> = script!("store.lua", "count.lua");

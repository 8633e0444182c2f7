//! JSON, a line each: what `--json` prints. Keys are written as the resource API writes them.

use serde::Serialize;

/// A line of JSON.
pub(super) fn line(value: &impl Serialize) -> String {
    // Serializing texts and numbers cannot fail.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

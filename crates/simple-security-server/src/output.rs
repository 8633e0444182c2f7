//! What is written for people and for programs.

use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

use unicode_width::UnicodeWidthChar as _;

use crate::failure::{self, Failure};

/// The standard output, which is written in large pieces: to be flushed at the end.
pub(crate) fn standard_output() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 * 1024, io::stdout().lock())
}

/// Writes a text to the standard output.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(failure::output)
}

/// How many columns the terminal has on which the output is shown; `None` where it is none.
pub(crate) fn columns() -> Option<usize> {
    let output = io::stdout();
    if !output.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(&output).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// A text that shows what is in it: what cannot be seen is written as `\u{202e}`. No name has such
/// characters, and one that was written into the database by hand cannot take over a terminal.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = character.is_control()
            || matches!(character, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        if hidden {
            // Writing to a string cannot fail.
            let _ = write!(visible, "{}", character.escape_unicode());
        } else {
            visible.push(character);
        }
    }
    visible
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|character| character.width().unwrap_or(0)).sum()
}

/// As much of a text as fits into so many columns, with `…` where something is left out.
pub(crate) fn fitted(text: &str, columns: usize) -> String {
    let width_of = |character: char| character.width().unwrap_or(0);
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut fitted: String = text
        .chars()
        .take_while(|&character| {
            let fits = width_of(character) <= left;
            left = left.saturating_sub(width_of(character));
            fits
        })
        .collect();
    fitted.push('…');
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_is_written() {
        assert_eq!(
            visible("shop é 🔑 \u{202e}\u{1b}[31m\n"),
            "shop é 🔑 \\u{202e}\\u{1b}[31m\\u{a}"
        );
    }

    #[test]
    fn a_text_fits_by_its_width() {
        assert_eq!(fitted("shop", 4), "shop");
        assert_eq!(fitted("shops", 4), "sho…");
        assert_eq!(fitted("商店商店", 8), "商店商店");
        assert_eq!(fitted("商店商店", 7), "商店商…");
        assert_eq!(fitted("商店商店", 6), "商店…");
        assert_eq!(fitted("shop", 0), "…");
    }
}

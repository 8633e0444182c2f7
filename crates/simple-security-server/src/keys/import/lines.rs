//! The lines of a file, of which none is longer than it needs to be.

use std::io::{BufRead, Read as _};

use crate::failure::Failure;

/// The longest line, in bytes: five times what the longest name needs in JSON, all of it escaped.
const LONGEST: usize = 16 * 1024;

/// What is wrong with a longer one.
pub(super) const TOO_LONG: &str = "it is longer than 16 KiB";

/// One line with its number, counted from 1.
pub(super) enum Line<'a> {
    Text(u64, &'a [u8]),
    TooLong(u64),
}

/// See the module.
pub(super) struct Lines {
    input: Box<dyn BufRead>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    pub(super) fn new(input: Box<dyn BufRead>) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// The next line without its end; `None`: there is none.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Failure> {
        let unreadable =
            |error| Failure::Refused(format!("the file cannot be read to its end: {error}"));
        self.line.clear();
        // With its end, and one more, to see that it is too long.
        let most = LONGEST as u64 + 2;
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.line);
        if read.map_err(unreadable)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.len() as u64 == most && !self.line.ends_with(b"\n") {
            self.input.skip_until(b'\n').map_err(unreadable)?;
            return Ok(Some(Line::TooLong(self.number)));
        }
        let mut text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        text = text.strip_suffix(b"\r").unwrap_or(text);
        if self.number == 1 {
            // Spreadsheets write a byte order mark.
            text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
        }
        Ok(Some(Line::Text(self.number, text)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut lines = Lines::new(Box::new(std::io::Cursor::new(bytes.to_vec())));
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("a line") {
            all.push(match line {
                Line::Text(number, text) => (number, Some(text.to_vec())),
                Line::TooLong(number) => (number, None),
            });
        }
        all
    }

    #[test]
    fn lines_end_as_on_any_system() {
        let texts = |bytes: &[u8]| -> Vec<_> {
            all(bytes).into_iter().map(|(_, text)| text.expect("a line")).collect()
        };
        assert_eq!(texts(b"a\nb\r\n\nc"), [&b"a"[..], b"b", b"", b"c"]);
        assert_eq!(texts("\u{feff}a\n\u{feff}b".as_bytes()), [b"a".to_vec(), "\u{feff}b".into()]);
        assert!(texts(b"").is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_costs_no_other() {
        let (fits, long) = ("x".repeat(LONGEST), "x".repeat(LONGEST + 2));
        let file = format!("a\n{fits}\n{long}\n{long}{long}{long}\nb\n{long}");
        let lengths: Vec<_> = all(file.as_bytes())
            .into_iter()
            .map(|(number, text)| (number, text.map(|text| text.len())))
            .collect();
        assert_eq!(
            lengths,
            [(1, Some(1)), (2, Some(LONGEST)), (3, None), (4, None), (5, Some(1)), (6, None)]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let lines = all(&bytes);
            prop_assert_eq!(lines.len(), bytes.split_inclusive(|byte| *byte == b'\n').count());
        }
    }
}

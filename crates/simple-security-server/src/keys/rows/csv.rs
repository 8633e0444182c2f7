//! Lines of CSV (RFC 4180). The first names the columns.
//!
//! A line is a key: no cell of ours has a line break in it, so that a quote which is never closed
//! costs one line and not the rest of the file.
//!
//! What a spreadsheet would take for a formula is written with a `'` before it
//! (<https://owasp.org/www-community/attacks/CSV_Injection>), and read back without it.

use csv_core::ReadRecordResult;

use super::{Column, Row, Value};

/// What begins a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Reads rows by the columns that the first line has named.
pub(in super::super) struct Reader {
    columns: Vec<Column>,
    cells: Cells,
}

impl Reader {
    /// Reads the line that names the columns.
    ///
    /// # Errors
    /// A text that says what is wrong. It shows nothing of the line, which may be a key.
    pub(in super::super) fn new(line: &[u8]) -> Result<Self, String> {
        let mut cells = Cells::new();
        let mut columns = Vec::new();
        for (cell, number) in cells.read(line, Column::ALL.len())?.into_iter().zip(1..) {
            let column = Column::named(cell.trim()).ok_or_else(|| {
                let known = Column::ALL.map(Column::name).join(", ");
                format!("the first line names the columns, and the name of column {number} is not known; known are {known}")
            })?;
            if columns.contains(&column) {
                return Err(format!("the first line names the column `{}` twice", column.name()));
            }
            columns.push(column);
        }
        if !columns.iter().any(|column| matches!(column, Column::Key | Column::Sha256)) {
            return Err("the first line names no column `key` or `sha256`".to_owned());
        }
        Ok(Self { columns, cells })
    }

    /// Reads one more line. An empty cell says nothing.
    ///
    /// # Errors
    /// A text that says what is wrong, and shows nothing of the line.
    pub(in super::super) fn read(&mut self, line: &[u8]) -> Result<Row, String> {
        let cells = self.cells.read(line, self.columns.len())?;
        if cells.len() < self.columns.len() {
            return Err("it has fewer cells than the first line has columns".to_owned());
        }
        let mut row = Row::default();
        for (cell, column) in cells.into_iter().zip(&self.columns) {
            if !cell.is_empty() {
                row.set(*column, Value::Text(without_mark(cell).to_owned()));
            }
        }
        Ok(row)
    }
}

/// The line of the names of the columns that are written.
pub(in super::super) fn head(columns: &[(Column, Value)]) -> String {
    columns.iter().map(|(column, _)| column.name()).collect::<Vec<_>>().join(",") + "\r\n"
}

/// A line of cells.
pub(in super::super) fn line(values: &[(Column, Value)]) -> String {
    let cell = |(_, value): &(Column, Value)| match value {
        Value::Text(text) => quoted(text),
        Value::Number(number) => number.to_string(),
        Value::Truth(truth) => truth.to_string(),
        Value::Null | Value::Other => String::new(),
    };
    values.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
}

fn quoted(text: &str) -> String {
    let mark = if is_marked_or_formula(text) { "'" } else { "" };
    // Readers drop spaces around a text, and a byte order mark before it.
    let dropped = [' ', '\u{feff}'];
    if text.contains(['"', ',', '\r', '\n']) || text.starts_with(dropped) || text.ends_with(' ') {
        format!("\"{mark}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{mark}{text}")
    }
}

/// A formula, or one with marks before it: it gets one more, so that each can be told from the others.
fn is_marked_or_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

fn without_mark(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_marked_or_formula(rest) => rest,
        _ => cell,
    }
}

/// Takes a line apart.
struct Cells {
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: [usize; Column::ALL.len() + 1],
}

impl Cells {
    fn new() -> Self {
        // What ends a line is gone; whatever else looks like an end is text.
        let terminator = csv_core::Terminator::Any(b'\n');
        let reader = csv_core::ReaderBuilder::new().terminator(terminator).build();
        Self { reader, text: Vec::new(), ends: Default::default() }
    }

    fn read(&mut self, line: &[u8], most: usize) -> Result<Vec<&str>, String> {
        if !line.iter().filter(|byte| **byte == b'"').count().is_multiple_of(2) {
            return Err("a quote is not closed on the same line".to_owned());
        }
        self.reader.reset();
        // The text of all cells is shorter.
        self.text.resize(line.len() + 1, 0);
        let (result, _, text, mut ends) =
            self.reader.read_record(line, &mut self.text, &mut self.ends);
        if result == ReadRecordResult::InputEmpty {
            // An input of nothing says that this was all.
            let rest = &mut self.ends[ends..];
            ends += self.reader.read_record(b"", &mut self.text[text..], rest).3;
        }
        if ends > most {
            return Err("it has more cells than the first line has columns".to_owned());
        }
        let mut begin = 0;
        let mut cells = Vec::with_capacity(ends);
        for &end in &self.ends[..ends] {
            let cell = self.text.get(begin..end).and_then(|cell| std::str::from_utf8(cell).ok());
            cells.push(cell.ok_or("it is not UTF-8")?);
            begin = end;
        }
        Ok(cells)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(line: &str) -> Result<Vec<String>, String> {
        let mut reader = Cells::new();
        let cells = reader.read(line.as_bytes(), Column::ALL.len())?;
        Ok(cells.into_iter().map(str::to_owned).collect())
    }

    fn head_of(line: &str) -> String {
        Reader::new(line.as_bytes()).err().unwrap_or_default()
    }

    #[test]
    fn a_line_is_taken_apart() {
        for (line, expected) in [
            ("a,b,c", &["a", "b", "c"][..]),
            ("a", &["a"]),
            ("a,", &["a", ""]),
            (",,", &["", "", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"a\"\"b\",\"\"", &["a\"b", ""]),
            (" a , b", &[" a ", " b"]),
            ("é,🔑", &["é", "🔑"]),
        ] {
            assert_eq!(cells(line).expect(line), expected, "{line}");
        }
        assert_eq!(cells("a\rb\n,").expect("cells"), ["a\rb"], "nothing in a line ends it");
        for wrong in ["\"a", "a,\"b", "a\"\"\"", &",".repeat(Column::ALL.len()), &",".repeat(30)] {
            assert!(cells(wrong).is_err(), "{wrong}");
        }
        assert!(Cells::new().read(b"\xff", 1).is_err());
    }

    #[test]
    fn the_first_line_names_the_columns() {
        assert_eq!(head_of("key"), "");
        assert_eq!(head_of("sha256, name ,id"), "");
        assert!(head_of("key,secret").contains("column 2"));
        assert!(head_of("key,name,key").contains("`key` twice"));
        assert!(head_of("id,name").contains("no column"));
        assert!(head_of("").contains("column 1") || head_of("").contains("no column"));
        let key = "an-imported-key-of-32-characters";
        assert!(!head_of(key).contains(key), "a file without a first line");
    }

    #[test]
    fn a_formula_is_marked() {
        for (text, written) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("'=1", "''=1"),
            ("'quoted'", "'quoted'"),
            ("=1,2", "\"'=1,2\""),
            ("a=b", "a=b"),
            ("\"", "\"\"\"\""),
        ] {
            assert_eq!(quoted(text), written);
            assert_eq!(without_mark(&cells(written).expect(written)[0]), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[^\\x00-\\x1f]{0,40}|['=+@ ,\"-]{0,8}") {
            let values = [(Column::Name, Value::Text(text.clone())), (Column::Key, Value::Null)];
            let mut reader = Reader::new(head(&values).trim_end().as_bytes()).expect("a head");
            let line = line(&values);
            let cell = cells(line.trim_end()).expect("cells").swap_remove(0);
            prop_assert!(!cell.starts_with(FORMULA), "{}", line);
            let row = reader.read(line.strip_suffix("\r\n").expect("an end").as_bytes()).expect("a row");
            let expected = (!text.is_empty()).then_some(Value::Text(text));
            prop_assert!(row.get(Column::Name) == expected.as_ref());
            prop_assert!(row.get(Column::Key).is_none());
        }

        #[test]
        fn no_line_panics(head in any::<Vec<u8>>(), line in any::<Vec<u8>>()) {
            if let Ok(mut reader) = Reader::new(&head) {
                let _ = reader.read(&line);
            }
            let mut reader = Reader::new(b"key,name").expect("a head");
            let _ = reader.read(&line);
            let _ = reader.read(b"a,b");
        }
    }
}

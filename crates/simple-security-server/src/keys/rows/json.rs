//! Lines of JSON: an object each.

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

use super::{Column, Row, Value};

/// Reads a line.
///
/// # Errors
/// A text that says what is wrong. It shows nothing of the line, in which there may be a key.
pub(in super::super) fn read(line: &[u8]) -> Result<Row, String> {
    let found: Found = serde_json::from_slice(line)
        .map_err(|_| "it is not an object in JSON, in UTF-8 and on one line".to_owned())?;
    found.fault.map_or(Ok(found.row), Err)
}

/// A line of what is written.
pub(in super::super) fn line(values: &[(Column, Value)]) -> String {
    super::super::json::line(&Object(values))
}

struct Object<'a>(&'a [(Column, Value)]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (column, value) in self.0 {
            match value {
                Value::Text(text) => object.serialize_entry(column.name(), text)?,
                Value::Number(number) => object.serialize_entry(column.name(), number)?,
                Value::Truth(truth) => object.serialize_entry(column.name(), truth)?,
                Value::Null | Value::Other => object.serialize_entry(column.name(), &())?,
            }
        }
        object.end()
    }
}

/// An object, and the first thing that is wrong with its members.
#[derive(Default)]
struct Found {
    row: Row,
    fault: Option<String>,
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Found;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        let mut number = 0;
        while let Some(name) = members.next_key::<String>()? {
            number += 1;
            let value: Value = members.next_value()?;
            let fault = match Column::named(&name) {
                None => {
                    let known = Column::ALL.map(Column::name).join(", ");
                    format!("the name of member {number} is not known; known are {known}")
                }
                Some(column) if found.row.set(column, value) => continue,
                Some(column) => format!("it has `{}` twice", column.name()),
            };
            found.fault.get_or_insert(fault);
        }
        Ok(found)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Truth(truth))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(line: &str) -> String {
        read(line.as_bytes()).err().unwrap_or_default()
    }

    #[test]
    fn an_object_is_read() {
        let row = read(br#"{"key": "k\u00e9", "total": 3, "never_expires": true, "id": null}"#);
        let row = row.expect("a row");
        let is = |column, value| row.get(column) == Some(&value);
        assert!(
            is(Column::Key, Value::Text("ké".to_owned())) && is(Column::Total, Value::Number(3))
        );
        assert!(is(Column::NeverExpires, Value::Truth(true)) && is(Column::Id, Value::Null));
        assert!(row.get(Column::Name).is_none());
    }

    #[test]
    fn what_is_no_object_is_refused_and_not_shown() {
        let deep = "[".repeat(10_000);
        for line in
            ["", "x", "1", "[]", "null", "{", "{}{}", "{\"key\":}", "{\"key\":\"a\nb\"}", &deep]
        {
            assert!(fault(line).contains("not an object"), "{line}");
        }
        assert!(read(b"{\"key\":\"\xff\"}").is_err());
        let secret = "an-imported-key-of-32-characters";
        assert!(fault(&format!("{{\"id\":\"a\",\"{secret}\":1}}")).contains("member 2"));
        assert!(!fault(&format!("{{\"{secret}\":1}}")).contains(secret));
        assert_eq!(fault("{\"key\":\"a\",\"name\":\"b\",\"key\":\"c\"}"), "it has `key` twice");
        assert_eq!(fault("{\"name\":[{\"a\":[1.5,-1]}]}"), "");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "\\PC{0,40}", number: u64, truth: bool) {
            let values = [
                (Column::Name, Value::Text(text)),
                (Column::Total, Value::Number(number)),
                (Column::NeverExpires, Value::Truth(truth)),
                (Column::RevokedAt, Value::Null),
            ];
            let line = line(&values);
            let row = read(line.trim_end_matches('\n').as_bytes()).expect("a row");
            for (column, value) in &values {
                prop_assert!(row.get(*column) == Some(value));
            }
        }

        #[test]
        fn no_line_panics(line in any::<Vec<u8>>(), text in "[\\[\\]{}\":,a-z0-9\\\\ .-]{0,60}") {
            let _ = read(&line);
            let _ = read(text.as_bytes());
        }
    }
}

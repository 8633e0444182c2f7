//! What a file of keys says of each of them: in the columns of CSV, or the members of an object in
//! JSON. The names are those of the resource API where it has the same.

use simple_security::{StoredKey, Timestamp};

pub(super) mod csv;
pub(super) mod json;
mod used;

/// What is said of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Key,
    Sha256,
    Name,
    Owner,
    State,
    CreatedAt,
    ExpiresAt,
    NeverExpires,
    RevokedAt,
    Total,
    LastUsedAt,
}

impl Column {
    /// All columns, each at its own number.
    pub(super) const ALL: [Self; 12] = [
        Self::Id,
        Self::Key,
        Self::Sha256,
        Self::Name,
        Self::Owner,
        Self::State,
        Self::CreatedAt,
        Self::ExpiresAt,
        Self::NeverExpires,
        Self::RevokedAt,
        Self::Total,
        Self::LastUsedAt,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Key => "key",
            Self::Sha256 => "sha256",
            Self::Name => "name",
            Self::Owner => "owner",
            Self::State => "state",
            Self::CreatedAt => "created_at",
            Self::ExpiresAt => "expires_at",
            Self::NeverExpires => "never_expires",
            Self::RevokedAt => "revoked_at",
            Self::Total => "total",
            Self::LastUsedAt => "last_used_at",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

/// What stands in a cell, or after the name of a member.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Truth(bool),
    Null,
    /// Something that has no place here, such as a list.
    Other,
}

/// One line. What is not said of a key is `None`.
#[derive(Default)]
pub(super) struct Row {
    values: [Option<Value>; Column::ALL.len()],
}

/// It may hold a plain key.
impl std::fmt::Debug for Row {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Row(hidden)")
    }
}

impl Row {
    fn get(&self, column: Column) -> Option<&Value> {
        self.values[column as usize].as_ref()
    }

    /// `false` where it was set before.
    fn set(&mut self, column: Column, value: Value) -> bool {
        self.values[column as usize].replace(value).is_none()
    }
}

/// All that is kept of a key, in the order in which it is written. Never the key itself: nobody has it.
pub(super) fn exported(key: &StoredKey, now: Timestamp) -> [(Column, Value); 11] {
    let StoredKey { digest, record, usage, .. } = key;
    let date = |date: Timestamp| Value::Text(date.to_string());
    let date_if = |there: Option<Timestamp>| there.map_or(Value::Null, date);
    let hex = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    [
        (Column::Id, Value::Text(record.id.to_string())),
        (Column::Sha256, Value::Text(hex)),
        (Column::Name, Value::Text(record.name.as_str().to_owned())),
        (Column::Owner, Value::Text(record.owner.as_str().to_owned())),
        (Column::State, Value::Text(record.state(now).as_str().to_owned())),
        (Column::CreatedAt, date(record.created_at)),
        (Column::ExpiresAt, date(record.expires_at)),
        (Column::NeverExpires, Value::Truth(record.never_expires)),
        (Column::RevokedAt, date_if(record.revoked_at)),
        (Column::Total, Value::Number(usage.total)),
        (Column::LastUsedAt, date_if(usage.last_used_at)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_stands_at_its_number() {
        for (number, column) in Column::ALL.into_iter().enumerate() {
            assert_eq!(column as usize, number);
            assert_eq!(Column::named(column.name()), Some(column));
        }
    }
}

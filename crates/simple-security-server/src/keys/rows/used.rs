//! What a row means. No text here shows what is in it: there may be a key, also in the wrong place.

use secrecy::SecretString;
use simple_security::{
    ImportedKey, InvalidTimestamp, KeyDigest, KeyMaterial, KeyName, KeyState, Owner, Timestamp,
    Usage,
};

use super::{Column, Row, Value};

impl Row {
    /// The key that the row tells of.
    ///
    /// # Errors
    /// A text that says what is wrong with it.
    pub(in super::super) fn imported_key(&self, now: Timestamp) -> Result<ImportedKey, String> {
        let expires_at = self.date(Column::ExpiresAt)?;
        let never = self.truth(Column::NeverExpires)?;
        // As the resource API has it: a date that is `null` never comes.
        let endless = self.get(Column::ExpiresAt) == Some(&Value::Null);
        if endless && never == Some(false) {
            return Err(
                "`expires_at` says that it never expires, and `never_expires` that it does"
                    .to_owned(),
            );
        }
        let total = self.number(Column::Total)?.unwrap_or(0);
        let mut key = ImportedKey::new(self.material()?);
        key.id = self
            .text(Column::Id)?
            .map(|id| id.parse().map_err(|error| format!("`id`: {error}")))
            .transpose()?;
        key.name = KeyName::new(self.text(Column::Name)?.unwrap_or_default())
            .map_err(|error| format!("`name`: {error}"))?;
        key.owner = Owner::new(self.text(Column::Owner)?.unwrap_or_default())
            .map_err(|error| format!("`owner`: {error}"))?;
        key.created_at = self.date(Column::CreatedAt)?;
        key.expires_at = expires_at;
        key.never_expires = endless || never == Some(true);
        key.revoked_at = self.revoked_at(now)?;
        key.usage = Usage::new(total, self.date(Column::LastUsedAt)?);
        Ok(key)
    }

    fn material(&self) -> Result<KeyMaterial, String> {
        match (self.text(Column::Key)?, self.text(Column::Sha256)?) {
            (Some(key), None) => Ok(KeyMaterial::Plain(SecretString::from(key.to_owned()))),
            (None, Some(hex)) => digest(hex)
                .map(KeyMaterial::Digest)
                .ok_or_else(|| "`sha256` has 64 characters of 0-9 and a-f".to_owned()),
            (None, None) => Err("it has neither `key` nor `sha256`".to_owned()),
            (Some(_), Some(_)) => Err("it has both `key` and `sha256`; one says it all".to_owned()),
        }
    }

    /// When the key was revoked. Where `state` and the date do not agree, nobody can tell which of
    /// them is wrong, and a key that was revoked must not come back.
    fn revoked_at(&self, now: Timestamp) -> Result<Option<Timestamp>, String> {
        let state = self.text(Column::State)?.map(str::parse).transpose();
        let state: Option<KeyState> = state.map_err(|error| format!("`state`: {error}"))?;
        match (state, self.date(Column::RevokedAt)?) {
            (Some(KeyState::Revoked), date) => Ok(date.or(Some(now))),
            (Some(_), Some(_)) => {
                Err("`state` says that it is not revoked, and `revoked_at` that it is".to_owned())
            }
            (_, date) => Ok(date),
        }
    }

    fn text(&self, column: Column) -> Result<Option<&str>, String> {
        match self.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{}` is a text", column.name())),
        }
    }

    fn date(&self, column: Column) -> Result<Option<Timestamp>, String> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        let date = text.parse();
        date.map(Some).map_err(|error: InvalidTimestamp| format!("`{}`: {error}", column.name()))
    }

    fn truth(&self, column: Column) -> Result<Option<bool>, String> {
        match self.get(column) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Truth(truth)) => Ok(Some(*truth)),
            // Spreadsheets write it in capitals.
            Some(Value::Text(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::Text(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(format!("`{}` is true or false", column.name())),
        }
    }

    fn number(&self, column: Column) -> Result<Option<u64>, String> {
        let number = match self.get(column) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => Some(*number),
            Some(Value::Text(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok()
            }
            Some(_) => None,
        };
        // A store counts in integers of 64 bits with a sign.
        let number = number.filter(|number| i64::try_from(*number).is_ok());
        number.map(Some).ok_or_else(|| format!("`{}` is a whole number, 0 or more", column.name()))
    }
}

fn digest(hex: &str) -> Option<KeyDigest> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(KeyDigest::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    const KEY: &str = "an-imported-key-of-32-characters";

    fn read(members: &str) -> Result<ImportedKey, String> {
        json::read(format!("{{{members}}}").as_bytes())?.imported_key(Timestamp::from_seconds(500))
    }

    fn fault(members: &str) -> String {
        let fault = read(members).err().unwrap_or_default();
        assert!(!fault.contains(KEY), "{fault}");
        fault
    }

    #[test]
    fn what_is_not_said_is_left_to_the_engine() {
        let key = read(&format!("\"key\":\"{KEY}\"")).expect("a key");
        assert!(
            (key.id, key.created_at, key.expires_at, key.revoked_at) == (None, None, None, None)
        );
        assert!(
            !key.never_expires && key.usage == Usage::default() && key.name.as_str().is_empty()
        );
    }

    #[test]
    fn a_digest_is_taken_as_it_is() {
        let hex = "0A".repeat(32);
        let key = read(&format!("\"sha256\":\"{hex}\",\"key\":null")).expect("a key");
        assert!(
            matches!(key.material, KeyMaterial::Digest(digest) if digest.as_bytes() == &[10; 32])
        );
        for wrong in
            [&hex[1..], &format!("{hex}0"), &hex.replace('A', "G"), &hex.replace("0A", "+A")]
        {
            assert!(fault(&format!("\"sha256\":\"{wrong}\"")).contains("64 characters"), "{wrong}");
        }
    }

    #[test]
    fn a_date_that_is_null_never_comes() {
        let with = |members: &str| read(&format!("\"key\":\"{KEY}\",{members}"));
        let never = |members: &str| with(members).expect("a key").never_expires;
        assert!(
            never("\"expires_at\":null") && never("\"expires_at\":null,\"never_expires\":true")
        );
        assert!(never("\"expires_at\":\"2030-01-31T12:00:00Z\",\"never_expires\":true"));
        assert!(!never("\"expires_at\":\"2030-01-31T12:00:00Z\""));
        assert!(with("\"expires_at\":null,\"never_expires\":false").is_err());
    }

    #[test]
    fn a_state_cannot_contradict_a_revocation() {
        let revoked =
            |members: &str| read(&format!("\"key\":\"{KEY}\",{members}")).map(|key| key.revoked_at);
        let date = "\"revoked_at\":\"1970-01-01T00:00:05Z\"";
        let at = |seconds| Ok(Some(Timestamp::from_seconds(seconds)));
        assert_eq!(revoked(date), at(5));
        assert_eq!(revoked(&format!("{date},\"state\":\"revoked\"")), at(5));
        assert_eq!(revoked("\"state\":\"revoked\""), at(500));
        assert_eq!(revoked("\"state\":\"expired\""), Ok(None));
        assert!(revoked(&format!("{date},\"state\":\"active\"")).is_err());
        assert!(revoked("\"state\":\"gone\"").is_err());
    }

    #[test]
    fn a_value_in_the_wrong_place_is_named_and_not_shown() {
        for column in Column::ALL.into_iter().filter(|column| *column != Column::Key) {
            let name = column.name();
            // Any text is a name.
            if read(&format!("\"key\":\"{KEY}\",\"{name}\":\"shop\"")).is_err() {
                let fault = fault(&format!("\"key\":\"{KEY}\",\"{name}\":\"{KEY}\""));
                assert!(fault.contains(&format!("`{name}`")), "{name}: {fault}");
            }
            let listed = fault(&format!("\"key\":\"{KEY}\",\"{name}\":[\"{KEY}\"]"));
            assert!(listed.contains(&format!("`{name}`")), "{name}: {listed}");
        }
        for total in ["-1", "1.5", "9223372036854775808", "\"\"", "\"+1\"", "\" 1\"", "true"] {
            assert!(
                fault(&format!("\"key\":\"{KEY}\",\"total\":{total}")).contains("`total`"),
                "{total}"
            );
        }
        assert!(fault("\"name\":\"a\"").contains("neither"));
        assert!(fault(&format!("\"key\":\"{KEY}\",\"name\":\"a\\u202e\"")).contains("`name`"));
    }
}

//! Checked keys on their way to the store: in a file without a name, which is gone with the process. Each
//! is a line as an export has it, with digests and no keys, after the number of the line that it comes from.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simple_security::store::StoreError;
use simple_security::{KeyMaterial, StoredKey, Timestamp};

use super::super::rows::{exported, json};
use crate::failure::Failure;

/// See the module.
pub(super) struct Spool {
    file: BufWriter<File>,
    keys: u64,
}

/// The line of the key that was handed out last.
#[derive(Clone, Default)]
pub(super) struct LastLine(Arc<AtomicU64>);

impl LastLine {
    pub(super) fn last(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Spool {
    pub(super) fn new() -> Result<Self, Failure> {
        Ok(Self { file: BufWriter::new(tempfile::tempfile().map_err(unwritable)?), keys: 0 })
    }

    pub(super) fn push(&mut self, line: u64, key: &StoredKey) -> Result<(), Failure> {
        self.keys += 1;
        // The state, which depends on the time, is not read back.
        let text = json::line(&exported(key, Timestamp::MIN));
        write!(self.file, "{line} {text}").map_err(unwritable)
    }

    /// All keys in their order.
    pub(super) fn read_back(
        self,
    ) -> Result<
        (impl Iterator<Item = Result<StoredKey, StoreError>> + Send + 'static, LastLine),
        Failure,
    > {
        let mut file = self.file.into_inner().map_err(|error| unwritable(error.into_error()))?;
        file.rewind().map_err(unwritable)?;
        let mut file = BufReader::new(file);
        let line = LastLine::default();
        let last = line.clone();
        let mut text = Vec::new();
        let keys = (0..self.keys).map(move |_| {
            text.clear();
            let read = file.read_until(b'\n', &mut text).and_then(|_| read(&text));
            let (line, key) = read.map_err(|error| StoreError::Failed {
                reason: format!("what was checked cannot be read back: {error}"),
                source: Some(error.into()),
            })?;
            last.0.store(line, Ordering::Relaxed);
            Ok(key)
        });
        Ok((keys, line))
    }
}

fn unwritable(error: io::Error) -> Failure {
    Failure::Refused(format!("the folder for temporary files cannot be used: {error}"))
}

fn read(text: &[u8]) -> io::Result<(u64, StoredKey)> {
    let damaged = || io::Error::other("a line of it is damaged");
    let end = text.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
    let number = std::str::from_utf8(&text[..end]).ok().and_then(|number| number.parse().ok());
    let row = json::read(&text[end + 1..]).map_err(io::Error::other)?;
    let key = row.imported_key(Timestamp::MIN).map_err(io::Error::other)?;
    let (KeyMaterial::Digest(digest), Some(id), Some(created_at), Some(expires_at)) =
        (&key.material, key.id, key.created_at, key.expires_at)
    else {
        return Err(damaged());
    };
    let digest = *digest;
    Ok((number.ok_or_else(damaged)?, key.stored(digest, id, created_at, expires_at)))
}

#[cfg(test)]
mod tests {
    use simple_security::{KeyDigest, KeyName, KeyRecord, Usage};

    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let id = "0123456789a".parse().expect("an id");
        let plain = KeyRecord::new(id, Timestamp::MIN, Timestamp::MAX);
        let mut record = plain.clone();
        record.name = KeyName::new(&"🔑".repeat(200)).expect("a name");
        record.never_expires = true;
        record.revoked_at = Some(Timestamp::from_seconds(-5));
        let mut one = StoredKey::new(KeyDigest::of(b"1"), record);
        one.usage = Usage::new(i64::MAX as u64, Some(Timestamp::from_seconds(7)));
        let other = StoredKey::new(KeyDigest::of(b"2"), plain);
        let mut spool = Spool::new().expect("a spool");
        spool.push(7, &one).and_then(|()| spool.push(9, &other)).expect("written");
        let (keys, line) = spool.read_back().expect("read");
        let keys: Vec<_> = keys.map(|key| key.expect("a key")).collect();
        assert_eq!((keys, line.last()), (vec![one, other], 9));
    }

    #[test]
    fn what_is_cut_is_an_error() {
        let id = "0123456789a".parse().expect("an id");
        let record = KeyRecord::new(id, Timestamp::MIN, Timestamp::MAX);
        let key = StoredKey::new(KeyDigest::of(b"1"), record);
        let line = format!("7 {}", json::line(&exported(&key, Timestamp::MIN)));
        assert_eq!(read(line.as_bytes()).expect("a key"), (7, key));
        for length in 0..line.len() - 1 {
            assert!(read(&line.as_bytes()[..length]).is_err(), "{length}");
        }
    }
}

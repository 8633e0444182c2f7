//! Checked keys on their way to the store: in a file without a name, which is gone with the process.
//! It has digests, no keys.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simple_security::store::StoreError;
use simple_security::{KeyDigest, KeyName, KeyRecord, StoredKey, Timestamp, Usage};

use crate::failure::Failure;

const NEVER_EXPIRES: u8 = 1;
const REVOKED: u8 = 2;
const USED: u8 = 4;

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
        write(&mut self.file, line, key).map_err(unwritable)
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
        let keys = (0..self.keys).map(move |_| {
            let (line, key) = read(&mut file).map_err(|error| StoreError::Failed {
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

fn write(file: &mut impl Write, line: u64, key: &StoredKey) -> io::Result<()> {
    let StoredKey { digest, record, usage } = key;
    let seconds = |time: Option<Timestamp>| time.map_or(0, Timestamp::seconds).to_le_bytes();
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags = flag(record.never_expires, NEVER_EXPIRES)
        | flag(record.revoked_at.is_some(), REVOKED)
        | flag(usage.last_used_at.is_some(), USED);
    let name = record.name.as_str().as_bytes();
    file.write_all(&line.to_le_bytes())?;
    file.write_all(digest.as_bytes())?;
    file.write_all(record.id.as_str().as_bytes())?;
    file.write_all(&[flags])?;
    file.write_all(&seconds(Some(record.created_at)))?;
    file.write_all(&seconds(Some(record.expires_at)))?;
    file.write_all(&seconds(record.revoked_at))?;
    file.write_all(&usage.total.to_le_bytes())?;
    file.write_all(&seconds(usage.last_used_at))?;
    // At most 200 characters, and so 800 bytes.
    file.write_all(&(name.len() as u16).to_le_bytes())?;
    file.write_all(name)
}

fn read(file: &mut impl Read) -> io::Result<(u64, StoredKey)> {
    let line = u64::from_le_bytes(bytes(file)?);
    let digest = KeyDigest::from_bytes(bytes(file)?);
    let id = bytes::<11>(file)?;
    let [flags] = bytes(file)?;
    let [created_at, expires_at, revoked_at] =
        [bytes(file)?, bytes(file)?, bytes(file)?].map(seconds);
    let total = u64::from_le_bytes(bytes(file)?);
    let last_used_at = seconds(bytes(file)?);
    let mut name = vec![0; u16::from_le_bytes(bytes(file)?).into()];
    file.read_exact(&mut name)?;
    let text = |bytes| std::str::from_utf8(bytes).map_err(io::Error::other);
    let is = |flag: u8| flags & flag != 0;
    let record = KeyRecord {
        id: text(&id)?.parse().map_err(io::Error::other)?,
        name: KeyName::new(text(&name)?).map_err(io::Error::other)?,
        created_at,
        expires_at,
        never_expires: is(NEVER_EXPIRES),
        revoked_at: is(REVOKED).then_some(revoked_at),
    };
    let usage = Usage { total, last_used_at: is(USED).then_some(last_used_at) };
    Ok((line, StoredKey { digest, record, usage }))
}

fn seconds(bytes: [u8; 8]) -> Timestamp {
    Timestamp::from_seconds(i64::from_le_bytes(bytes))
}

fn bytes<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let record = KeyRecord {
            id: "0123456789a".parse().expect("an id"),
            name: KeyName::new(&"🔑".repeat(200)).expect("a name"),
            created_at: Timestamp::MIN,
            expires_at: Timestamp::MAX,
            never_expires: true,
            revoked_at: Some(Timestamp::from_seconds(-5)),
        };
        let used = Usage { total: u64::MAX, last_used_at: Some(Timestamp::from_seconds(7)) };
        let one = StoredKey { digest: KeyDigest::of(b"1"), record: record.clone(), usage: used };
        let plain = KeyRecord {
            name: KeyName::default(),
            never_expires: false,
            revoked_at: None,
            ..record
        };
        let other =
            StoredKey { digest: KeyDigest::of(b"2"), record: plain, usage: Usage::default() };
        let mut spool = Spool::new().expect("a spool");
        spool.push(7, &one).and_then(|()| spool.push(9, &other)).expect("written");
        let (keys, line) = spool.read_back().expect("read");
        let keys: Vec<_> = keys.map(|key| key.expect("a key")).collect();
        assert_eq!((keys, line.last()), (vec![one, other], 9));
    }

    #[test]
    fn what_is_cut_is_an_error() {
        let mut file: &[u8] = &[0; 60];
        assert!(read(&mut file).is_err());
    }
}

//! Two stores, read side by side: both have their keys in the same order, so that a key meets its copy.

use std::vec::IntoIter;

use simple_security::clock::{Clock as _, SystemClock};
use simple_security::{Cursor, PageRequest, StoredKey};

use super::side::Side;
use crate::failure::Failure;
use crate::opening::wait;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// It is in the first store alone.
    From(StoredKey),
    /// It is in the second store alone.
    To(StoredKey),
    /// Keys with the same id, made in the same second: the one of each store.
    Both(StoredKey, StoredKey),
}

/// See the module. It holds two pages, however many keys there are.
pub(super) struct Walk {
    from: Keys,
    to: Keys,
}

impl Walk {
    pub(super) fn new(from: Side, to: Side, page: u32) -> Self {
        Self { from: Keys::new("FROM", from, page), to: Keys::new("TO", to, page) }
    }

    pub(super) fn from(&self) -> &Side {
        &self.from.side
    }

    pub(super) fn to(&self) -> &Side {
        &self.to.side
    }

    /// How many keys a page has.
    pub(super) fn page(&self) -> u32 {
        self.from.page
    }

    /// The newest that was not given yet; `None`: there is none. Keys may be added to the second store
    /// meanwhile, where they were found in the first alone: it is read beyond their place already.
    pub(super) fn next(&mut self) -> Result<Option<Met>, Failure> {
        let (from, to) = (self.from.place()?, self.to.place()?);
        // The newest comes first, and `None`, the end, last.
        let mut met = (None, None);
        if from >= to {
            met.0 = self.from.take();
        }
        if to >= from {
            met.1 = self.to.take();
        }
        Ok(match met {
            (Some(from), Some(to)) => Some(Met::Both(from, to)),
            (Some(from), None) => Some(Met::From(from)),
            (None, Some(to)) => Some(Met::To(to)),
            (None, None) => None,
        })
    }
}

/// The keys of one store, page by page.
struct Keys {
    argument: &'static str,
    side: Side,
    page: u32,
    read: IntoIter<StoredKey>,
    after: Option<Cursor>,
    ended: bool,
}

impl Keys {
    fn new(argument: &'static str, side: Side, page: u32) -> Self {
        Self { argument, side, page, read: Vec::new().into_iter(), after: None, ended: false }
    }

    /// The place of the next key.
    fn place(&mut self) -> Result<Option<Cursor>, Failure> {
        if self.read.as_slice().is_empty() && !self.ended {
            let request = PageRequest::default().after(self.after).with_limit(self.page);
            let read = wait(self.side.store.page(&request, SystemClock.now()));
            let read =
                read.map_err(|error| Failure::Refused(format!("{}: {error}", self.argument)))?;
            self.check(&read)?;
            self.ended = read.is_empty();
            self.after = read.last().map(|key| Cursor::of(&key.record));
            self.read = read.into_iter();
        }
        Ok(self.read.as_slice().first().map(|key| Cursor::of(&key.record)))
    }

    fn take(&mut self) -> Option<StoredKey> {
        self.read.next()
    }

    /// All relies on the order.
    fn check(&self, read: &[StoredKey]) -> Result<(), Failure> {
        let mut before = self.after;
        for key in read {
            let place = Cursor::of(&key.record);
            if before.is_some_and(|before| before <= place) {
                return Err(Failure::Refused(format!(
                    "{}: the store does not give its keys in their order",
                    self.argument
                )));
            }
            before = Some(place);
        }
        Ok(())
    }
}

//! The proof: both stores are gone through once more, and all that is kept of each key is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use simple_security::KeyId;
use simple_security::store::{Changed, LogPosition, StoreError};

use super::difference::{Lasting, lasting};
use super::side::Side;
use super::walk::{Met, Walk};
use crate::failure::Failure;
use crate::opening::wait;
use crate::progress::Progress;

/// How many keys are named of each kind of difference.
const NAMED: usize = 5;

/// What both stores have.
pub(super) struct Verified {
    pub(super) keys: u64,
    /// The sum of all totals, which may be more than one key can have.
    pub(super) uses: u128,
}

/// Why the stores are not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// Copying would make them the same.
    Behind,
    /// It is in the second store alone.
    Extra,
    Lasting(Lasting),
}

#[derive(Default)]
struct Faults(BTreeMap<Fault, (u64, Vec<KeyId>)>);

/// Compares the stores.
///
/// # Errors
/// Says what is not the same, with some of the keys.
pub(super) fn verify(mut walk: Walk, progress: Progress) -> Result<Verified, Failure> {
    let log = Log::begin(walk.from())?;
    let mut verified = Verified { keys: 0, uses: 0 };
    let mut faults = Faults::default();
    while let Some(met) = walk.next()? {
        match met {
            Met::From(key) => faults.add(Fault::Behind, key.record.id),
            Met::To(key) => faults.add(Fault::Extra, key.record.id),
            Met::Both(from, to) => {
                if from != to {
                    let fault = lasting(&from, &to).map_or(Fault::Behind, Fault::Lasting);
                    faults.add(fault, from.record.id);
                }
                verified.keys += 1;
                verified.uses += u128::from(from.usage.total);
                progress.step("compared", verified.keys);
            }
        }
    }
    if !faults.0.is_empty() {
        return Err(faults.report(walk.from(), walk.to()));
    }
    log.end(walk.from())?;
    Ok(verified)
}

/// What was changed in the first store while it was compared, behind the place that is read, the
/// comparison cannot see. The change log has it.
struct Log(LogPosition);

impl Log {
    fn begin(from: &Side) -> Result<Self, Failure> {
        Ok(Self(wait(from.store.changes_since(None)).map_err(|error| failed(&error))?.end))
    }

    fn end(self, from: &Side) -> Result<(), Failure> {
        let reading =
            wait(from.store.changes_since(Some(self.0))).map_err(|error| failed(&error))?;
        match reading.changed {
            Changed::Keys(keys) if keys.is_empty() => Ok(()),
            _ => Err(Failure::Refused(format!("{} {AGAIN}", from.name))),
        }
    }
}

const AGAIN: &str = "changed during the copy; run the command again";

fn failed(error: &StoreError) -> Failure {
    Failure::Refused(format!("FROM: {error}"))
}

impl Faults {
    fn add(&mut self, fault: Fault, id: KeyId) {
        let (count, named) = self.0.entry(fault).or_default();
        *count += 1;
        if named.len() < NAMED {
            named.push(id);
        }
    }

    fn report(self, from: &Side, to: &Side) -> Failure {
        let (from, to) = (&from.name, &to.name);
        let mut text = format!("{from} and {to} are not the same");
        for (fault, (count, named)) in self.0 {
            let what = match fault {
                Fault::Behind => format!("{from} {AGAIN}"),
                Fault::Extra => {
                    format!("only in {to}; what was deleted in {from} is to be deleted there too")
                }
                Fault::Lasting(Lasting::OtherKey) => format!("another key in {to}"),
                Fault::Lasting(Lasting::Revoked) => {
                    format!("revoked in {to} and not in {from}, and stays so")
                }
                Fault::Lasting(Lasting::RevokedAtAnotherTime) => {
                    format!("revoked at another time in {to}")
                }
                Fault::Lasting(Lasting::Used) => {
                    format!("with usage in {to} that {from} does not have")
                }
            };
            let more = match count - named.len() as u64 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named: Vec<_> = named.iter().map(KeyId::as_str).collect();
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {what}: {}{more}", named.join(", "));
        }
        Failure::Refused(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{add, key, side};
    use super::*;

    #[test]
    fn a_key_that_was_made_meanwhile_is_missed() {
        let (from, to) = (side("from"), side("to"));
        add(&from, (0..9).map(key).collect());
        add(&to, (1..9).map(key).collect());
        let verified = verify(Walk::new(from, to, 3), Progress::new(false));
        let Err(Failure::Refused(text)) = verified else { panic!("they are not the same") };
        let said = format!("from {AGAIN}: 00000000000");
        assert_eq!(text, format!("from and to are not the same\n  {said}"));
    }

    #[test]
    fn what_changes_behind_the_comparison_is_seen() {
        let from = side("from");
        let log = Log::begin(&from).expect("a log");
        assert!(log.end(&from).is_ok());
        let log = Log::begin(&from).expect("a log");
        add(&from, vec![key(1)]);
        assert!(log.end(&from).is_err());
    }
}

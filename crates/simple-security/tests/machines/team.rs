//! Several processes on one store, and keys that all of them present.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use simple_security::clock::{Clock, SystemClock};
use simple_security::{ApiKeys, IssuedKey, NewKey};
use tempfile::NamedTempFile;

use super::machine::{End, Machine, Report};
use super::worker::{Orders, open_store};
use super::{engine_builder, until, uptime, wait};

/// How many processes there are.
pub const MACHINES: usize = 3;

/// See the module.
pub struct Team {
    /// An engine of this process on the store.
    pub keys: Arc<ApiKeys>,
    /// The keys that are presented.
    pub issued: Arc<Vec<IssuedKey>>,
    machines: Vec<Machine>,
    _file: NamedTempFile,
}

/// What a team is to be.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// Where the keys are, for the processes.
    pub location: &'a str,
    /// The same, for this process.
    pub own_location: &'a str,
    pub keys: usize,
    pub threads: usize,
    pub requests: Option<u64>,
    pub deaf: bool,
}

impl<'a> Plan<'a> {
    pub fn new(location: &'a str, keys: usize) -> Self {
        Self { location, own_location: location, keys, threads: 2, requests: None, deaf: false }
    }
}

/// A key that was revoked, and the promise that was made.
pub struct Revoked {
    /// Which of the keys.
    pub number: usize,
    /// When the revocation was committed, in nanoseconds of uptime.
    pub committed: u64,
    /// From when on no request may be accepted, on the same clock.
    pub effective_by: u64,
}

impl Team {
    /// Makes the keys, and starts the processes.
    pub fn start(plan: Plan<'_>) -> Self {
        let keys = open(plan.own_location);
        let mut file = NamedTempFile::new().expect("a file");
        let issue = |_| wait(keys.issue(NewKey::default()).committed()).expect("a key");
        let issued: Vec<IssuedKey> = (0..plan.keys).map(|number| issue(number).outcome).collect();
        for key in &issued {
            writeln!(file, "{}", key.key.expose()).expect("written");
        }
        let orders = Orders {
            location: plan.location.to_owned(),
            keys: file.path().to_str().expect("UTF-8").to_owned(),
            threads: plan.threads,
            requests: plan.requests,
            deaf: plan.deaf,
        };
        let mut machines: Vec<Machine> = (0..MACHINES).map(|_| Machine::start(&orders)).collect();
        machines.iter_mut().for_each(Machine::wait_until_ready);
        Self { keys, issued: Arc::new(issued), machines, _file: file }
    }

    #[track_caller]
    pub fn reports(&mut self) -> Vec<Report> {
        self.machines.iter_mut().map(Machine::report).collect()
    }

    /// Waits until every process has accepted every key.
    #[track_caller]
    pub fn wait_until_all_are_accepted(&mut self) {
        until("all keys are accepted", || {
            self.machines.iter_mut().all(|machine| machine.report().least > 0)
        });
    }

    /// Waits until every process accepts again what it is asked, after the instant `since`. Gives
    /// back when the last request began that could not be answered.
    #[track_caller]
    pub fn wait_until_it_works(&mut self, since: u64) -> u64 {
        let mut last = 0;
        for machine in &mut self.machines {
            let mut before: Option<Report> = None;
            until("requests are accepted again", || {
                let now = machine.report();
                let works = before.is_some_and(|before| {
                    now.accepted > before.accepted && now.unavailable == before.unavailable
                });
                before = Some(now);
                last = last.max(now.last_unavailable);
                pause();
                works
            });
        }
        last.max(since)
    }

    /// Waits until every process is told that the store cannot answer, and accepts nothing meanwhile.
    #[track_caller]
    pub fn wait_until_nothing_is_accepted(&mut self) {
        for machine in &mut self.machines {
            let mut before = machine.report();
            until("nothing is accepted", || {
                pause();
                let now = machine.report();
                let nothing = now.accepted == before.accepted;
                if !nothing {
                    before = now;
                }
                // A request may wait for the store longer than the pause.
                nothing && now.unavailable > before.unavailable
            });
        }
    }

    /// Ends all processes. Their counts are written then.
    pub fn stop(self) -> Vec<End> {
        self.machines.into_iter().map(Machine::stop).collect()
    }
}

/// Revokes the key of this number, and does not wait. `None`: whether it was revoked is not known.
pub fn revoke(keys: &ApiKeys, issued: &[IssuedKey], number: usize) -> Option<Revoked> {
    let id = issued[number].record.id;
    let committed = wait(keys.revoke(id).committed()).ok()?;
    let (now, moment) = (uptime(), SystemClock.moment());
    let left = committed.effective_by.milliseconds() - moment.milliseconds();
    let left = Duration::from_millis(left.try_into().unwrap_or(0)).as_nanos() as u64;
    Some(Revoked { number, committed: now, effective_by: now + left })
}

/// The keys of a store, which an engine of this process asks.
pub fn open(place: &str) -> Arc<ApiKeys> {
    Arc::new(engine_builder(open_store(place)).build().expect("an engine"))
}

/// Waits until all that was promised is to be kept, and a little longer, under load.
#[track_caller]
pub fn wait_until_effective(revoked: &[Revoked]) {
    let last = revoked.iter().map(|revoked| revoked.effective_by).max().unwrap_or(0);
    until("the last bound is over", || {
        pause();
        uptime() > last + 100_000_000
    });
}

/// Lets the load go on for a while.
pub fn pause() {
    #[allow(clippy::disallowed_methods, reason = "the pace of a test under load")]
    std::thread::sleep(Duration::from_millis(50));
}

/// Nothing was accepted that began after the promise. Gives back, sorted, how long after each
/// commit the last request began that was accepted, in nanoseconds.
#[track_caller]
pub fn check_promises(revoked: &[Revoked], ends: &[End]) -> Vec<u64> {
    let mut delays = Vec::new();
    for Revoked { number, committed, effective_by } in revoked {
        let last = ends.iter().map(|end| end.of_keys[*number].1).max().expect("processes");
        assert!(
            last <= *effective_by,
            "key {number} was accepted {} ms after its revocation was effective",
            (last - effective_by) / 1_000_000
        );
        delays.push(last.saturating_sub(*committed));
    }
    delays.sort_unstable();
    delays
}

/// What was counted is what was accepted, for each key.
#[track_caller]
pub fn check_totals(keys: &ApiKeys, issued: &[IssuedKey], ends: &[End]) -> u64 {
    let mut sum = 0;
    for (number, key) in issued.iter().enumerate() {
        let accepted: u64 = ends.iter().map(|end| end.of_keys[number].0).sum();
        let counted = wait(keys.usage(key.record.id)).expect("usage").total;
        assert_eq!(counted, accepted, "key {number}: counted, accepted");
        sum += accepted;
    }
    sum
}

/// Nobody was told that a good key is none, and nothing else went wrong.
#[track_caller]
pub fn check_answers(ends: &[End]) {
    for End { report, .. } in ends {
        assert_eq!((report.unknown, report.other), (0, 0), "{report:?}");
    }
}

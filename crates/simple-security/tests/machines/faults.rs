//! A server or a network that fails while all processes are at work and keys are revoked: nothing is
//! accepted past the bound, and what was acknowledged is there afterwards, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use simple_security::{ApiKeys, IssuedKey, KeyId, KeyState, NewKey};

use super::kinds::Kind;
use super::servers::proxy::{Proxy, Way};
use super::team::{
    Plan, Revoked, Team, check_answers, check_promises, check_totals, pause, revoke,
    wait_until_effective,
};
use super::{of, until, uptime, wait};

pub fn killed(kind: &dyn Kind) {
    let mut trial = Trial::start(kind);
    for _ in 0..of(2, 20) {
        kind.kill();
        kind.start();
        trial.recovers();
    }
    trial.check("killed and started again");
}

pub fn cut(kind: &dyn Kind) {
    let mut trial = Trial::start(kind);
    for _ in 0..of(3, 20) {
        kind.cut_connections();
        trial.recovers();
    }
    trial.check("its connections cut");
}

pub fn stalled(kind: &dyn Kind) {
    over_a_network(kind, Way::Stalled, "behind a network that stalls");
}

pub fn dropped(kind: &dyn Kind) {
    over_a_network(kind, Way::Closed, "behind a network that drops");
}

pub fn exhausted(kind: &dyn Kind) {
    let mut trial = Trial::start(kind);
    kind.refuse_connections(true);
    trial.team.wait_until_nothing_is_accepted();
    lasts(Duration::from_secs(of(0, 10)));
    kind.refuse_connections(false);
    trial.recovers();
    trial.check("taking no connections");
}

fn over_a_network(kind: &dyn Kind, way: Way, what: &str) {
    let proxy = Proxy::to(kind.port());
    let mut trial = Trial::start_through(kind, Some(&proxy));
    proxy.set(way);
    trial.team.wait_until_nothing_is_accepted();
    lasts(Duration::from_secs(of(0, 25)));
    proxy.set(Way::Open);
    trial.recovers();
    trial.check(what);
}

/// Lets the load go on so long.
fn lasts(duration: Duration) {
    let end = uptime() + duration.as_nanos() as u64;
    until("it has lasted", || {
        pause();
        uptime() >= end
    });
}

/// Processes at work, and one that changes keys meanwhile.
struct Trial<'a> {
    kind: &'a dyn Kind,
    team: Team,
    changer: Changer,
    /// How long after each return of the server the last request began that was not answered.
    recoveries: Vec<u64>,
}

/// A thread that issues and revokes keys until it is told to stop.
struct Changer {
    stop: Arc<AtomicBool>,
    /// How many were revoked.
    revoked: Arc<AtomicUsize>,
    thread: std::thread::JoinHandle<Changes>,
}

/// What was acknowledged.
#[derive(Default)]
struct Changes {
    issued: Vec<KeyId>,
    revoked: Vec<Revoked>,
    /// Where there was an error: whether it was revoked is not known.
    unknown: usize,
}

impl<'a> Trial<'a> {
    fn start(kind: &'a dyn Kind) -> Self {
        Self::start_through(kind, None)
    }

    fn start_through(kind: &'a dyn Kind, proxy: Option<&Proxy>) -> Self {
        let own = kind.make_store();
        let theirs = proxy.map_or(own.clone(), |proxy| proxy.through(&own));
        let plan = Plan { location: &theirs, ..Plan::new(&own, of(100, 1_000)) };
        let mut team = Team::start(plan);
        team.wait_until_all_are_accepted();
        let changer = Changer::start(Arc::clone(&team.keys), Arc::clone(&team.issued));
        // Before anything fails, so that there are promises to keep.
        until("keys are revoked", || changer.revoked.load(Ordering::SeqCst) >= 3);
        Self { kind, team, changer, recoveries: Vec::new() }
    }

    /// The server is there again: requests are accepted again.
    #[track_caller]
    fn recovers(&mut self) {
        let up = uptime();
        self.recoveries.push(self.team.wait_until_it_works(up) - up);
    }

    #[track_caller]
    fn check(self, what: &str) {
        let changes = self.changer.stop();
        wait_until_effective(&changes.revoked);
        let (keys, issued) = (Arc::clone(&self.team.keys), Arc::clone(&self.team.issued));
        let ends = self.team.stop();
        check_promises(&changes.revoked, &ends);
        check_answers(&ends);
        let lost = changes.lost(&keys, &issued);
        let accepted = if self.kind.may_lose() {
            ends.iter().map(|end| end.report.accepted).sum()
        } else {
            assert_eq!(lost, 0, "acknowledged changes were lost");
            check_totals(&keys, &issued, &ends)
        };
        let milliseconds = |nanoseconds: &u64| *nanoseconds as f64 / 1e6;
        println!(
            "{}, {what}: {} keys issued and {} revoked meanwhile, of which {lost} were lost; 0 accepted after effective_by; \
             {accepted} requests accepted; back after at most {:.0} ms ({} times); {} changes ended in an error",
            self.kind.name(),
            changes.issued.len(),
            changes.revoked.len(),
            self.recoveries.iter().map(milliseconds).fold(0.0, f64::max),
            self.recoveries.len(),
            changes.unknown,
        );
        assert!(!changes.issued.is_empty(), "nothing was issued");
        assert!(!changes.revoked.is_empty(), "nothing was revoked");
    }
}

impl Changer {
    /// Every second key stays as it is, so that there is always one that is good.
    fn start(keys: Arc<ApiKeys>, pool: Arc<Vec<IssuedKey>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let revoked = Arc::new(AtomicUsize::new(0));
        let (told, counted) = (Arc::clone(&stop), Arc::clone(&revoked));
        let thread = std::thread::spawn(move || {
            let mut changes = Changes::default();
            let mut numbers = (0..pool.len()).step_by(2);
            while !told.load(Ordering::SeqCst) {
                match wait(keys.issue(NewKey::default()).committed()) {
                    Ok(key) => changes.issued.push(key.outcome.record.id),
                    Err(_) => changes.unknown += 1,
                }
                if let Some(number) = numbers.next() {
                    match revoke(&keys, &pool, number) {
                        Some(revoked) => {
                            changes.revoked.push(revoked);
                            counted.fetch_add(1, Ordering::SeqCst);
                        }
                        None => changes.unknown += 1,
                    }
                }
                pause();
            }
            changes
        });
        Self { stop, revoked, thread }
    }

    fn stop(self) -> Changes {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("it has ended")
    }
}

impl Changes {
    /// How much of what was acknowledged is not in the store.
    fn lost(&self, keys: &ApiKeys, pool: &[IssuedKey]) -> usize {
        let state = |id| wait(keys.find(id)).ok().map(|key| key.state);
        let issued = self.issued.iter().filter(|id| state(**id) != Some(KeyState::Active));
        let is_revoked =
            |revoked: &Revoked| state(pool[revoked.number].record.id) == Some(KeyState::Revoked);
        let revoked = self.revoked.iter().filter(|revoked| !is_revoked(revoked));
        issued.count() + revoked.count()
    }
}

//! What a process has acknowledged is there after it was killed.

use std::collections::BTreeMap;
use std::path::Path;

use simple_security::VerifyError;
use simple_security::clock::{Clock, SystemClock};
use test_support::rounds;

use super::child::{Player, say};
use super::{Folder, by_hand, issue, real_engine, wait};

/// Issues keys and revokes every third, on several threads, until it is killed. It says what it
/// has done, each time after it was done.
pub fn issue_for_ever(database: &Path) {
    let keys = real_engine(database);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0.. {
                    let issued = issue(&keys);
                    let key = issued.key.expose();
                    say(&format!("issued {key}"));
                    wait(keys.verify(key.as_bytes())).expect("verified");
                    if number % 3 == 0 {
                        wait(keys.revoke(issued.record.id)).expect("revoked");
                        say(&format!("revoked {key}"));
                    }
                }
            });
        }
    });
}

/// Issues a few keys and stops as a process should.
pub fn issue_and_stop(database: &Path) {
    let keys = real_engine(database);
    for _ in 0..3 {
        say(&format!("issued {}", issue(&keys).key.expose()));
    }
}

/// The keys that were acknowledged, and whether their revocation was.
#[derive(Default)]
pub struct Ledger(BTreeMap<String, bool>);

impl Ledger {
    pub fn note(&mut self, said: &str) {
        match said.split_once(' ') {
            Some(("issued", key)) => drop(self.0.entry(key.to_owned()).or_insert(false)),
            Some(("revoked", key)) => drop(self.0.insert(key.to_owned(), true)),
            _ => panic!("{said:?}"),
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Compares it with a database that nobody else has open.
    pub fn compare(&self, database: &Path, when: &str) {
        let keys = real_engine(database);
        for (key, revoked) in &self.0 {
            match (wait(keys.verify(key.as_bytes())), revoked) {
                (Err(VerifyError::Revoked(_)), _) | (Ok(_), false) => {}
                (Ok(_), true) => panic!("a revocation was lost, {when}"),
                (Err(denied), _) => panic!("a key was lost, {when}: {denied}"),
            }
        }
        drop(keys);
        let whole: String = by_hand(database)
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect("a check");
        assert_eq!(whole, "ok", "{when}");
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_a_process_is_killed() {
    let folder = Folder::new();
    let seed = SystemClock.uptime().nanoseconds();
    let (mut ledger, mut random) = (Ledger::default(), seed);
    for round in 0..rounds(20) {
        let mut player = Player::start("issue_for_ever", &folder.database());
        // Knuth's generator, of which the upper half is good enough.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        for _ in 0..1 + (random >> 32) % 30 {
            ledger.note(&player.next().expect("it goes on for ever"));
        }
        for said in player.kill() {
            ledger.note(&said);
        }
        ledger.compare(&folder.database(), &format!("round {round}, seed {seed}"));
    }
    assert!(ledger.len() >= 20);
}

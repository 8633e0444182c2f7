//! Another SQLite library in the same process, such as Python's own.
//!
//! The kernel drops all POSIX locks that a process holds on a file when the process closes any
//! descriptor of it (<https://sqlite.org/howtocorrupt.html>, section 2.2), so another library that
//! opens and closes the database takes away the locks of ours. Without a lock of our own on a
//! file beside it, two processes then write at the same time and lose what they acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};

use super::child::Player;
use super::killed::Ledger;
use super::rounds::rounds;
use super::{Folder, beside, issue, real_engine, verify, wait};

#[test]
fn no_write_is_lost_when_another_library_drops_our_locks() {
    let folder = Folder::new();
    let path = folder.database();
    let keys = real_engine(&path);
    let mut players: Vec<_> = (0..2).map(|_| Player::start("issue_for_ever", &path)).collect();
    let mut ledger = Ledger::default();
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // What another library does with the files, without its taking any lock.
        scope.spawn(|| {
            let files = [beside(&path, "shm"), beside(&path, "wal"), path.clone()];
            while !finished.load(Ordering::SeqCst) {
                for file in &files {
                    drop(std::fs::read(file));
                }
            }
        });
        let _finish = Finish(&finished);
        for _ in 0..rounds(150) {
            let issued = issue(&keys);
            ledger.note(&format!("issued {}", issued.key.expose()));
            verify(&keys, &issued).expect("verified");
            for player in &mut players {
                ledger.note(&player.next().expect("it goes on for ever"));
            }
        }
    });
    assert!(wait(keys.list()).is_ok());
    drop(keys);
    for player in players {
        for said in player.kill() {
            ledger.note(&said);
        }
    }
    ledger.compare(&path, "with another library in the process");
}

/// Ends the other thread, also when this one fails.
struct Finish<'a>(&'a AtomicBool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

//! Another SQLite library in the same process, such as Python's own.
//!
//! The kernel drops all POSIX locks that a process holds on a file when the process closes any
//! descriptor of it (<https://sqlite.org/howtocorrupt.html>, section 2.2), so another library that
//! opens and closes the database takes away the locks of ours. Without a lock of our own on a
//! file beside it, two processes then write at the same time and lose what they acknowledged.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use simple_security::store::StoreError;
use simple_security::{ApiKeys, KeyError, NewKey, VerifyError};
use test_support::rounds;

use super::child::Player;
use super::killed::Ledger;
use super::{Folder, beside, real_engine, verify, wait};

/// Its number on Linux (signal(7)).
const SIGBUS: i32 = 7;

/// Does what another library does with the files, without its taking any lock, while `work` is
/// done.
fn beside_another_library(database: &Path, work: impl FnOnce()) {
    let files = [beside(database, "shm"), beside(database, "wal"), database.to_owned()];
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !finished.load(Ordering::SeqCst) {
                for file in &files {
                    drop(std::fs::read(file));
                }
            }
        });
        let _finish = Finish(&finished);
        work();
    });
}

#[test]
fn no_write_is_lost_when_another_library_drops_our_locks() {
    let folder = Folder::new();
    let path = folder.database();
    let keys = real_engine(&path);
    let start = || Player::start("issue_for_ever", &path);
    let mut players = [start(), start()];
    let (mut ledger, mut refused, mut killed) = (Ledger::default(), Vec::new(), Vec::new());
    beside_another_library(&path, || {
        for _ in 0..rounds(300) {
            issue_and_note(&keys, &mut ledger, &mut refused);
            for player in &mut players {
                match player.next() {
                    Some(said) => ledger.note(&said),
                    // A file that is cut while it is mapped kills by SIGBUS. What was said counts.
                    None => killed.push(std::mem::replace(player, start()).end()),
                }
            }
        }
    });
    drop(keys);
    assert!(
        killed.len() <= 3 && killed.iter().all(|end| end.signal() == Some(SIGBUS)),
        "{killed:?}"
    );
    assert!(refused.len() <= ledger.len() / 20, "{refused:?}");
    for player in players {
        for said in player.kill() {
            ledger.note(&said);
        }
    }
    ledger.compare(&path, "with another library in the process");
}

#[test]
fn no_write_is_lost_when_others_take_themselves_for_the_last_to_stop() {
    let folder = Folder::new();
    let path = folder.database();
    let keys = real_engine(&path);
    let (mut ledger, mut refused) = (Ledger::default(), Vec::new());
    beside_another_library(&path, || {
        for _ in 0..rounds(25) {
            // The last that closes a database removes its log, and to the kernel we do not have
            // it open any more.
            let mut player = Player::start("issue_and_stop", &path);
            while let Some(said) = player.next() {
                ledger.note(&said);
                issue_and_note(&keys, &mut ledger, &mut refused);
            }
        }
    });
    drop(keys);
    assert!(refused.len() <= ledger.len() / 20, "{refused:?}");
    ledger.compare(&path, "with another library in the process");
}

/// Without its locks, SQLite may find a file in a state that it cannot explain. To say so is
/// right; to say that a key was made and to lose it is not.
fn issue_and_note(keys: &ApiKeys, ledger: &mut Ledger, refused: &mut Vec<StoreError>) {
    let issued = match wait(keys.issue(NewKey::default())) {
        Ok(issued) => issued,
        Err(KeyError::Store(error)) => return refused.push(error),
        Err(error) => panic!("{error}"),
    };
    ledger.note(&format!("issued {}", issued.key.expose()));
    match verify(keys, &issued) {
        Ok(_) | Err(VerifyError::Unavailable(_)) => {}
        Err(denied) => panic!("{denied}"),
    }
}

/// Ends the other thread, also when this one fails.
struct Finish<'a>(&'a AtomicBool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

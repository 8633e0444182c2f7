//! A store in whose place another one is put while processes are at work: an older copy of it, or
//! nothing. What was cached from before counts no longer than the bound.

use std::sync::Arc;

use simple_security::{KeyEdit, KeyName, Renewal};

use super::kinds::Kind;
use super::team::{Plan, Team, pause};
use super::{bound, until, uptime, wait};

pub fn older(kind: &dyn Kind) {
    let location = kind.make_store();
    let mut team = Team::start(Plan::new(&location, 10));
    team.wait_until_all_are_accepted();
    let (keys, issued) = (Arc::clone(&team.keys), Arc::clone(&team.issued));
    let id = issued[0].record.id;
    wait(keys.revoke(id)).expect("revoked");
    kind.kill();
    kind.keep_copy();
    kind.start();
    until("the key is renewed", || wait(keys.renew(id, Renewal::DefaultLifetime)).is_ok());
    team.wait_until_it_works(uptime());
    let before = team.reports()[0].revoked;
    kind.kill();
    kind.put_copy_back();
    kind.start();
    // As many positions as before and more, so that only the marks tell the logs apart.
    for name in ["one", "two", "three", "four"] {
        let name = KeyName::new(name).expect("a name");
        let edit = KeyEdit::default().with_name(name);
        until("a key is edited", || {
            wait(keys.edit(issued[1].record.id, edit.clone()).committed()).is_ok()
        });
    }
    let restored = uptime();
    team.wait_until_it_works(restored);
    until("the bound is over", || {
        pause();
        uptime() > restored + bound()
    });
    until("the key is revoked as in the copy", || team.reports()[0].revoked > before);
    let ends = team.stop();
    let last = ends.iter().map(|end| end.of_keys[0].1).max().expect("processes");
    assert!(last <= restored + bound(), "accepted {} ms after", (last - restored) / 1_000_000);
    assert!(ends.iter().all(|end| end.report.unknown == 0 && end.report.other == 0));
}

pub fn empty(kind: &dyn Kind) {
    let location = kind.make_store();
    let mut team = Team::start(Plan::new(&location, 10));
    team.wait_until_all_are_accepted();
    kind.kill();
    kind.keep_copy();
    kind.put_empty();
    kind.start();
    let emptied = uptime();
    team.wait_until_nothing_is_accepted();
    until("the bound is over", || {
        pause();
        uptime() > emptied + bound()
    });
    let before = team.reports();
    for _ in 0..10 {
        pause();
    }
    for (before, report) in before.iter().zip(team.reports()) {
        assert_eq!(report.accepted, before.accepted, "accepted after the bound");
        assert!(report.unavailable > before.unavailable, "the load did not go on");
        assert_eq!((report.unknown, report.other), (0, 0), "nobody is told that a key is none");
    }
    kind.kill();
    kind.put_copy_back();
    kind.start();
    team.wait_until_it_works(uptime());
    let ends = team.stop();
    assert!(ends.iter().all(|end| end.report.unknown == 0 && end.report.other == 0));
}

//! Lookups that another server answers than the one that was read, and more of them than it bears.

use super::servers::hand::Hand;
use super::servers::postgres::Postgres;
use super::servers::proxy::{Proxy, Way};
use super::servers::waiting::until;
use super::{Keys, is_unreachable};

/// What only one server of two has: the newest row of the log is another one.
const OTHER_HISTORY: &str = "UPDATE simple_security.key_changes SET mark = mark + 1
    WHERE position = (SELECT max(position) FROM simple_security.key_changes)";

#[test]
fn a_look_up_is_not_answered_by_a_server_of_another_history() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    keys.mark();
    assert!(keys.try_find(1).expect("found").is_some());
    hand.run(OTHER_HISTORY);
    for _ in 0..2 {
        let found = keys.try_find(1);
        assert!(is_unreachable(&found), "{found:?}");
        let unknown = keys.try_find(2);
        assert!(is_unreachable(&unknown), "it is not said that there is no such key: {unknown:?}");
    }
    keys.mark();
    assert!(keys.try_find(1).expect("found").is_some(), "what is read now is what counts");
}

#[test]
fn a_server_that_has_dropped_the_row_as_too_old_answers() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    keys.mark();
    keys.insert(2);
    hand.run(
        "DELETE FROM simple_security.key_changes
         WHERE position < (SELECT max(position) FROM simple_security.key_changes)",
    );
    assert!(keys.try_find(2).expect("found").is_some());
}

#[test]
fn a_crowd_of_look_ups_that_is_not_answered_leaves_nothing_behind() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let proxy = Proxy::to(server.port());
    let keys = Keys::open(&proxy.through(&url));
    keys.insert(1);
    for _ in 0..3 {
        until("it is found", || keys.try_find(1).is_ok_and(|found| found.is_some()));
        proxy.set(Way::Stalled);
        std::thread::scope(|scope| {
            for number in 0..200 {
                let keys = &keys;
                scope.spawn(move || {
                    let found = keys.try_find(number);
                    assert!(is_unreachable(&found), "{found:?}");
                });
            }
        });
        proxy.set(Way::Open);
    }
    until("it is found again", || keys.try_find(1).is_ok_and(|found| found.is_some()));
    let hand = Hand::on(&url);
    let others = "SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    until("the connections that hung are closed", || hand.ask(others).len() <= 3);
}

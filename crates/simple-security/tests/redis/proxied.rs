//! A way to the server that fails: what is asked fails in time, and nothing is done by half or twice.

use std::time::Duration;

use simple_security::Usage;
use simple_security::clock::{Clock, SystemClock};
use simple_security::store::StoreError;

use super::servers::proxy::{Proxy, Way};
use super::servers::redis::Redis;
use super::servers::waiting::eventually;
use super::{batch, find, id, import, insert, make, open, record, wait};

#[test]
fn a_look_up_fails_in_time_and_goes_on_when_it_can() {
    let server = Redis::start();
    insert(&make(&server.url()), 1).expect("a key");
    let proxy = Proxy::to(server.port());
    let store = open(&proxy.through(&server.url()));
    for _ in 0..2 {
        assert_eq!(find(&store, 1).expect("found"), Some(record(1)));
        proxy.set(Way::Stalled);
        // The first on a connection that is there, the second on one that must be made.
        for _ in 0..2 {
            let began = SystemClock.uptime().nanoseconds();
            let error = find(&store, 1).expect_err("nothing goes through");
            let took = Duration::from_nanos(SystemClock.uptime().nanoseconds() - began);
            assert!(error.is_outage(), "{error}");
            assert!(took < Duration::from_secs(10), "{took:?}");
            assert!(wait(store.reading(None)).expect_err("nothing goes through").is_outage());
        }
        proxy.set(Way::Open);
        assert_eq!(find(&store, 1).expect("found"), Some(record(1)), "at once");
    }
}

#[test]
fn a_connection_that_answered_too_late_is_not_used_again() {
    let server = Redis::start();
    insert(&make(&server.url()), 1).expect("a key");
    let proxy = Proxy::to(server.port());
    let store = open(&proxy.through(&server.url()));
    assert_eq!(find(&store, 1).expect("found"), Some(record(1)));
    proxy.forget_connections();
    assert!(find(&store, 1).expect_err("nothing goes through").is_outage());
    assert_eq!(find(&store, 1).expect("found"), Some(record(1)), "at once");
}

#[test]
fn a_change_whose_answer_was_lost_is_not_sent_again() {
    let server = Redis::start();
    let direct = make(&server.url());
    let proxy = Proxy::to(server.port());
    let store = open(&proxy.through(&server.url()));
    insert(&store, 1).expect("a key");
    find(&store, 1).expect("found");
    proxy.set(Way::LosesAnswer);
    let error = insert(&store, 2).expect_err("whether it was added is not known");
    assert!(error.is_outage(), "{error}");
    assert_eq!(find(&direct, 2).expect("found"), Some(record(2)));
    proxy.set(Way::LosesAnswer);
    assert_eq!(find(&store, 2).expect("asked again"), Some(record(2)));
    assert_eq!(proxy.way(), Way::Open);
    insert(&store, 3).expect("a key");
}

#[test]
fn a_connection_that_the_server_has_closed_is_not_used() {
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 0).expect("a key");
    for number in 1..=20 {
        server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        find(&store, 0).expect("found on a new connection");
        // What is sent before its end is known here may be lost, and is not sent again.
        eventually("end of the connections", || (!is_half_closed(server.port())).then_some(()));
        insert(&store, number).expect("added on a new connection");
    }
}

/// Whether there is a connection that the server has closed, and we have not (proc(5), `net/tcp`:
/// state 8).
fn is_half_closed(server: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").expect("proc");
    sockets.contains(&format!(" 0100007F:{server:04X} 08 "))
}

#[test]
fn a_way_that_is_closed_is_an_outage_until_it_opens() {
    let server = Redis::start();
    let proxy = Proxy::to(server.port());
    let store = make(&proxy.through(&server.url()));
    for number in 0..20 {
        insert(&store, number).expect("a key");
        find(&store, number).expect("found").expect("a key");
        proxy.set(Way::Closed);
        let error = eventually("outage", || find(&store, number).err());
        assert!(error.is_outage(), "{error}");
        proxy.set(Way::Open);
        let found = eventually("answer", || find(&store, number).ok());
        assert_eq!(found, Some(record(number)));
    }
}

#[test]
fn a_batch_that_was_cut_and_sent_again_is_added_once() {
    const KEYS: u32 = 2000;
    let server = Redis::start();
    let direct = make(&server.url());
    import(&direct, 0..KEYS).expect("added");
    let proxy = Proxy::to(server.port());
    let store = open(&proxy.through(&server.url()));
    let totals = || {
        let listed = wait(direct.list()).expect("a list");
        listed.into_iter().map(|(_, usage)| usage.total).sum::<u64>()
    };
    for number in 1..=5 {
        let batch = batch(number, 0..KEYS);
        let before = totals();
        assert_eq!(before, (number - 1) * u64::from(KEYS));
        wait(store.usage(id(1))).expect("usage");
        // The script takes 4 kB, and each of ten chunks 7.
        proxy.set(Way::OpenFor(6_000 + 10_000 * number as usize));
        let cut = wait(store.add_usage(&batch));
        assert!(cut.expect_err("it was cut").is_outage());
        // The server may still be at it.
        eventually("part of the batch", || (totals() > before).then_some(()));
        assert!(totals() < before + u64::from(KEYS), "it was not cut");
        proxy.set(Way::Open);
        for _ in 0..2 {
            eventually("the way", || wait(store.add_usage(&batch)).ok());
            assert_eq!(totals(), before + u64::from(KEYS));
        }
    }
    let usage = wait(direct.usage(id(7))).expect("usage").expect("a key");
    assert_eq!(usage, Usage { total: 5, last_used_at: Some(super::at(300)) });
}

#[test]
fn an_import_that_was_cut_leaves_all_or_nothing() {
    const KEYS: u32 = 3000;
    let server = Redis::start();
    let direct = make(&server.url());
    let proxy = Proxy::to(server.port());
    let store = open(&proxy.through(&server.url()));
    let mark = wait(direct.reading(None)).expect("a reading").mark;
    // The keys take about 500 kB.
    for bytes in [1000, 100_000, 300_000, 400_000, 500_000] {
        proxy.set(Way::OpenFor(bytes));
        let error = import(&store, 0..KEYS).expect_err("it was cut");
        assert!(error.is_outage(), "{error}");
        assert_eq!(proxy.way(), Way::Closed);
        // No connection is in a transaction any more.
        eventually("end of the transaction", || {
            let clients = server.ask(&["CLIENT", "LIST"]);
            let all = clients.matches("multi=").count();
            (all == clients.matches("multi=-1").count()).then_some(())
        });
        assert!(wait(direct.list()).expect("a list").is_empty(), "{bytes}");
        let reading = wait(direct.reading(Some(mark))).expect("a reading");
        assert_eq!(reading.mark, mark, "something is in the log");
    }
    proxy.set(Way::Open);
    let added = eventually("the way", || import(&store, 0..KEYS).ok());
    assert_eq!(added, u64::from(KEYS));
    let again = import(&store, 0..KEYS).expect_err("they are there");
    assert!(matches!(again, StoreError::DuplicateAt { position: 0 }), "{again}");
}

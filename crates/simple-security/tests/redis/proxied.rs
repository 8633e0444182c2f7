//! A way to the server that fails: what is asked fails in time, and nothing is done by half or twice.

use std::time::Duration;

use simple_security::Usage;
use simple_security::clock::{Clock, SystemClock};
use simple_security::store::StoreError;

use super::servers::proxy::{Proxy, Way};
use super::servers::redis::Redis;
use super::servers::waiting::eventually;
use super::{batch, find, id, import, insert, make, open, record, revoke, wait};

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
            assert!(wait(store.changes_since(None)).expect_err("nothing goes through").is_outage());
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
    // Held up at the server, after it has told its time.
    server.ask(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    let inserted = std::thread::scope(|scope| {
        let inserting = scope.spawn(|| insert(&store, 2));
        eventually("change that waits", || {
            server.ask(&["INFO", "clients"]).contains("blocked_clients:1").then_some(())
        });
        proxy.set(Way::LosesAnswer);
        server.ask(&["CLIENT", "UNPAUSE"]);
        inserting.join().expect("it ends")
    });
    let error = inserted.expect_err("whether it was added is not known");
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
    assert_eq!(usage, Usage::new(5, Some(super::at(300))));
}

#[test]
fn an_import_that_was_cut_leaves_all_or_nothing() {
    const KEYS: u32 = 3000;
    let server = Redis::start();
    let direct = make(&server.url());
    let proxy = Proxy::to(server.port());
    let store = open(&proxy.through(&server.url()));
    let mark = wait(direct.changes_since(None)).expect("a reading").end;
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
        let reading = wait(direct.changes_since(Some(mark))).expect("a reading");
        assert_eq!(reading.end, mark, "something is in the log");
    }
    proxy.set(Way::Open);
    let added = eventually("the way", || import(&store, 0..KEYS).ok());
    assert_eq!(added, u64::from(KEYS));
    let again = import(&store, 0..KEYS).expect_err("they are there");
    assert!(matches!(again, StoreError::Duplicate { position: 0 }), "{again}");
}

#[test]
fn a_change_that_is_late_is_not_made() {
    macro_rules! script {
        ($($part:literal),*) => {
            concat!($(include_str!(concat!("../../src/store/redis/scripts/", $part))),*)
        };
    }
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 1).expect("a key");
    let hash = "simple-security:store";
    let answer = server.ask(&["HGET", hash, "id"]);
    let store_id = answer.lines().nth(1).expect("an id");
    let time = || -> u64 {
        let answer = server.ask(&["TIME"]);
        let numbers: Vec<u64> = answer.lines().filter_map(|line| line.parse().ok()).collect();
        numbers[0] * 1_000_000 + numbers[1]
    };
    let (key, digest) = (id(1).to_string(), "d".repeat(32));
    let revocation = ["mark", "change", &key, "200", "0"];
    let insertion: Vec<&str> = [
        &["mark", "00000000002", &digest, "000000000000", "0", "", "5"][..],
        &["digest", &digest, "name", "a key", "created_at", "000000000000"],
        &["expires_at", "9", "never_expires", "0"],
    ]
    .concat();
    let changes: [(&str, &[&str]); 3] = [
        (script!("store.lua", "deadline.lua", "add.lua", "commit.lua"), &revocation),
        (script!("store.lua", "deadline.lua", "add.lua", "commit.lua"), &["mark", "delete", &key]),
        (
            script!("require_memory.lua", "store.lua", "deadline.lua", "add.lua", "insert.lua"),
            &insertion,
        ),
    ];
    let run = |script: &str, arguments: &[&str], last: u64| {
        let last = last.to_string();
        let call = [&["EVAL", script, "1", hash, store_id], arguments, &[&last]];
        server.ask(&call.concat())
    };
    let mark = wait(store.changes_since(None)).expect("a reading").end;
    for (script, arguments) in changes {
        let answer = run(script, arguments, time());
        assert!(answer.contains("TOOLATE"), "{answer}");
    }
    assert_eq!(wait(store.list()).expect("a list"), [(record(1), Usage::default())]);
    assert_eq!(wait(store.changes_since(None)).expect("a reading").end, mark);
    for (script, arguments) in changes {
        let answer = run(script, arguments, time() + 60_000_000);
        assert!(!answer.starts_with('-'), "{answer}");
    }
    assert_eq!(wait(store.list()).expect("a list").len(), 1);
    assert_eq!(find(&store, 1).expect("found"), None);
}

#[test]
fn a_change_may_be_made_as_long_as_it_is_waited_for() {
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 1).expect("a key");
    let time = || -> u64 {
        let answer = server.ask(&["TIME"]);
        answer.lines().find_map(|line| line.parse().ok()).expect("seconds")
    };
    server.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    let before = time();
    revoke(&store, 1).expect("revoked");
    let after = time();
    let log = server.ask(&["SLOWLOG", "GET", "10"]);
    let mut words = log.lines().skip_while(|line| *line != "EVALSHA");
    // Between them are the lengths of the words.
    let last = words.find_map(|word| word.parse::<u64>().ok().filter(|_| word.len() == 16));
    let last = last.expect("a time") / 1_000_000;
    assert!((before + 5..=after + 10).contains(&last), "{before} {last} {after}");
}

//! A server whose memory or disk is full.

use simple_security::Usage;
use simple_security::store::StoreError;

use super::servers::redis::Redis;
use super::servers::waiting::eventually;
use super::{at, batch, find, id, import, insert, make, record, revoke, wait};

#[test]
fn a_full_server_takes_no_new_key_and_still_revokes() {
    let server = Redis::start();
    let store = make(&server.url());
    for number in 0..3 {
        insert(&store, number).expect("a key");
    }
    server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    for error in
        [insert(&store, 9).expect_err("added"), import(&store, 10..2000).expect_err("added")]
    {
        assert!(matches!(error, StoreError::Failed { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("maxmemory") && text.contains("nothing was written"), "{text}");
    }
    assert_eq!(find(&store, 9).expect("found"), None);
    revoke(&store, 1).expect("revoked");
    assert_eq!(find(&store, 1).expect("found").expect("a key").revoked_at, Some(at(200)));
    assert!(super::commits::delete(&*store, id(2)).expect("deleted").is_some());
    wait(store.add_usage(&batch(1, 0..1))).expect("counted");
    let listed = wait(store.list()).expect("a list");
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0], (record(0), Usage::new(1, Some(at(300)))));
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    insert(&store, 9).expect("a key");
}

#[test]
fn a_server_that_cannot_save_takes_no_change_and_still_answers() {
    let server = Redis::start();
    server.ask(&["CONFIG", "SET", "save", "3600 1000000"]);
    let store = make(&server.url());
    insert(&store, 1).expect("a key");
    // It cannot put its file in the place of a folder.
    std::fs::create_dir(server.folder().join("dump.rdb")).expect("a folder");
    server.ask(&["BGSAVE"]);
    eventually("failure to save", || {
        server.ask(&["INFO", "persistence"]).contains("rdb_last_bgsave_status:err").then_some(())
    });
    for error in [insert(&store, 2).expect_err("added"), revoke(&store, 1).expect_err("revoked")] {
        assert!(!error.is_outage(), "{error}");
        assert!(error.to_string().contains("disk"), "{error}");
    }
    assert!(wait(store.add_usage(&batch(1, 1..2))).is_err());
    assert_eq!(find(&store, 1).expect("found"), Some(record(1)));
    assert_eq!(find(&store, 2).expect("found"), None);
    assert_eq!(wait(store.list()).expect("a list"), [(record(1), Usage::default())]);
    wait(store.changes_since(None)).expect("a reading");
}

#[test]
fn a_total_stays_at_the_greatest_number() {
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 0).expect("a key");
    let mut counts = batch(1, 0..1);
    // One past what a number of Lua holds.
    counts.counts[0].1 = (1 << 53) + 1;
    wait(store.add_usage(&counts)).expect("counted");
    wait(store.add_usage(&batch(2, 0..1))).expect("counted");
    let total = || wait(store.usage(id(0))).expect("usage").expect("a key").total;
    assert_eq!(total(), (1 << 53) + 2);
    for (number, count) in [(3, i64::MAX as u64), (4, u64::MAX), (5, 1)] {
        counts.number = number;
        counts.counts[0].1 = count;
        wait(store.add_usage(&counts)).expect("counted");
        assert_eq!(total(), i64::MAX as u64);
    }
}

#[test]
fn the_log_stays_short_and_its_reader_is_told() {
    let server = Redis::start();
    let store = make(&server.url());
    let mark = wait(store.changes_since(None)).expect("a reading").end;
    import(&store, 0..12_000).expect("added");
    let reading = wait(store.changes_since(Some(mark))).expect("a reading");
    assert_eq!(reading.changed, simple_security::store::Changed::Anything);
    let length = server.ask(&["XLEN", "simple-security:changes"]);
    let length: u32 = length.trim_start_matches(':').trim().parse().expect("a number");
    assert!((10_000..10_200).contains(&length), "{length}");
}

#[test]
fn the_number_of_a_writer_is_forgotten_in_time() {
    let server = Redis::start();
    let store = make(&server.url());
    wait(store.add_usage(&batch(1, 0..1))).expect("counted");
    let key = format!("simple-security:writer:{}", "07".repeat(16));
    let seconds = eventually("expiry", || {
        server.ask(&["TTL", &key]).trim_start_matches(':').trim().parse::<i64>().ok()
    });
    assert!((29 * 86_400..=30 * 86_400).contains(&seconds), "{seconds}");
}

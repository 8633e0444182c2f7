//! Edits by hand are in the log, and no transaction is skipped that commits late.

use simple_security::store::{Changed, StoreError};
use test_support::commits;

use super::servers::hand::Hand;
use super::servers::postgres::Postgres;
use super::servers::waiting::until;
use super::{Keys, UsageBatch, at, digest, digests, id, wait};

#[test]
fn edits_by_hand_are_read() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    let mut mark = keys.mark();
    let hex = |number: u32| {
        let bytes = *digest(number).as_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let rows: Vec<_> = (0..5)
        .map(|number| format!("('{number:011}', '\\x{}', 'by hand', 1, 2, true)", hex(number)))
        .collect();
    hand.run(&format!(
        "INSERT INTO simple_security.api_keys
             (id, digest, name, created_at, expires_at, never_expires)
         VALUES {}",
        rows.join(",")
    ));
    assert_eq!(keys.changed(&mut mark), digests(0..5), "an insertion of several");
    hand.run("UPDATE simple_security.api_keys SET revoked_at = 5 WHERE id <> '00000000003'");
    assert_eq!(keys.changed(&mut mark), digests([0, 1, 2, 4]), "a change of several");
    hand.run("UPDATE simple_security.api_keys SET revoked_at = revoked_at, name = 'by hand'");
    assert_eq!(keys.changed(&mut mark), digests(0..5), "also where nothing is another than before");
    hand.run(&format!(
        "UPDATE simple_security.api_keys SET digest = '\\x{}' WHERE id = '00000000000'",
        hex(9)
    ));
    assert_eq!(keys.changed(&mut mark), digests([0, 9]), "the digest from before, and the new one");
    hand.run("UPDATE simple_security.api_keys SET id = 'abcdefghijk' WHERE id = '00000000001'");
    assert_eq!(keys.changed(&mut mark), digests([1]), "another id");
    hand.run("DELETE FROM simple_security.api_keys WHERE id > '00000000002'");
    assert_eq!(keys.changed(&mut mark), digests([1, 3, 4]), "a deletion of several");
    hand.run("BEGIN; DELETE FROM simple_security.api_keys; ROLLBACK");
    assert_eq!(keys.changed(&mut mark), [], "what was taken back");
}

#[test]
fn emptying_the_table_makes_everybody_forget() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    let mark = keys.mark();
    hand.run("TRUNCATE simple_security.api_keys CASCADE");
    let reading = wait(keys.0.changes_since(Some(mark))).expect("a reading");
    assert_eq!(reading.changed, Changed::Anything);
    assert!(reading.end.position > mark.position, "positions are never given again");
    let mut mark = reading.end;
    keys.insert(1);
    assert_eq!(keys.changed(&mut mark), digests([1]));
}

#[test]
fn a_log_that_was_emptied_by_hand_makes_everybody_forget() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    let mark = keys.mark();
    hand.run("DELETE FROM simple_security.key_changes");
    for _ in 0..2 {
        let reading = wait(keys.0.changes_since(Some(mark))).expect("a reading");
        assert_eq!(reading.changed, Changed::Anything);
        let again = wait(keys.0.changes_since(Some(reading.end))).expect("a reading");
        assert_eq!(again.changed, Changed::Anything, "there is no row yet to go on from");
    }
    keys.insert(2);
    assert_eq!(keys.changed(&mut keys.mark()), []);
}

#[test]
fn what_commits_late_is_not_skipped() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, late, hand) = (Keys::open(&url), Hand::on(&url), Hand::on(&url));
    keys.insert(1);
    keys.insert(2);
    let mut mark = keys.mark();
    late.run("BEGIN; UPDATE simple_security.api_keys SET revoked_at = 5 WHERE id = '00000000001'");
    let mut seen = std::thread::scope(|scope| {
        let later = scope.spawn(|| keys.try_revoke(2));
        until("the later change waits for its turn, or has come first", || {
            later.is_finished()
                || hand.ask(
                    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                     AND datname = current_database()",
                ) != [""; 0]
        });
        let seen = keys.changed(&mut mark);
        late.run("COMMIT");
        assert!(later.join().expect("a thread").expect("revoked").is_some());
        seen
    });
    seen.extend(keys.changed(&mut mark));
    seen.sort_by_key(|digest| *digest.as_bytes());
    assert_eq!(seen, digests([1, 2]));
}

#[test]
fn the_log_does_not_grow_for_ever() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    let mut mark = keys.mark();
    for number in 0..9 {
        hand.run(&format!(
            "UPDATE simple_security.api_keys SET name = '{number}';
             INSERT INTO simple_security.api_keys
                 (id, digest, name, created_at, expires_at, never_expires)
             SELECT lpad(n::text, 11, '0'), sha256(n::text::bytea), '', 1, 2, true
             FROM generate_series({number}500, {number}500 + 1999) AS n ON CONFLICT DO NOTHING"
        ));
        if number < 3 {
            assert!(keys.changed(&mut mark).contains(&digest(1)), "a row is kept for some time");
        }
    }
    let rows = hand.ask("SELECT count(*) FROM simple_security.key_changes");
    let rows: u32 = rows[0].parse().expect("a number");
    assert!((8_000..=10_100).contains(&rows), "{rows} rows");
}

#[test]
fn a_lock_that_somebody_holds_is_waited_for_and_then_said() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    hand.run("BEGIN; SELECT FROM simple_security.change_head FOR UPDATE");
    let revoked = keys.try_revoke(1);
    assert!(matches!(revoked, Err(StoreError::Busy { .. })), "{revoked:?}");
    hand.run("ROLLBACK");
    assert_eq!(keys.try_revoke(1).expect("revoked").expect("the record").revoked_at, None);
}

#[test]
fn lists_that_hang_hold_up_no_change_and_no_request() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand, other) = (Keys::open(&url), Hand::on(&url), Hand::on(&url));
    keys.insert(1);
    let mut mark = keys.mark();
    hand.run("BEGIN; LOCK TABLE simple_security.key_usage");
    std::thread::scope(|scope| {
        let lists = [0; 4].map(|_| scope.spawn(|| wait(keys.0.list()).expect("a list")));
        until("a list waits for the lock", || {
            other.ask(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                 AND datname = current_database()",
            ) != [""; 0]
        });
        assert!(keys.try_revoke(1).expect("revoked").is_some());
        assert_eq!(keys.changed(&mut mark), digests([1]));
        assert!(keys.try_find(1).expect("found").is_some());
        assert!(lists.iter().all(|list| !list.is_finished()), "the lists do not wait");
        hand.run("COMMIT");
        for list in lists {
            assert_eq!(list.join().expect("a thread").len(), 1);
        }
    });
}

#[test]
fn counting_and_deleting_at_once_is_no_error() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    for round in 0..10 {
        for number in 0..20 {
            keys.insert(number);
        }
        std::thread::scope(|scope| {
            for writer in 0..3_u8 {
                let keys = &keys;
                scope.spawn(move || {
                    // Each in another order, and one key twice.
                    let counts = (0..21_u32)
                        .map(|place| (id(place * u32::from(writer * 4 + 1) % 20), 1, at(300)));
                    let (number, made_at) = (round, at(1000));
                    let counts = counts.collect();
                    let batch = UsageBatch { writer: [writer; 16], number, made_at, counts };
                    wait(keys.0.add_usage(&batch)).expect("added");
                });
            }
            scope.spawn(|| {
                for number in (0..20).rev() {
                    assert!(commits::delete(&*keys.0, id(number)).expect("deleted").is_some());
                }
            });
        });
        let left = hand.ask("SELECT count(*) FROM simple_security.key_usage");
        assert_eq!(left, ["0"]);
    }
}

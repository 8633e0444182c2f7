//! Changes from outside are seen when the lease is over.

use rusqlite::Connection;
use simple_security::store::{ChangeBatch, Changed, LogPosition};
use simple_security::{KeyDigest, VerifiedKey, VerifyError};

use super::{Folder, LEASE, by_hand, engine, fake_clock, issue, open, verify, wait};

fn change(connection: &Connection, sql: &str) {
    assert_eq!(connection.execute(sql, []).expect(sql), 1, "{sql}");
}

#[test]
fn an_edit_by_hand_is_seen() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let keys = engine(open(&folder.database()), &clock);
    let (issued, other) = (issue(&keys), issue(&keys));
    let (id, connection) = (issued.record.id, by_hand(&folder.database()));
    let digest = |text: &[u8]| KeyDigest::of(text).as_bytes().to_vec();
    type Step = (&'static str, fn(Result<VerifiedKey, VerifyError>) -> bool);
    let steps: [Step; 5] = [
        ("UPDATE api_keys SET revoked_at = 5", |it| matches!(it, Err(VerifyError::Revoked(_)))),
        ("UPDATE api_keys SET revoked_at = NULL", |it| it.is_ok()),
        ("UPDATE api_keys SET expires_at = 5", |it| matches!(it, Err(VerifyError::Expired(_)))),
        ("UPDATE api_keys SET never_expires = 1", |it| it.is_ok()),
        ("DELETE FROM api_keys", |it| matches!(it, Err(VerifyError::Unknown))),
    ];
    for (sql, expected) in steps {
        verify(&keys, &other).expect("verified");
        let before = format!("{:?}", verify(&keys, &issued));
        change(&connection, &format!("{sql} WHERE id = '{id}'"));
        assert_eq!(format!("{:?}", verify(&keys, &issued)), before, "the lease holds");
        clock.advance(LEASE);
        assert!(expected(verify(&keys, &issued)), "{sql}");
        verify(&keys, &other).expect("the other is untouched");
    }
    // Under a new text, the old one is unknown and the new one known.
    let text = b"a key that somebody has thought of";
    assert!(matches!(wait(keys.verify(text)), Err(VerifyError::Unknown)));
    let renamed = connection.execute(
        "UPDATE api_keys SET digest = ?1 WHERE id = ?2",
        (digest(text), other.record.id.as_str()),
    );
    assert_eq!(renamed.expect("a change"), 1);
    clock.advance(LEASE);
    assert!(matches!(verify(&keys, &other), Err(VerifyError::Unknown)));
    assert_eq!(wait(keys.verify(text)).expect("verified").id(), other.record.id);
}

#[test]
fn a_change_that_is_rolled_back_is_not_seen() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let store = open(&folder.database());
    let keys = engine(store.clone(), &clock);
    let issued = issue(&keys);
    let mark = wait(store.changes_since(None)).expect("a reading").end;
    let mut connection = by_hand(&folder.database());
    let transaction = connection.transaction().expect("a transaction");
    change(&transaction, "UPDATE api_keys SET revoked_at = 5");
    clock.advance(LEASE);
    verify(&keys, &issued).expect("it is not committed");
    transaction.rollback().expect("a rollback");
    let reading = wait(store.changes_since(Some(mark))).expect("a reading");
    assert_eq!(reading, ChangeBatch { changed: Changed::Keys(Vec::new()), end: mark });
}

#[test]
fn the_log_is_pruned_and_who_slept_through_it_forgets_everything() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (store, sleeper) = (open(&folder.database()), open(&folder.database()));
    let keys = engine(store.clone(), &clock);
    let issued = issue(&keys);
    let reading = |after: LogPosition| wait(sleeper.changes_since(Some(after))).expect("a reading");
    let early = wait(sleeper.changes_since(None)).expect("a reading").end;
    let connection = by_hand(&folder.database());
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10050)
                INSERT INTO key_changes (digest) SELECT zeroblob(32) FROM n";
    assert_eq!(connection.execute(rows, []).expect("rows"), 10_050);
    let recent = wait(store.changes_since(None)).expect("a reading").end;
    assert_eq!(reading(early).end, recent, "nothing is pruned by a hand's edit");
    issue(&keys);
    let kept: i64 = connection
        .query_row("SELECT count(*) FROM key_changes", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(kept, 10_000);
    assert_eq!(reading(early).changed, Changed::Anything);
    assert!(matches!(reading(recent).changed, Changed::Keys(digests) if digests.len() == 1));
    verify(&keys, &issued).expect("verified");
}

#[test]
fn a_log_that_was_emptied_makes_everybody_forget() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let keys = engine(open(&folder.database()), &clock);
    let (issued, other) = (issue(&keys), issue(&keys));
    verify(&keys, &issued).expect("it is cached");
    let connection = by_hand(&folder.database());
    connection.execute_batch("DELETE FROM key_changes").expect("an empty log");
    for _ in 0..2 {
        clock.advance(LEASE);
        verify(&keys, &issued).expect("it is read from the store");
    }
    change(
        &connection,
        &format!("UPDATE api_keys SET revoked_at = 5 WHERE id = '{}'", issued.record.id),
    );
    clock.advance(LEASE);
    assert!(matches!(verify(&keys, &issued), Err(VerifyError::Revoked(_))));
    wait(keys.revoke(other.record.id)).expect("revoked");
    assert!(matches!(verify(&keys, &other), Err(VerifyError::Revoked(_))));
}

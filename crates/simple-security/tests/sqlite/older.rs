//! A file that an older version has written.

use simple_security::{KeyDigest, PageRequest};

use super::{Folder, by_hand, engine, fake_clock, open, wait};

/// The schema of the first version.
const FIRST: &str = include_str!("../../src/migrations/0001_keys.sql");

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date() {
    let folder = Folder::new();
    let key = b"a key from before";
    let first = by_hand(&folder.database());
    first.execute_batch(FIRST).expect("the first schema");
    first
        .execute(
            "INSERT INTO api_keys (id, digest, name, created_at, expires_at, never_expires)
             VALUES ('0123456789a', ?1, 'before', 5, 6, 1)",
            [KeyDigest::of(key).as_bytes()],
        )
        .expect("a key");
    first
        .execute_batch(
            "INSERT INTO key_usage VALUES ('0123456789a', 7, 5);
             PRAGMA application_id = 0x66737331; PRAGMA user_version = 1;",
        )
        .expect("it is ours");
    drop(first);
    for total in [8, 9] {
        let keys = engine(open(&folder.database()), &fake_clock());
        wait(keys.verify(key)).expect("it is good");
        let page = wait(keys.page(PageRequest::default())).expect("a page");
        assert_eq!((page.keys.len(), page.keys[0].usage.total), (1, total));
    }
    let schema: i64 = by_hand(&folder.database())
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .expect("a number");
    assert_eq!(schema, 2);
}

//! The page of an owner on a table with many keys.

use simple_security::{KeyFilter, Owner, PageRequest};

use super::servers::hand::Hand;
use super::servers::postgres::Postgres;
use super::servers::waiting::until;
use super::{Keys, at, wait};

#[test]
fn the_page_of_an_owner_is_read_by_its_index() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    hand.run(
        "INSERT INTO simple_security.api_keys
             (id, digest, name, created_at, expires_at, never_expires, owner)
         SELECT lpad(n::text, 11, '0'), sha256(n::text::bytea), '', n, 2, true,
             CASE WHEN n % 1000 = 0 THEN 'acme' ELSE '' END
         FROM generate_series(1, 20000) AS n",
    );
    hand.run("ANALYZE simple_security.api_keys");
    let of = |owner: &str| {
        let owner = Owner::new(owner).expect("an owner");
        let filter = KeyFilter::default().with_owner(owner);
        let request = PageRequest::default().with_filter(filter).with_limit(7);
        wait(keys.0.page(&request, at(0))).expect("a page")
    };
    let ids = |owner: &str| -> Vec<u32> {
        let number = |id: &str| id.parse().expect("a number");
        of(owner).iter().map(|key| number(key.record.id.as_str())).collect()
    };
    let scans = || {
        let scans = hand.ask(
            "SELECT idx_scan FROM pg_stat_user_indexes
             WHERE schemaname = 'simple_security' AND indexrelname = 'api_keys_by_owner'",
        );
        scans[0].parse::<u32>().expect("a number")
    };
    assert_eq!(scans(), 0);
    assert_eq!(ids(""), [19_999, 19_998, 19_997, 19_996, 19_995, 19_994, 19_993]);
    assert_eq!(ids("acme"), [20_000, 19_000, 18_000, 17_000, 16_000, 15_000, 14_000]);
    // The server publishes its figures a second later.
    until("the index was read", || scans() == 1);
}

//! Behind a pooler of transactions, which gives each of them any connection of the server.

use std::sync::atomic::{AtomicU32, Ordering};

use super::servers::hand::Hand;
use super::servers::pgbouncer::Pgbouncer;
use super::servers::postgres::Postgres;
use super::servers::waiting::until;
use super::{Keys, digests};

#[test]
fn all_works_behind_a_pooler() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let pooler = Pgbouncer::before(&server);
    let pooled = url.replace(&format!(":{}/", server.port()), &format!(":{}/", pooler.port()));
    let (one, other) = (Keys::open(&pooled), Keys::open(&pooled));
    let mut mark = other.mark();
    let revoked = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for worker in 0..4_u32 {
            let (one, other, revoked) = (&one, &other, &revoked);
            scope.spawn(move || {
                for number in (0..10).map(|number| number * 4 + worker) {
                    one.insert(number);
                    assert!(other.try_find(number).expect("found").is_some());
                    assert!(other.try_revoke(number).expect("revoked").is_some());
                    one.try_add(u64::from(number) + 1, number, 3).expect("added");
                    revoked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    assert_eq!(revoked.into_inner(), 40);
    assert_eq!(other.changed(&mut mark), digests((0..40).chain(0..40)));
    // What is set for one transaction is not left to the next, of whomever it is.
    let hand = Hand::on(&pooled);
    for setting in ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"] {
        assert_eq!(hand.ask(&format!("SHOW {setting}")), ["0"], "{setting}");
    }
    Hand::on(&url).run("UPDATE simple_security.api_keys SET name = 'by hand'");
    until("the change is read", || other.changed(&mut mark) == digests(0..40));
}

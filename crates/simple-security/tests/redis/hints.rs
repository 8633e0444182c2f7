//! Changes are heard of at once, long before the lease ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use simple_security::clock::{Clock, SystemClock};
use simple_security::store::PollOutcome;

use super::servers::redis::Redis;
use super::servers::waiting::eventually;
use super::{insert, make, open, revoke};

#[test]
fn a_change_is_heard_of_and_again_after_the_server_was_gone() {
    let mut server = Redis::start_with(&["--appendfsync", "always"]);
    // Without hints, one poll in 30 seconds.
    let writer = make(&format!("{}?max_staleness=60", server.url()));
    let listener = open(&server.url());
    let (readings, is_gone) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (counted, gone) = (Arc::clone(&readings), Arc::clone(&is_gone));
    listener.poll_changes(Box::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let refreshed =
            if gone.load(Ordering::SeqCst) { PollOutcome::Gone } else { PollOutcome::Fresh };
        Box::pin(std::future::ready(refreshed))
    }));
    // The first, and the one after it listens.
    eventually("reading", || (readings.load(Ordering::SeqCst) >= 2).then_some(()));
    insert(&writer, 0).expect("a key");
    for number in 1..20 {
        let before = readings.load(Ordering::SeqCst);
        let began = SystemClock.uptime().nanoseconds();
        insert(&writer, number).expect("a key");
        eventually("reading", || (readings.load(Ordering::SeqCst) > before).then_some(()));
        let took = Duration::from_nanos(SystemClock.uptime().nanoseconds() - began);
        assert!(took < Duration::from_secs(5), "it took {took:?}");
    }
    server.restart();
    let before = readings.load(Ordering::SeqCst);
    eventually("reading when it is heard again", || {
        (readings.load(Ordering::SeqCst) > before).then_some(())
    });
    let before = readings.load(Ordering::SeqCst);
    eventually("the server", || revoke(&writer, 1).ok());
    eventually("reading", || (readings.load(Ordering::SeqCst) > before).then_some(()));

    is_gone.store(true, Ordering::SeqCst);
    eventually("the server", || revoke(&writer, 2).ok());
    eventually("end of listening", || {
        server
            .ask(&["PUBSUB", "NUMSUB", "simple-security:changes"])
            .ends_with(":0\r\n")
            .then_some(())
    });
}

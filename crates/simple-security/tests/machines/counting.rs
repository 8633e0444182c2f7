//! Every accepted request is counted, once, whichever process and thread has accepted it.

use std::sync::Arc;

use super::kinds::Kind;
use super::team::{MACHINES, Plan, Team, check_answers, check_totals};
use super::until;

const THREADS: usize = 8;
const REQUESTS: u64 = 1_000;

pub fn totals_are_exact(kind: &dyn Kind) {
    let location = kind.make_store();
    let plan = Plan { threads: THREADS, requests: Some(REQUESTS), ..Plan::new(&location, 50) };
    let mut team = Team::start(plan);
    let all = MACHINES as u64 * THREADS as u64 * REQUESTS;
    until("all requests are accepted", || {
        super::team::pause();
        team.reports().iter().map(|report| report.accepted).sum::<u64>() == all
    });
    let (keys, issued) = (Arc::clone(&team.keys), Arc::clone(&team.issued));
    let ends = team.stop();
    check_answers(&ends);
    assert_eq!(check_totals(&keys, &issued, &ends), all);
}

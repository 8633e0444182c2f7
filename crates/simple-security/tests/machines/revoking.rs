//! A key that is revoked is refused by every process, within the bound that was stated.

use std::sync::Arc;

use super::kinds::Kind;
use super::of;
use super::team::{
    Plan, Team, check_answers, check_promises, check_totals, revoke, wait_until_effective,
};

pub fn with_hints(kind: &dyn Kind) {
    revoked_under_load(kind, false);
}

pub fn without_hints(kind: &dyn Kind) {
    revoked_under_load(kind, true);
}

fn revoked_under_load(kind: &dyn Kind, deaf: bool) {
    let number = of(40, 2_000);
    let location = kind.make_store();
    let mut team = Team::start(Plan { deaf, ..Plan::new(&location, number) });
    team.wait_until_all_are_accepted();
    let (keys, issued) = (Arc::clone(&team.keys), Arc::clone(&team.issued));
    let revoke = |number| revoke(&keys, &issued, number).expect("revoked");
    let revoked: Vec<_> = (0..number).map(revoke).collect();
    wait_until_effective(&revoked);
    let ends = team.stop();
    let delays = check_promises(&revoked, &ends);
    check_answers(&ends);
    let accepted = check_totals(&keys, &issued, &ends);
    let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize] as f64 / 1e6;
    println!(
        "{}, {number} keys revoked on {} processes under load{}: 0 accepted after effective_by; \
         last acceptance after the commit p50 {:.1} ms, p99 {:.1} ms, maximum {:.1} ms; {accepted} requests accepted and counted",
        kind.name(),
        ends.len(),
        if deaf { " without hints" } else { "" },
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

//! The generated admin secret: one for all that have the store open. A store that many machines
//! share has none, and says so.

use std::sync::Arc;

use super::handle::{Handle, digest};
use super::place::Place;
use crate::key::KeyDigest;

/// What is agreed on when `handle` offers the secret of this number; `None` where there is none.
fn offer(handle: &Handle, number: u32) -> Option<KeyDigest> {
    handle.wait(handle.store.agree_on_admin_secret(digest(number))).expect("agreeing")
}

pub(super) fn the_first_secret_is_everybodys(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let Some(agreed) = offer(&one, 1) else { return };
    assert_eq!(agreed, digest(1), "the first offer is taken");
    assert_eq!(offer(&other, 2), Some(digest(1)));
    assert_eq!(offer(&one, 3), Some(digest(1)), "asked again");
    assert_eq!(offer(&Handle::on(place), 4), Some(digest(1)));
}

pub(super) fn many_at_once_agree_on_one_secret(place: &dyn Place) {
    for round in 0..place.rounds().min(20) {
        let place = place.another();
        let handles: Vec<_> = (0..6).map(|_| Arc::new(Handle::on(&*place))).collect();
        let offers: Vec<_> = (0..6).map(|number| round * 6 + number).collect();
        let agreed: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = handles
                .iter()
                .zip(&offers)
                .map(|(handle, number)| scope.spawn(|| offer(handle, *number)))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("an offer")).collect()
        });
        let Some(first) = agreed[0] else { return };
        assert!(agreed.iter().all(|one| *one == Some(first)), "not all have the same");
        assert!(offers.iter().any(|number| digest(*number) == first), "nobody has offered it");
    }
}

pub(super) fn a_secret_lives_as_long_as_one_that_knows_it(place: &dyn Place) {
    let mut newest = Handle::on(place);
    let Some(agreed) = offer(&newest, 0) else { return };
    for number in 1..10 {
        let next = Handle::on(place);
        assert_eq!(offer(&next, number), Some(agreed));
        newest = next;
        assert_eq!(newest.list(), [], "the one before is gone, and this one still works");
    }
}

pub(super) fn when_all_are_gone_the_next_secret_is_new(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let Some(agreed) = offer(&one, 1) else { return };
    assert_eq!(offer(&other, 2), Some(agreed));
    drop((one, other));
    let later = Handle::on(place);
    assert_eq!(offer(&later, 3), Some(digest(3)), "a secret outlived all that knew it");
    assert_eq!(offer(&Handle::on(place), 4), Some(digest(3)));
}

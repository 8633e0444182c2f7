//! The conformance suite: what every store must do.
//!
//! [`CHECKS`] holds all that [`KeyStore`] promises, each promise by its name. A store implements
//! [`Place`] and runs every check on a place of its own, as `tests/conformance.rs` does. A check
//! that is not fulfilled panics.

use std::sync::Arc;

use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::record::{
    KeyChange, KeyEdit, KeyName, KeyRecord, KeyReference, StoredKey, Timestamp, Usage,
};
use crate::store::{
    ChangeMark, Changed, Existing, Inserted, KeyStore, Reading, StoreError, StoreFuture, UsageBatch,
};

mod bulk;
mod counts;
mod log;
mod model;
mod pages;
mod records;
mod secret;

/// Where a store that is checked keeps its keys. It is empty at first.
pub trait Place: Send + Sync {
    /// One more handle on what is kept here, as another process would have.
    fn open(&self) -> Arc<dyn KeyStore>;

    /// Another place of the same kind, empty and apart from this one.
    fn another(&self) -> Box<dyn Place>;

    /// The runtime that the store needs, if it needs one.
    fn runtime(&self) -> Option<tokio::runtime::Handle> {
        None
    }

    /// How often a check that tries many orders of events tries them. More finds more.
    fn rounds(&self) -> u32 {
        50
    }
}

/// One promise of [`KeyStore`]: its name, and what checks it on an empty place.
pub type Check = (&'static str, fn(&dyn Place));

macro_rules! checks {
    ($($module:ident::$name:ident,)*) => {
        &[$((stringify!($name), $module::$name as fn(&dyn Place)),)*]
    };
}

/// All checks.
pub const CHECKS: &[Check] = checks![
    records::a_record_is_found_by_its_id_and_by_its_digest,
    records::a_key_that_is_unknown_is_none,
    records::an_insertion_touches_no_other_record,
    records::a_change_touches_no_other_field,
    records::a_change_gives_back_the_record_from_before,
    records::a_second_revocation_keeps_the_first_date,
    records::a_renewal_takes_back_a_revocation,
    records::an_edit_changes_what_it_names,
    records::a_key_that_is_deleted_is_gone,
    records::a_handle_that_knows_old_fields_does_not_write_them_back,
    records::one_of_many_insertions_at_once_wins,
    records::keys_are_listed_last_used_first,
    bulk::many_keys_are_added_with_their_usage,
    bulk::many_keys_are_added_or_none,
    bulk::a_key_that_exists_stays_as_it_is,
    bulk::a_source_that_fails_adds_nothing,
    bulk::many_keys_are_read_in_the_log_or_anything_is,
    bulk::two_sources_at_once_are_added_one_after_the_other,
    pages::a_page_has_the_newest_keys_first,
    pages::pages_that_follow_each_other_have_every_key_once,
    pages::a_page_has_the_keys_that_pass_its_filter,
    pages::keys_that_come_and_go_do_not_shift_the_pages,
    records::every_handle_has_the_same_bounds,
    records::all_is_there_after_a_fork,
    counts::a_key_that_was_never_used_has_no_date,
    counts::batches_of_all_writers_add_up,
    counts::a_batch_is_added_once,
    counts::a_batch_with_an_older_number_is_dropped,
    counts::counts_of_a_key_that_is_gone_are_dropped,
    counts::the_date_of_last_use_never_goes_back,
    counts::totals_are_exact_when_many_add_at_once,
    counts::a_batch_that_many_send_at_once_is_added_once,
    log::without_a_mark_anything_may_have_changed,
    log::every_change_is_read_once,
    log::positions_grow_with_every_change,
    log::what_was_refused_is_no_change,
    log::usage_is_no_change,
    log::a_row_that_the_log_lacks_means_anything,
    log::a_reading_sees_all_that_was_committed_before_it,
    log::a_change_is_hinted_at,
    secret::the_first_secret_is_everybodys,
    secret::many_at_once_agree_on_one_secret,
    secret::a_secret_lives_as_long_as_one_that_knows_it,
    secret::when_all_are_gone_the_next_secret_is_new,
    model::any_order_of_calls_does_what_the_model_does,
];

/// A handle whose calls wait.
struct Handle {
    store: Arc<dyn KeyStore>,
    runtime: Option<tokio::runtime::Handle>,
}

impl Handle {
    fn on(place: &dyn Place) -> Self {
        Self { store: place.open(), runtime: place.runtime() }
    }

    fn wait<T>(&self, future: StoreFuture<'_, T>) -> Result<T, StoreError> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(future),
            None => pollster::block_on(future),
        }
    }

    fn try_insert(&self, digest: KeyDigest, record: &KeyRecord) -> Result<(), StoreError> {
        self.wait(self.store.insert(digest, record))
    }

    #[track_caller]
    fn insert(&self, number: u32) -> KeyRecord {
        let record = record(number);
        self.try_insert(digest(number), &record).expect("insert");
        record
    }

    fn try_insert_all(
        &self,
        keys: Vec<Result<StoredKey, StoreError>>,
        existing: Existing,
    ) -> Result<Inserted, StoreError> {
        self.wait(self.store.insert_all(Box::new(keys.into_iter()), existing))
    }

    /// Asks what changes nothing. A store on a network has little time for it, and may need a
    /// second try on a machine that is busy.
    fn ask<'a, T>(&'a self, ask: impl Fn() -> StoreFuture<'a, T>) -> Result<T, StoreError> {
        let mut answer = self.wait(ask());
        for _ in 0..5 {
            match answer {
                Err(error) if error.is_outage() => answer = self.wait(ask()),
                _ => break,
            }
        }
        answer
    }

    #[track_caller]
    fn find(&self, key: KeyReference) -> Option<KeyRecord> {
        self.ask(|| self.store.find(key)).expect("find")
    }

    #[track_caller]
    fn find_id(&self, number: u32) -> Option<KeyRecord> {
        self.find(KeyReference::Id(id(number)))
    }

    #[track_caller]
    fn change(&self, number: u32, change: KeyChange) -> Option<KeyRecord> {
        self.try_change(id(number), change).map(|(_, before)| before)
    }

    #[track_caller]
    fn delete(&self, number: u32) -> bool {
        self.try_delete(id(number)).is_some()
    }

    #[track_caller]
    fn try_change(&self, id: KeyId, change: KeyChange) -> Option<(KeyDigest, KeyRecord)> {
        self.wait(self.store.change(id, change)).expect("change")
    }

    #[track_caller]
    fn try_delete(&self, id: KeyId) -> Option<KeyDigest> {
        self.wait(self.store.delete(id)).expect("delete")
    }

    /// The keys of a page, at the instant `now`.
    #[track_caller]
    fn page(&self, request: &PageRequest, now: i64) -> Vec<(KeyRecord, Usage)> {
        let keys = self.wait(self.store.page(request, at(now))).expect("page");
        keys.into_iter().map(|key| (key.record, key.usage)).collect()
    }

    #[track_caller]
    fn list(&self) -> Vec<(KeyRecord, Usage)> {
        self.wait(self.store.list()).expect("list")
    }

    #[track_caller]
    fn usage(&self, number: u32) -> Option<Usage> {
        self.wait(self.store.usage(id(number))).expect("usage")
    }

    #[track_caller]
    fn add(&self, writer: u8, number: u64, counts: &[(u32, u64, i64)]) {
        let counts = counts.iter().map(|(key, count, last)| (id(*key), *count, at(*last)));
        let batch = UsageBatch {
            writer: [writer; 16],
            number,
            made_at: at(1000),
            counts: counts.collect(),
        };
        self.wait(self.store.add_usage(&batch)).expect("add_usage");
    }

    #[track_caller]
    fn reading(&self, after: Option<ChangeMark>) -> Reading {
        self.ask(|| self.store.reading(after)).expect("reading")
    }

    /// Where the log ends now.
    #[track_caller]
    fn mark(&self) -> ChangeMark {
        self.reading(None).mark
    }

    /// The keys that changed after `mark`, which moves on.
    #[track_caller]
    fn changed(&self, mark: &mut ChangeMark) -> Vec<KeyDigest> {
        let reading = self.reading(Some(*mark));
        *mark = reading.mark;
        match reading.changed {
            Changed::Keys(digests) => digests,
            Changed::Anything => panic!("the log lacks the row {mark:?}"),
        }
    }
}

fn id(number: u32) -> KeyId {
    format!("{number:011}").parse().expect("an id")
}

fn digest(number: u32) -> KeyDigest {
    KeyDigest::of(format!("key {number}").as_bytes())
}

fn stored(number: u32) -> StoredKey {
    StoredKey { digest: digest(number), record: record(number), usage: Usage::default() }
}

fn record(number: u32) -> KeyRecord {
    KeyRecord {
        name: name_of(&format!("number {number}")),
        ..KeyRecord::new(id(number), at(100), at(10_000))
    }
}

fn name_of(name: &str) -> KeyName {
    KeyName::new(name).expect("a name")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn revoke(seconds: i64) -> KeyChange {
    KeyChange::revoke(at(seconds))
}

fn rename(name: &str) -> KeyChange {
    KeyEdit::default().with_name(name_of(name)).into()
}

fn renew(seconds: i64) -> KeyChange {
    KeyChange::renew(at(seconds), None)
}

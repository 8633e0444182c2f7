//! The conformance suite: what every store must do.
//!
//! [`CHECKS`] holds all that [`KeyStore`](crate::store::KeyStore) promises, each promise by its name. A store implements
//! [`Place`] and runs every check on a place of its own, as `tests/conformance.rs` does. A check
//! that is not fulfilled panics.

mod bulk;
mod commits;
mod counts;
mod handle;
mod log;
mod model;
mod owner;
mod pages;
mod place;
mod records;
mod secret;

pub use place::Place;

/// One promise of [`KeyStore`](crate::store::KeyStore): its name, and what checks it on an empty place.
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
    commits::operations_are_made_in_their_order_and_all_are_logged,
    commits::all_operations_are_made_or_none,
    commits::an_outcome_is_what_the_store_has,
    commits::two_operations_on_one_key_are_an_error,
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
    owner::an_owner_is_found_as_it_was_stored,
    owner::an_edit_of_the_owner_changes_nothing_else,
    owner::a_page_has_the_keys_of_an_owner,
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

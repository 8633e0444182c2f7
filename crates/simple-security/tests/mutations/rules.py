"""Each rule of the engine, how to break it, and the test that must notice.

Most are tests of the model of the lease. The rules for a store on the network, which no model has,
are for tests of the engine.

Two lines look like rules and are none; every model passes without them. `*applied == after` in
resolver.rs: where a slow reading sets the log back, rows are applied once more, and nothing worse.
`fetch_max` in cache.rs: where a slow reading sets the age back, the log is read again too soon.
"""

from typing import NamedTuple


class Mutation(NamedTuple):
    """A change of one file of the source, which must make a test fail."""

    rule: str
    file: str
    # Old text, which must be there exactly once, and new text.
    edits: list[tuple[str, str]]
    test: str
    # The model waits for ever for what does not come.
    hangs: bool = False
    # What has the test: "lease_model" or "engine".
    binary: str = "lease_model"


MUTATIONS = [
    Mutation(
        "an answer is used only within the lease",
        "cache.rs",
        [
            (
                "self.is_read_within(self.lease, began)",
                "self.is_read_within(u64::MAX, began)",
            ),
        ],
        "lease::a_cached_key_that_is_revoked",
    ),
    Mutation(
        "the age of a reading counts from its begin",
        "resolver.rs",
        [
            (
                "verifier.cache.apply(&batch.changed, begun);",
                "verifier.cache.apply(&batch.changed, verifier.clock.uptime());",
            ),
        ],
        "lease::a_cached_key_that_is_revoked_while_the_log_is_read",
    ),
    Mutation(
        "the lease is renewed after the changes are applied",
        "cache.rs",
        [
            (
                """\
        let state = &mut *lock(&self.state);
        match changed {""",
                """\
        self.read_at.fetch_max(begun.nanoseconds(), Ordering::Release);
        let state = &mut *lock(&self.state);
        match changed {""",
            ),
        ],
        "lease::a_cached_key_that_is_revoked_while_the_log_is_read",
    ),
    Mutation(
        "a row of the log counts as read after it is applied",
        "resolver.rs",
        [
            (
                """\
            let mut applied = lock(&applied);
            // Two""",
                """\
            *lock(&applied) = Some(batch.end);
            let mut applied = lock(&applied);
            // Two""",
            ),
        ],
        "lease::a_cached_key_that_is_revoked_while_the_log_is_read",
    ),
    Mutation(
        "a changed key is forgotten",
        "cache.rs",
        [
            ("self.known.remove(&mut state.known, digest);", ""),
        ],
        "lease::a_cached_key_that_is_revoked",
    ),
    Mutation(
        "a changed key is forgotten as an unknown one, too",
        "cache.rs",
        [
            ("self.unknown.remove(&mut state.unknown, digest);", ""),
        ],
        "lease::an_unknown_key_that_is_issued",
    ),
    Mutation(
        "everything is forgotten where the log lacks the row that was read last",
        "cache.rs",
        [
            ("self.known.clear(&mut state.known);", ""),
        ],
        "lease::a_cached_key_that_is_revoked_in_a_store_that_is_restored",
    ),
    Mutation(
        "and what is being looked up does not enter then",
        "cache.rs",
        [
            (
                """\
                state.generation += 1;
""",
                "",
            ),
        ],
        "lease::a_key_that_is_looked_up_while_the_store_is_restored",
    ),
    Mutation(
        "an answer enters only if nothing was applied since its lookup began",
        "cache.rs",
        [
            ("if state.generation != token.generation {", "if false {"),
        ],
        "lease::a_key_that_is_revoked_while_it_is_looked_up",
    ),
    Mutation(
        "what was applied is noted before the lookup begins",
        "resolver.rs",
        [
            (
                """\
    let token = verifier.cache.begin_fill();
    let found = store.find(KeyReference::Digest(digest)).await;
""",
                """\
    let found = store.find(KeyReference::Digest(digest)).await;
    let token = verifier.cache.begin_fill();
""",
            ),
        ],
        "lease::a_key_that_is_revoked_while_it_is_looked_up",
    ),
    Mutation(
        "the check and the insertion are one step",
        "cache.rs",
        [
            (
                """\
        let state = &mut *lock(&self.state);
        if state.generation != token.generation {
            return;
        }
""",
                """\
        if lock(&self.state).generation != token.generation {
            return;
        }
        let state = &mut *lock(&self.state);
""",
            ),
        ],
        "lease::a_key_that_is_revoked_while_it_is_looked_up",
    ),
    Mutation(
        "applying is one step",
        "cache.rs",
        [
            (
                """\
        let state = &mut *lock(&self.state);
        match changed {""",
                """\
        {
        let state = &mut *lock(&self.state);
        match changed {""",
            ),
            ("state.generation += u64::from(!digests.is_empty());", ""),
            (
                "        // Last, and never back",
                """\
        }
        lock(&self.state).generation += 1;
        // Last, and never back""",
            ),
        ],
        "lease::a_key_that_is_revoked_while_it_is_looked_up",
    ),
    Mutation(
        "a call joins only a lookup that began less than one lease before it",
        "resolver.rs",
        [
            (
                "if age < self.verifier.cache.lease() { work.upgrade() } else { None }",
                "{ let _ = age; work.upgrade() }",
            ),
        ],
        "lease::a_key_that_is_revoked_while_it_is_looked_up_far_away",
    ),
    Mutation(
        "a change waits until nobody can use what was before",
        "engine/change.rs",
        [
            (
                "clock.uptime().nanoseconds() + (bound + ROUNDED).as_nanos() as u64,\n",
                "clock.uptime().nanoseconds(),\n",
            ),
        ],
        "lease::a_cached_key_that_is_revoked",
    ),
    Mutation(
        "issuing waits as all changes do",
        "engine/change.rs",
        [
            (
                "clock.uptime().nanoseconds() + (bound + ROUNDED).as_nanos() as u64,\n",
                "clock.uptime().nanoseconds(),\n",
            ),
        ],
        "lease::an_unknown_key_that_is_issued",
    ),
    Mutation(
        "deleting waits as all changes do",
        "engine/change.rs",
        [
            (
                "clock.uptime().nanoseconds() + (bound + ROUNDED).as_nanos() as u64,\n",
                "clock.uptime().nanoseconds(),\n",
            ),
        ],
        "lease::a_cached_key_that_is_deleted",
    ),
    Mutation(
        "the wait is as long as the lease",
        "engine/change.rs",
        [
            # A short wait is waited for at the commit already, and what is left of it after.
            (
                "committed.clock.sleep(remaining).await;",
                "committed.clock.sleep(remaining / 4).await;",
            ),
            ("self.clock.sleep(remaining).await;", "self.clock.sleep(remaining / 4).await;"),
        ],
        "lease::a_cached_key_that_is_revoked",
    ),
    Mutation(
        "a counter stays until it is flushed, whoever looks its key up meanwhile",
        "usage/counters.rs",
        [
            (
                "let known = sync::Arc::new(CachedKey::new(digest",
                """\
all.table.retain(|known| known.digest != digest);
        let known = sync::Arc::new(CachedKey::new(digest""",
            ),
        ],
        "counts::calls_while_the_record_leaves_the_cache",
    ),
    Mutation(
        "whether a counter is held is asked before its count is taken",
        "usage/counters.rs",
        [
            (
                """\
            let held = is_held(known);
            let count = known.counter.count.swap(0, Ordering::SeqCst);
""",
                """\
            let count = known.counter.count.swap(0, Ordering::SeqCst);
            let held = is_held(known);
""",
            ),
        ],
        "counts::calls_while_the_record_leaves_the_cache",
    ),
    Mutation(
        "whether a counter is held is asked before it is looked at, when nobody flushes",
        "usage/counters.rs",
        [
            (
                "is_held(known) || known.counter.count() > 0",
                "known.counter.count() > 0 || is_held(known)",
            ),
        ],
        "counts::calls_while_what_nobody_needs_is_thrown_out",
    ),
    Mutation(
        "a use has its date when it is counted",
        "cache/entry.rs",
        [
            (
                """\
        if self.last_used_at.load(Ordering::Relaxed) < now.seconds() {
            self.last_used_at.fetch_max(now.seconds(), Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::SeqCst);
""",
                """\
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.last_used_at.load(Ordering::Relaxed) < now.seconds() {
            self.last_used_at.fetch_max(now.seconds(), Ordering::Relaxed);
        }
""",
            ),
        ],
        "counts::the_first_call_while_counts_are_written",
    ),
    Mutation(
        "a count is seen by the flush that runs, or it wakes the next: the flag is cleared first",
        "usage/counters.rs",
        [
            (
                """\
        self.dirty.store(false, Ordering::SeqCst);
        let mut counts""",
                "        let mut counts",
            ),
            (
                """\
            held
        });
        add_up(counts)""",
                """\
            held
        });
        self.dirty.store(false, Ordering::SeqCst);
        add_up(counts)""",
            ),
        ],
        "counts::counts_that_nobody_flushes",
        hangs=True,
    ),
    Mutation(
        "counts that could not be written are tried again",
        "usage/flusher.rs",
        [
            (
                "if !failed && !matches!(woken.recv(), Ok(Wake::Counted)) {",
                "if !matches!(woken.recv(), Ok(Wake::Counted)) {",
            ),
        ],
        "counts::counts_that_nobody_flushes_and_the_store_refuses_at_first",
        hangs=True,
    ),
    Mutation(
        "a batch that was not confirmed keeps its number",
        "usage/counters.rs",
        [
            (
                "let older = lock(&self.flush).unconfirmed.clone();",
                """\
let older = lock(&self.flush).unconfirmed.clone().map(|batch| {
            Arc::new(UsageBatch { number: batch.number + 1, ..(*batch).clone() })
        });""",
            ),
        ],
        "counts::counts_whose_arrival_is_not_confirmed",
    ),
    Mutation(
        "a batch is made when the one before has arrived",
        "usage/counters.rs",
        [
            ("if flush.unconfirmed.is_none() {", "{"),
        ],
        "counts::calls_while_counts_are_written_twice_at_once",
    ),
    Mutation(
        "a batch is forgotten when it has arrived itself",
        "usage/counters.rs",
        [
            ("take_if(|waiting| waiting.number == batch.number)", "take()"),
        ],
        "counts::counts_that_are_refused_while_older_ones_arrive",
    ),
    Mutation(
        "while the store is down an old answer counts for as long as the store allows",
        "resolver.rs",
        [
            (
                "cache.is_read_within(self.tolerated, began)",
                "cache.is_read_within(u64::MAX, began)",
            ),
        ],
        "far::what_is_cached_counts_for_as_long_as_the_store_tolerates",
        binary="engine",
    ),
    Mutation(
        "a change waits for what is tolerated too",
        "engine/change.rs",
        [
            (
                "let used = self.store.lease() + self.store.stale_if_error();",
                "let used = self.store.lease();",
            ),
        ],
        "far::every_verb_waits_for_the_whole_bound",
        binary="engine",
    ),
    Mutation(
        "while the store is down nobody waits for it",
        "resolver.rs",
        [
            ("(age < OUTAGE).then(", "(age < OUTAGE && false).then("),
        ],
        "far::while_the_store_is_down_nobody_waits_for_it",
        binary="engine",
    ),
    Mutation(
        "a store that was down is asked again after a while",
        "resolver.rs",
        [
            ("(age < OUTAGE).then(", "(age < u64::MAX).then("),
        ],
        "far::a_store_that_never_calls_is_tried_again_all_the_same",
        binary="engine",
    ),
    Mutation(
        "a reading that succeeds ends an outage",
        "resolver.rs",
        [
            (
                "if !store.is_embedded() {\n                let failed",
                "if batch.is_err() {\n                let failed",
            ),
        ],
        "far::while_the_store_is_down_nobody_waits_for_it",
        binary="engine",
    ),
    Mutation(
        "the store is asked for no more than it bears",
        "resolver.rs",
        [
            ("if !self.rate_limiter.take(begun) {", "if !self.rate_limiter.take(begun) && false {"),
        ],
        "far::more_look_ups_than_the_store_bears_are_refused_without_a_word_about_the_key",
        binary="engine",
    ),
    Mutation(
        "a process forgets the key that it has changed",
        "engine/mutate.rs",
        [
            ("self.verifier.cache.forget(&digest);", "let _ = digest;"),
        ],
        "far::the_process_that_changes_a_key_forgets_it_at_the_commit",
        binary="engine",
    ),
    Mutation(
        "and a lookup that began before its change does not enter the cache",
        "cache.rs",
        [
            (
                "self.forget_one(state, digest);\n        state.generation += 1;",
                "self.forget_one(state, digest);",
            ),
        ],
        "far::a_lookup_that_began_before_an_own_change_does_not_enter_the_cache",
        binary="engine",
    ),
    Mutation(
        "the time by which keys expire does not step back with the clock",
        "clock/expiry.rs",
        [
            (
                "now.max(Timestamp::from_seconds(self.latest.load(Ordering::Relaxed)))",
                "now",
            ),
        ],
        "expiring::on_memory::a_clock_that_is_set_back_revives_no_key",
        binary="engine",
    ),
    Mutation(
        "and it rises no faster than the uptime",
        "clock/expiry.rs",
        [
            ("now.seconds().min(plausible)", "now.seconds()"),
        ],
        "expiring::on_memory::a_clock_that_was_wrong_once_does_no_harm_when_it_is_right_again",
        binary="engine",
    ),
]

//! Engines for tests. How an engine is configured is known here alone.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use simple_security::clock::{Clock, FakeClock};
use simple_security::store::KeyStore;
use simple_security::{ApiKeys, ApiKeysBuilder, IssuedKey, NewKey, Timestamp};

use crate::wait::wait;

/// The admin secret of every engine but those of [`engine_without_secret`].
pub const ADMIN_SECRET: &str = "an admin secret of 31 characters";

/// The time of day at which tests begin: 2027-01-15T08:00:00Z, in seconds.
pub const START: i64 = 1_800_000_000;

/// Returns a clock that a test moves, at [`START`].
pub fn fake_clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(Timestamp::from_seconds(START)))
}

/// Opens the engine of [`engine_builder`].
pub fn engine(store: Arc<dyn KeyStore>, clock: &Arc<impl Clock + 'static>) -> ApiKeys {
    engine_builder(store, clock).build().expect("an engine")
}

/// Begins an engine with the defaults and [`ADMIN_SECRET`], but counts are written only when a test
/// flushes them.
pub fn engine_builder(
    store: Arc<dyn KeyStore>,
    clock: &Arc<impl Clock + 'static>,
) -> ApiKeysBuilder<'static> {
    begin(store, clock).admin_secret(ADMIN_SECRET.into())
}

/// Opens an engine for which no admin secret is set. The second value is the secret if it was
/// generated here.
pub fn engine_without_secret(
    store: Arc<dyn KeyStore>,
    clock: &Arc<impl Clock + 'static>,
) -> (ApiKeys, Option<SecretString>) {
    let mut generated = None;
    let builder = begin(store, clock).generated_admin_secret(|secret| generated = Some(secret));
    let keys = builder.build().expect("an engine");
    (keys, generated)
}

/// Opens an engine that accepts no admin secret, as the command line does.
pub fn engine_without_admin(
    store: Arc<dyn KeyStore>,
    clock: &Arc<impl Clock + 'static>,
) -> ApiKeys {
    begin(store, clock).build().expect("an engine")
}

fn begin<'a>(store: Arc<dyn KeyStore>, clock: &Arc<impl Clock + 'static>) -> ApiKeysBuilder<'a> {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    ApiKeys::builder(store).clock(clock).flush_interval(Duration::from_secs(3600))
}

/// Issues a key without a name.
pub fn issue(keys: &ApiKeys) -> IssuedKey {
    wait(keys.issue(NewKey::default())).expect("a key")
}

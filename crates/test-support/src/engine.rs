//! Engines for tests. How an engine is configured is known here alone.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use simple_security::clock::{Clock, FakeClock};
use simple_security::config::{Arguments, EngineSettings, Settings};
use simple_security::store::KeyStore;
use simple_security::{ApiKeys, IssuedKey, NewKey, Timestamp};

use crate::wait;

/// The admin secret of every engine but those of [`engine_without_secret`].
pub const ADMIN_SECRET: &str = "an admin secret of 31 characters";

/// The time of day at which tests begin: 2027-01-15T08:00:00Z, in seconds.
pub const START: i64 = 1_800_000_000;

/// Returns a clock that a test moves, at [`START`].
pub fn fake_clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(Timestamp::from_seconds(START)))
}

/// Opens an engine with [`engine_settings`].
pub fn engine(store: Arc<dyn KeyStore>, clock: &Arc<impl Clock + 'static>) -> ApiKeys {
    engine_with(store, clock, engine_settings())
}

/// Opens an engine with settings of a test's own.
pub fn engine_with(
    store: Arc<dyn KeyStore>,
    clock: &Arc<impl Clock + 'static>,
    engine: EngineSettings,
) -> ApiKeys {
    let settings = Settings { engine, ..settings() };
    ApiKeys::with_store(store, Arc::clone(clock) as Arc<dyn Clock>, &settings).expect("an engine").0
}

/// Opens an engine for which no admin secret is set. The second value is the secret if it was
/// generated here.
pub fn engine_without_secret(
    store: Arc<dyn KeyStore>,
    clock: &Arc<impl Clock + 'static>,
) -> (ApiKeys, Option<SecretString>) {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    ApiKeys::with_store(store, clock, &settings_without_secret()).expect("an engine")
}

/// Opens an engine that accepts no admin secret, as the command line does.
pub fn engine_without_admin(
    store: Arc<dyn KeyStore>,
    clock: &Arc<impl Clock + 'static>,
) -> ApiKeys {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    ApiKeys::without_admin_secret(store, clock, &settings()).expect("an engine")
}

/// The defaults, but counts are written only when a test flushes them.
pub fn engine_settings() -> EngineSettings {
    EngineSettings { flush_interval: Duration::from_secs(3600), ..EngineSettings::default() }
}

/// The settings of [`engine_without_secret`].
pub fn settings_without_secret() -> Settings {
    Settings { admin_secret: None, ..settings() }
}

/// Settings of which nothing comes from the environment.
fn settings() -> Settings {
    let arguments = Arguments {
        secret: Some(ADMIN_SECRET.into()),
        db_location: Some("unused.db".to_owned()),
        automatic_expiration: Some("15".to_owned()),
        key_prefix: Some("fss".to_owned()),
        refusal_status: Some("403".to_owned()),
    };
    let settings = Settings::load(&arguments).expect("settings");
    Settings { engine: engine_settings(), ..settings }
}

/// Issues a key without a name.
pub fn issue(keys: &ApiKeys) -> IssuedKey {
    wait(keys.issue(NewKey::default())).expect("a key")
}

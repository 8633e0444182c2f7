//! No text that the engine makes shows a key, its digest or the admin secret.

use std::fmt::{Debug, Display, Write as _};
use std::sync::atomic::Ordering;

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use simple_security::store::ChangeLog;
use simple_security::testing::Place;
use simple_security::{KeyDigest, KeyFormat, KeyReference, NewKey, Renewal};
use test_support::{Fault, FaultyStore, Log, commits, engine_builder, engine_without_secret};

use super::{LEASE, fake_clock, on_every_store, wait};

on_every_store!(nothing_shows_a_key_or_a_digest);

/// All texts of an error and its causes.
fn texts(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    if let Some(source) = error.source() {
        text += &texts(source);
    }
    text
}

/// All texts of a result.
fn shown<T: Debug, E: std::error::Error + 'static>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?} {value:#?}"),
        Err(error) => texts(&error),
    }
}

/// What is logged on this thread.
pub fn logged(act: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    log.text()
}

fn nothing_shows_a_key_or_a_digest(place: &dyn Place) {
    let mut done = None;
    let logged = logged(|| done = Some(use_all(place)));
    let (mut said, secrets) = done.expect("all was done");
    assert!(said.contains("KeyDigest(hidden)") && said.contains("PlainKey(hidden)"));
    writeln!(said, "{logged}").expect("a text");
    for secret in secrets {
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let hexadecimal = |bytes: &[u8]| -> String {
            bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
        };
        let list = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
        // Pieces are enough to find it: a text may be cut or broken into lines.
        for trace in [
            secret[secret.len() - 12..].to_owned(),
            hexadecimal(&digest[..6]),
            hexadecimal(&digest[..6]).to_uppercase(),
            list(&digest[..6]),
            list(&secret.as_bytes()[secret.len() - 12..]),
        ] {
            assert!(!said.contains(&trace), "{trace} is shown");
        }
    }
}

/// Does everything that gives a value or an error; gives back all their texts, and the secrets.
fn use_all(place: &dyn Place) -> (String, Vec<String>) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let (keys, generated) = engine_without_secret(store.clone(), &clock);
    let generated = generated.expect("a secret");
    let builder = engine_builder(store.clone(), &clock).admin_secret(generated.clone());
    let admin = keys.authenticate_admin(generated.expose_secret().as_bytes());
    let mut said = format!("{keys:?} {admin:?} {generated:?} {builder:?}");
    let issued = wait(keys.issue(NewKey::default())).expect("a key");
    let (key, id) = (issued.key.expose().to_owned(), issued.record.id);
    let unknown = KeyFormat::default().generate().expect("random bytes").0.expose().to_owned();
    let mistyped = key[..54].to_owned() + if key.ends_with('0') { "1" } else { "0" };
    let digest = KeyDigest::of(key.as_bytes());
    said += &format!("{issued:?} {digest:?} {:?}", KeyReference::Digest(digest));
    for presented in [&key, &unknown, &mistyped] {
        said += &shown(wait(keys.verify(presented.as_bytes())));
        said += &shown(wait(keys.identify(presented)));
    }
    said += &shown(commits::insert(&*store, digest, &issued.record));
    said += &shown(wait(store.changes_since(None)));
    said += &shown(wait(keys.list()));
    said += &shown(wait(keys.revoke(id)));
    said += &shown(wait(keys.verify(key.as_bytes())));
    said += &shown(wait(keys.renew(id, Renewal::Date(issued.record.created_at))));
    said += &shown(wait(keys.verify(key.as_bytes())));
    said += &shown(wait(keys.renew(id, Renewal::DefaultLifetime)));
    said += &shown(wait(keys.verify(key.as_bytes())));
    *store.faults.lock().expect("the faults") = vec![Some(Fault::Before)];
    said += &shown(wait(keys.list()));
    store.down.store(true, Ordering::SeqCst);
    clock.advance(LEASE);
    for presented in [&key, &unknown, &mistyped] {
        said += &shown(wait(keys.verify(presented.as_bytes())));
        said += &shown(wait(keys.identify(presented)));
    }
    said += &shown(wait(keys.revoke(id)));
    let secret = generated.expose_secret().to_owned();
    (said, vec![key, unknown, mistyped, secret])
}

const _: fn() = || {
    // A secret that could be shown by accident would have `Display`: this does not compile then.
    trait Shown<A> {
        fn shown() {}
    }
    impl<T> Shown<()> for T {}
    impl<T: Display> Shown<u8> for T {}
    <simple_security::PlainKey as Shown<_>>::shown();
    <KeyDigest as Shown<_>>::shown();
};

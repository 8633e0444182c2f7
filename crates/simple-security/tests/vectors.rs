//! The cases that all faces share, in `tests/vectors/` at the root of the project.

use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;
use simple_security::store::SqliteStore;
use simple_security::{
    InvalidKeyName, KEY_PATTERN, KeyDigest, KeyFormat, KeyId, KeyName, MAX_KEY_LENGTH, Malformed,
    VerifyError,
};
use test_support::vectors::{Case, Requests};
use test_support::{engine, fake_clock};

fn vectors(file: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the file");
    serde_json::from_str(&text).expect("JSON")
}

/// The cases under a name, of which there are some.
fn cases<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
    let cases = vectors[name].as_array().expect("a list");
    assert!(!cases.is_empty(), "{name} is empty");
    cases
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_else(|| panic!("no text {name} in {case}"))
}

#[test]
fn well_formed_keys_are_read_under_their_prefix() {
    let vectors = vectors("keys.json");
    for case in cases(&vectors, "keys") {
        let (key, prefix) = (text(case, "key"), text(case, "prefix"));
        let format = KeyFormat::new(prefix).expect(prefix);
        let digest = format.parse(key.as_bytes()).expect(key);
        assert_eq!(digest, KeyDigest::of(key.as_bytes()), "{key}");
        let hexadecimal: String =
            digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hexadecimal, text(case, "sha256"), "{key}");
        assert_eq!(&key[key.len() - 6..], text(case, "checksum"), "{key}");
        let id: KeyId = text(case, "id").parse().expect(key);
        assert!(key.starts_with(&format!("{prefix}_{id}_")), "{key}");
    }
}

#[test]
fn each_text_is_what_it_is_under_the_default_prefix() {
    let (vectors, format) = (vectors("keys.json"), KeyFormat::default());
    for case in cases(&vectors, "texts") {
        let presented = text(case, "text").as_bytes();
        let expected = match text(case, "form") {
            "ours" | "other" => Ok(KeyDigest::of(presented)),
            "empty" => Err(Malformed::Empty),
            "too_long" => Err(Malformed::TooLong),
            "shape" => Err(Malformed::Shape),
            "checksum" => Err(Malformed::Checksum),
            form => panic!("an unknown form: {form}"),
        };
        assert_eq!(format.parse(presented), expected, "{case}");
        assert_eq!(presented.len() > MAX_KEY_LENGTH, text(case, "form") == "too_long", "{case}");
    }
}

#[test]
fn prefixes_are_accepted_or_refused() {
    let vectors = vectors("keys.json");
    for prefix in cases(&vectors, "prefixes_accepted") {
        let format = KeyFormat::new(prefix.as_str().expect("a text")).expect("a prefix");
        let (key, id) = format.generate().expect("random bytes");
        assert!(key.expose().starts_with(&format!("{}_{id}_", prefix.as_str().expect("a text"))));
        assert!(format.parse(key.expose().as_bytes()).is_ok());
    }
    for prefix in cases(&vectors, "prefixes_refused") {
        assert!(KeyFormat::new(prefix.as_str().expect("a text")).is_err(), "{prefix}");
    }
}

#[test]
fn the_patterns_find_keys_and_nothing_else() {
    let vectors = vectors("keys.json");
    let any_prefix = Regex::new(KEY_PATTERN).expect("the published pattern");
    let default_prefix = Regex::new(text(&vectors, "pattern")).expect("the pattern");
    let found = |key: &str| any_prefix.find(key).map(|found| found.as_str().to_owned());
    for case in cases(&vectors, "keys") {
        let key = text(case, "key");
        assert_eq!(found(key).as_deref(), Some(key));
        assert_eq!(default_prefix.is_match(key), text(case, "prefix") == "fss", "{key}");
        for around in [format!("key={key}&next"), format!("\"{key}\""), format!("x: {key}\n")] {
            assert_eq!(found(&around).as_deref(), Some(key), "{around}");
        }
        assert_eq!(found(&format!("{key}A")), None, "it is too long");
        assert_eq!(found(&key[..key.len() - 1]), None, "it is too short");
    }
    for case in cases(&vectors, "texts") {
        let (key, form) = (text(case, "text"), text(case, "form"));
        // Neither says anything about the checksum.
        let looks_like_ours = matches!(form, "ours" | "checksum");
        assert_eq!(default_prefix.is_match(key), looks_like_ours, "{case}");
        if looks_like_ours {
            assert_eq!(found(key).as_deref(), Some(key), "{case}");
        }
        if form == "shape" {
            assert_ne!(found(key).as_deref(), Some(key), "{case}");
        }
    }
    for _ in 0..100 {
        let (key, _) = KeyFormat::default().generate().expect("random bytes");
        assert_eq!(found(key.expose()).as_deref(), Some(key.expose()));
        assert!(default_prefix.is_match(key.expose()));
    }
}

#[test]
fn names_are_accepted_as_they_stand_or_refused() {
    let vectors = vectors("names.json");
    for case in cases(&vectors, "names") {
        let name = text(case, "name");
        let accepted = case["accepted"].as_bool().expect("true or false");
        match KeyName::new(name) {
            Ok(stored) => {
                assert!(accepted, "{case}");
                assert_eq!(stored.as_str(), name, "{case}");
                assert_eq!(KeyName::repaired(name), stored, "{case}");
            }
            Err(refused) => {
                assert!(!accepted, "{refused}: {case}");
                let length = name.chars().count();
                let expected = length > KeyName::MAX_LENGTH;
                assert_eq!(refused == InvalidKeyName::TooLong(length), expected, "{case}");
                let repaired = KeyName::repaired(name);
                assert_eq!(KeyName::new(repaired.as_str()), Ok(repaired), "{case}");
            }
        }
    }
}

/// What the engine decides where nothing is left for a face to decide: one value in one header.
#[test]
fn what_a_header_carries_alone_is_decided() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("keys.db");
    let store = Arc::new(SqliteStore::open(&database).expect("the store opens"));
    let clock = fake_clock();
    let keys = engine(store.clone(), &clock);
    let requests = pollster::block_on(Requests::read(&keys, &*store));
    let alone = |up: bool| {
        let cases = requests.cases.iter().filter(move |case| case.store_is_up == up);
        cases.filter_map(|case| Some((case, carried_alone(case)?)))
    };

    let mut expected: HashMap<KeyId, u64> = HashMap::new();
    for (case, presented) in alone(true) {
        let verdict = pollster::block_on(keys.verify(presented));
        assert_eq!(outcome(&verdict), case.outcome, "{}: {verdict:?}", case.name);
        if let Ok(verified) = verdict {
            let key = requests.ids[case.key.as_ref().expect("a key")];
            assert_eq!(verified.id(), key, "{}", case.name);
            *expected.entry(key).or_default() += 1;
        }
    }
    assert!(expected.len() >= 2, "{expected:?}");
    for (record, usage) in pollster::block_on(keys.list()).expect("a list") {
        assert_eq!(usage.total, expected.get(&record.id).copied().unwrap_or(0), "{record:?}");
    }

    std::fs::rename(&database, folder.path().join("moved-away.db")).expect("moved");
    clock.advance(std::time::Duration::from_secs(1));
    assert!(alone(false).count() >= 5);
    for (case, presented) in alone(false) {
        let verdict = pollster::block_on(keys.verify(presented));
        assert_eq!(outcome(&verdict), case.outcome, "{}: {verdict:?}", case.name);
    }
}

fn carried_alone(case: &Case) -> Option<&[u8]> {
    match &case.headers[..] {
        [(name, value)] if case.query.is_empty() && !value.is_empty() => {
            matches!(name.as_str(), "api-key" | "x-api-key").then_some(value)
        }
        _ => None,
    }
}

fn outcome<T>(verdict: &Result<T, VerifyError>) -> &'static str {
    match verdict {
        Ok(_) => "verified",
        Err(error) if error.is_transient() => "unavailable",
        Err(_) => "denied",
    }
}

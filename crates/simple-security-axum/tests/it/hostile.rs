//! Any bytes a server may hand over. `PROPTEST_RNG_SEED` repeats a failure, which prints it.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use http::{HeaderName, HeaderValue, Request, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::{Answer, Engine, Layered as _, answer, guarded};

struct Target {
    runtime: Runtime,
    engine: Engine,
    app: Router,
    key: String,
}

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let engine = Engine::new();
    let key = runtime.block_on(engine.issue("key")).key.expose().to_owned();
    let layer = engine.layer().with_insecure_query_parameter().strip_credential();
    Target { runtime, app: guarded(layer), engine, key }
});

impl Target {
    fn ask(&self, uri: Uri, headers: Vec<(&'static str, HeaderValue)>) -> Answer {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri;
        for (name, value) in headers {
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        self.runtime.block_on(answer(&self.app, request))
    }
}

/// Names that are ours, or nearly.
fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["authorization", "x-api-key", "api-key", "api_key", "x-other"])
}

/// Pieces of which keys, schemes and mistakes are made, and anything else.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"Bearer ".to_vec()),
        Just(b"bearer\t".to_vec()),
        Just(b"Basic ".to_vec()),
        Just(b"fss_".to_vec()),
        Just(b",".to_vec()),
        Just(TARGET.key.as_bytes()[..30].to_vec()),
        Just(TARGET.key.as_bytes()[30..].to_vec()),
        vec(any::<u8>(), 0..60),
        vec(b'0'..b'z', 0..300),
    ];
    vec(piece, 0..3).prop_map(|pieces| pieces.concat())
}

/// The whole query, or a piece of one.
fn query() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("api-key=".to_owned()),
        Just("api%2Dkey=".to_owned()),
        Just("&".to_owned()),
        Just(TARGET.key[..30].to_owned()),
        "[ -~]{0,20}",
        "\\PC{0,8}",
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic_and_none_but_a_good_key_pass(
        headers in vec((name(), value()), 0..4),
        query in query(),
    ) {
        let Ok(uri) = format!("/?{query}").parse::<Uri>() else { return Ok(()) };
        let headers: Vec<_> = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(&value).ok()?)))
            .collect();
        // Whatever contains the whole key may be the key; all else is not.
        let key = TARGET.key.as_bytes();
        let may_pass = headers
            .iter()
            .any(|(_, value)| value.as_bytes().windows(key.len()).any(|window| window == key));
        let answer = TARGET.ask(uri, headers);
        match answer.status.as_u16() {
            200 => prop_assert!(may_pass, "{answer:?}"),
            400 => prop_assert_eq!(answer.code(), Some("repeated")),
            401 => prop_assert!(matches!(answer.code(), Some("denied" | "not_presented"))),
            status => prop_assert!(false, "{status}: {answer:?}"),
        }
    }

    #[test]
    fn one_wrong_value_is_denied_and_all_are_told_the_same(wrong in value()) {
        let Ok(header) = HeaderValue::from_bytes(&wrong) else { return Ok(()) };
        if wrong.is_empty() || wrong == TARGET.key.as_bytes() {
            return Ok(());
        }
        let answer = TARGET.ask(Uri::from_static("/"), vec![("x-api-key", header)]);
        let unknown = HeaderValue::from_static("never issued");
        let expected = TARGET.ask(Uri::from_static("/"), vec![("x-api-key", unknown)]);
        prop_assert_eq!(answer.body, expected.body);
        prop_assert_eq!(answer.headers, expected.headers);
        prop_assert_eq!(answer.status, 401);
    }

    #[test]
    fn a_good_key_passes_beside_anything_that_is_not_ours_and_is_taken_out(query in query()) {
        let text = format!("/?{query}");
        let Ok(uri) = text.parse::<Uri>() else { return Ok(()) };
        let names = |query: &str| {
            form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "api-key").count()
        };
        prop_assume!(names(uri.query().unwrap_or_default()) == 0);
        let separator = if uri.query().is_some_and(|query| !query.is_empty()) { "&" } else { "" };
        let with_key: Uri = format!("{uri}{separator}api-key={}", TARGET.key).parse().expect("a URI");
        let answer = TARGET.ask(with_key, vec![]);
        prop_assert_eq!(answer.status, 200);
        let inside: Uri = answer.body["uri"].as_str().expect("a URI").parse().expect("a URI");
        prop_assert_eq!(inside.path(), "/");
        prop_assert_eq!(inside.query().unwrap_or_default(), uri.query().unwrap_or_default());
    }
}

#[test]
fn every_request_that_passed_was_counted() {
    let target = &*TARGET;
    let id = target.key[4..15].parse().expect("an id");
    let counted = || target.runtime.block_on(target.engine.counted(id));
    // Other tests of this file may count meanwhile: at least these.
    let before = counted();
    for _ in 0..100 {
        let header = HeaderValue::try_from(&target.key).expect("a value");
        assert_eq!(target.ask(Uri::from_static("/"), vec![("api-key", header)]).status, 200);
    }
    assert!(counted() >= before + 100);
}

//! Any bodies, queries, paths and headers. `PROPTEST_RNG_SEED` repeats a failure, which prints it.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Uri};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::{SECRET, app, header, issue, send};
use crate::{Answer, Engine};

struct Target {
    runtime: Runtime,
    engine: Engine,
    app: Router,
    id: String,
}

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime");
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = runtime.block_on(issue(&app));
    Target { runtime, engine, app, id }
});

/// One request, as far as it can be sent.
#[derive(Debug, Clone)]
struct Sent {
    method: Method,
    uri: String,
    secrets: Vec<Vec<u8>>,
    media_type: Option<Vec<u8>>,
    body: Vec<u8>,
}

impl Sent {
    fn request(&self) -> Option<Request<Body>> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        // `/auth/` is the app's own for axum, which has nothing there.
        *request.uri_mut() = self.uri.parse::<Uri>().ok().filter(|uri| uri.path() != "/auth/")?;
        for secret in &self.secrets {
            request.headers_mut().append("secret-key", HeaderValue::from_bytes(secret).ok()?);
        }
        if let Some(media_type) = &self.media_type {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_bytes(media_type).ok()?);
        }
        Some(request)
    }

    fn has_secret(&self) -> bool {
        self.secrets == [SECRET.as_bytes()]
    }
}

fn ask(request: Request<Body>) -> Answer {
    TARGET.runtime.block_on(send(&TARGET.app, request))
}

fn method() -> impl Strategy<Value = Method> {
    let named = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "X"];
    prop::sample::select(named.to_vec()).prop_map(|name| name.parse().expect("a method"))
}

fn path() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => Just("/keys".to_owned()),
        3 => Just("/".to_owned()),
        4 => Just(format!("/{}", TARGET.id)),
        2 => Just("/revoke".to_owned()),
        2 => Just("/renew".to_owned()),
        1 => "/[!-~]{0,12}",
        1 => "/(%[0-9a-fA-F]{2}){1,12}",
        1 => Just("/..".to_owned()),
    ];
    let known = prop::sample::select(vec!["", "/ID", "/ID/revoke", "/ID/renew"])
        .prop_map(|path| format!("/keys{}", path.replace("ID", &TARGET.id)));
    prop_oneof![known, vec(piece, 0..5).prop_map(|pieces| pieces.concat())]
}

fn query() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("limit=".to_owned()),
        Just("cursor=".to_owned()),
        Just("state=active".to_owned()),
        Just("wait=true".to_owned()),
        Just("name=".to_owned()),
        Just("&".to_owned()),
        Just(format!("1.{}", TARGET.id)),
        "[0-9]{1,22}",
        "[ -~]{0,20}",
        "(%[0-9a-fA-F]{2}){1,6}",
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat().replace([' ', '#'], "+"))
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        "\"\\PC{0,12}\"",
        Just(r#""2030-01-31T12:00:00Z""#.to_owned()),
        "\"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})\"",
        Just("null".to_owned()),
        Just("1e999".to_owned()),
        Just("[{}]".to_owned()),
        "[0-9.eE+-]{1,8}",
        Just(r#""\ud800""#.to_owned()),
        "\"[!-~]{30,34}\"".prop_map(|text| text.replace('\\', "/")),
    ];
    let name = prop::sample::select(vec!["name", "expires_at", "key", "nmae", "", "$serde"]);
    let member = (name, value.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
    let object = vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(",")));
    prop_oneof![
        4 => object.prop_map(String::into_bytes),
        2 => value.prop_map(String::into_bytes),
        1 => Just(Vec::new()),
        1 => vec(any::<u8>(), 0..200),
        1 => vec(prop::sample::select(b"{}[]\",:\\un0 ".to_vec()), 0..60),
    ]
}

fn secrets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop_oneof![
        Just(SECRET.as_bytes().to_vec()),
        Just(SECRET.as_bytes()[..10].to_vec()),
        Just(Vec::new()),
        vec(any::<u8>(), 0..40),
    ];
    prop_oneof![3 => Just(vec![SECRET.as_bytes().to_vec()]), 1 => vec(piece, 0..3)]
}

fn sent() -> impl Strategy<Value = Sent> {
    let media_type = prop_oneof![
        3 => Just(Some(b"application/json".to_vec())),
        1 => Just(None),
        1 => vec(any::<u8>(), 0..20).prop_map(Some),
    ];
    (method(), path(), query(), secrets(), media_type, body()).prop_map(
        |(method, path, query, secrets, media_type, body)| {
            let uri = format!("/auth{path}{}{query}", if query.is_empty() { "" } else { "?" });
            Sent { method, uri, secrets, media_type, body }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn nothing_panics_fails_or_passes_without_the_secret(sent in sent()) {
        let Some(request) = sent.request() else { return Ok(()) };
        let answer = ask(request);
        let status = answer.status.as_u16();
        if sent.has_secret() {
            prop_assert!(matches!(status, 200 | 201 | 404 | 405 | 409 | 422), "{:?}", answer);
        } else {
            prop_assert!(matches!(status, 400 | 401), "{answer:?}");
        }
        prop_assert_eq!(header(&answer.headers, "cache-control"), Some("no-store"));
        if status >= 400 {
            let media_type = header(&answer.headers, "content-type");
            prop_assert_eq!(media_type, Some("application/problem+json"));
        }
        if status == 422 {
            let errors = answer.body["errors"].as_array().map(Vec::len);
            prop_assert!(errors.is_some_and(|count| count > 0), "{answer:?}");
        }
    }
}

#[test]
fn what_was_refused_has_changed_nothing() {
    let count = || {
        let keys = &TARGET.engine.keys;
        TARGET.runtime.block_on(keys.list()).expect("a list").len()
    };
    // Other tests of this file share the target. This one has its own key to look at.
    let (id, _) = TARGET.runtime.block_on(issue(&TARGET.app));
    assert!(count() > 0);
    proptest!(ProptestConfig::with_cases(500), |(mut sent in sent())| {
        sent.secrets.retain(|secret| secret != SECRET.as_bytes());
        sent.uri = sent.uri.replace(&TARGET.id, &id);
        if let Some(request) = sent.request() {
            prop_assert!(ask(request).status.is_client_error());
        }
    });
    let shown = TARGET.runtime.block_on(super::get(&TARGET.app, &format!("/keys/{id}")));
    assert_eq!((&shown.body["state"], &shown.body["name"]), (&"active".into(), &"".into()));
}

//! The documentation of the administrator's routes: `/openapi.json` for programs, `/docs` for people.
//!
//! All that the page needs is in this program. The browser is told to take nothing from elsewhere.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use utoipa::openapi::{Info, OpenApi, Paths};
use utoipa_swagger_ui::Config;

use super::paths::ADMIN;

/// Scripts, styles and requests of our own; pictures also where the style sheet has them in itself. No
/// script or style in the page, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const PAGE: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/page.js");

/// What is taken of Swagger UI.
const STYLE: &str = "swagger-ui.css";
const BUNDLE: &str = "swagger-ui-bundle.js";

/// The routes.
pub(super) fn routes() -> Router {
    // Cannot fail: it has only strings, lists, and maps with strings as keys.
    let description = Bytes::from(serde_json::to_vec(&description()).unwrap_or_default());
    Router::new()
        .route("/openapi.json", get(async move || (JSON, description)))
        // The page names its files relative to itself.
        .route("/docs", get(async || Redirect::permanent("docs/")))
        .route("/docs/", get(async || guarded("text/html; charset=utf-8", PAGE)))
        .route("/docs/page.js", get(async || guarded("text/javascript; charset=utf-8", SCRIPT)))
        .route("/docs/swagger-ui.css", packed(STYLE))
        .route("/docs/swagger-ui-bundle.js", packed(BUNDLE))
}

const JSON: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "application/json")];

fn description() -> OpenApi {
    let info = Info::builder()
        .title("simple-security")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The keys, for the administrator."))
        .build();
    OpenApi::new(info, Paths::new()).nest(ADMIN, simple_security_axum::openapi())
}

/// What the browser is told with each file.
const GUARDS: [(HeaderName, &str); 4] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    // A new version of this program has other files of the same name.
    (CACHE_CONTROL, "no-cache"),
];

fn guarded(kind: &'static str, text: &'static str) -> Response {
    (GUARDS, [(CONTENT_TYPE, kind)], text).into_response()
}

/// A file of Swagger UI. It is kept compressed, as every browser takes it. All answers share its bytes:
/// otherwise a client that does not read them would make the server hold a copy for each request.
fn packed(name: &str) -> MethodRouter {
    let Ok(Some(file)) = utoipa_swagger_ui::serve(name, Arc::new(Config::from("/openapi.json")))
    else {
        return get(async || StatusCode::NOT_FOUND);
    };
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let kind = file.content_type;
    let encoding = file.gzpipped.then_some([(CONTENT_ENCODING, "gzip")]);
    get(async move || {
        let mut response = (GUARDS, [(CONTENT_TYPE, kind)], bytes).into_response();
        for (header, value) in encoding.into_iter().flatten() {
            response.headers_mut().insert(header, HeaderValue::from_static(value));
        }
        response
    })
}

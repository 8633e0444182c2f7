//! The OpenAPI 3.1 document, generated from the routes.

use utoipa::OpenApi as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Components, OpenApi, RefOr, Schema};

use crate::problem::Problem;
use crate::router::routes;

/// The OpenAPI document of [`admin_router`](crate::admin_router), for `/docs` and generated clients.
///
/// Its paths are relative to where the router is. An application puts them there with
/// [`OpenApi::nest`]:
///
/// ```
/// use simple_security_admin::utoipa::openapi::{Info, OpenApi, Paths};
///
/// let document = OpenApi::new(Info::new("my app", "1.0"), Paths::new())
///     .nest("/auth", simple_security_admin::openapi());
/// // Such as `Json(document)` is what a route for it returns.
/// assert!(document.paths.paths.contains_key("/auth/keys/{id}"));
/// ```
pub fn openapi() -> OpenApi {
    let mut document = Document::openapi();
    document.merge(routes().into_openapi());
    let secret = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("secret-key")));
    document
        .components
        .get_or_insert_with(Components::default)
        .add_security_scheme("Secret header", secret);
    for path in document.paths.paths.values_mut() {
        let operations =
            [&mut path.get, &mut path.put, &mut path.post, &mut path.patch, &mut path.delete];
        operations.into_iter().flatten().for_each(tidy);
    }
    document
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Simple security: keys",
        description = "Keys for tools and programs of an administrator: the same in every adapter. \
            Paths are relative to where an application puts the router, `/auth` in the examples. \
            Rejections are problem details (RFC 9457); responses may not be stored \
            (`Cache-Control: no-store`). Times are UTC in RFC 3339, in whole seconds except for \
            `effective_by`. Unknown members of a body and unknown parameters are rejected.",
    ),
    components(schemas(Problem))
)]
struct Document;

fn tidy(operation: &mut Operation) {
    // A tag would be the name of a Rust module.
    operation.tags = None;
    // A body that may be left out is described as an object or `null`; `null` is not accepted.
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        if let RefOr::T(content) = content
            && let Some(RefOr::T(Schema::OneOf(either))) = &content.schema
            && let Some(object) = either.items.iter().find(|item| matches!(item, RefOr::Ref(_)))
        {
            content.schema = Some(object.clone());
        }
    }
}

//! The description of the routes for programs: OpenAPI 3.1, made from the routes themselves.

use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};
use utoipa::{Modify, OpenApi as _};

use super::routes;
use crate::problem::Problem;

/// The description of [`admin_router`](crate::admin_router), for `/docs` and generated clients.
///
/// Its paths are relative to where the router is. An application puts them there with
/// [`OpenApi::nest`]:
///
/// ```
/// use simple_security_axum::utoipa::openapi::{Info, OpenApi, Paths};
///
/// let description = OpenApi::new(Info::new("my app", "1.0"), Paths::new())
///     .nest("/auth", simple_security_axum::openapi());
/// // Such as `Json(description)` is what a route for it answers.
/// assert!(description.paths.paths.contains_key("/auth/keys/{id}"));
/// ```
pub fn openapi() -> OpenApi {
    Description::openapi()
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Simple security: keys",
        description = "Keys for tools and programs of the administrator: the same on every face. \
            Paths are relative to where an app puts the router, `/auth` in the examples. \
            Answers that refuse are problem details (RFC 9457); no answer may be stored \
            (`Cache-Control: no-store`). Times are UTC in RFC 3339, whole seconds but for \
            `effective_by`. What is unknown \
            in a body or a query is refused.",
    ),
    paths(
        routes::issue_key,
        routes::list_keys,
        routes::show_key,
        routes::edit_key,
        routes::delete_key,
        routes::revoke_key,
        routes::renew_key,
    ),
    components(schemas(Problem)),
    modifiers(&SecretHeader, &NoTags),
)]
struct Description;

/// Nothing in the routes says where the secret is.
struct SecretHeader;

impl Modify for SecretHeader {
    fn modify(&self, description: &mut OpenApi) {
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("secret-key")));
        description
            .components
            .get_or_insert_with(Components::default)
            .add_security_scheme("Secret header", scheme);
    }
}

/// A tag would be the name of a module of ours.
struct NoTags;

impl Modify for NoTags {
    fn modify(&self, description: &mut OpenApi) {
        for path in description.paths.paths.values_mut() {
            let operations = [&mut path.get, &mut path.post, &mut path.patch, &mut path.delete];
            operations.into_iter().flatten().for_each(|operation| operation.tags = None);
        }
    }
}

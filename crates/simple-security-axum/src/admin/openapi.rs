//! The description of the routes for programs: OpenAPI 3.1, made from the routes themselves.

#![allow(dead_code, reason = "what is described here is read and answered elsewhere")]

use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi as _};

use super::answers::KeyState;
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

/// The parameter of the routes of one key.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Id {
    /// The id of the key.
    #[param(example = "Gh29RPWKBo4")]
    id: String,
}

/// The parameters of the route that shows pages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the page before; without it: the first.
    #[param(pattern = r"^-?[0-9]{1,12}\.[0-9A-Za-z]{11}$")]
    cursor: Option<String>,
    /// Only those.
    state: Option<KeyState>,
    /// Only those with this text in their name, letter for letter.
    name: Option<String>,
}

/// The parameter of the routes that change keys.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wait {
    /// Answer only when `effective_by` has passed.
    #[param(default = false)]
    wait: Option<bool>,
}

/// The refusals of every route.
#[derive(IntoResponses)]
pub(super) enum Refusals {
    /// The admin secret was sent more than once
    #[response(status = 400, content_type = "application/problem+json")]
    Repeated(Problem),
    /// The admin secret is missing or wrong
    #[response(
        status = 401,
        content_type = "application/problem+json",
        headers(("WWW-Authenticate" = String)),
    )]
    Refused(Problem),
    /// Something is wrong with the request; nothing was changed
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// The keys cannot be read or written now
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds.")),
    )]
    Unavailable(Problem),
}

/// The refusal of the routes of one key.
#[derive(IntoResponses)]
pub(super) enum Unknown {
    /// There is no such key
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
}

/// The refusal of the route that takes in keys.
#[derive(IntoResponses)]
pub(super) enum Exists {
    /// A key of this text exists already
    #[response(status = 409, content_type = "application/problem+json")]
    Exists(Problem),
}

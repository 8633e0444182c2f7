//! Parameters and responses that the operations of the OpenAPI document share.

#![allow(dead_code, reason = "what is described here is read and answered elsewhere")]

use utoipa::{IntoParams, IntoResponses};

use super::answers::KeyState;
use crate::problem::Problem;

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
    /// Only the keys of this owner, letter for letter; empty: those without an owner.
    #[param(
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"
    )]
    owner: Option<String>,
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

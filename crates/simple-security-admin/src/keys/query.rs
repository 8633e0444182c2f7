//! The parameters of the routes, in the query.

use http::Uri;
use simple_security::{KeyFilter, Owner, PageRequest};
use utoipa::IntoParams;

use super::responses::KeyState;
use crate::parameters::{Parameters, detail};
use crate::rejection::Rejection;

/// The parameters of the route that lists keys.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes what `page` reads")]
pub(super) struct PageQuery {
    /// The maximum number of keys on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// The `next` of the previous page. If omitted: the first page.
    #[param(pattern = r"^-?[0-9]{1,12}\.[0-9A-Za-z]{11}$")]
    cursor: Option<String>,
    /// Only keys in this state.
    state: Option<KeyState>,
    /// Only keys with this text in their name, case-sensitive.
    name: Option<String>,
    /// Only keys of exactly this owner, case-sensitive. Empty: keys without an owner.
    #[param(
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$"
    )]
    owner: Option<String>,
}

/// The requested page.
///
/// # Errors
/// [`Rejection::Invalid`]: a parameter is unknown, sent twice, or has a value that it cannot have.
pub(super) fn page(uri: &Uri) -> Result<PageRequest, Rejection> {
    let mut parameters = Parameters::of_query(uri);
    let limit = parameters.take("limit", |text| {
        let limit = text.parse().ok().filter(|limit| LIMITS.contains(limit));
        limit.ok_or("a limit is a number from 1 to 1000".into())
    });
    let after = parameters.take("cursor", |text| text.parse().map_err(detail));
    let state = parameters.take("state", |text| text.parse().map_err(detail));
    let name = parameters.take("name", Ok);
    let owner = parameters.take("owner", |text| Owner::new(&text).map_err(detail));
    let request = PageRequest::default()
        .with_filter(KeyFilter::new(state, name).with_owner(owner))
        .after(after)
        .with_limit(limit.unwrap_or(PageRequest::DEFAULT_LIMIT));
    parameters.end(request)
}

/// For routes that read no parameter.
///
/// # Errors
/// [`Rejection::Invalid`]: there is one.
pub(super) fn none(uri: &Uri) -> Result<(), Rejection> {
    Parameters::of_query(uri).end(())
}

const LIMITS: std::ops::RangeInclusive<u32> = 1..=PageRequest::MAX_LIMIT;
